//! `GET /v1/search`, and names in `trace`.

mod edited;
mod long;

use super::{Served, moved, refused};
use crate::floor::{scan, transfer};
use serde_json::{Value, json};
use stockrelay::catalog::Catalog;
use stockrelay::document::State;
use stockrelay::event::{Action, Event, Movement, Rejection};
use stockrelay::journal::SegmentBuilder;
use stockrelay::odoo::{Kind, Row};
use stockrelay::view::client::{Client, encode_for_path};

fn path(text: &str, more: &str) -> String {
    format!("/v1/search?q={}{more}", encode_for_path(text))
}

impl Served {
    async fn search(&self, text: &str, more: &str) -> Value {
        self.get(&path(text, more)).await
    }

    /// Kind and id of each result, over all pages of this size.
    async fn found(&self, text: &str, limit: usize) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut after = String::new();
        loop {
            let page = self.search(text, &format!("&limit={limit}{after}")).await;
            let results = page["results"].as_array().unwrap();
            assert!(results.len() <= limit);
            found.extend(results.iter().map(|hit| (of(hit, "kind"), of(hit, "id"))));
            let Some(next) = page["next"].as_str() else {
                assert_eq!(page["total"], found.len(), "{page}");
                assert_eq!(page["total_exact"], true, "{page}");
                return found;
            };
            after = format!("&after={next}");
        }
    }

    /// Puts the events that are not indexed into segments of this size, up to this event.
    async fn index(&self, events_max: usize, upto: u64) {
        while self.journal.indexed().unwrap().upto.get() < upto {
            let after = self.journal.indexed().unwrap().upto;
            let mut segment = SegmentBuilder::new(after, events_max);
            while !self.journal.index_next(&mut segment, 100).unwrap() {}
            for part in segment.finish() {
                self.journal.inbox().index(part).await.unwrap();
            }
        }
    }
}

fn of(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or("null").to_owned()
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(kind, id)| ((*kind).to_owned(), (*id).to_owned()))
        .collect()
}

fn pick(device: &str, id: &str, order: &str, second: i64) -> Event {
    let mut event = transfer(device, id, "4006381333931", "LOC-A", "OUT", second);
    if let Action::Move(moved) = &mut event.action {
        moved.movement = Movement::Pick;
        moved.order = Some(order.to_owned());
        moved.goods.lot = Some(format!("LOT-{second}"));
    }
    event.operator = Some("Anna".to_owned());
    event
}

async fn append(served: &Served, events: Vec<Event>) {
    let events = events.into_iter().map(Ok).collect();
    served.journal.inbox().append(events).await.unwrap();
}

#[tokio::test]
async fn each_kind_of_name_is_found_once_before_its_events() {
    let served = Served::start();
    let events = (1..=6).map(|n| pick("pda-07", &format!("e-{n}"), "WH/OUT/00042", n));
    append(&served, events.collect()).await;
    for indexed in [0, 4] {
        served.index(2, indexed).await;
        for (text, kind, id) in [
            ("wh/out/00042", "order", "WH/OUT/00042"),
            ("WH/O", "order", "WH/OUT/00042"),
            ("4006381", "product", "4006381333931"),
            ("loc-a", "location", "LOC-A"),
            ("PDA-07", "device", "pda-07"),
            ("anna", "operator", "Anna"),
        ] {
            let mut expected = pairs(&[(kind, id)]);
            let events = (1..=6)
                .rev()
                .map(|n| ("event".to_owned(), format!("pda-07/e-{n}")));
            expected.extend(events);
            for limit in [200, 3, 1] {
                assert_eq!(
                    served.found(text, limit).await,
                    expected,
                    "{text} {indexed}"
                );
            }
            let only = served.search(text, &format!("&kind={kind}")).await;
            assert_eq!(
                (only["total"].as_u64(), only["results"][0]["state"].clone()),
                (Some(1), Value::Null)
            );
            let only = served.search(text, "&kind=event&limit=2").await;
            assert_eq!(
                (only["total"].as_u64(), of(&only["results"][0], "id")),
                (Some(6), "pda-07/e-6".into())
            );
        }
        assert_eq!(
            served.found("LOT-3", 5).await,
            pairs(&[("lot", "LOT-3"), ("event", "pda-07/e-3")])
        );
        assert_eq!(
            served.found("E-2", 5).await,
            pairs(&[("event", "pda-07/e-2")])
        );
        assert_eq!(
            served.found("pda-07/e-2", 5).await,
            pairs(&[("event", "pda-07/e-2")])
        );
        assert_eq!(
            served.found("e-", 5).await,
            [],
            "two characters match whole texts only"
        );
    }
    let hit = &served.search("e-2", "").await["results"][0];
    assert_eq!(
        (of(hit, "state"), of(hit, "title")),
        (
            "open".into(),
            "pick 1 of 4006381333931 lot LOT-2 from LOC-A for WH/OUT/00042".into()
        )
    );
    served.stop().await;
}

#[tokio::test]
async fn documents_pickings_reasons_and_rejected_readings_are_found() {
    let served = Served::start();
    served.fill().await;
    let keys = served.get("/v1/documents").await["documents"].clone();
    let key = |place: usize| of(&keys[place], "key");
    let rejected = Rejection {
        id: Some("r-1".to_owned()),
        ..crate::floor::rejection("pda-9", b"{", 9)
    };
    served
        .journal
        .inbox()
        .append(vec![Err(rejected)])
        .await
        .unwrap();

    let picking = pairs(&[("picking", "WH/INT/00007"), ("document", &key(0))]);
    assert_eq!(served.found("wh/int/00007", 1).await, picking);
    assert_eq!(served.found("WH/INT", 9).await, picking);
    let reason = pairs(&[
        ("reason", "unknown-product"),
        ("document", &key(2)),
        ("document", &key(1)),
    ]);
    assert_eq!(served.found("UNKNOWN-prod", 2).await, reason);
    assert_eq!(
        served.found(&key(3)[..12], 9).await,
        pairs(&[("document", &key(3))])
    );
    let state = served.search(&key(3), "").await["results"][0]["state"].clone();
    assert_eq!(state, "waiting");
    let numbered = pairs(&[("event", "pda-1/e4"), ("document", &key(3))]);
    assert_eq!(served.found("4", 1).await, numbered);
    let rejected = pairs(&[("rejected", "pda-9/r-1")]);
    assert_eq!(served.found("r-1", 9).await, rejected);
    assert_eq!(served.found("pda-9", 9).await, rejected);
    let bad_json = served.search("bad-json", "").await;
    assert_eq!(
        (
            bad_json["total"].as_u64(),
            bad_json["results"][0]["state"].as_str()
        ),
        (Some(2), Some("open"))
    );

    // A retry takes the reason away, and the picking changes with the progress.
    let retry = moved(2, State::Parked, State::Waiting);
    served.journal.inbox().change(vec![retry]).await.unwrap();
    let reason = pairs(&[("reason", "unknown-product"), ("document", &key(2))]);
    assert_eq!(served.found("unknown-product", 9).await, reason);
    served.stop().await;
}

#[tokio::test]
async fn a_trace_accepts_each_id_of_a_search() {
    let served = Served::start();
    served.fill().await;
    append(
        &served,
        vec![
            pick("pda-07", "7", "WH/OUT/00042", 30),
            scan("pda-07", "s", "4711", 31),
        ],
    )
    .await;
    for text in [
        "pda",
        "WH/OUT/00042",
        "4006381333931",
        "LOC-A",
        "LOT-30",
        "Anna",
        "WH/INT",
        "unknown-product",
        "out",
        "bad-json",
    ] {
        let page = served.search(text, "").await;
        assert_ne!(page["results"], json!([]), "{text}");
        for hit in page["results"].as_array().unwrap() {
            let trace = served
                .get(&format!("/v1/trace/{}", encode_for_path(&of(hit, "id"))))
                .await;
            match of(hit, "kind").as_str() {
                "event" => assert_eq!(trace["event"]["at"], hit["at"], "{hit}"),
                "document" => assert_eq!(trace["document"]["key"], hit["id"], "{hit}"),
                "rejected" => assert_ne!(trace["rejected"], Value::Null, "{hit}"),
                kind => assert_eq!(
                    trace["name"],
                    json!({"kind": kind, "id": hit["id"]}),
                    "{hit}"
                ),
            }
        }
    }
    let trace = served.get("/v1/trace/WH%2FINT%2F00007").await;
    assert_eq!(
        (&trace["document"]["number"], &trace["event"]),
        (&json!(1), &Value::Null)
    );
    let trace = served.get("/v1/trace/wh%2Fout%2F00042").await;
    assert_eq!(
        (&trace["name"]["id"], &trace["event"]["id"]),
        (&json!("WH/OUT/00042"), &json!("7"))
    );
    let trace = served.get("/v1/trace/location:a").await;
    assert_eq!(
        (
            &trace["event"]["seq"],
            trace["others"].as_array().unwrap().len()
        ),
        (&json!(5), 4)
    );
    let (status, refusal) = served.refused("/v1/trace/WH%2FOUT").await;
    assert_eq!(status, 404, "{refusal}");
    assert!(of(&refusal, "remedy").contains("/v1/search"), "{refusal}");
    served.stop().await;
}

#[tokio::test]
async fn a_number_that_is_a_name_is_traced_with_its_kind() {
    let served = Served::start();
    let mut event = pick("pda-07", "e1", "WH/OUT/00042", 1);
    if let Action::Move(moved) = &mut event.action {
        moved.goods.product = "2".to_owned();
    }
    append(&served, vec![event, scan("pda-07", "e2", "X", 2)]).await;
    let page = served.search("2", "").await;
    assert_eq!(of(&page["results"][0], "id"), "product:2");
    let trace = served.get("/v1/trace/product:2").await;
    assert_eq!(trace["event"]["id"], "e1");
    assert_eq!(served.get("/v1/trace/2").await["event"]["id"], "e2");
    served.stop().await;
}

#[tokio::test]
async fn a_search_from_a_time_on_finds_only_newer_events() {
    let served = Served::start();
    let events = (1..=8).map(|n| pick("pda-07", &format!("e-{n}"), "WH/OUT/00042", n));
    append(&served, events.collect()).await;
    served.index(3, 6).await;
    let since = crate::floor::at(5).to_string();
    let page = served
        .search("WH/OUT/00042", &format!("&since={since}"))
        .await;
    assert_eq!(page["total"], 5, "{page}");
    let times = page["results"].as_array().unwrap().iter();
    assert!(times.clone().all(|hit| of(hit, "at") >= since), "{page}");
    let page = served.search("LOT-2", &format!("&since={since}")).await;
    assert_eq!((&page["total"], &page["results"]), (&json!(0), &json!([])));
    served.stop().await;
}

#[tokio::test]
async fn products_are_found_by_the_words_of_their_names() {
    let dir = tempfile::tempdir().unwrap();
    let copy = Catalog::open(dir.path(), "x").unwrap();
    let row = |id: i64, name: &str, barcode: &str| Row {
        id,
        active: true,
        display_name: Some(name.to_owned()),
        barcode: Some(barcode.to_owned()),
        ..Row::default()
    };
    let rows = [
        row(1, "Blauer Stift", "4006381333931"),
        row(2, "Roter Stift", "4006381333948"),
    ];
    copy.apply(Kind::Product, &rows).unwrap();
    let served = Served::with_copy(Some(copy));
    append(&served, vec![pick("pda-07", "e-1", "WH/OUT/00042", 1)]).await;
    let expected = pairs(&[("product", "4006381333931"), ("event", "pda-07/e-1")]);
    assert_eq!(served.found("stift BLAU", 9).await, expected);
    assert_eq!(
        of(&served.search("stift", "").await["results"][0], "title"),
        "Blauer Stift"
    );
    assert_eq!(
        served.found("roter", 9).await,
        [],
        "no event has this product"
    );
    served.stop().await;
}

#[tokio::test]
async fn hostile_texts_match_only_themselves() {
    let served = Served::start();
    let long = "仓".repeat(85);
    let texts = [
        "%",
        "a%b",
        "a_b",
        "*",
        "a.*",
        "مستودع-1",
        &long,
        "ab\u{0}cd",
        "ß",
        "'; DROP",
    ];
    let events = texts.iter().zip(1..).map(|(text, n)| {
        let mut event = pick("pda-07", &format!("e-{n}"), "WH/OUT/00042", n);
        if let Action::Move(moved) = &mut event.action {
            moved.goods.lot = Some((*text).to_owned());
        }
        event
    });
    append(&served, events.collect()).await;
    for indexed in [0, 10] {
        served.index(10, indexed).await;
        for text in texts {
            let found = served.search(text, "&kind=lot").await;
            assert_eq!(found["total"], 1, "{text} {found}");
            assert_eq!(of(&found["results"][0], "id"), text);
        }
        assert_eq!(served.search("SS", "&kind=lot").await["total"], 1);
        assert_eq!(served.search("axb", "").await["total"], 0);
        let beginning = served.search(&long[..249], "&kind=lot").await;
        assert_eq!(beginning["total"], 1);
        let other = format!("{}库", &long[..249]);
        assert_eq!(served.search(&other, "").await["total"], 0);
    }
    served.stop().await;
}

#[tokio::test]
async fn a_wrong_parameter_is_refused_with_its_name_and_what_is_accepted() {
    let served = Served::start();
    let long = path(&"x".repeat(257), "");
    for (path, word) in [
        ("/v1/search", "q"),
        ("/v1/search?q=", "1 to 256 bytes"),
        (long.as_str(), "1 to 256 bytes"),
        ("/v1/search?q=%20", "white space"),
        ("/v1/search?q=%ff%fe", "UTF-8"),
        ("/v1/search?q=x&limit=0", "1 to 200"),
        ("/v1/search?q=x&limit=201", "1 to 200"),
        ("/v1/search?q=x&kind=thing", "product"),
        ("/v1/search?q=x&since=noon", "since"),
        ("/v1/search?q=x&after=17", "after"),
        ("/v1/search?q=x&page=2", "page"),
    ] {
        let (status, refusal) = refused(Client::new(&served.socket()).get::<Value>(path).await);
        assert_eq!(status, 400, "{path}");
        let text = format!("{} {}", of(&refusal, "error"), of(&refusal, "remedy"));
        assert!(text.contains(word), "{path}: {text}");
    }
    let whole = served.search(&"x".repeat(256), "").await;
    assert_eq!((&whole["total"], &whole["next"]), (&json!(0), &Value::Null));
    served.stop().await;
}
