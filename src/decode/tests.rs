use std::fmt::Write as _;

use bytes::Bytes;
use jiff::Timestamp;
use rust_decimal::Decimal;

use super::*;
use crate::channel::identity::ReadingId;
use crate::event::{Goods, Move, Movement, Name, SourceKind};

mod any_payload;
mod identity;
mod wrapped;

fn reading(channel: Channel, payload: &[u8]) -> Reading {
    Reading {
        id: ReadingId::of(7, 1),
        redelivered: false,
        source: SourceKind::Listen,
        device: Name::new("pda-1").unwrap(),
        channel,
        payload: Bytes::copy_from_slice(payload),
        received: "2026-11-23T09:00:00.000000007Z".parse().unwrap(),
    }
}

fn event(payload: &str) -> Result<Event, Rejection> {
    one(decode(&reading(Channel::Event, payload.as_bytes())))
}

fn scan(payload: &str) -> Result<Event, Rejection> {
    one(decode(&reading(Channel::Scan, payload.as_bytes())))
}

fn one(mut entries: Vec<Result<Event, Rejection>>) -> Result<Event, Rejection> {
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.remove(0)
}

/// The code and the message of a payload that is refused.
fn refused(payload: &str) -> (&'static str, String) {
    let rejection = event(payload).expect_err(payload);
    (rejection.code.as_str(), rejection.message)
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "fields that may be missing are compared with it"
)]
fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

const TRANSFER: &str =
    r#"{"type":"transfer","product":"4000000000006","from":"LOC-BIN-0001","to":"LOC-BIN-0007""#;

#[test]
fn a_quantity_under_another_name_is_refused_and_other_unknown_fields_are_not() {
    for name in [
        "qty",
        "QTY",
        "Quantity",
        "quantiy",
        "quanttity",
        "quanitty",
        "quantitx",
    ] {
        let (code, message) = refused(&format!("{TRANSFER},\"{name}\":5}}"));
        assert_eq!(code, "bad-field", "{name}");
        assert!(
            message.contains(name) && message.contains("quantity"),
            "{message}"
        );
        event(&format!("{TRANSFER},\"{name}\":5,\"quantity\":5}}")).unwrap();
    }
    for name in ["quality", "count", "q", "quan", "battery"] {
        event(&format!("{TRANSFER},\"{name}\":5}}")).unwrap();
    }
}

#[test]
fn a_transfer_with_everything_is_read_as_written() {
    let event = event(
        r#" {"id": "a-1", "at": "2026-11-23T09:15:30.120+01:00", "type": "transfer",
            "product": "4000000000006", "quantity": 2.50, "from": "LOC-BIN-0001", "to": "LOC-BIN-0007",
            "lot": "L\u00e4nd\"1", "package": "PK1", "order": "ignored", "operator": "anna", "x": [{}]} "#,
    )
    .unwrap();
    assert_eq!((event.id.as_str(), event.id_derived), ("a-1", false));
    assert_eq!(
        event.at,
        "2026-11-23T08:15:30.120Z".parse::<Timestamp>().unwrap()
    );
    assert_eq!(event.operator, text("anna"));
    let goods = Goods {
        product: "4000000000006".to_owned(),
        quantity: Decimal::new(25, 1),
        from: text("LOC-BIN-0001"),
        to: text("LOC-BIN-0007"),
        lot: text("Länd\"1"),
        package: text("PK1"),
        ..Goods::default()
    };
    let expected = Action::Move(Move::new(Movement::Transfer, goods));
    assert_eq!(event.action, expected);
}

#[test]
fn each_type_is_read_with_its_least_and_refused_with_less() {
    let table = [
        (
            r#"{"type":"transfer","product":"p","from":"a","to":"b"}"#,
            "product from to",
        ),
        (
            r#"{"type":"pick","order":"o","product":"p"}"#,
            "order product",
        ),
        (r#"{"type":"receive","product":"p"}"#, "product"),
        (
            r#"{"type":"count","product":"p","from":"a","quantity":0}"#,
            "product from quantity",
        ),
        (
            r#"{"type":"scrap","product":"p","from":"a"}"#,
            "product from",
        ),
        (r#"{"type":"return","product":"p","to":"b"}"#, "product to"),
        (
            r#"{"type":"pack","package":"k","order":"o"}"#,
            "package order",
        ),
        (
            r#"{"type":"pack","package":"k","product":"p"}"#,
            "package product",
        ),
        (r#"{"type":"ship","order":"o"}"#, "order"),
        (r#"{"type":"validate","order":"o"}"#, "order"),
        (r#"{"type":"undo","event":"8c20"}"#, "event"),
    ];
    for (payload, needed) in table {
        let mut object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(payload).unwrap();
        assert_eq!(
            event(payload).unwrap().action.kind(),
            object["type"],
            "{payload}"
        );
        for field in needed.split(' ') {
            let value = object.remove(field).unwrap();
            let less = serde_json::to_string(&object).unwrap();
            let (code, message) = refused(&less);
            assert_eq!(code, "missing-field", "{less}: {message}");
            object.insert(field.to_owned(), value);
        }
    }
}

#[test]
fn optional_fields_come_through_in_every_type() {
    let extras = r#""quantity":"3","lot":"L","expiry":"2027-03-31","best_before":"2027-02-28","package":"K","from":"A","to":"B","reason":"R",
        "carrier_ref":"C","weight_kg":1.5,"parcels":2,"order":"O","product":"P","code":"X","symbology":"qr""#;
    let all = |kind: &str| {
        event(&format!(r#"{{"type":"{kind}",{extras}}}"#))
            .unwrap()
            .action
    };
    let goods = Goods {
        product: "P".to_owned(),
        quantity: Decimal::from(3),
        lot: text("L"),
        ..Goods::default()
    };
    let from = |goods: &Goods| Goods {
        from: text("A"),
        ..goods.clone()
    };
    let to = |goods: &Goods| Goods {
        to: text("B"),
        ..goods.clone()
    };
    let package = |goods: &Goods| Goods {
        package: text("K"),
        ..goods.clone()
    };
    let dates = |goods: &Goods| Goods {
        expiry: text("2027-03-31"),
        best_before: text("2027-02-28"),
        ..goods.clone()
    };
    let (order, reason) = (text("O"), text("R"));
    for (movement, order, reason, goods) in [
        (
            Movement::Transfer,
            &None,
            &None,
            package(&from(&to(&goods))),
        ),
        (Movement::Pick, &order, &None, package(&from(&goods))),
        (
            Movement::Receive,
            &order,
            &None,
            package(&dates(&to(&goods))),
        ),
        (Movement::Count, &None, &None, package(&from(&goods))),
        (Movement::Scrap, &None, &reason, from(&goods)),
        (Movement::Return, &order, &reason, to(&goods)),
        (Movement::Pack, &order, &None, package(&from(&goods))),
    ] {
        let expected = Move {
            movement,
            goods,
            order: order.clone(),
            reason: reason.clone(),
        };
        assert_eq!(all(movement.as_str()), Action::Move(expected));
    }
    assert_eq!(
        all("ship"),
        Action::Ship {
            order: "O".to_owned(),
            carrier_ref: text("C"),
            weight_kg: Some(Decimal::new(15, 1)),
            parcels: Some(2),
        }
    );
}

#[test]
fn scans_are_json_or_the_bare_text() {
    let bare = scan("]C10104012345678901\u{1d}10AB\r\n").unwrap();
    assert_eq!(
        bare.action,
        Action::Scan {
            code: "]C10104012345678901\u{1d}10AB".to_owned(),
            symbology: None
        }
    );
    assert!(bare.id_derived);
    assert_eq!(bare.at, bare.received);

    let json =
        scan(r#"{"id":"7","code":"40\u001d1","symbology":"code128","operator":"anna"}"#).unwrap();
    assert_eq!(json.id, "7");
    assert_eq!(
        json.action,
        Action::Scan {
            code: "40\u{1d}1".to_owned(),
            symbology: text("code128")
        }
    );

    // An ISO 15434 message is no JSON array.
    let iso = "[)>\u{1e}06\u{1d}P12\u{1e}\u{4}";
    assert!(matches!(scan(iso).unwrap().action, Action::Scan { code, .. } if code == iso));

    assert_eq!(scan("").unwrap_err().code, RejectionCode::Empty);
    assert_eq!(scan("\r\n").unwrap_err().code, RejectionCode::Empty);
    assert_eq!(scan("a\tb").unwrap_err().code, RejectionCode::BadField);
    assert_eq!(
        scan(&"9".repeat(257)).unwrap_err().code,
        RejectionCode::BadField
    );
    assert_eq!(
        scan("{\"code\":\"1\"").unwrap_err().code,
        RejectionCode::BadJson
    );
    assert_eq!(scan("{}").unwrap_err().code, RejectionCode::MissingField);
    let mixed = decode(&reading(Channel::Scan, br#"["40",7]"#));
    let number = mixed[1].as_ref().unwrap_err();
    assert_eq!(number.code, RejectionCode::BadJson);
    assert!(
        number.message.starts_with("a scan is"),
        "{}",
        number.message
    );
    assert_eq!(
        one(decode(&reading(Channel::Scan, b"\xff1")))
            .unwrap_err()
            .code,
        RejectionCode::BadUtf8
    );
}

#[test]
fn refusals_name_the_field_what_was_found_and_what_is_accepted() {
    let table = [
        ("bad-json", "not json"),
        ("bad-json", r#"{"type":"transfer""#),
        ("bad-json", r#""transfer""#),
        ("bad-json", "17"),
        ("bad-json", "[{}] x"),
        ("bad-json", "[17]"),
        ("empty", ""),
        ("empty", " [ ] "),
        ("missing-field", "{}"),
        ("missing-field", r#"{"type":null}"#),
        ("unknown-type", r#"{"type":"teleport"}"#),
        ("unknown-type", r#"{"type":"scan","code":"1"}"#),
        ("unknown-type", r#"{"type":7}"#),
        ("bad-field", r#"{"type":"validate","order":4711}"#),
        ("bad-field", r#"{"type":"validate","order":""}"#),
        ("bad-field", r#"{"type":"validate","order":"a\u0007b"}"#),
        (
            "bad-field",
            r#"{"type":"validate","order":"a","order":"b"}"#,
        ),
        ("bad-field", r#"{"type":"validate","order":"a","id":17}"#),
        (
            "bad-field",
            r#"{"type":"validate","order":"a","at":"yesterday"}"#,
        ),
        (
            "bad-field",
            r#"{"type":"validate","order":"a","at":"2026-11-23T08:15:30"}"#,
        ),
        (
            "bad-field",
            r#"{"type":"validate","order":"a","at":"9999-01-01T00:00:00Z"}"#,
        ),
        (
            "bad-field",
            r#"{"type":"receive","product":"a","expiry":"soon"}"#,
        ),
        ("bad-field", r#"{"type":"ship","order":"a","parcels":1.5}"#),
        ("bad-field", r#"{"type":"ship","order":"a","weight_kg":{}}"#),
    ];
    let mut seen = String::new();
    for (code, payload) in table {
        let (found, message) = refused(payload);
        assert_eq!(found, code, "{payload}: {message}");
        writeln!(seen, "{payload}\n    {code}: {message}").unwrap();
    }
    insta::assert_snapshot!(seen);
}

#[test]
fn quantities_are_exact_positive_and_bounded() {
    let quantity = |written: &str| match event(&format!(r#"{TRANSFER},"quantity":{written}}}"#)) {
        Ok(Event {
            action: Action::Move(Move { goods, .. }),
            ..
        }) => Some(goods.quantity.to_string()),
        Ok(other) => panic!("{other:?}"),
        Err(rejection) => {
            assert_eq!(rejection.code, RejectionCode::BadField);
            None
        }
    };
    let exact = [
        ("2", "2"),
        ("\"2\"", "2"),
        ("0.1", "0.1"),
        ("2.500000", "2.5"),
        ("999999999999.999999", "999999999999.999999"),
        ("1e3", "1000"),
        ("\"1E-6\"", "0.000001"),
        ("null", "1"),
    ];
    for (written, meant) in exact {
        assert_eq!(quantity(written).as_deref(), Some(meant), "{written}");
    }
    for wrong in [
        "0",
        "-1",
        "-0.5",
        "1000000000000",
        "0.0000001",
        "1e400",
        "1e-400",
        "\"\"",
        "\" 2\"",
        "\"1,5\"",
        "\"1_0\"",
        "\"NaN\"",
        "true",
        "[2]",
        "{}",
        "\"two\"",
        "0.00000000000000000000000000000001",
        "1.0000000000000000000000000000000000001",
    ] {
        assert_eq!(quantity(wrong), None, "{wrong}");
    }
    assert!(event(r#"{"type":"count","product":"p","from":"a","quantity":0}"#).is_ok());
    assert!(event(r#"{"type":"count","product":"p","from":"a","quantity":-1}"#).is_err());
}

#[test]
fn a_rejection_keeps_the_id_and_all_of_its_own_element() {
    let long = "x".repeat(9_000);
    let payload = format!(
        r#"[{TRANSFER},"id":"1"}}, {{"id":"2","type":"transfer","note":"{long}"}}, 5, {TRANSFER},"id":"{long}"}}]"#
    );
    let entries = decode(&reading(Channel::Event, payload.as_bytes()));
    assert_eq!(entries.len(), 4);
    assert_eq!(entries[0].as_ref().unwrap().id, "1");
    let second = entries[1].as_ref().unwrap_err();
    assert_eq!(
        (second.id.as_deref(), second.code.as_str()),
        (Some("2"), "missing-field")
    );
    assert!(second.payload.len() > 9_000 && !second.cut);
    assert!(second.payload.starts_with(br#"{"id":"2""#));
    assert_eq!(entries[2].as_ref().unwrap_err().payload, b"5");
    let fourth = entries[3].as_ref().unwrap_err();
    assert_eq!(
        (fourth.id.as_deref(), fourth.code.as_str()),
        (None, "bad-field")
    );
    assert!(fourth.message.len() < 300, "{}", fourth.message);
}

#[test]
fn the_number_of_events_and_the_size_are_limited() {
    let array = |count: usize| format!("[{}]", vec![format!("{TRANSFER}}}"); count].join(","));
    let entries = decode(&reading(Channel::Event, array(EVENTS_MAX).as_bytes()));
    assert_eq!(
        entries.iter().filter(|entry| entry.is_ok()).count(),
        EVENTS_MAX
    );
    let over = one(decode(&reading(
        Channel::Event,
        array(EVENTS_MAX + 1).as_bytes(),
    )));
    assert_eq!(over.unwrap_err().code, RejectionCode::TooManyEvents);
    let large = vec![b'1'; PAYLOAD_BYTES_MAX + 1];
    let rejection = one(decode(&reading(Channel::Scan, &large))).unwrap_err();
    assert_eq!(
        (rejection.code.as_str(), rejection.payload.len()),
        ("too-large", PAYLOAD_BYTES_MAX + 1)
    );
}
