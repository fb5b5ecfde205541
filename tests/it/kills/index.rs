//! The real process is killed while the search index is behind: a search is complete after each
//! start.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use stockrelay::clock;
use stockrelay::config;
use stockrelay::journal::{Journal, SEGMENT_EVENTS_MAX};

use super::gateway::Gateway;
use crate::floor::transfer;

const SEGMENTS: usize = 8;
const KILLS: u32 = 4;
/// Longer than the index needs; a test that needs it has failed.
const PATIENCE: Duration = Duration::from_mins(2);

/// The number of the id of an event.
fn id(number: usize) -> String {
    format!("id-{number:06}")
}

/// Stores events that no index has.
async fn fill(data: &Path) {
    std::fs::create_dir(data).unwrap();
    let (journal, writer) = Journal::open(data, &config::Journal::default()).unwrap();
    let numbers: Vec<usize> = (0..SEGMENTS * SEGMENT_EVENTS_MAX).collect();
    for chunk in numbers.chunks(4_096) {
        let event = |number: &usize| {
            let bin = format!("BIN-{number:06}");
            Ok(transfer("pda", &id(*number), "P", &bin, "B", 0))
        };
        let events = chunk.iter().map(event).collect();
        journal.inbox().append(events).await.unwrap();
    }
    journal.inbox().close().await.unwrap();
    drop(journal);
    writer.join().unwrap();
}

/// Searches for every so many events. Returns how many were not indexed at the first search.
async fn check(gateway: &Gateway, every: usize) -> u64 {
    let client = gateway.client();
    let all = SEGMENTS * SEGMENT_EVENTS_MAX;
    let mut not_indexed = None;
    for number in (0..all).step_by(every).chain([all - 1]) {
        let (mut ids, mut after) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/search?q=bin-{number:06}&kind=event{after}");
            let page: Value = client.get(&path).await.unwrap();
            let results = page["results"].as_array().unwrap().iter();
            ids.extend(results.map(|hit| hit["id"].as_str().unwrap().to_owned()));
            let left = page["not_indexed"].as_u64().unwrap();
            not_indexed.get_or_insert(left);
            // A slow machine needs several requests.
            let Some(next) = page["next"].as_str() else {
                break;
            };
            after = format!("&after={next}");
        }
        assert_eq!(ids, [format!("pda/{}", id(number))]);
    }
    not_indexed.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_is_complete_after_kills_while_the_index_is_behind() {
    let filled = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let data = filled.path().join("data");
    fill(&data).await;
    // No server answers at this address, and none is needed.
    let mut gateway = Gateway::start_on("http://127.0.0.1:9", |to| {
        std::fs::rename(&data, to).unwrap();
    });
    let mut behind = 0;
    for _ in 0..KILLS {
        gateway.started().await;
        behind += u32::from(check(&gateway, SEGMENTS * SEGMENT_EVENTS_MAX / 2).await > 0);
        gateway.kill_and_start();
    }
    assert!(behind > 1, "the index was behind at {behind} kills");
    gateway.started().await;
    let begun = clock::instant();
    while check(&gateway, SEGMENT_EVENTS_MAX / 4).await > 0 {
        assert!(begun.elapsed() < PATIENCE, "events are not indexed");
    }
    gateway.end_in_order();
}
