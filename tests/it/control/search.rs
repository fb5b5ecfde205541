//! `GET /v1/search`, and names in `trace`.

use super::{Served, moved, refused};
use crate::floor::{name, scan, transfer};
use crate::free_address::free_address;
use serde_json::{Value, json};
use std::time::Duration;
use stockrelay::catalog::Catalog;
use stockrelay::config;
use stockrelay::daemon::Daemon;
use stockrelay::document::State;
use stockrelay::event::{Action, Event, Movement, Rejection, Seq};
use stockrelay::journal::{Journal, SEGMENT_EVENTS_MAX, SegmentBuilder};
use stockrelay::odoo::{Kind, Row};
use stockrelay::view::client::{Client, encode_for_path};

/// Longer than anything here takes; a test that needs it has failed.
const PATIENCE: Duration = Duration::from_mins(1);

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
    assert_eq!(served.found("4", 9).await, pairs(&[("document", &key(3))]));
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

#[tokio::test]
async fn a_total_is_exact_up_to_ten_thousand() {
    let served = Served::start();
    let events: Vec<Event> = (1..=12_000)
        .map(|n| {
            let device = if n <= 9_999 { "few" } else { "pda" };
            transfer(device, &format!("{n}"), "P", "A", "B", n)
        })
        .collect();
    for chunk in events.chunks(4_000) {
        append(&served, chunk.to_vec()).await;
    }
    served.index(5_000, 10_000).await;
    let few = served.search("few", "&limit=1").await;
    assert_eq!(
        (&few["total"], &few["total_exact"]),
        (&json!(10_000), &json!(true))
    );
    let all = served.search("P", "&limit=1").await;
    assert_eq!(
        (&all["total"], &all["total_exact"]),
        (&json!(10_000), &json!(false))
    );
    let found = served.search("P", "&kind=product").await;
    // A slow machine may not look at everything in the time of a request.
    assert_eq!(
        (&found["total"], &found["total_exact"]),
        (&json!(1), &json!(found["search"].is_null()))
    );
    // The pages have all of them, also those that no page counts.
    let mut after = of(&all, "next");
    let mut seen = 0;
    let mut last = Seq::MAX.get();
    while after != "null" {
        let page = served
            .search("P", &format!("&limit=200&after={after}"))
            .await;
        assert_eq!(page["total"], 10_000);
        for hit in page["results"].as_array().unwrap() {
            let (_, id) = hit["id"].as_str().unwrap().split_once('/').unwrap();
            let id: u64 = id.parse().unwrap();
            assert!(id < last);
            (seen, last) = (seen + 1, id);
        }
        after = of(&page, "next");
    }
    assert_eq!(seen, 12_000);
    assert_eq!(
        served
            .journal
            .event_of("few", "1")
            .unwrap()
            .unwrap()
            .event
            .device,
        name("few")
    );
    served.stop().await;
}

/// The daemon indexes what was stored before it started, as in a journal without an index, and what
/// is stored while it runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daemon_makes_segments_of_complete_ranges() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let event = |n: i64| {
        transfer(
            "pda",
            &format!("id-{n:06}"),
            "P",
            &format!("BIN-{n:06}"),
            "B",
            n,
        )
    };
    let events = |range: std::ops::Range<i64>| range.map(|n| Ok(event(n))).collect();
    let count = i64::try_from(SEGMENT_EVENTS_MAX).unwrap();
    let (journal, writer) = Journal::open(&data, &config::Journal::default()).unwrap();
    journal
        .inbox()
        .append(events(1..count + 101))
        .await
        .unwrap();
    journal.inbox().close().await.unwrap();
    drop(journal);
    writer.join().unwrap();

    let text = format!(
        "site = \"ams1\"\ndata_dir = \"data\"\nmqtt.listen.address = \"{}\"\n\
         mqtt.listen.anonymous = true\nodoo.url = \"http://127.0.0.1:9\"\nodoo.database = \"none\"\n\
         odoo.api_key_file = \"odoo.key\"\ncontrol.socket = \"control.sock\"\n",
        free_address()
    );
    std::fs::write(dir.path().join("odoo.key"), "none").unwrap();
    std::fs::write(dir.path().join("config.toml"), text).unwrap();
    let loaded = config::load(&dir.path().join("config.toml"), &[]).unwrap();
    let daemon = Daemon::start(loaded.config.clone()).await.unwrap();
    let journal = daemon.journal().clone();
    let is_indexed = async |upto: i64| {
        let upto = Seq::new(upto.try_into().unwrap());
        while journal.indexed().unwrap().upto < upto {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, is_indexed(count))
        .await
        .expect("the first segment");
    assert_eq!(journal.indexed().unwrap().left, 100);
    journal
        .inbox()
        .append(events(count + 101..2 * count + 1))
        .await
        .unwrap();
    tokio::time::timeout(PATIENCE, is_indexed(2 * count))
        .await
        .expect("the second segment");
    let client = Client::new(daemon.control_socket());
    for n in [1, 77, count, count + 1, 2 * count] {
        let page: Value = client
            .get(&format!("/v1/search?q=id-{n:06}&kind=event&limit=200"))
            .await
            .unwrap();
        let ids = page["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|hit| of(hit, "id"));
        assert!(
            ids.into_iter().any(|id| id == format!("pda/id-{n:06}")),
            "{n}"
        );
        let page: Value = client
            .get(&format!("/v1/search?q=bin-{n:06}"))
            .await
            .unwrap();
        assert_eq!(page["not_indexed"], 0);
        assert_ne!(page["total"], 0);
    }
    drop(journal);
    daemon.stop().await.unwrap();
}
