//! The copy of Odoo's data, asked for what a code is.

use crate::decode::meaning::{Known, KnownProduct};
use crate::decode::nomenclature::{self, Content, Conversion, Encoding, Nomenclature};
use crate::forward::copy::{Copy, CopyError, Found, OrderFound};
use crate::forward::odoo::{self, Kind};

use super::state::Tracking;

/// Looks into the copy. What cannot be read is not known: nothing is guessed of it.
#[derive(Debug)]
pub struct InCopy<'a> {
    pub copy: &'a Copy,
    /// The product that was scanned last: a lot is looked for among its own.
    pub last: Option<&'a str>,
}

impl InCopy<'_> {
    pub fn tracking(&self, code: &str) -> Tracking {
        match self.copy.product(code) {
            Ok(Found::One(product)) if product.serial => Tracking::Serial,
            Ok(Found::One(product)) if product.tracked => Tracking::Lot,
            Ok(Found::One(_)) => Tracking::No,
            _ => Tracking::Unknown,
        }
    }

    /// The names of what was found, for people.
    fn names(&self, kind: Kind, code: &str, found: Result<Found<i64>, CopyError>) -> Vec<String> {
        match found {
            Ok(Found::One(id)) => {
                let called = self.copy.called(kind, id).ok().flatten();
                vec![called.map_or_else(|| code.to_owned(), |called| called.name)]
            }
            Ok(Found::Several(names)) => names,
            Ok(Found::Nothing) | Err(_) => Vec::new(),
        }
    }
}

impl Known for InCopy<'_> {
    fn products(&self, code: &str) -> Vec<KnownProduct> {
        match self.copy.product(code) {
            Ok(Found::One(product)) => vec![KnownProduct {
                id: product.id,
                name: product.name,
                units: product.factor,
            }],
            // Their names tell them apart; more than that nobody asks of two.
            Ok(Found::Several(names)) => (1..)
                .zip(names)
                .map(|(place, name)| KnownProduct {
                    id: -place,
                    name,
                    units: 1.into(),
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

    /// The steps and backorders of one order are one order.
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
}

/// The company's rules for codes. Those for GS1 are left out: what a GS1 code says is read by GS1's own rules.
pub fn nomenclature(copy: &Copy) -> Option<Nomenclature> {
    let rules = copy.nomenclature().ok()?;
    let rules: Vec<_> = rules.iter().filter_map(rule).collect();
    if rules.is_empty() {
        return None;
    }
    Nomenclature::new(Conversion::Always, rules)
        .inspect_err(|error| tracing::warn!("Odoo's barcode nomenclature is not used: {error}"))
        .ok()
}

fn rule(rule: &odoo::Rule) -> Option<nomenclature::Rule> {
    let encoding = match rule.encoding.as_deref() {
        None | Some("any") => Encoding::Any,
        Some("ean13") => Encoding::Ean13,
        Some("ean8") => Encoding::Ean8,
        Some("upca") => Encoding::Upca,
        Some(_) => return None,
    };
    Some(nomenclature::Rule {
        name: rule.name.clone(),
        sequence: i32::try_from(rule.sequence).unwrap_or(i32::MAX),
        encoding,
        kind: rule.kind.clone(),
        pattern: rule.pattern.clone()?,
        alias: rule.alias.clone().unwrap_or_default(),
        content: Content::Identifier,
        decimals: false,
        uom: None,
    })
}
