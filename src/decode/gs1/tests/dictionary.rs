//! Our table against GS1's Barcode Syntax Dictionary, application identifier by application
//! identifier.

use std::collections::BTreeMap;

use super::super::table::{Charset, Part, Spec, TABLE};

/// The rules of the dictionary and of our table for one application identifier, in the dictionary's
/// form.
#[derive(Debug, PartialEq, Eq)]
struct Facts {
    format: String,
    predefined: bool,
    attribute: bool,
    needs: String,
    excludes: String,
    key: Option<String>,
}

#[test]
#[ignore = "needs GS1_SYNTAX_DICTIONARY, the path of gs1-syntax-dictionary.txt: github.com/gs1/gs1-syntax-dictionary"]
fn the_table_is_what_the_syntax_dictionary_says() {
    let path = std::env::var("GS1_SYNTAX_DICTIONARY").expect("GS1_SYNTAX_DICTIONARY is set");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let theirs: BTreeMap<_, _> = text.lines().flat_map(entry).collect();
    let ours: BTreeMap<_, _> = TABLE.iter().flat_map(facts).collect();
    assert!(
        theirs.len() > 400,
        "{path} holds {} application identifiers",
        theirs.len()
    );
    for (ai, facts) in &theirs {
        assert_eq!(ours.get(ai), Some(facts), "({ai})");
        assert!(Spec::of(ai).is_some(), "({ai}) is found");
    }
    for ai in ours.keys() {
        assert!(theirs.contains_key(ai), "({ai}) is ours alone");
    }
}

#[test]
fn the_table_is_in_order_and_can_be_read_from_left_to_right() {
    let ais: Vec<String> = TABLE.iter().flat_map(|spec| run(spec.ai)).collect();
    assert!(ais.is_sorted_by(|a, b| a < b), "each once, in order");
    for ai in &ais {
        assert_eq!(
            Spec::ai_length(&ai[..2]),
            Some(ai.len()),
            "two digits tell the length of ({ai})"
        );
    }
    for spec in TABLE {
        let (last, first) = spec.format.split_last().expect("a format has a part");
        assert!(
            first.iter().all(|part| part.min == part.max),
            "({}): only the last part varies",
            spec.ai
        );
        let fixed = last.min == last.max && spec.format.iter().all(|part| !part.optional);
        assert!(
            fixed || !spec.predefined,
            "({}): a predefined length is one length",
            spec.ai
        );
        let optional = spec.format.iter().map(|part| part.optional);
        assert!(
            optional.is_sorted(),
            "({}): optional parts come last",
            spec.ai
        );
    }
}

/// `3100-3105` is six application identifiers.
fn run(ais: &str) -> Vec<String> {
    let (first, last) = ais.split_once('-').unwrap_or((ais, ais));
    let number = |ai: &str| {
        ai.parse::<u16>()
            .expect("an application identifier is digits")
    };
    (number(first)..=number(last))
        .map(|ai| format!("{ai:0width$}", width = first.len()))
        .collect()
}

/// A line of the dictionary: identifiers, flags, parts of the format, attributes, and a title
/// behind `#`.
fn entry(line: &str) -> Vec<(String, Facts)> {
    let mut words = line
        .split('#')
        .next()
        .unwrap_or_default()
        .split_ascii_whitespace();
    let Some(ais) = words.next() else {
        return Vec::new();
    };
    let mut words = words.peekable();
    let flags = words
        .next_if(|word| !word.starts_with(['N', 'X', 'Y', 'Z', '[']))
        .unwrap_or_default();
    let (parts, attributes): (Vec<_>, Vec<_>) =
        words.partition(|word| word.starts_with(['N', 'X', 'Y', 'Z', '[']));
    let mut of: BTreeMap<&str, String> = BTreeMap::new();
    for attribute in attributes {
        let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        assert!(
            ["req", "ex", "dlpkey"].contains(&key),
            "{key} of ({ais}) is known"
        );
        assert!(
            of.insert(key, value.to_owned()).is_none(),
            "{key} of ({ais}) is there once"
        );
    }
    let facts = || Facts {
        format: parts.join(" "),
        predefined: flags.contains('*'),
        attribute: flags.contains('?'),
        needs: of.get("req").cloned().unwrap_or_default(),
        excludes: of.get("ex").cloned().unwrap_or_default(),
        key: of.get("dlpkey").cloned(),
    };
    run(ais).into_iter().map(|ai| (ai, facts())).collect()
}

fn facts(spec: &Spec) -> Vec<(String, Facts)> {
    let facts = || Facts {
        format: spec.format.iter().map(format).collect::<Vec<_>>().join(" "),
        predefined: spec.predefined,
        attribute: spec.attribute,
        needs: spec.needs.to_owned(),
        excludes: spec.excludes.to_owned(),
        key: spec.key.map(str::to_owned),
    };
    run(spec.ai).into_iter().map(|ai| (ai, facts())).collect()
}

/// `N6,yymmdd` or `[X..17]`.
fn format(part: &Part) -> String {
    let charset = match part.charset {
        Charset::Digits => 'N',
        Charset::Set82 => 'X',
        Charset::Set39 => 'Y',
        Charset::Base64Url => 'Z',
    };
    let dots = if part.min < part.max { ".." } else { "" };
    let (open, close) = if part.optional { ("[", "]") } else { ("", "") };
    let mut lints = String::new();
    for lint in part.lints {
        lints = lints + "," + &name(&format!("{lint:?}"));
    }
    format!("{open}{charset}{dots}{}{close}{lints}", part.max)
}

/// The dictionary's name of a rule.
fn name(ours: &str) -> String {
    match ours {
        "Iso3166Or999" => "iso3166999".to_owned(),
        ours => ours.to_ascii_lowercase(),
    }
}
