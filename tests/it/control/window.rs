//! The counts since a time in the status.

use super::{Served, refused};
use serde_json::{Value, json};
use stockrelay::board::{ClockView, Link};
use stockrelay::clock;
use stockrelay::config::{ShiftRules, Shifts};
use stockrelay::view::answer::answer;
use stockrelay::view::client::Client;
use stockrelay::view::headline::Mood;
use stockrelay::view::snapshot::{Begin, Status};
use stockrelay::view::words::Words;

#[tokio::test]
async fn a_status_since_a_time_counts_what_was_received_since_and_adds_up() {
    let served = Served::start();
    served.fill().await;
    served.board.odoo(|odoo| odoo.link = Link::Up);
    let status = served.get("/v1/status?since=2020-01-01T00:00:00Z").await;
    let window = &status["window"];
    assert_eq!(window["since"], "2020-01-01T00:00:00Z");
    assert_eq!(window["begin"], "time");
    for key in [
        "stored",
        "open",
        "waiting",
        "posted",
        "parked",
        "duplicates",
    ] {
        assert_eq!(window["events"][key], status["events"][key], "{key}");
    }
    assert_eq!(
        window["documents"],
        json!({"waiting": 1, "sending": 0, "posted": 1, "parked": 2, "discarded": 0, "edited": 0,
               "parked_by_code": {"unknown-product": 2}})
    );
    assert_eq!(
        window["rejected"],
        json!({"readings": 1, "open": 1, "settled": 0, "without_scan": 0,
               "by_code": {"bad-json": {"readings": 1, "open": 1}}})
    );
    let status: Status = serde_json::from_value(status).unwrap();
    let answer = answer(&status, clock::now(), Words::ENGLISH);
    assert_eq!(answer.mood, Mood::Watch);
    assert!(
        answer
            .sentence
            .contains("3 of 4 movements are not in Odoo: 1 on the way, 2 parked"),
        "{}",
        answer.sentence
    );
    // Nothing was received so late.
    let later = served.get("/v1/status?since=1s").await;
    assert_eq!(later["window"]["events"]["stored"], 0);
    assert_eq!(served.get("/v1/status").await["window"], Value::Null);
    served.stop().await;
}

#[tokio::test]
async fn the_shift_begins_as_the_configuration_says() {
    let served = Served::start();
    let status = served.get("/v1/status?since=shift").await;
    let status: Status = serde_json::from_value(status).unwrap();
    let window = status.window.unwrap();
    assert_eq!(window.begin, Begin::Day);
    let rules = ShiftRules {
        shifts: Shifts::default(),
        zone: Some(window.time_zone().0),
    };
    // The status was read before, perhaps on the day before.
    let now = clock::now();
    let began = rules.shifts.began(now, &window.time_zone().0);
    assert!(window.requested <= began && began <= now);
    served.stop().await;
}

#[tokio::test]
async fn a_wrong_time_is_refused_with_an_example() {
    let served = Served::start();
    for path in ["/v1/status?since=yesterday", "/v1/stream?since=06:00"] {
        let answer = Client::new(&served.socket()).get::<Value>(path).await;
        let (status, refusal) = refused(answer);
        assert_eq!(status, 400);
        assert!(
            refusal["remedy"].as_str().unwrap().contains("shift"),
            "{refusal}"
        );
    }
    served.stop().await;
}

#[tokio::test]
async fn the_status_has_the_growth_of_the_day_the_disk_and_the_clock() {
    let served = Served::start();
    served.fill().await;
    let status = served.get("/v1/status").await;
    assert_eq!(status["journal"]["growth"], Value::Null);
    assert_eq!(status["journal"]["disk_free_bytes"], Value::Null);
    // The daemon has noted a size that was smaller by 4,096 bytes.
    let bytes = status["journal"]["bytes"].as_u64().unwrap();
    let now = clock::now();
    served.board.note_size(now, bytes - 4_096);
    served.board.disk_free(Some(40 << 30));
    served.board.clock(ClockView {
        trusted: false,
        service: Some("chrony".to_owned()),
        synchronised: None,
    });
    let status = served.get("/v1/status").await;
    assert_eq!(
        status["journal"]["growth"],
        json!({"since": now, "bytes": 4_096})
    );
    assert_eq!(status["journal"]["disk_free_bytes"], 40_u64 << 30);
    assert_eq!(
        status["clock"],
        json!({"trusted": false, "service": "chrony", "synchronised": null})
    );
    let day = served.get("/v1/status?since=day").await;
    assert_eq!(day["window"]["begin"], "day");
    served.stop().await;
}
