//! Each fault that people and scripts make, with the nearest valid form.

use super::*;

fn suggest_for(code: RejectionCode, payload: &str) -> Option<Suggestion> {
    suggest(&Faulty {
        code,
        site: None,
        device: &Name::new("pda-07").unwrap(),
        channel: Some(Channel::Event),
        payload: payload.as_bytes(),
    })
}

/// Rejects a payload as an intake does, then asks for the nearest form.
fn text_and_payload(payload: &str) -> Option<(String, String)> {
    let device = Name::new("pda-07").unwrap();
    let (code, _) = find_fault(payload, &device).expect("the payload has a fault");
    let found = suggest_for(code, payload)?;
    Some((found.text, found.payload.unwrap()))
}

/// The nearest form, which the gateway accepts.
#[track_caller]
fn assert_corrected(payload: &str, text: &str, right: &str) {
    let (found_text, found) = text_and_payload(payload).expect("a suggestion");
    assert_eq!(
        (found_text.as_str(), found.as_str()),
        (text, right),
        "{payload}"
    );
    let fault = find_fault(&found, &Name::new("pda-07").unwrap());
    assert_eq!(fault, None, "{found}");
}

#[test]
fn the_nearest_type_is_suggested() {
    let event =
        |kind: &str| format!(r#"{{"type": "{kind}", "product": "4", "from": "A", "to": "B"}}"#);
    for wrong in ["tranfser", "Transfer", "transfers", "tranfer"] {
        let text = format!("type transfer in place of {wrong}");
        assert_corrected(&event(wrong), &text, &event("transfer"));
    }
    assert_eq!(text_and_payload(&event("teleport")), None);
    assert_eq!(text_and_payload(&event("")), None);
}

#[test]
fn json_that_a_script_wrote_by_hand_is_repaired() {
    let right = r#"{"type": "receive", "product": "4", "to": "B"}"#;
    assert_corrected(
        r#"{"type": "receive", "product": "4", "to": "B",}"#,
        "no comma before a closing bracket",
        right,
    );
    assert_corrected(
        "{'type': 'receive', 'product': '4', 'to': 'B'}",
        "double quotes in place of single ones",
        right,
    );
    assert_corrected(
        r#"{"type": "receive", "product": "4", "to": "B""#,
        "} at the end",
        right,
    );
    assert_corrected(
        "{“type”: “receive”, “product”: “4”, “to”: “B”}",
        "straight double quotes (\") in place of curly ones",
        right,
    );
    assert_corrected(
        r#"[{"type": "receive", "product": "4", "to": "B"},"#,
        "no comma before a closing bracket; ] at the end",
        r#"[{"type": "receive", "product": "4", "to": "B"}]"#,
    );
    for hopeless in ["hello", r#"{"type": "rec"#, "{]}", r#"{"a" "b"}"#] {
        assert_eq!(text_and_payload(hopeless), None, "{hopeless}");
    }
}

#[test]
fn a_comma_within_a_text_stays() {
    assert_corrected(
        r#"{"type": "receive", "product": "4,}\",]", "to": "B",}"#,
        "no comma before a closing bracket",
        r#"{"type": "receive", "product": "4,}\",]", "to": "B"}"#,
    );
}

#[test]
fn several_faults_are_corrected_one_after_the_other() {
    assert_corrected(
        "{'type': 'recieve', 'product': 4006381333931, 'to': 'B', 'qty': '2,5',}",
        "double quotes in place of single ones; no comma before a closing bracket; \
         type receive in place of recieve; the field quantity in place of qty; \
         product in double quotes: \"4006381333931\"; quantity 2.5, with a point",
        r#"{"type": "receive", "product": "4006381333931", "to": "B", "quantity": 2.5}"#,
    );
}

#[test]
fn a_missing_field_has_an_example_and_no_invented_value() {
    let (text, payload) =
        text_and_payload(r#"{"type": "transfer", "product": "4", "from": "A"}"#).unwrap();
    assert_eq!(text, r#"add the field to, for example "to": "LOC-A-02""#);
    assert_eq!(
        payload,
        r#"{"type": "transfer", "product": "4", "from": "A", "to": ""}"#
    );
    // Sent without a change, it is rejected again.
    assert!(find_fault(&payload, &Name::new("pda-07").unwrap()).is_some());
    let (text, payload) = text_and_payload("{}").unwrap();
    assert_eq!(
        text,
        r#"add the field type, for example "type": "transfer""#
    );
    assert_eq!(payload, r#"{"type": ""}"#);
}

#[test]
fn thousands_are_not_taken_for_decimals() {
    let event = r#"{"type": "receive", "product": "4", "to": "B", "quantity": "1,000"}"#;
    assert_eq!(text_and_payload(event), None);
}

#[test]
fn a_wrong_check_digit_of_an_unknown_product_is_corrected() {
    let code = RejectionCode::UnknownProduct;
    let event =
        |product: &str| format!(r#"{{"type": "receive", "product": "{product}", "to": "B"}}"#);
    let found = suggest_for(code, &event("4006381333932")).unwrap();
    assert_eq!(found.payload, Some(event("4006381333931")));
    assert!(found.text.contains("4006381333931"), "{}", found.text);
    let bare = suggest_for(code, "96385075").unwrap();
    assert_eq!(bare.payload.as_deref(), Some("96385074"));
    for right in ["4006381333931", "ABC-12345", "40063813339", "1"] {
        assert_eq!(suggest_for(code, &event(right)), None, "{right}");
    }
}

#[test]
fn the_own_topic_is_suggested_for_the_topic_of_another_site() {
    let (site, device) = (Name::new("ams1").unwrap(), Name::new("pda-07").unwrap());
    let faulty = Faulty {
        code: RejectionCode::NotYourTopic,
        site: Some(&site),
        device: &device,
        channel: Some(Channel::Event),
        payload: b"{}",
    };
    let found = suggest(&faulty).unwrap();
    assert_eq!(found.payload, None);
    let topic = "publish to stockrelay/v1/ams1/pda-07/event;";
    assert!(found.text.contains(topic), "{}", found.text);
    // The last part of the wrong topic is no channel, or a broker delivered the reading.
    for unknown in [
        Faulty {
            channel: None,
            ..faulty
        },
        Faulty {
            site: None,
            ..faulty
        },
    ] {
        assert_eq!(suggest(&unknown), None);
    }
}

#[test]
fn scans_and_other_reasons_have_no_suggestion() {
    assert_eq!(suggest_for(RejectionCode::NoPrefix, "{}"), None);
    let scan = Faulty {
        code: RejectionCode::BadJson,
        site: None,
        device: &Name::new("pda-07").unwrap(),
        channel: Some(Channel::Scan),
        payload: b"{\"code\": \"4\",}",
    };
    assert_eq!(suggest(&scan), None);
}
