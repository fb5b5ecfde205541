//! What a person types stays in the form until the gateway would accept it.

use super::*;
use crate::document::Reason;
use crate::view::words::Words;

/// A form about a transfer of 24 with a lot.
fn edit(code: &str) -> Edit {
    edit_of("transfer", code)
}

fn edit_of(kind: &str, code: &str) -> Edit {
    let line = LineView {
        product: "4000000000006".to_owned(),
        quantity: 24.into(),
        from: Some("LOC-A".to_owned()),
        to: Some("LOC-B".to_owned()),
        lot: Some("L1".to_owned()),
        package: None,
        owner: None,
        expiry: None,
        best_before: None,
        seqs: Vec::new(),
    };
    Edit::new(&DocumentView {
        number: DocumentNumber::new(61),
        key: String::new(),
        state: "parked".to_owned(),
        purpose: kind.to_owned(),
        order: (kind != "transfer").then(|| "PO-0".to_owned()),
        more: serde_json::Map::new(),
        corrects: None,
        decision: None,
        flags: Vec::new(),
        undone: Vec::new(),
        group: "pda-07".to_owned(),
        lines: vec![line],
        events: 1,
        occurred: jiff::Timestamp::UNIX_EPOCH,
        sealed: jiff::Timestamp::UNIX_EPOCH,
        since: jiff::Timestamp::UNIX_EPOCH,
        attempts: 1,
        reason: Some(Reason {
            code: code.into(),
            message: String::new(),
            lines: Vec::new(),
        }),
        odoo: None,
        odoo_id: None,
        external_id: String::new(),
    })
}

/// Selects a field by its name, and types a value in place of the old one.
fn set(edit: &mut Edit, name: &str, value: &str) {
    let row = edit.rows.iter().position(|row| row.name == name);
    edit.row = row.unwrap();
    edit.press(KeyCode::Enter);
    edit.press(crate::view::tui::typing::CLEAR);
    for c in value.chars() {
        edit.press(KeyCode::Char(c));
    }
    edit.press(KeyCode::Enter);
}

fn fault(edit: &Edit) -> String {
    let fault = edit.fault.as_ref();
    fault.map_or(String::new(), |fault| fault.describe(Words::ENGLISH))
}

#[test]
fn a_value_that_the_gateway_would_refuse_stays_typed_with_what_is_valid() {
    for (name, value, part) in [
        ("quantity", "-1", "such as 24 or 1.5"),
        ("quantity", "1,5", "1,5 is no quantity"),
        ("quantity", "", "The field quantity cannot be empty"),
        ("quantity", "many", "many is no quantity"),
        ("quantity", "0.0000001", "at most 6 decimals"),
        ("quantity", "1_000", "1_000 is no quantity"),
        ("product", "", "The field product cannot be empty"),
        ("from", "", "The field from cannot be empty"),
        ("to", &"x".repeat(257), "at most 256 bytes"),
        ("order", "", "The field order cannot be empty"),
        ("expiry", "soon", "such as 2027-03-31"),
        ("expiry", "2027-02-30", "2027-02-30 is no date"),
    ] {
        let kind = match name {
            "order" => "pick",
            "expiry" => "receive",
            _ => "transfer",
        };
        let mut edit = edit_of(kind, "unknown-product");
        set(&mut edit, name, value);
        assert!(fault(&edit).contains(part), "{name}={value}: {edit:?}");
        assert_eq!(edit.mode, Mode::Value(value.to_owned()), "{name}");
        // The next key continues with the text.
        edit.press(KeyCode::Char('x'));
        assert_eq!(fault(&edit), "", "{name}={value}");
    }
}

#[test]
fn a_value_that_the_gateway_accepts_is_set() {
    for (name, value) in [
        ("quantity", "0"),
        ("quantity", "1.5"),
        ("lot", ""),
        ("expiry", "2027-03-31"),
        ("order", "PO-1"),
        ("product", "ABC"),
    ] {
        let kind = match name {
            "expiry" | "order" => "receive",
            _ => "transfer",
        };
        let mut edit = edit_of(kind, "unknown-product");
        set(&mut edit, name, value);
        assert_eq!((fault(&edit).as_str(), &edit.mode), ("", &Mode::Fields));
        assert!(edit.rows[edit.row].is_changed(), "{name}={value}");
    }
}

#[test]
fn an_edit_without_effect_or_without_lines_is_not_sent() {
    let send = KeyCode::Char('s');
    let mut unchanged = edit("unknown-product");
    unchanged.press(send);
    assert_eq!(unchanged.fault, Some(EditFault::Unchanged));
    // The gateway creates a document again that a user has cancelled in Odoo.
    let mut cancelled = edit("cancelled-in-odoo");
    cancelled.press(send);
    assert_eq!((cancelled.fault, cancelled.mode), (None, Mode::Reason));
    let mut removed = edit("unknown-product");
    set(&mut removed, "quantity", "0.0");
    removed.press(send);
    assert_eq!(removed.fault, Some(EditFault::NothingLeft));
    let mut counted = edit("unknown-product");
    counted.kind = "count".to_owned();
    set(&mut counted, "quantity", "0");
    counted.press(send);
    assert_eq!((counted.fault, counted.mode), (None, Mode::Reason));
}

#[test]
fn a_refused_edit_keeps_the_values_and_the_reason() {
    let mut edit = edit("unknown-product");
    set(&mut edit, "quantity", "30");
    edit.press(KeyCode::Char('s'));
    edit.press(KeyCode::Enter);
    assert_eq!(edit.fault, Some(EditFault::NoReason));
    for c in "slip".chars() {
        edit.press(KeyCode::Char(c));
    }
    edit.press(KeyCode::Enter);
    let sent = edit.press(KeyCode::Char('y'));
    assert!(matches!(sent, Step::Done(Request::Edit { .. })));
    edit.reopen();
    assert_eq!(edit.mode, Mode::Fields);
    edit.press(KeyCode::Char('s'));
    edit.press(KeyCode::Enter);
    assert_eq!(edit.press(KeyCode::Char('y')), sent);
}
