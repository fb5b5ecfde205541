//! The stored state of a device keeps its names: a journal of an earlier version opens.

use serde_json::{Value, json};

use super::*;

fn item() -> Value {
    json!({
        "code": "MILK",
        "name": "Milk",
        "quantity": "2",
        "lot": "L-1",
        "expiry": "2027-06-30",
        "best_before": null,
        "of_each": {"expiry": "2027-06-30", "best_before": null},
        "tracking": "lot",
        "is_new_lot": true,
        "package": null,
        "lacks_package": false,
        "lacks_quantity": false,
        "product": {"id": 7, "factors": ["1", "1"], "own_code": "MILK"},
        "measures": {"net_kg": "1.5"},
    })
}

fn state(done: &Value) -> Value {
    json!({
        "flow": "receive",
        "at": "more",
        "work": {
            "from": "LOC-A",
            "to": "LOC-B",
            "order": "WH/IN/1",
            "package": "PACK-1",
            "reason": "DAMAGED",
            "items": [item()],
            "last": 0,
        },
        "trail": [
            {"at": null, "did": [{"from": null}, {"to": "LOC-C"}, {"order": null}]},
            {"at": "first", "did": [{"package": null}, {"reason": "OLD"}, "added"]},
            {"at": "more", "did": [{"changed": [0, item()]}, {"joined": [1, item()]}]},
        ],
        "done": done,
        "operator": "anna",
        "asks_quantity": true,
        "doubted": "LOC-BIN-9999",
        "noted": ["note-count MILK"],
        "dropped": "3 × Chair",
        "seq": 105,
        "tag": "7a9",
        "possible_repeat": true,
        "last": "2026-11-24T08:00:00Z",
        "last_at": "2026-11-24T07:59:58Z",
        "made": 2,
    })
}

#[test]
fn a_stored_state_is_read_and_written_under_the_same_names() {
    let made = json!({"made": {"ids": ["flow-104-1-7a9"], "what": "1 × Chair"}});
    for done in [json!("nothing"), json!("validated"), made] {
        let stored = state(&done);
        let read: State = serde_json::from_value(stored.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), stored);
    }
}
