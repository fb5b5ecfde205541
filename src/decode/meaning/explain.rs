//! A code's meaning with what each of those says by itself who are asked: for people who wonder
//! why.

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::envelope::Envelope;
use super::{Context, Meaning, Understood, readings};
use crate::decode::gs1::{ElementString, carrier};
use crate::decode::profile::{CommandCode, Symbology};

/// What became of a code. As the control API answers it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Explained {
    /// As `(01)04006381333931(10)LOT-7`.
    pub gs1: Option<String>,
    pub elements: Vec<Said>,
    /// A [`Meaning`]; none where it is refused.
    pub meaning: Option<Box<RawValue>>,
    /// Whose word it is, in words.
    pub by: Option<String>,
    /// Why it is refused.
    pub reason: Option<String>,
    /// All that are asked, in their order.
    pub asked: Vec<Asked>,
}

/// An element of GS1 data.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Said {
    pub ai: String,
    pub value: String,
}

/// What one of those says by itself; neither where it says nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Asked {
    pub who: String,
    pub meaning: Option<Box<RawValue>>,
    pub refused: Option<String>,
}

impl Context<'_> {
    /// What a text means, and why.
    #[must_use]
    pub fn explain(&self, text: &str, symbology: Option<&Symbology>) -> Explained {
        let understood = self.understand_text(text, symbology);
        let reason = understood.as_ref().err().map(ToString::to_string);
        let understood = understood.ok();
        let elements = understood.as_ref().and_then(|u| u.elements.as_ref());
        let element = |element: &crate::decode::gs1::Element| Said {
            ai: element.ai.to_string(),
            value: element.value.clone(),
        };
        Explained {
            gs1: elements.map(ElementString::to_bracketed),
            elements: elements
                .map_or_else(Vec::new, |all| all.elements().iter().map(element).collect()),
            meaning: understood.as_ref().and_then(|u| written(&u.meaning)),
            by: understood.as_ref().map(|u| u.by.as_str().to_owned()),
            reason,
            asked: self.asked(text, symbology),
        }
    }

    fn asked(&self, text: &str, symbology: Option<&Symbology>) -> Vec<Asked> {
        let gtin = readings::gtin(text, symbology);
        let rule = self.rule_for(text);
        let is_gs1 = symbology.is_some_and(Symbology::is_gs1) || carrier(text).is_some();
        let command = CommandCode::of(text).map(|command| Meaning::Command { command });
        let gs1 = match Envelope::of(text) {
            Some(envelope) => self.by_envelope(text, &envelope, symbology),
            None if is_gs1 => self.by_gs1(text).map(Some),
            None => Ok(None),
        };
        let gs1 = gs1.map(|understood| understood.map(|Understood { meaning, .. }| meaning));
        // A label that Odoo printed says something only where Odoo's data has its product.
        let known = match self.known_as(text, symbology) {
            Ok(None) => self.by_lot_label(text),
            known => known,
        };
        let (form, _) = readings::by_form(text, gtin, symbology, None);
        let of_rule = rule.and_then(|found| readings::by_rule(&found, text));
        [
            ("command barcodes", Ok(command)),
            ("code.means", self.by_profile(text, symbology)),
            ("GS1 and Odoo's rules", gs1),
            ("Odoo's data", known),
            ("nomenclature", Ok(of_rule)),
            ("form", Ok(Some(form))),
        ]
        .map(|(who, says)| {
            let (meaning, refused) = match says {
                Ok(meaning) => (meaning, None),
                Err(unclear) => (None, Some(unclear.to_string())),
            };
            let meaning = meaning.filter(|meaning| !matches!(meaning, Meaning::Unknown { .. }));
            Asked {
                who: who.to_owned(),
                meaning: meaning.as_ref().and_then(written),
                refused,
            }
        })
        .into()
    }
}

/// As it is written elsewhere, its kind first.
fn written(meaning: &Meaning) -> Option<Box<RawValue>> {
    to_raw_value(meaning).ok()
}
