//! Properties of `decode` for any payload: random bytes, almost JSON, any number, any list.

use proptest::prelude::*;

use super::*;

/// Pieces that payloads are made of, so that random ones get past the first character.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just(",".to_owned()),
        Just(":".to_owned()),
        Just("null".to_owned()),
        "\"(type|product|from|to|quantity|id|at|code|transfer|count)\"",
        "\"[ -~]{0,6}\"",
        "-?[0-9]{1,30}(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,10})?",
        "\\PC{0,3}",
    ]
}

/// A value for a quantity of any shape.
fn number() -> impl Strategy<Value = String> {
    "\"?[+-]?[0-9]{0,29}(\\.[0-9]{0,29})?([eE][+-]?[0-9]{0,12})?\"?"
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer_and_always_the_same(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for channel in [Channel::Scan, Channel::Event] {
            let reading = reading(channel, &bytes);
            let entries = decode(&reading);
            prop_assert!(!entries.is_empty());
            prop_assert_eq!(entries, decode(&reading));
        }
    }

    #[test]
    fn almost_json_gives_an_answer(pieces in prop::collection::vec(piece(), 0..40)) {
        let payload = pieces.concat();
        for channel in [Channel::Scan, Channel::Event] {
            prop_assert!(!decode(&reading(channel, payload.as_bytes())).is_empty());
        }
    }

    #[test]
    fn any_number_is_taken_exactly_or_refused(number in number()) {
        let entries = decode(&reading(Channel::Event, format!(r#"{TRANSFER},"quantity":{number}}}"#).as_bytes()));
        prop_assert_eq!(entries.len(), 1);
        if let Ok(Event { action: Action::Move(Move { goods: Goods { quantity, .. }, .. }), .. }) = &entries[0] {
            let float: f64 = number.trim_matches('"').parse().unwrap();
            let near: f64 = quantity.to_string().parse().unwrap();
            prop_assert!((float - near).abs() <= float.abs() * 1e-12, "{number} became {quantity}");
            prop_assert!(quantity.scale() <= 6 && *quantity > Decimal::ZERO);
        }
    }

    #[test]
    fn every_element_gives_one_entry(good in prop::collection::vec(any::<bool>(), 1..60)) {
        let elements: Vec<_> = good.iter().enumerate().map(|(i, good)| {
            if *good { format!(r#"{TRANSFER},"id":"{i}"}}"#) } else { format!(r#"{{"id":"{i}"}}"#) }
        }).collect();
        let entries = decode(&reading(Channel::Event, format!("[{}]", elements.join(",")).as_bytes()));
        prop_assert_eq!(entries.len(), good.len());
        for (i, entry) in entries.iter().enumerate() {
            prop_assert_eq!(entry.is_ok(), good[i]);
            let id = match entry { Ok(event) => Some(&event.id), Err(rejection) => rejection.id.as_ref() };
            prop_assert_eq!(id, Some(&i.to_string()));
        }
    }

    #[test]
    fn what_is_written_is_what_is_read(
        id in "\\PC{1,30}", product in "\\PC{1,60}", from in "\\PC{1,60}", to in "\\PC{1,60}",
        cents in 1_i64..1_000_000_000_000,
    ) {
        let quantity = Decimal::new(cents, 2);
        let payload = serde_json::json!({
            "id": id, "type": "transfer", "product": product, "from": from, "to": to, "quantity": quantity.to_string(),
        });
        let event = event(&payload.to_string()).unwrap();
        prop_assert_eq!(event.id, id);
        prop_assert_eq!(event.action, Action::Move(Move::new(Movement::Transfer, Goods { product, quantity, from: Some(from), to: Some(to), ..Goods::default() })));
    }
}
