//! Converts scanned quantities to the product's own unit as Odoo does, or refuses. Pure.
//!
//! Odoo multiplies by the factor of the scanned unit, divides by that of the product's unit, and
//! rounds half up to the precision of that unit (`uom.uom._compute_quantity`). It drops the rounded
//! part without an error.
//!
//! **Promise:** if the precision of the product's unit is known, the result of [`Measure::convert`]
//! has no more digits than Odoo stores, and is the scanned quantity again if it is converted back
//! and rounded to this precision. Differences of floating point do not count. If the precision is
//! unknown, the result is rounded to six decimals.

use rust_decimal::prelude::FromPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};

/// Odoo's factors are floating point, and so are their products: 6.000000000001 is 6.
const FACTOR_DIGITS: u32 = 12;
/// The largest difference that counts as zero, as a part of the quantity: factors of so many digits
/// cause it.
const NOISE: Decimal = Decimal::from_parts(1, 0, 0, false, 11);
/// The decimals that the gateway compares if it does not know the precision.
const DECIMALS_MAX: u32 = 6;

/// Converts a quantity in the scanned unit into the product's own unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    /// The factors of the scanned unit and of the product's own unit. Both are more than zero.
    scanned: Decimal,
    own: Decimal,
    /// The smallest quantity of the product that Odoo stores. `None`: unknown.
    precision: Option<Decimal>,
}

/// The reason why the gateway cannot post a quantity as scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    TooLarge,
    /// Odoo would store `rounded` of the product's own unit instead.
    TooFine {
        rounded: Decimal,
        precision: Decimal,
    },
}

impl Measure {
    /// The scanned unit is the product's own unit.
    pub const OWN: Self = Self {
        scanned: Decimal::ONE,
        own: Decimal::ONE,
        precision: None,
    };

    /// Creates a measure from Odoo's factors. `None`: a factor is not a number above zero.
    #[must_use]
    pub fn of(scanned: f64, own: f64) -> Option<Self> {
        Some(Self {
            scanned: factor(scanned)?,
            own: factor(own)?,
            precision: None,
        })
    }

    /// The factors of the scanned unit and of the product's own unit.
    #[must_use]
    pub fn factors(&self) -> (Decimal, Decimal) {
        (self.scanned, self.own)
    }

    /// Creates a measure from these factors. `None`: a factor is not a number above zero.
    #[must_use]
    pub fn by_factors((scanned, own): (Decimal, Decimal)) -> Option<Self> {
        let is_good = scanned > Decimal::ZERO && own > Decimal::ZERO;
        is_good.then_some(Self {
            scanned,
            own,
            precision: None,
        })
    }

    /// Converts a quantity into the unit of another code of the product. `None`: the result needs
    /// more than six decimals.
    #[must_use]
    pub fn restate(&self, quantity: Decimal, other: &Self) -> Option<Decimal> {
        let there = quantity.checked_mul(self.scanned)?.checked_mul(other.own)?;
        let exact = there.checked_div(self.own.checked_mul(other.scanned)?)?;
        let rounded = round_to(exact, DECIMALS_MAX);
        ((exact - rounded).abs() <= exact.abs() * NOISE).then_some(rounded)
    }

    /// Sets the smallest quantity that Odoo stores.
    #[must_use]
    pub fn with_precision(self, precision: Option<Decimal>) -> Self {
        let precision = precision.filter(|precision| *precision > Decimal::ZERO);
        Self { precision, ..self }
    }

    /// The quantity in the product's own unit that one scan means, to six decimals.
    #[must_use]
    pub fn factor(&self) -> Decimal {
        self.nearest(Decimal::ONE)
    }

    /// Converts a quantity into the product's own unit, for people and for comparisons; rounds it
    /// if necessary.
    #[must_use]
    pub fn nearest(&self, quantity: Decimal) -> Decimal {
        self.convert(quantity).unwrap_or_else(|_| {
            let own = self.exact(quantity).unwrap_or(quantity);
            round_to(own, DECIMALS_MAX)
        })
    }

    /// Whether a quantity of the scanned unit has more digits than Odoo stores, even after
    /// conversion. A fraction of the product's own unit does not count: more scans may make it
    /// whole.
    #[must_use]
    pub fn is_too_fine(&self, quantity: Decimal) -> bool {
        matches!(self.convert(quantity), Err(Unfit::TooFine { precision, .. })
            if !is_multiple(quantity, precision))
    }

    /// Converts a quantity into the product's own unit.
    pub fn convert(&self, quantity: Decimal) -> Result<Decimal, Unfit> {
        let exact = self.exact(quantity).ok_or(Unfit::TooLarge)?;
        let Some(precision) = self.precision else {
            return Ok(round_to(exact, DECIMALS_MAX));
        };
        let rounded = round_half_up(exact, precision).ok_or(Unfit::TooLarge)?;
        if self.is_same(quantity, exact, rounded, precision) {
            Ok(rounded)
        } else {
            Err(Unfit::TooFine { rounded, precision })
        }
    }

    fn exact(&self, quantity: Decimal) -> Option<Decimal> {
        if self.scanned == self.own {
            return Some(quantity);
        }
        quantity.checked_mul(self.scanned)?.checked_div(self.own)
    }

    fn is_same(
        &self,
        quantity: Decimal,
        exact: Decimal,
        rounded: Decimal,
        precision: Decimal,
    ) -> bool {
        if self.scanned == self.own {
            return exact == rounded;
        }
        let lost = (exact - rounded).abs();
        if lost <= exact.abs() * NOISE {
            return true;
        }
        // A pound is 453.592 g, and 453.59 g are 1.00 pounds. But 0.42 dozens are not 5 pieces.
        let back = rounded
            .checked_mul(self.own)
            .and_then(|back| round_half_up(back.checked_div(self.scanned)?, precision));
        back == Some(quantity)
    }
}

fn factor(factor: f64) -> Option<Decimal> {
    let factor = Decimal::from_f64(factor)?.round_sf(FACTOR_DIGITS)?;
    Some(factor.normalize()).filter(|factor| *factor > Decimal::ZERO)
}

fn is_multiple(quantity: Decimal, precision: Decimal) -> bool {
    round_half_up(quantity, precision) == Some(quantity)
}

fn round_to(quantity: Decimal, decimals: u32) -> Decimal {
    quantity
        .round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero)
        .normalize()
}

fn round_half_up(quantity: Decimal, precision: Decimal) -> Option<Decimal> {
    let steps = quantity.checked_div(precision)?;
    let steps = steps.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
    Some(steps.checked_mul(precision)?.normalize())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn measure(scanned: f64, own: f64) -> Measure {
        Measure::of(scanned, own)
            .unwrap()
            .with_precision(Some(number("0.01")))
    }

    fn converted(measure: Measure, quantity: &str) -> Option<String> {
        let converted = measure.convert(number(quantity)).ok();
        converted.map(|quantity| quantity.to_string())
    }

    #[test]
    fn twelve_pieces_are_a_dozen_and_five_are_no_number_of_dozens() {
        let twelfth = 1.0 / 12.0;
        // Odoo may have the factor of either unit, also with only a few digits.
        for measure in [
            measure(1.0, 12.0),
            measure(twelfth, 1.0),
            measure(0.083_333, 1.0),
        ] {
            for (pieces, dozens) in [("12", "1"), ("3", "0.25"), ("30", "2.5"), ("1200", "100")] {
                assert_eq!(
                    converted(measure, pieces).as_deref(),
                    Some(dozens),
                    "{pieces}"
                );
            }
            for pieces in ["5", "1", "7", "0.5", "13"] {
                assert_eq!(converted(measure, pieces), None, "{pieces}");
                // Another scan may make the quantity whole.
                assert!(!measure.is_too_fine(number(pieces)), "{pieces}");
            }
        }
        let unfit = measure(1.0, 12.0).convert(number("5")).unwrap_err();
        let (rounded, precision) = (number("0.42"), number("0.01"));
        assert_eq!(unfit, Unfit::TooFine { rounded, precision });
    }

    #[test]
    fn a_quantity_has_the_digits_that_odoo_keeps() {
        let own = Measure::OWN.with_precision(Some(number("0.01")));
        assert_eq!(converted(own, "0.04").as_deref(), Some("0.04"));
        assert_eq!(converted(own, "0.040").as_deref(), Some("0.04"));
        assert_eq!(converted(own, "0.004"), None);
        assert_eq!(converted(own, "1000000000.004"), None);
        assert!(own.is_too_fine(number("0.004")));
        assert!(!own.is_too_fine(number("0.04")));
        let whole = Measure::OWN.with_precision(Some(number("1.0")));
        assert_eq!(converted(whole, "2").as_deref(), Some("2"));
        assert_eq!(converted(whole, "0.5"), None);
        // An eighth of a case of eight is one piece, however many digits an eighth has.
        let case = measure(8.0, 1.0);
        assert_eq!(converted(case, "0.125").as_deref(), Some("1"));
        assert_eq!(converted(case, "0.333"), None);
        assert!(case.is_too_fine(number("0.333")));
        // Without a known precision, six decimals count.
        assert_eq!(converted(Measure::OWN, "0.004").as_deref(), Some("0.004"));
    }

    #[test]
    fn a_pound_is_so_many_grams_as_odoo_makes_of_it() {
        let pound = measure(453.592, 1.0);
        assert_eq!(converted(pound, "1").as_deref(), Some("453.59"));
        assert_eq!(converted(pound, "1000").as_deref(), Some("453592"));
        let gram = measure(1.0, 453.592);
        assert_eq!(converted(gram, "453.59").as_deref(), Some("1"));
        assert_eq!(converted(gram, "1"), None, "no gram is lost");
    }

    #[test]
    fn cases_and_pieces_of_one_product_are_restated_exactly_or_not_at_all() {
        let (piece, six, ten) = (Measure::OWN, measure(6.0, 1.0), measure(10.0, 1.0));
        assert_eq!(six.restate(2.into(), &piece), Some(12.into()));
        assert_eq!(piece.restate(12.into(), &six), Some(2.into()));
        assert_eq!(piece.restate(5.into(), &six), None);
        assert_eq!(six.restate(5.into(), &ten), Some(3.into()));
        // The product's unit is the dozen; Odoo may have the factor of either unit.
        for piece in [measure(1.0, 12.0), measure(1.0 / 12.0, 1.0)] {
            assert_eq!(Measure::OWN.restate(1.into(), &piece), Some(12.into()));
            assert_eq!(piece.restate(6.into(), &Measure::OWN), Some(number("0.5")));
            assert_eq!(piece.restate(5.into(), &Measure::OWN), None);
        }
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let case = measure(12.0, 1.0);
        assert_eq!(case.convert(Decimal::MAX), Err(Unfit::TooLarge));
        assert_eq!(Measure::of(0.0, 1.0), None);
        assert_eq!(Measure::of(f64::NAN, 1.0), None);
        assert_eq!(Measure::of(1.0, f64::INFINITY), None);
    }

    /// Odoo's `float_round(.., 'HALF-UP')`, in floating point.
    fn odoo(quantity: f64, scanned: f64, own: f64) -> f64 {
        let steps = quantity * scanned / own * 100.0;
        let epsilon = steps.abs() * 2.0_f64.powi(-50);
        (steps + epsilon).round() / 100.0
    }

    proptest! {
        /// A whole number of the larger unit, scanned in the smaller unit, stays that number for
        /// any factor, and however Odoo stores the factor.
        #[test]
        fn what_makes_whole_units_is_whole(per in 1_u32..5_000, units in 1_u32..5_000) {
            let pieces = Decimal::from(per) * Decimal::from(units);
            let per = f64::from(per);
            for measure in [measure(1.0, per), measure(1.0 / per, 1.0), measure(1.0 / 3.0, per / 3.0)] {
                prop_assert_eq!(measure.convert(pieces), Ok(Decimal::from(units)));
            }
            for measure in [measure(per, 1.0), measure(1.0, 1.0 / per)] {
                prop_assert_eq!(measure.convert(Decimal::from(units)), Ok(pieces));
            }
        }

        /// The converted quantity equals Odoo's own conversion, and converts back into the scanned
        /// quantity.
        #[test]
        fn nothing_is_lost(
            cents in 1_i64..1_000_000, scanned in 0.001_f64..1_000.0, own in 0.001_f64..1_000.0,
        ) {
            let quantity = Decimal::new(cents, 2);
            #[expect(clippy::cast_precision_loss, reason = "below a million")]
            let written = cents as f64 / 100.0;
            if let Ok(converted) = measure(scanned, own).convert(quantity) {
                prop_assert!(converted.scale() <= 2);
                let there: f64 = converted.to_string().parse().unwrap();
                prop_assert!((there - odoo(written, scanned, own)).abs() < 0.000_001);
                prop_assert!((odoo(there, own, scanned) - written).abs() < 0.000_001);
            }
        }

        /// A quantity that Odoo cannot store never becomes another quantity.
        #[test]
        fn a_part_of_a_unit_is_not_rounded(per in 1_i64..2_000, pieces in 1_i64..100_000) {
            #[expect(clippy::cast_precision_loss, reason = "below two thousand")]
            let measure = measure(1.0, per as f64);
            let converted = measure.convert(Decimal::from(pieces));
            let exact = Decimal::from(pieces) / Decimal::from(per);
            let is_kept = pieces * 100 % per == 0;
            prop_assert_eq!(converted.ok(), is_kept.then_some(exact.normalize()));
        }
    }
}
