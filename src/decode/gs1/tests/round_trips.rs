//! What holds for all elements and all texts.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::table::{Spec, TABLE};
use super::super::{Ai, ElementString, carrier, parse};
use super::values::value;
use super::{Gtin, YEAR};

/// One application identifier of a row: the last one of a run now and then.
fn element() -> impl Strategy<Value = (&'static str, String)> {
    (0..TABLE.len(), any::<bool>(), vec(any::<u8>(), 1..120)).prop_map(|(row, last, bytes)| {
        let spec = &TABLE[row];
        let (first, end) = spec.range();
        (if last { end } else { first }, value(spec, &bytes))
    })
}

/// Elements with each application identifier once.
fn elements() -> impl Strategy<Value = ElementString> {
    vec(element(), 1..12).prop_map(|mut elements| {
        elements.sort();
        elements.dedup_by_key(|(ai, _)| *ai);
        build(&elements)
    })
}

/// A primary key with some of its qualifiers, and attributes that are no qualifiers of it.
fn link_elements() -> impl Strategy<Value = ElementString> {
    let keys: Vec<&Spec> = TABLE.iter().filter(|spec| spec.key.is_some()).collect();
    let attributes: Vec<&Spec> = TABLE.iter().filter(|spec| spec.attribute).collect();
    let attribute = (0..attributes.len(), vec(any::<u8>(), 1..120))
        .prop_map(move |(row, bytes)| (attributes[row].range().0, value(attributes[row], &bytes)));
    let key = (
        0..keys.len(),
        any::<prop::sample::Index>(),
        any::<u8>(),
        vec(any::<u8>(), 1..120),
    )
        .prop_map(move |(row, alternative, chosen, bytes)| {
            let spec = keys[row];
            let alternatives: Vec<_> = spec.key.unwrap_or_default().split('|').collect();
            let qualifiers = alternative.get(&alternatives).split(',').enumerate();
            let mut elements = vec![(spec.ai, value(spec, &bytes))];
            for (_, ai) in qualifiers.filter(|(place, _)| chosen >> place & 1 == 1) {
                if let Some(qualifier) = Spec::of(ai) {
                    elements.push((qualifier.ai, value(qualifier, &bytes)));
                }
            }
            elements
        });
    (key, vec(attribute, 0..8)).prop_map(|(mut elements, attributes)| {
        let qualifiers = Spec::of(elements[0].0).and_then(|spec| spec.key);
        let qualifiers: Vec<_> = qualifiers.unwrap_or_default().split([',', '|']).collect();
        for (ai, value) in attributes {
            if !qualifiers.contains(&ai) && elements.iter().all(|(there, _)| *there != ai) {
                elements.push((ai, value));
            }
        }
        build(&elements)
    })
}

fn build(elements: &[(&str, String)]) -> ElementString {
    ElementString::new(
        elements.iter().map(|(ai, value)| (*ai, value.as_str())),
        YEAR,
    )
    .unwrap_or_else(|error| panic!("{elements:?}: {error}"))
}

fn sorted(elements: &ElementString) -> Vec<super::Element> {
    let mut elements = elements.elements().to_vec();
    elements.sort();
    elements
}

proptest! {
    #[test]
    fn an_element_string_is_read_as_it_was_written(elements in elements(), symbology in "(]C1|]d2|]Q3|)") {
        let text = symbology + &elements.to_element_string();
        prop_assert_eq!(parse(&text, YEAR), Ok(elements), "{:?}", text);
    }

    #[test]
    fn a_bracketed_text_is_read_as_it_was_written(elements in elements()) {
        let text = elements.to_bracketed();
        prop_assert_eq!(parse(&text, YEAR), Ok(elements), "{:?}", text);
    }

    #[test]
    fn a_digital_link_is_read_as_it_was_written(
        elements in link_elements(),
        stem in "https?://[a-z]{1,9}(/01)?(/[0-9a-z]{1,4}){0,3}/?",
    ) {
        let link = elements.to_digital_link(&stem).unwrap();
        let read = parse(&link, YEAR);
        prop_assert_eq!(read.as_ref().map(sorted), Ok(sorted(&elements)), "{}", link);
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), year in any::<i16>()) {
        exercise(&text, year);
    }

    #[test]
    fn no_text_that_looks_like_gs1_makes_it_panic(
        text in r"(\]C1|\]Q1|https://h|)([0-9]{2,4}|\([0-9]{2,4}\)|/01/|%[0-9A-F]{2}|[ä(\\\x1d/?&=;#+,%]|[0-9]{6,14}|[A-Za-z]){0,20}",
        year in any::<i16>(),
    ) {
        exercise(&text, year);
    }

    #[test]
    fn one_digit_misread_is_noticed(digits in "[0-9]{13}", place in 0..14_usize, by in 1..10_u8) {
        let check = super::super::gtin::check_digit(&digits).unwrap();
        let mut code = (digits + &char::from(check).to_string()).into_bytes();
        prop_assert!(Gtin::new(str::from_utf8(&code).unwrap()).is_some());
        code[place] = b'0' + (code[place] - b'0' + by) % 10;
        prop_assert_eq!(Gtin::new(str::from_utf8(&code).unwrap()), None);
    }
}

/// Asks everything of a text, and that what was read is read again.
fn exercise(text: &str, year: i16) {
    let _ = (
        carrier(text),
        Gtin::new(text),
        Gtin::from_upc_e(text),
        Ai::new(text),
    );
    let Ok(elements) = parse(text, year) else {
        return;
    };
    let _ = (
        elements.expiry(),
        elements.best_before(),
        elements.measure("310"),
        elements.measure("392"),
    );
    let _ = elements.check_associations();
    assert_eq!(
        parse(&elements.to_bracketed(), year).as_ref(),
        Ok(&elements)
    );
    assert_eq!(
        parse(&elements.to_element_string(), year).as_ref(),
        Ok(&elements)
    );
    if let Ok(link) = elements.to_digital_link("https://h") {
        assert_eq!(
            parse(&link, year).as_ref().map(sorted),
            Ok(sorted(&elements))
        );
    }
}
