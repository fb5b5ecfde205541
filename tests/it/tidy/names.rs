//! Within one top-level module a type name occurs once, and so does a file name, except for
//! [`SAME_FILES`].

use std::collections::BTreeSet;

use super::{Source, sources};

/// Files of one top-level module that have the same name, and what tells them apart.
const SAME_FILES: [(&str, &[&str], &str); 6] = [
    (
        "catalog",
        &["floor"],
        "what the floor needs: the copy, and its refresh",
    ),
    (
        "decode",
        &["elements", "measures"],
        "of GS1 data, and what they mean",
    ),
    (
        "demo",
        &["orders"],
        "the behaviour of a model, and its schema",
    ),
    (
        "journal",
        &["fence", "rejected"],
        "a subject, and its stored form; reading rejected readings, and writing them",
    ),
    (
        "source",
        &["list", "retained"],
        "of scanners and of devices; at the front door and a broker",
    ),
    (
        "view",
        &[
            "devices",
            "edit",
            "gateway",
            "parked",
            "parts",
            "pause",
            "settle",
            "sheet",
            "support",
            "take_over",
        ],
        "a subject of several views",
    ),
];

/// The names that modules of one top-level module share: the top-level module and the name.
fn same_files(sources: &[Source]) -> BTreeSet<(String, String)> {
    let names = sources.iter().map(|source| &source.module);
    twice(names.map(|module| (module[0].clone(), module[module.len() - 1].clone())))
}

/// The names that types of one top-level module share.
fn same_types(sources: &[Source]) -> BTreeSet<(String, String)> {
    twice(sources.iter().flat_map(|source| {
        let names: BTreeSet<&str> = source.text.lines().filter_map(declared_type).collect();
        let top = &source.module[0];
        names.into_iter().map(|name| (top.clone(), name.to_owned()))
    }))
}

/// The type that a line declares, unless it is within a block.
fn declared_type(line: &str) -> Option<&str> {
    let line = match line.strip_prefix("pub(") {
        Some(rest) => rest.split_once(") ")?.1,
        None => line.strip_prefix("pub ").unwrap_or(line),
    };
    let kinds = ["struct ", "enum ", "trait ", "type "];
    let rest = kinds.iter().find_map(|kind| line.strip_prefix(kind))?;
    rest.split(|c: char| !c.is_alphanumeric()).next()
}

fn twice(names: impl Iterator<Item = (String, String)>) -> BTreeSet<(String, String)> {
    let mut seen = BTreeSet::new();
    names.filter(|name| !seen.insert(name.clone())).collect()
}

fn listed<'a>(list: impl Iterator<Item = (&'a str, &'a [&'a str])>) -> BTreeSet<(String, String)> {
    let pairs = list.flat_map(|(top, names)| names.iter().map(move |name| (top, *name)));
    pairs
        .map(|(top, name)| (top.to_owned(), name.to_owned()))
        .collect()
}

#[test]
fn a_module_has_no_two_files_of_one_name() {
    let known = listed(SAME_FILES.iter().map(|(top, names, _)| (*top, *names)));
    assert_eq!(same_files(&sources()), known);
}

#[test]
fn a_module_has_no_two_types_of_one_name() {
    assert_eq!(same_types(&sources()), BTreeSet::new());
}

#[test]
fn a_second_file_or_type_of_one_name_is_found() {
    let mut all = sources();
    let module = ["forward", "resolve", "queue"];
    all.push(Source {
        module: module.map(str::to_owned).to_vec(),
        text: "pub(super) struct Forwarder<'a> {\n    type Verdict = u8;\n}".to_owned(),
        whole: String::new(),
    });
    let named = |name: &str| ("forward".to_owned(), name.to_owned());
    assert!(same_files(&all).contains(&named("queue")));
    assert!(same_types(&all).contains(&named("Forwarder")));
    assert_eq!(same_types(&all).len(), 1);
}
