//! docs/security.md names the file or the test that holds each claim: all of them exist.

use std::fs;

use crate::readme::root;

/// The code spans that begin with a folder of the repository.
fn references(document: &str) -> Vec<String> {
    let text = document.split_whitespace().collect::<Vec<_>>().join(" ");
    let spans = text.split('`').skip(1).step_by(2);
    let folders = [
        "src/",
        "tests/",
        "systemd/",
        "firmware-config/",
        "Cargo.toml",
    ];
    spans
        .filter(|span| folders.iter().any(|folder| span.starts_with(folder)))
        .map(str::to_owned)
        .collect()
}

#[test]
fn what_holds_a_claim_about_security_exists() {
    let document = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let references = references(&document);
    assert!(references.len() > 50, "{references:?}");
    let mut missing = Vec::new();
    for reference in references {
        let exists = match reference.split_once(": ") {
            None => root().join(&reference).exists(),
            Some((file, test)) => fs::read_to_string(root().join(file))
                .is_ok_and(|text| text.contains(&format!("fn {test}("))),
        };
        if !exists {
            missing.push(reference);
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
