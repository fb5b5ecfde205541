//! Describes a change of trusted keys for people.
//!
//! **In**: the trust.toml of a bundle, and the one before it if it is known. **Out**: one line:
//! which keys are revoked, added and removed, and which keys must sign the next bundles. Pure.

use std::collections::BTreeSet;

use super::bundle::Bundle;
use super::key_id::KeyId;
use super::layout::TRUST;
use super::trust::Trust;

/// Reads the trust.toml of a bundle. `None`: the bundle brings none, or it has a fault.
#[must_use]
pub fn of(bundle: &Bundle) -> Option<Trust> {
    let text = str::from_utf8(bundle.files.get(TRUST)?).ok()?;
    Trust::parse(text, TRUST).ok()
}

/// Describes `new`, such as `trust.toml version 3: revokes anna, adds carol; 2 of bob, carol must
/// sign the next bundles`. Without `old`, all revoked keys are named, and no other change.
#[must_use]
pub fn describe(new: &Trust, old: Option<&Trust>) -> String {
    let name = |id: &KeyId| {
        let known = new.name(*id).or_else(|| old?.name(*id));
        known.map_or_else(|| id.to_string(), str::to_owned)
    };
    let list = |ids: &BTreeSet<KeyId>| ids.iter().map(name).collect::<Vec<_>>().join(", ");
    let valid = new.valid_keys();
    let none = BTreeSet::new();
    let revoked = &new.revoked - old.map_or(&none, |old| &old.revoked);
    let before = old.map(Trust::valid_keys);
    let added = before
        .as_ref()
        .map_or_else(BTreeSet::new, |before| &valid - before);
    let gone = before.map_or_else(BTreeSet::new, |before| &before - &valid);
    let removed = &gone - &new.revoked;
    let changes = [("revokes", revoked), ("adds", added), ("removes", removed)];
    let changes: Vec<String> = (changes.iter())
        .filter(|(_, ids)| !ids.is_empty())
        .map(|(verb, ids)| format!("{verb} {}", list(ids)))
        .collect();
    let changes = match changes.as_slice() {
        [] => String::new(),
        changes => format!("{}; ", changes.join(", ")),
    };
    format!(
        "trust.toml version {}: {changes}{} of {} must sign the next bundles",
        new.version,
        new.threshold,
        list(&valid)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::samples::{key, trust};

    #[test]
    fn a_change_names_keys_and_who_must_sign_next() {
        let [anna, bob, carol] = ["anna", "bob", "carol"].map(key);
        let old = trust(2, 1, &[], &[&anna, &bob]);
        let in_order = |text: String, one: &str, other: &str| {
            text.replace(&format!("{other}, {one}"), &format!("{one}, {other}"))
        };
        let new = trust(3, 2, &[&anna], &[&anna, &bob, &carol]);
        assert_eq!(
            in_order(describe(&new, Some(&old)), "bob", "carol"),
            "trust.toml version 3: revokes anna, adds carol; 2 of bob, carol must sign the next bundles"
        );
        let new = trust(4, 1, &[], &[&bob]);
        assert_eq!(
            describe(&new, Some(&old)),
            "trust.toml version 4: removes anna; 1 of bob must sign the next bundles"
        );
        assert_eq!(
            in_order(describe(&old, None), "anna", "bob"),
            "trust.toml version 2: 1 of anna, bob must sign the next bundles"
        );
    }
}
