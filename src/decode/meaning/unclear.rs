//! Why a code has no meaning, for the administrator of the site.

use thiserror::Error;

use crate::decode::gs1::Gs1Error;

/// Why a code has no meaning.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unclear {
    /// The code is marked as GS1 data, and is not valid.
    #[error("the code is not valid GS1 data: {0}")]
    Gs1(#[from] Gs1Error),
    #[error(
        "{text} means {one} and {other}; give one of them another barcode in Odoo, or set its meaning in code.means of the profile"
    )]
    Ambiguous {
        text: String,
        one: String,
        other: String,
    },
    /// GS1's rules and the site's rules give the elements two meanings.
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
        "the label says {measure}, which cannot be converted into the unit of {product} in Odoo; scan the product by another code and enter the quantity, or change the unit in Odoo"
    )]
    Measure { product: String, measure: String },
    /// A field of an ISO/IEC 15434 message.
    #[error("data identifier {identifier}: found {value}; accepted is {accepted}")]
    DataIdentifier {
        identifier: String,
        value: String,
        accepted: &'static str,
    },
    /// The profile gives the prefix of a quantity, and the rest is not a number.
    #[error("{text} is not a quantity; correct code.means of the profile, or the label")]
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
