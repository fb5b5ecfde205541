//! Searches in many events: totals, and the segments of the daemon.

use serde_json::{Value, json};
use std::time::Duration;

use super::super::Served;
use super::{append, of};
use crate::floor::{name, transfer};
use crate::free_address::free_address;
use stockrelay::clock;
use stockrelay::config;
use stockrelay::daemon::Daemon;
use stockrelay::event::{Event, Seq};
use stockrelay::journal::{Journal, SEGMENT_EVENTS_MAX};
use stockrelay::view::client::Client;

/// Longer than anything here takes; a test that needs it has failed.
const PATIENCE: Duration = Duration::from_mins(1);

/// The answer of a request that had enough time. While the other tests load the machine, a request
/// may reach its limit before it has looked at everything: it says so, and is sent again.
async fn search_whole(served: &Served, text: &str, parameters: &str) -> Value {
    let begun = clock::instant();
    loop {
        let answer = served.search(text, parameters).await;
        if answer["search"].is_null() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "always cut: {answer}");
    }
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
    let few = search_whole(&served, "few", "&limit=1").await;
    assert_eq!(
        (&few["total"], &few["total_exact"]),
        (&json!(10_000), &json!(true))
    );
    let all = search_whole(&served, "P", "&limit=1").await;
    assert_eq!(
        (&all["total"], &all["total_exact"]),
        (&json!(10_000), &json!(false))
    );
    let found = search_whole(&served, "P", "&kind=product").await;
    assert_eq!(
        (&found["total"], &found["total_exact"]),
        (&json!(1), &json!(true))
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
