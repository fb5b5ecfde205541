//! A ProGlove scanner: it moves goods and hears in its own form.

use super::{Ring, Stage};
use crate::scenarios::target::Target;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use stockrelay::clock;

/// A ProGlove's messages, as its gateway publishes them.
pub fn glove(code: &str, event_id: &str) -> String {
    json!({
        "api_version": "1.0", "event_type": "scan", "event_id": event_id, "time_created": clock::now().as_millisecond(),
        "scan_code": code, "device_serial": "MDMR000000064", "gateway_serial": "PGGW000000058",
    })
    .to_string()
}

/// What a ProGlove does for a word: its lights, and its screen.
pub async fn glove_hears(ring: &mut Ring, place: &str) -> (Value, Value) {
    let (lights, screen) = (ring.display(place).await, ring.display(place).await);
    assert_eq!(lights["event_type"], "feedback!", "{place}: {lights}");
    assert_eq!(screen["event_type"], "display!", "{place}: {screen}");
    for command in [&lights, &screen] {
        assert_eq!(command["device_serial"], "MDMR000000064", "{command}");
        assert_eq!(command["api_version"], "1.0", "{command}");
    }
    assert_ne!(lights["event_id"], screen["event_id"]);
    (lights, screen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proglove_moves_goods_and_hears_in_its_own_form() {
    let products = BTreeMap::from([("chair".to_owned(), "none".to_owned())]);
    let mut stage = Stage::build(Target::stand_in(Duration::ZERO).await, &products).await;
    stage.with_entry("profile = \"proglove-streams\"\nflow = \"transfer\"");
    stage.start().await;
    let mut ring = Ring::listening(&stage, &["feedback!", "display!"]).await;
    let steps = [
        ("{chair}", "NEGATIVE", "STOP", "Not now: {chair}"),
        ("LOC-BIN-0001", "POSITIVE", "OK", "LOC-BIN-0001"),
        ("{chair}", "POSITIVE", "OK", "[{chair}] Test"),
        ("LOC-BIN-0002", "POSITIVE", "OK", "Recorded: 1 × [{chair}]"),
    ];
    for (number, (code, light, head, line)) in steps.into_iter().enumerate() {
        let payload = glove(&stage.text(code), &format!("event-{number}"));
        ring.scan(&payload).await;
        let (lights, screen) = glove_hears(&mut ring, code).await;
        assert_eq!(lights["feedback_action_id"], format!("FEEDBACK_{light}"));
        let fields = &screen["display_fields"];
        assert_eq!(fields[0]["display_field_header"], head, "{screen}");
        let text = fields[0]["display_field_text"].as_str().unwrap();
        assert!(text.starts_with(&stage.text(line)), "{screen}");
        if head == "OK" {
            // Its gateway missed the acknowledgement: the same event, and nothing new to say.
            ring.scan(&payload).await;
            ring.acknowledged().await;
        }
    }
    let totals = stage.daemon.as_ref().unwrap().journal().totals();
    assert_eq!(totals.duplicates, 3);
    assert_eq!(
        stage.made(),
        [stage.text("transfer 1 {chair} LOC-BIN-0001 > LOC-BIN-0002")]
    );
    stage.posted().await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_flow_a_scan_is_answered_in_the_profiles_form_too() {
    let products = BTreeMap::from([("chair".to_owned(), "none".to_owned())]);
    let mut stage = Stage::build(Target::stand_in(Duration::ZERO).await, &products).await;
    stage.with_entry("profile = \"proglove-streams\"");
    stage.start().await;
    // `display` is what others hear: it must not come on top.
    let mut ring = Ring::listening(&stage, &["feedback!", "display!", "display"]).await;
    for (code, light, head) in [
        ("{chair}", "POSITIVE", "OK"),
        ("nothing", "NEGATIVE", "STOP"),
    ] {
        let code = stage.text(code);
        ring.scan(&glove(&code, &code)).await;
        let (lights, screen) = glove_hears(&mut ring, &code).await;
        assert_eq!(lights["feedback_action_id"], format!("FEEDBACK_{light}"));
        let field = &screen["display_fields"][0];
        assert_eq!(field["display_field_header"], head, "{screen}");
        assert_ne!(field["display_field_text"], "", "{screen}");
    }
    assert_eq!(stage.made(), Vec::<String>::new());
    stage.stop().await;
}
