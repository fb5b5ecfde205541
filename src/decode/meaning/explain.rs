//! Explains a code's meaning: lists the meaning that each source gives it, for people.

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::envelope::Envelope;
use super::{Context, Meaning, Understood, readings};
use crate::decode::gs1::{ElementString, carrier};
use crate::decode::profile::{CommandCode, Symbology};

/// The meaning of a code with the answers of all sources, as the control API returns it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Explanation {
    /// The elements in the form `(01)04006381333931(10)LOT-7`. `None`: the code is not GS1 data.
    pub gs1: Option<String>,
    pub elements: Vec<Gs1Element>,
    /// A [`Meaning`]. `None`: the code is refused.
    pub meaning: Option<Box<RawValue>>,
    /// The source of the meaning, for people.
    pub by: Option<String>,
    /// Why the code is refused.
    pub reason: Option<String>,
    /// The answers of all sources, in order.
    pub asked: Vec<SourceAnswer>,
}

/// An element of GS1 data.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Gs1Element {
    pub ai: String,
    pub value: String,
}

/// The answer of one source. Both fields are `None` if the source does not know the code.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SourceAnswer {
    pub who: String,
    pub meaning: Option<Box<RawValue>>,
    pub refused: Option<String>,
}

impl Context<'_> {
    /// Finds the meaning of a text, and explains it.
    #[must_use]
    pub fn explain(&self, text: &str, symbology: Option<&Symbology>) -> Explanation {
        let understood = self.understand_text(text, symbology);
        let reason = understood.as_ref().err().map(ToString::to_string);
        let understood = understood.ok();
        let elements = understood.as_ref().and_then(|u| u.elements.as_ref());
        let element = |element: &crate::decode::gs1::Element| Gs1Element {
            ai: element.ai.to_string(),
            value: element.value.clone(),
        };
        Explanation {
            gs1: elements.map(ElementString::to_bracketed),
            elements: elements
                .map_or_else(Vec::new, |all| all.elements().iter().map(element).collect()),
            meaning: understood.as_ref().and_then(|u| serialise(&u.meaning)),
            by: understood.as_ref().map(|u| u.by.as_str().to_owned()),
            reason,
            asked: self.ask_sources(text, symbology),
        }
    }

    fn ask_sources(&self, text: &str, symbology: Option<&Symbology>) -> Vec<SourceAnswer> {
        let gtin = readings::read_gtin(text, symbology);
        let rule = self.find_rule(text);
        let is_gs1 = symbology.is_some_and(Symbology::is_gs1) || carrier(text).is_some();
        let command = CommandCode::of(text).map(|command| Meaning::Command { command });
        let gs1 = match Envelope::of(text) {
            Some(envelope) => self.read_envelope(text, &envelope, symbology),
            None if is_gs1 => self.read_gs1(text).map(Some),
            None => Ok(None),
        };
        let gs1 = gs1.map(|understood| understood.map(|Understood { meaning, .. }| meaning));
        // A label that Odoo printed has a meaning only if Odoo's data has its product.
        let known = match self.look_up(text, symbology) {
            Ok(None) => self.read_lot_label(text),
            known => known,
        };
        let (form, _) = readings::guess_by_form(text, gtin, symbology, None);
        let by_rule = rule.and_then(|found| readings::apply_rule(&found, text));
        [
            ("command barcodes", Ok(command)),
            ("code.means", self.apply_profile(text, symbology)),
            ("GS1 and Odoo's rules", gs1),
            ("Odoo's data", known),
            ("nomenclature", Ok(by_rule)),
            ("form", Ok(Some(form))),
        ]
        .map(|(who, answer)| {
            let (meaning, refused) = match answer {
                Ok(meaning) => (meaning, None),
                Err(unclear) => (None, Some(unclear.to_string())),
            };
            let meaning = meaning.filter(|meaning| !matches!(meaning, Meaning::Unknown { .. }));
            SourceAnswer {
                who: who.to_owned(),
                meaning: meaning.as_ref().and_then(serialise),
                refused,
            }
        })
        .into()
    }
}

/// Serialises a meaning with its kind first.
fn serialise(meaning: &Meaning) -> Option<Box<RawValue>> {
    to_raw_value(meaning).ok()
}
