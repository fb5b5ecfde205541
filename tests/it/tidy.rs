//! The form of the source: which module may import which, and which names may be there twice.
//!
//! The order of the top-level modules is [`ORDER`]: a module imports only modules above itself.
//! Modules of one folder import one another in one direction, except for the circles of
//! [`CIRCLES`]. `names`: which names may occur twice.

mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use stockrelay::journal::Namespace;

/// A module may import those above it. `ARCHITECTURE.md` says what each is for.
const ORDER: [&str; 37] = [
    "clock",
    "pulse",
    "listener",
    "tls",
    "reason",
    "odoo_id",
    "event",
    "document",
    "outcome",
    "book",
    "device_clock",
    "pause",
    "fence",
    "correction",
    "fair",
    "config",
    "journal",
    "board",
    "channel",
    "decode",
    "odoo",
    "catalog",
    "capture",
    "flow",
    "assemble",
    "forward",
    "source",
    "opens",
    "fleet",
    "choice",
    "reload",
    "view",
    "daemon",
    "demo",
    "lib",
    "life",
    "main",
];

/// Modules of one folder that may import one another in a circle, and why.
const CIRCLES: [(&str, &[&str], &str); 0] = [];

/// The path of a module: `["forward", "queue"]`.
type Module = Vec<String>;

struct Source {
    module: Module,
    /// Without tests.
    whole: String,
    /// Without comments, strings and tests.
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let module = path.with_extension("");
            let module = module.strip_prefix(&root).unwrap().iter();
            let module: Module = module
                .map(|part| part.to_str().unwrap().to_owned())
                .collect();
            if module.iter().any(|part| part == "tests") {
                continue;
            }
            let whole = without_tests(&fs::read_to_string(&path).unwrap()).to_owned();
            let text = bare(&whole);
            found.push(Source {
                module,
                whole,
                text,
            });
        }
    }
    found
}

/// The text without the tests at its end.
fn without_tests(text: &str) -> &str {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let with_demo = "#[cfg(all(test, feature = \"demo\"))]\nmod tests {";
    text.split(with_demo).next().unwrap()
}

/// The text without comments and without what strings hold.
fn bare(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    let (mut is_string, mut is_comment) = (false, false);
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let is_escaped = before == '\\';
        match c {
            '\n' => is_comment = false,
            _ if is_comment => {}
            '/' if !is_string && chars.peek() == Some(&'/') => is_comment = true,
            // No character in quotes: `'"'`.
            '"' if !is_escaped && (is_string || before != '\'') => is_string = !is_string,
            _ => {}
        }
        if !is_string && !is_comment {
            bare.push(c);
        }
        before = if is_escaped { ' ' } else { c };
    }
    bare
}

/// Each path that a source names: all of its `use` trees, and paths within the code that begin with
/// `crate`, `self`, `super` or a module of its own.
fn paths(source: &Source) -> Vec<Module> {
    let mut found = Vec::new();
    let mut begun: Option<String> = None;
    for line in source.text.lines().map(str::trim) {
        match &mut begun {
            Some(tree) => tree.push_str(line),
            None => begun = used(line).map(str::to_owned),
        }
        if let Some(tree) = begun.take_if(|tree| tree.ends_with(';')) {
            expand(&[], tree.trim_end_matches(';'), &mut found);
        }
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    for path in source.text.split(|c| !is_word(c)) {
        let parts: Module = path.split("::").map(str::to_owned).collect();
        let is_path = parts.len() > 1 && !parts[0].is_empty();
        if is_path {
            found.push(parts);
        }
    }
    found
}

/// What a `use` on this line imports, as far as the line says it.
fn used(line: &str) -> Option<&str> {
    let line = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(')')?.1,
        Some(rest) => rest,
        None => line,
    };
    line.trim_start().strip_prefix("use ")
}

/// Writes a `use` tree out as paths.
fn expand(prefix: &[String], tree: &str, found: &mut Vec<Module>) {
    let mut depth = 0;
    let mut start = 0;
    let mut parts = Vec::new();
    for (at, c) in tree.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&tree[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&tree[start..]);
    for part in parts.into_iter().map(str::trim) {
        let (path, inner) = match part.split_once('{') {
            Some((path, inner)) => (path, inner.strip_suffix('}')),
            None => (part.split(" as ").next().unwrap(), None),
        };
        let mut whole = prefix.to_vec();
        whole.extend(path.split("::").map(|part| part.trim().to_owned()));
        whole.retain(|part| !part.is_empty());
        match inner {
            Some(inner) => expand(&whole, inner, found),
            None if whole.is_empty() => {}
            None => found.push(whole),
        }
    }
}

/// The modules that each module imports.
fn imports(sources: &[Source]) -> BTreeMap<Module, BTreeSet<Module>> {
    let modules: BTreeSet<&Module> = sources.iter().map(|source| &source.module).collect();
    let mut imports: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
    for source in sources {
        let own = &source.module;
        let edges = imports.entry(own.clone()).or_default();
        for path in paths(source) {
            let mut base = own.clone();
            let mut rest = path.as_slice();
            match path[0].as_str() {
                "crate" | "stockrelay" => {
                    base.clear();
                    rest = &rest[1..];
                }
                "self" => rest = &rest[1..],
                "super" => {
                    while rest.first().is_some_and(|part| part == "super") {
                        base.pop();
                        rest = &rest[1..];
                    }
                }
                _ => {}
            }
            base.extend(rest.iter().cloned());
            let known = (1..=base.len()).rev().map(|length| base[..length].to_vec());
            let target = known.into_iter().find(|module| modules.contains(module));
            if let Some(target) = target.filter(|target| target != own) {
                edges.insert(target);
            }
        }
    }
    imports
}

/// Imports that go up the order, and modules that are not in it.
fn against_the_order(sources: &[Source]) -> Vec<String> {
    let place = |module: &str| ORDER.iter().position(|known| *known == module);
    let mut faults = Vec::new();
    for (module, targets) in imports(sources) {
        let Some(own) = place(&module[0]) else {
            faults.push(format!("{} is not in the order", module[0]));
            continue;
        };
        for target in targets {
            if target[0] != module[0] && place(&target[0]).is_none_or(|above| above > own) {
                faults.push(format!(
                    "{} imports {}",
                    module.join("/"),
                    target.join("::")
                ));
            }
        }
    }
    faults
}

/// The circles among the modules of each folder: the folder, and which modules are in the circle.
fn circles(sources: &[Source]) -> Vec<(String, Vec<String>)> {
    let mut folders: BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (module, targets) in imports(sources) {
        for target in targets {
            let common = module.iter().zip(&target).take_while(|(a, b)| a == b);
            let common = common.count();
            if common < module.len() && common < target.len() {
                let graph = folders.entry(module[..common].to_vec()).or_default();
                let edges = graph.entry(module[common].clone()).or_default();
                edges.insert(target[common].clone());
            }
        }
    }
    let mut found = Vec::new();
    for (folder, graph) in folders {
        let reach: BTreeMap<&String, BTreeSet<&String>> = graph
            .keys()
            .map(|from| (from, reached(&graph, from)))
            .collect();
        let mut seen: BTreeSet<&String> = BTreeSet::new();
        for (from, all) in &reach {
            if !all.contains(*from) || seen.contains(from) {
                continue;
            }
            let circle = all
                .iter()
                .filter(|to| reach.get(*to).is_some_and(|back| back.contains(*from)));
            let circle: Vec<String> = circle.map(|to| (*to).clone()).collect();
            seen.extend(all.iter().filter(|to| circle.contains(to)));
            found.push((folder.join("/"), circle));
        }
    }
    found
}

fn reached<'a>(
    graph: &'a BTreeMap<String, BTreeSet<String>>,
    from: &'a String,
) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(next) = open.pop() {
        for to in graph.get(next).into_iter().flatten() {
            if reached.insert(to) {
                open.push(to);
            }
        }
    }
    reached
}

#[test]
fn a_module_imports_only_modules_above_it() {
    let faults = against_the_order(&sources());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn an_import_of_a_view_in_forward_is_found() {
    let wrong = |text: &str| {
        let mut all = sources();
        let forward = all.iter_mut().find(|source| source.module == ["forward"]);
        let forward = &mut forward.unwrap().text;
        *forward = format!("{forward}\n{text}");
        against_the_order(&all)
    };
    let fault = "forward imports view::headline";
    assert_eq!(wrong("use crate::view::headline::headline;"), [fault]);
    assert_eq!(wrong("use crate::{clock, view::{headline as h}};"), [fault]);
    assert_eq!(
        wrong("fn f() { crate::view::headline::headline() }"),
        [fault]
    );
}

/// Modules outside `demo` that import it.
fn importers_of_the_demo(sources: &[Source]) -> Vec<String> {
    let is_demo = |module: &Module| module[0] == "demo";
    let imports = imports(sources);
    let importers = imports
        .iter()
        .filter(|(module, targets)| !is_demo(module) && targets.iter().any(is_demo));
    importers.map(|(module, _)| module.join("/")).collect()
}

#[test]
fn only_main_imports_the_demo() {
    // `lib` declares it, which is no import.
    assert_eq!(importers_of_the_demo(&sources()), ["main"]);
}

#[test]
fn an_import_of_the_demo_in_life_is_found() {
    let mut all = sources();
    let life = all.iter_mut().find(|source| source.module == ["life"]);
    life.unwrap().text.push_str("\nuse stockrelay::demo;");
    assert_eq!(importers_of_the_demo(&all), ["life", "main"]);
}

#[test]
fn modules_of_a_folder_import_one_another_in_one_direction() {
    let found = circles(&sources());
    let unexpected: Vec<_> = (found.iter())
        .filter(|(folder, circle)| {
            !CIRCLES.iter().any(|(known, members, _)| {
                known == folder
                    && circle
                        .iter()
                        .all(|module| members.contains(&module.as_str()))
            })
        })
        .map(|(folder, circle)| format!("{folder}: {}", circle.join(", ")))
        .collect();
    assert!(unexpected.is_empty(), "circles:\n{}", unexpected.join("\n"));
    // A circle that is there no more leaves the list.
    for (folder, members, _) in CIRCLES {
        let is_there = |(known, circle): &(String, Vec<String>)| {
            known == folder
                && members
                    .iter()
                    .all(|one| circle.iter().any(|found| found == one))
        };
        assert!(
            found.iter().any(is_there),
            "no circle any more in {folder}: {members:?}"
        );
    }
}

/// Strings that begin like a key of side storage, outside the table of namespaces.
fn written_prefixes(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        if source.module == ["journal", "namespace"] {
            continue;
        }
        for namespace in Namespace::ALL {
            let prefix = namespace.only_key().to_string();
            if source.whole.contains(&format!("\"{prefix}")) {
                found.push(format!("{}: {prefix}", source.module.join("/")));
            }
        }
    }
    found
}

#[test]
fn only_the_table_of_namespaces_has_the_prefixes_of_keys() {
    assert_eq!(written_prefixes(&sources()), [""; 0]);
}

#[test]
fn a_written_prefix_is_found() {
    let mut all = sources();
    let claims = (all.iter_mut()).find(|source| source.module == ["forward", "claims"]);
    (claims.unwrap().whole).push_str("\nlet key = format!(\"claimed/{line}\");");
    assert_eq!(written_prefixes(&all), ["forward/claims: claimed/"]);
}

#[test]
fn no_source_file_is_longer_than_500_lines() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut long = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let lines = fs::read_to_string(&path).unwrap().lines().count();
                if lines > 500 {
                    long.push((path, lines));
                }
            }
        }
    }
    assert!(long.is_empty(), "split {long:?}");
}
