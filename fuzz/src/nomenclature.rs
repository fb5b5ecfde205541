//! Any rules and any code: unusable rules are refused, and a code is read without a panic, by a GS1
//! nomenclature and by one of single codes with the same rules.

use stockrelay::decode::gs1::Unit;
use stockrelay::decode::nomenclature::{Content, Conversion, Encoding, Nomenclature, Rule};

use super::Input;

const RULES_MAX: usize = 20;

/// The input: a year, the conversion, then lines: the separator, the code, and rules, each as
/// `ENCODING KIND ALIAS PATTERN`.
pub fn check(input: &[u8]) {
    let mut input = Input(input);
    let (year, conversion) = (input.year(), input.byte());
    let mut lines = input.text().lines();
    let (Some(separator), Some(code)) = (lines.next(), lines.next()) else {
        return;
    };
    let rules: Vec<_> = lines.take(RULES_MAX).filter_map(rule).collect();
    let conversion = match conversion % 4 {
        0 => Conversion::None,
        1 => Conversion::EanToUpc,
        2 => Conversion::UpcToEan,
        _ => Conversion::Always,
    };
    let single = Nomenclature::new(conversion, rules.clone());
    for nomenclature in [single, Nomenclature::gs1(separator, rules)] {
        let Ok(nomenclature) = nomenclature else {
            continue;
        };
        let matched = nomenclature.parse(code, year);
        assert!(!code.is_empty() || matched.is_none());
    }
}

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
        weight: Unit::Kilogram,
    })
}
