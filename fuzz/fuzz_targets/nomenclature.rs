//! Any rules and any code: rules that cannot be used are refused, and what a code is found to be is
//! found without a panic. The lines of the text: the separator, the code, and rules, each as
//! `ENCODING KIND ALIAS PATTERN`. A nomenclature of GS1's and one of single codes are made of the
//! same rules.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stockrelay::decode::nomenclature::{Content, Conversion, Encoding, Nomenclature, Rule};

const RULES_MAX: usize = 20;

fuzz_target!(|input: (i16, u8, &str)| {
    let (year, conversion, text) = input;
    let mut lines = text.lines();
    let (Some(separator), Some(code)) = (lines.next(), lines.next()) else { return };
    let rules: Vec<_> = lines.take(RULES_MAX).filter_map(rule).collect();
    let conversion = match conversion % 4 {
        0 => Conversion::None,
        1 => Conversion::EanToUpc,
        2 => Conversion::UpcToEan,
        _ => Conversion::Always,
    };
    for made in [Nomenclature::new(conversion, rules.clone()), Nomenclature::gs1(separator, rules)] {
        let Ok(nomenclature) = made else { continue };
        let found = nomenclature.parse(code, year);
        assert!(!code.is_empty() || found.is_none());
    }
});

fn rule(line: &str) -> Option<Rule> {
    let mut words = line.splitn(4, ' ');
    let encoding = words.next()?;
    Some(Rule {
        name: line.to_owned(),
        sequence: i32::try_from(encoding.len()).ok()?,
        encoding: match encoding.trim_end_matches('.') {
            "ean13" => Encoding::Ean13,
            "ean8" => Encoding::Ean8,
            "upca" => Encoding::Upca,
            "date" | "measure" | "alpha" | "gs1" => Encoding::Gs1,
            _ => Encoding::Any,
        },
        content: match encoding.trim_end_matches('.') {
            "date" => Content::Date,
            "measure" => Content::Measure,
            "alpha" => Content::Alpha,
            _ => Content::Identifier,
        },
        decimals: encoding.ends_with('.'),
        kind: words.next()?.to_owned(),
        alias: words.next()?.to_owned(),
        pattern: words.next()?.to_owned(),
        uom: None,
        weight: stockrelay::decode::gs1::Unit::Kilogram,
    })
}
