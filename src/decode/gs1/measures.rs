//! Weights and dimensions (310n to 369n): what each application identifier measures, and in which
//! unit.
//!
//! *GS1 General Specifications*: trade measures (3.6.2) are of the item itself; logistic measures
//! (3.6.3) are of the unit with its packing, such as the gross weight. (30) counts the items of one
//! of variable measure (3.6.1).

use super::elements::ElementString;
use rust_decimal::Decimal;

/// The unit of a measure on a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Items, as (30) counts them.
    Piece,
    Kilogram,
    Pound,
    Ounce,
    TroyOunce,
    Metre,
    Inch,
    Foot,
    Yard,
    SquareMetre,
    SquareInch,
    SquareFoot,
    SquareYard,
    Litre,
    CubicMetre,
    Quart,
    Gallon,
    CubicInch,
    CubicFoot,
    CubicYard,
    KilogramPerSquareMetre,
}

/// The measure of an application identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeasureKind {
    /// The first three digits of the application identifier.
    pub ai: &'static str,
    /// The name in `measures` of an event.
    pub name: &'static str,
    pub unit: Unit,
    /// Whether the measure can be the quantity of the item. A width, a depth and a gross weight
    /// cannot.
    pub is_quantity: bool,
}

const fn net(ai: &'static str, name: &'static str, unit: Unit) -> MeasureKind {
    MeasureKind {
        ai,
        name,
        unit,
        is_quantity: true,
    }
}

const fn other(ai: &'static str, name: &'static str, unit: Unit) -> MeasureKind {
    MeasureKind {
        is_quantity: false,
        ..net(ai, name, unit)
    }
}

/// All measures that GS1 has defined (310n to 369n), by application identifier. The count of
/// pieces (30) is not one of them.
pub const MEASURES: &[MeasureKind] = &[
    net("310", "net_kg", Unit::Kilogram),
    net("311", "length_m", Unit::Metre),
    other("312", "width_m", Unit::Metre),
    other("313", "depth_m", Unit::Metre),
    net("314", "area_m2", Unit::SquareMetre),
    net("315", "net_l", Unit::Litre),
    net("316", "net_m3", Unit::CubicMetre),
    net("320", "net_lb", Unit::Pound),
    net("321", "length_in", Unit::Inch),
    net("322", "length_ft", Unit::Foot),
    net("323", "length_yd", Unit::Yard),
    other("324", "width_in", Unit::Inch),
    other("325", "width_ft", Unit::Foot),
    other("326", "width_yd", Unit::Yard),
    other("327", "depth_in", Unit::Inch),
    other("328", "depth_ft", Unit::Foot),
    other("329", "depth_yd", Unit::Yard),
    other("330", "gross_kg", Unit::Kilogram),
    other("331", "logistic_length_m", Unit::Metre),
    other("332", "logistic_width_m", Unit::Metre),
    other("333", "logistic_depth_m", Unit::Metre),
    other("334", "logistic_area_m2", Unit::SquareMetre),
    other("335", "logistic_l", Unit::Litre),
    other("336", "logistic_m3", Unit::CubicMetre),
    other("337", "kg_per_m2", Unit::KilogramPerSquareMetre),
    other("340", "gross_lb", Unit::Pound),
    other("341", "logistic_length_in", Unit::Inch),
    other("342", "logistic_length_ft", Unit::Foot),
    other("343", "logistic_length_yd", Unit::Yard),
    other("344", "logistic_width_in", Unit::Inch),
    other("345", "logistic_width_ft", Unit::Foot),
    other("346", "logistic_width_yd", Unit::Yard),
    other("347", "logistic_depth_in", Unit::Inch),
    other("348", "logistic_depth_ft", Unit::Foot),
    other("349", "logistic_depth_yd", Unit::Yard),
    net("350", "area_in2", Unit::SquareInch),
    net("351", "area_ft2", Unit::SquareFoot),
    net("352", "area_yd2", Unit::SquareYard),
    other("353", "logistic_area_in2", Unit::SquareInch),
    other("354", "logistic_area_ft2", Unit::SquareFoot),
    other("355", "logistic_area_yd2", Unit::SquareYard),
    net("356", "net_ozt", Unit::TroyOunce),
    // Weight or volume, by the product's unit.
    net("357", "net_oz", Unit::Ounce),
    net("360", "net_qt", Unit::Quart),
    net("361", "net_gal", Unit::Gallon),
    other("362", "logistic_qt", Unit::Quart),
    other("363", "logistic_gal", Unit::Gallon),
    net("364", "net_in3", Unit::CubicInch),
    net("365", "net_ft3", Unit::CubicFoot),
    net("366", "net_yd3", Unit::CubicYard),
    other("367", "logistic_in3", Unit::CubicInch),
    other("368", "logistic_ft3", Unit::CubicFoot),
    other("369", "logistic_yd3", Unit::CubicYard),
];

impl ElementString {
    /// Lists the weights and dimensions, by application identifier.
    #[must_use]
    pub fn measures(&self) -> Vec<(&'static MeasureKind, Decimal)> {
        let said = |kind: &'static MeasureKind| Some((kind, self.measure(kind.ai)?));
        MEASURES.iter().filter_map(said).collect()
    }
}

impl Unit {
    /// The sign of the unit, for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Piece => "pieces",
            Self::Kilogram => "kg",
            Self::Pound => "lb",
            Self::Ounce => "oz",
            Self::TroyOunce => "oz t",
            Self::Metre => "m",
            Self::Inch => "in",
            Self::Foot => "ft",
            Self::Yard => "yd",
            Self::SquareMetre => "m²",
            Self::SquareInch => "in²",
            Self::SquareFoot => "ft²",
            Self::SquareYard => "yd²",
            Self::Litre => "l",
            Self::CubicMetre => "m³",
            Self::Quart => "qt",
            Self::Gallon => "gal",
            Self::CubicInch => "in³",
            Self::CubicFoot => "ft³",
            Self::CubicYard => "yd³",
            Self::KilogramPerSquareMetre => "kg/m²",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::gs1::{parse, table::Spec};

    #[test]
    fn every_measure_that_gs1_has_given_out_is_known() {
        for first in 310..=369 {
            let (ai, n) = (first.to_string(), format!("{first}0"));
            let known = MEASURES.iter().any(|kind| kind.ai == ai);
            assert_eq!(known, Spec::of(&n).is_some(), "{ai}");
        }
    }

    #[test]
    fn a_label_says_its_measures_as_they_are_printed() {
        let label = parse(
            "(01)00614141000029(3103)012500(3302)001300(3150)000007",
            2026,
        )
        .unwrap();
        let said: Vec<_> = label
            .measures()
            .into_iter()
            .map(|(kind, value)| (kind.name, value.normalize().to_string(), kind.is_quantity))
            .collect();
        assert_eq!(
            said,
            [
                ("net_kg", "12.5".to_owned(), true),
                ("net_l", "7".to_owned(), true),
                ("gross_kg", "13".to_owned(), false),
            ]
        );
    }
}
