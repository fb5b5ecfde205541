//! Any text in any year: reading it does not panic, and what was read is read again from each form
//! in which it can be written.

use stockrelay::decode::gs1::{ElementString, Gtin, carrier, is_sscc, parse};

use super::Input;

/// Bytes of text up to which the written forms are read again. A written form may be longer than
/// the text, by a separator or an escape for each value, and then longer than what is read.
const WRITTEN_BYTES_MAX: usize = 1_000;

/// The input: a year, the text.
pub fn check(input: &[u8]) {
    let mut input = Input(input);
    let (year, text) = (input.year(), input.text());
    let _ = (carrier(text), Gtin::new(text), is_sscc(text));
    let _ = Gtin::from_upc_e(text);
    let Ok(elements) = parse(text, year) else {
        return;
    };
    let _ = (elements.gtin(), elements.net_weight_kg());
    let _ = (elements.expiry(), elements.best_before());
    let _ = elements.check_associations();
    if text.len() < WRITTEN_BYTES_MAX {
        for written in [elements.to_bracketed(), elements.to_element_string()] {
            assert_eq!(parse(&written, year).as_ref(), Ok(&elements), "{written}");
        }
        if let Ok(link) = elements.to_digital_link("https://h") {
            let again = parse(&link, year);
            assert_eq!(again.as_ref().map(sorted), Ok(sorted(&elements)), "{link}");
        }
    }
}

/// The elements in the order of their identifiers: a link may have another order.
fn sorted(elements: &ElementString) -> Vec<(&str, &str)> {
    let elements = elements.elements().iter();
    let mut pairs: Vec<_> = elements
        .map(|element| (element.ai.as_str(), element.value.as_str()))
        .collect();
    pairs.sort_unstable();
    pairs
}
