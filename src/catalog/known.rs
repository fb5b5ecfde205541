//! Answers from the catalog what a code stands for, and builds the company's barcode rules.

use crate::catalog::{Catalog, CatalogError, Found, OrderFound};
use crate::decode::gs1::Unit;
use crate::decode::meaning::{Fit, Known, KnownProduct, UnitOf};
use crate::decode::nomenclature::{self, Content, Conversion, Encoding, Nomenclature};
use crate::odoo::{self, Kind};
use crate::odoo_id::{ProductId, UnitId};
use rust_decimal::Decimal;

/// Looks up codes in the catalog. A record that the gateway cannot read counts as unknown: it does
/// not guess.
#[derive(Debug)]
pub struct InCatalog<'a> {
    pub copy: &'a Catalog,
    /// The product of the last scan: the gateway looks up a lot among the lots of this product.
    pub last: Option<&'a str>,
}

impl InCatalog<'_> {
    /// The names of the found records, for people.
    fn names<T: Into<i64>>(
        &self,
        kind: Kind,
        code: &str,
        found: Result<Found<T>, CatalogError>,
    ) -> Vec<String> {
        match found {
            Ok(Found::One(id)) => {
                let called = self.copy.called(kind, id.into()).ok().flatten();
                vec![called.map_or_else(|| code.to_owned(), |called| called.name)]
            }
            Ok(Found::Several(names)) => names,
            Ok(Found::Nothing) | Err(_) => Vec::new(),
        }
    }
}

impl Known for InCatalog<'_> {
    fn products(&self, code: &str) -> Vec<KnownProduct> {
        match self.copy.product(code) {
            Ok(Found::One(product)) => vec![KnownProduct {
                id: product.id,
                name: product.name,
                units: product.measure.factor(),
                unit: Some(product.unit),
            }],
            // The names of the two products tell them apart; the caller uses nothing else of them.
            Ok(Found::Several(names)) => (1..)
                .zip(names)
                .map(|(place, name)| KnownProduct {
                    id: ProductId::new(-place),
                    name,
                    units: 1.into(),
                    unit: None,
                })
                .collect(),
            Ok(Found::Nothing) | Err(_) => Vec::new(),
        }
    }

    fn locations(&self, code: &str) -> Vec<String> {
        self.names(Kind::Location, code, self.copy.location(code))
    }

    fn packages(&self, code: &str) -> Vec<String> {
        self.names(Kind::Package, code, self.copy.package(code))
    }

    /// The steps and backorders of one order count as one order.
    fn orders(&self, code: &str) -> Vec<String> {
        match self.copy.order(code) {
            Ok(OrderFound::Open(_) | OrderFound::Over { .. }) => vec![code.to_owned()],
            Ok(OrderFound::Nothing) | Err(_) => Vec::new(),
        }
    }

    fn has_lot(&self, code: &str) -> bool {
        let product = self.last.map(|last| self.copy.product(last));
        let Some(Ok(Found::One(product))) = product else {
            return false;
        };
        !matches!(self.copy.lot(product.id, code), Ok(Found::Nothing) | Err(_))
    }

    fn convert(&self, value: Decimal, unit: UnitOf, into: UnitId) -> Fit {
        let fit = self.copy.convert(value, unit, into);
        fit.unwrap_or(Fit::Unknown)
    }

    fn last_without_pieces(&self) -> Option<String> {
        let Ok(Found::One(product)) = self.copy.product(self.last?) else {
            return None;
        };
        let piece = UnitOf::Gs1(Unit::Piece);
        let fit = self.convert(Decimal::ONE, piece, product.unit);
        (fit == Fit::Foreign).then_some(product.name)
    }

    fn own_code(&self, product: ProductId) -> Option<String> {
        self.copy.own_code(product).ok()?
    }
}

/// The company's rules for codes.
#[must_use]
pub fn nomenclature(copy: &Catalog) -> Option<Nomenclature> {
    let own = copy.nomenclature().ok()?;
    let weight = if own.pounds {
        Unit::Pound
    } else {
        Unit::Kilogram
    };
    let rules = own.rules.iter();
    let rules: Vec<_> = rules.filter_map(|one| rule(one, weight)).collect();
    if rules.is_empty() {
        return None;
    }
    let conversion = match own.conversion.as_deref() {
        Some("none") => Conversion::None,
        Some("ean2upc") => Conversion::EanToUpc,
        Some("upc2ean") => Conversion::UpcToEan,
        _ => Conversion::Always,
    };
    // The group separators of the nomenclature do not matter here: the caller looks up each element
    // alone.
    let read = if own.gs1 {
        Nomenclature::gs1("", rules)
    } else {
        Nomenclature::new(conversion, rules)
    };
    read.inspect_err(|error| tracing::warn!("the gateway does not use Odoo's barcode nomenclature: {error}; correct the nomenclature in Odoo"))
        .ok()
}

fn rule(rule: &odoo::Rule, weight: Unit) -> Option<nomenclature::Rule> {
    let encoding = match rule.encoding.as_deref() {
        None | Some("any") => Encoding::Any,
        Some("ean13") => Encoding::Ean13,
        Some("ean8") => Encoding::Ean8,
        Some("upca") => Encoding::Upca,
        Some("gs1-128") => Encoding::Gs1,
        Some(_) => return None,
    };
    let content = match rule.gs1_content_type.as_deref() {
        Some("date") => Content::Date,
        Some("measure") => Content::Measure,
        Some("identifier") => Content::Identifier,
        _ => Content::Alpha,
    };
    Some(nomenclature::Rule {
        name: rule.name.clone(),
        sequence: i32::try_from(rule.sequence).unwrap_or(i32::MAX),
        encoding,
        kind: rule.kind.clone(),
        pattern: rule.pattern.clone()?,
        alias: rule.alias.clone().unwrap_or_default(),
        content,
        decimals: rule.gs1_decimal_usage,
        uom: rule.associated_uom_id,
        weight,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::odoo::Row;

    fn copy_with(gs1: bool, rules: serde_json::Value) -> (tempfile::TempDir, Catalog) {
        let dir = tempfile::tempdir().unwrap();
        let copy = Catalog::open(dir.path(), "x").unwrap();
        let nomenclature = odoo::Nomenclature {
            gs1,
            pounds: false,
            conversion: Some("none".to_owned()),
            rules: serde_json::from_value(rules).unwrap(),
        };
        copy.set_nomenclature(&nomenclature).unwrap();
        (dir, copy)
    }

    #[test]
    fn a_nomenclature_of_odoos_is_used_for_gs1_data_or_for_all_else() {
        let rules = json!([
            {"name": "Weights", "type": "quantity", "pattern": "(330[0-5])(\\d{6})", "sequence": 1, "encoding": "gs1-128",
             "gs1_content_type": "measure", "gs1_decimal_usage": true, "associated_uom_id": 7},
            {"name": "UPC", "type": "lot", "pattern": "0", "sequence": 2, "encoding": "ean13"},
        ]);
        let (_dir, copy) = copy_with(true, rules.clone());
        let gs1 = nomenclature(&copy).unwrap();
        let found = gs1.element("3302", "000125", 2026).unwrap();
        assert_eq!(
            (found.value, found.rule.uom),
            (
                nomenclature::Value::Number("1.25".parse().unwrap()),
                Some(UnitId::new(7))
            )
        );
        assert_eq!(gs1.text("0036000291452"), None);

        let (_dir, copy) = copy_with(false, rules);
        let plain = nomenclature(&copy).unwrap();
        assert_eq!(plain.element("3302", "000125", 2026), None);
        assert_eq!(plain.text("0036000291452").unwrap().rule.kind, "lot");
        assert_eq!(plain.text("036000291452"), None, "UPC-A stays what it is");
    }

    #[test]
    fn a_weight_without_a_unit_is_in_odoos_unit_of_weight() {
        let rules = json!([{"name": "Weights", "type": "weight", "pattern": "21.....{NNDDD}", "sequence": 1, "encoding": "ean13"}]);
        let (_dir, copy) = copy_with(false, rules);
        let mut own = copy.nomenclature().unwrap();
        for (pounds, unit) in [(false, Unit::Kilogram), (true, Unit::Pound)] {
            own.pounds = pounds;
            copy.set_nomenclature(&own).unwrap();
            let rules = nomenclature(&copy).unwrap();
            assert_eq!(rules.text("2112345002750").unwrap().rule.weight, unit);
        }
    }

    #[test]
    fn so_many_pieces_are_no_quantity_of_what_was_weighed_last() {
        let (_dir, copy) = copy_with(false, json!([]));
        let unit = |id: i64, external: &str| Row {
            id,
            active: true,
            factor: Some(1.0),
            reference: Some(id.to_string()),
            external: Some(external.to_owned()),
            ..Row::default()
        };
        let units = [
            unit(1, "uom.product_uom_unit"),
            unit(3, "uom.product_uom_gram"),
        ];
        let product = |id, barcode: &str, unit| Row {
            id,
            active: true,
            barcode: Some(barcode.to_owned()),
            display_name: Some(barcode.to_lowercase()),
            uom_id: Some(unit),
            ..Row::default()
        };
        copy.apply(Kind::Unit, &units).unwrap();
        let products = [
            product(1, "PEN", UnitId::new(1)),
            product(2, "HAM", UnitId::new(3)),
        ];
        copy.apply(Kind::Product, &products).unwrap();
        let last = |last| InCatalog { copy: &copy, last }.last_without_pieces();
        assert_eq!(last(Some("HAM")).as_deref(), Some("ham"));
        assert_eq!(last(Some("PEN")), None);
        assert_eq!(last(None), None);
    }

    /// A number may be a product's lot and a bin. Before a product is scanned, no flow accepts a
    /// lot: there the number means the bin.
    #[test]
    fn a_lot_is_one_of_the_product_that_was_scanned_last() {
        let (_dir, copy) = copy_with(false, json!([]));
        let row = |id| Row {
            id,
            active: true,
            ..Row::default()
        };
        let product = |id, barcode: &str| Row {
            barcode: Some(barcode.to_owned()),
            ..row(id)
        };
        let lot = Row {
            name: Some("1001".to_owned()),
            product_id: Some(ProductId::new(1)),
            ..row(5)
        };
        let rows = [product(1, "PEN"), product(2, "INK")];
        copy.apply(Kind::Product, &rows).unwrap();
        copy.apply(Kind::Lot, &[lot]).unwrap();
        let has_lot = |last| InCatalog { copy: &copy, last }.has_lot("1001");
        assert!(has_lot(Some("PEN")));
        assert!(!has_lot(Some("INK")) && !has_lot(None));
    }
}
