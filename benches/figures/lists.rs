//! The first page of every list, filter and `trace`, through the control API of a daemon whose
//! journal has many events; and what the lists cost in memory.
//!
//! `cargo bench -- lists --events 10000000`. `--journal DIR` keeps the journal: the next run with
//! the same directory does not fill it again, so that two versions (`BENCH_BINARY`) read the same
//! file.

pub mod filled;

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use stockrelay::clock;
use stockrelay::view::client::Client;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::arguments::Arguments;
use crate::daemon::{Gateway, Setup};
use crate::disk_use::DiskUse;
use crate::process::memory_kib;
use filled::{LATE_DEVICE, LATE_TYPE, RARE_CODE};

type Answer<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const EVENTS: u64 = 100_000;
/// How often each first page is fetched.
const TIMES: usize = 20;
/// Entries of a page where the path names no limit.
const PAGE: u64 = 100;

pub async fn lists(arguments: &Arguments) -> Answer<()> {
    let events = arguments.events.unwrap_or(EVENTS);
    let setup = Setup {
        more: "[journal]\nbudget = \"1 TiB\"\n".to_owned(),
        ..Setup::default()
    };
    let mut gateway = Gateway::start_as(&setup)?;
    gateway.stop()?;
    let data = gateway.socket().with_file_name("data");
    if let Some(stored) = &arguments.journal {
        exchange(&data, stored)?;
    }
    if std::fs::metadata(data.join("journal.redb"))?.len() < events * 50 {
        println!("lists: storing {events} events");
        filled::fill(&data, events).await?;
    }
    let ready = gateway.restart()?;
    println!(
        "lists: {events} events, {} MiB; ready {:.0} ms after the start",
        DiskUse::of(&data)?.allocated >> 20,
        ready.as_secs_f64() * 1e3
    );
    let client = Client::new(&gateway.socket());
    let status: Value = client.get("/v1/status").await?;
    println!("  events {}", status["events"]);
    println!("  documents {}", status["documents"]);
    settle(&gateway).await?;
    println!("  resident before: {}", resident(&gateway)?);
    println!(
        "  first page, ms: p50, longest; until a page is full or the list ends: entries, requests, s; resident then, MiB"
    );
    for path in paths(&client, &status).await? {
        measure(&gateway, &client, &path).await?;
    }
    scrape(&gateway).await?;
    println!(
        "  resident after: {}, at most {:.1} MiB",
        resident(&gateway)?,
        gateway.resident_most_mib()?
    );
    gateway.stop()
}

/// Has the daemon use the data in `stored`; moves its own there if there is none.
pub fn exchange(data: &Path, stored: &Path) -> Answer<()> {
    if stored.join("journal.redb").exists() {
        std::fs::remove_dir_all(data)?;
    } else {
        std::fs::rename(data, stored)?;
    }
    let stored = stored.canonicalize()?;
    Ok(std::os::unix::fs::symlink(stored, data)?)
}

fn resident(gateway: &Gateway) -> Answer<String> {
    let own = memory_kib(gateway.pid(), "RssAnon:")? as f64 / 1_024.0;
    let all = gateway.resident_mib()?;
    Ok(format!(
        "{all:.1} MiB, {own:.1} of it without the program's file"
    ))
}

/// Waits until the memory no longer changes: the start is over.
async fn settle(gateway: &Gateway) -> Answer<()> {
    let mut before = 0.0;
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let resident = gateway.resident_mib()?;
        if (resident - before).abs() < 0.1 {
            break;
        }
        before = resident;
    }
    Ok(())
}

/// Every list with every filter, and `trace` with every kind of id.
async fn paths(client: &Client, status: &Value) -> Answer<Vec<String>> {
    let last = status["journal"]["last_seq"].as_u64().unwrap_or(0);
    let page: Value = client
        .get(&format!("/v1/events?after={}&limit=1", last / 2))
        .await?;
    let event = &page["events"][0];
    let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
    let (device, id, document) = (text("device"), text("id"), text("document"));
    let parked: Value = client.get("/v1/parked?limit=1").await?;
    let parked = parked["parked"][0]["key"].as_str().unwrap_or("0000000");
    let mut paths = vec![
        "/v1/status".to_owned(),
        "/v1/events".to_owned(),
        "/v1/events?limit=1000".to_owned(),
        format!("/v1/events?after={}", last.saturating_sub(PAGE)),
    ];
    let of_events = [
        "open",
        "waiting",
        "sending",
        "posted",
        "parked",
        "discarded",
        "no_document",
    ];
    paths.extend(of_events.map(|state| format!("/v1/events?state={state}")));
    paths
        .extend(["transfer", "count", LATE_TYPE, "undo"].map(|of| format!("/v1/events?type={of}")));
    let devices = [&device, LATE_DEVICE, "unknown"];
    paths.extend(devices.map(|device| format!("/v1/events?device={device}")));
    paths.extend([
        format!("/v1/events?state=parked&device={LATE_DEVICE}"),
        format!("/v1/events?state=waiting&type={LATE_TYPE}"),
        format!("/v1/events?state=posted&device={LATE_DEVICE}"),
        "/v1/documents".to_owned(),
    ]);
    let of_documents = [
        "waiting",
        "sending",
        "posted",
        "parked",
        "discarded",
        "replaced",
    ];
    paths.extend(of_documents.map(|state| format!("/v1/documents?state={state}")));
    paths.extend([
        "/v1/parked".to_owned(),
        format!("/v1/parked?code={RARE_CODE}"),
        "/v1/parked?code=no-such-code".to_owned(),
        format!("/v1/parked/{}", &parked[..7]),
        "/v1/rejected".to_owned(),
        "/v1/rejected?state=open".to_owned(),
        format!("/v1/trace/{}", last / 2),
        format!("/v1/trace/{device}/{id}"),
        format!("/v1/trace/{id}"),
        format!("/v1/trace/{document}"),
        "/v1/trace/rejected-17".to_owned(),
        "/v1/trace/no-such-id".to_owned(),
    ]);
    Ok(paths)
}

async fn measure(gateway: &Gateway, client: &Client, path: &str) -> Answer<()> {
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let begun = clock::instant();
        // An id that nothing has is refused: that takes its time, too.
        drop(client.get::<Value>(path).await);
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let (found, requests, took) = fill_page(client, path).await;
    println!(
        "  {path:<55} {:>8.2} {:>8.2} {found:>6} {requests:>6} {:>7.3} {:>6.1}",
        ms(times[TIMES / 2]),
        ms(times[TIMES - 1]),
        took.as_secs_f64(),
        gateway.resident_mib()?
    );
    Ok(())
}

/// Continues until a page is full or the list ends, as the command does. Returns the number of
/// entries and of requests, and the time.
async fn fill_page(client: &Client, path: &str) -> (u64, usize, Duration) {
    let begun = clock::instant();
    let (mut found, mut requests, mut after) = (0, 0, String::new());
    loop {
        requests += 1;
        let Ok(page) = client.get::<Value>(&format!("{path}{after}")).await else {
            return (found, requests, begun.elapsed());
        };
        let lists = ["events", "documents", "parked", "rejected"];
        let entries = lists.iter().find_map(|list| page[list].as_array());
        found += entries.map_or(1, Vec::len) as u64;
        if found >= PAGE || page["more"] != true {
            return (found, requests, begun.elapsed());
        }
        let mark = if path.contains('?') { '&' } else { '?' };
        after = format!("{mark}after={}", page["next"]);
    }
}

/// The metrics, over TCP.
async fn scrape(gateway: &Gateway) -> Answer<()> {
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let begun = clock::instant();
        let mut socket = TcpStream::connect(gateway.metrics()).await?;
        socket
            .write_all(b"GET /metrics HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")
            .await?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "  {:<55} {:>8.2} {:>8.2}",
        "/metrics",
        ms(times[TIMES / 2]),
        ms(times[TIMES - 1])
    );
    Ok(())
}
