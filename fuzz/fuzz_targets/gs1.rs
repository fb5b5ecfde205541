//! Any text, in any year: reading it must not panic, and what was read must be read again from each
//! of its forms.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stockrelay::decode::gs1::{ElementString, Gtin, carrier, is_sscc, parse};

fuzz_target!(|input: (i16, &str)| {
    let (year, text) = input;
    let _ = (carrier(text), Gtin::new(text), Gtin::from_upc_e(text), is_sscc(text));
    let Ok(elements) = parse(text, year) else { return };
    let _ = (elements.gtin(), elements.expiry(), elements.best_before(), elements.net_weight_kg());
    let _ = elements.check_associations();
    // Written out, a text may grow beyond what is read: a separator or an escape more for each
    // value.
    if text.len() < 1_000 {
        assert_eq!(parse(&elements.to_bracketed(), year).as_ref(), Ok(&elements));
        assert_eq!(parse(&elements.to_element_string(), year).as_ref(), Ok(&elements));
        if let Ok(link) = elements.to_digital_link("https://h") {
            assert_eq!(parse(&link, year).as_ref().map(sorted), Ok(sorted(&elements)), "{link}");
        }
    }
});

/// A link may have another order.
fn sorted(elements: &ElementString) -> Vec<(&str, &str)> {
    let mut pairs: Vec<_> =
        elements.elements().iter().map(|element| (element.ai.as_str(), element.value.as_str())).collect();
    pairs.sort_unstable();
    pairs
}
