//! Why a code is given no meaning, in words for whoever sets the site up.

use thiserror::Error;

use crate::decode::gs1::Gs1Error;

/// Why a code is given no meaning.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unclear {
    /// It says that it is GS1's, and is not valid.
    #[error("the code is not valid GS1 data: {0}")]
    Gs1(#[from] Gs1Error),
    #[error(
        "{text} means {one} and {other}; give one of them another barcode in Odoo, or say in code.means of the profile which it is"
    )]
    Ambiguous {
        text: String,
        one: String,
        other: String,
    },
    /// What its elements say, by GS1's rules and by the site's own, does not go together.
    #[error(
        "{text} means {one} and {other}; change the rule in Odoo's barcode nomenclature, or the label"
    )]
    Contradiction {
        text: String,
        one: String,
        other: String,
    },
    /// A label's measure has no common reference with the product's unit, or Odoo would round it to
    /// another quantity.
    #[error(
        "the label says {measure}, which is no quantity of {product} in its unit in Odoo; scan the product by another code and enter the quantity, or change the unit in Odoo"
    )]
    Measure { product: String, measure: String },
    /// A field of an ISO/IEC 15434 message.
    #[error("data identifier {identifier}: found {value}; accepted is {accepted}")]
    DataIdentifier {
        identifier: String,
        value: String,
        accepted: &'static str,
    },
    /// The profile says that it is a quantity, and it is no number.
    #[error("{text} is no quantity, which code.means of the profile says it is")]
    NoQuantity { text: String },
}

impl Unclear {
    pub(super) fn ambiguous(text: &str, [one, other]: [String; 2]) -> Self {
        Self::Ambiguous {
            text: text.to_owned(),
            one,
            other,
        }
    }
}
