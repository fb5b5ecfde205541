//! The search: how long `GET /v1/search` takes for each kind of text, how long the gateway needs to
//! index a journal, and the bytes of the index for each event.
//!
//! `cargo bench -- search --events 10000000`. `--journal DIR` keeps the journal for the next run.
//! The ratio of the ingest rate with and without the index is that of two binaries:
//! `cargo bench -- million --events 300000 --rounds 7 --before OLD`.

use std::path::Path;
use std::time::Duration;

use redb::{Database, ReadableDatabase as _, ReadableTableMetadata as _, TableHandle as _};
use serde_json::Value;
use stockrelay::clock;
use stockrelay::view::client::{Client, encode_for_path};

use crate::arguments::Arguments;
use crate::daemon::{Gateway, Setup};
use crate::disk_use::DiskUse;
use crate::lists::{exchange, filled};

type Answer<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const EVENTS: u64 = 100_000;
/// Texts of each kind.
const TEXTS: u64 = 100;
/// A search itself reads the events of less than a segment.
const NOT_INDEXED_MAX: u64 = 20_000;
const LOOK_EVERY: Duration = Duration::from_millis(200);
const MIB: f64 = 1_048_576.0;
/// The tables of the index.
const TABLES: [&str; 3] = ["search_segments", "search_blocks", "document_terms"];

pub async fn search(arguments: &Arguments) -> Answer<()> {
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
        println!("search: storing {events} events");
        filled::fill(&data, events).await?;
    }
    let before = DiskUse::of(&data)?;
    let ready = gateway.restart()?;
    let client = Client::new(&gateway.socket());
    let first: Value = client.get("/v1/search?q=nothing-has-it").await?;
    println!(
        "search: {events} events, {} not indexed; ready {:.0} ms after the start",
        first["not_indexed"],
        ready.as_secs_f64() * 1e3
    );
    let took = wait_for_index(&client).await?;
    println!(
        "  the index was complete after {:.1} s; resident {:.1} MiB, at most {:.1} MiB",
        took.as_secs_f64(),
        gateway.resident_mib()?,
        gateway.resident_most_mib()?
    );
    println!(
        "  kind of text: p50, p95, longest, ms; requests that ended before they had searched all"
    );
    for (what, texts) in texts(&client).await? {
        measure(&client, what, &texts).await?;
    }
    println!(
        "  resident {:.1} MiB, at most {:.1} MiB",
        gateway.resident_mib()?,
        gateway.resident_most_mib()?
    );
    gateway.stop()?;
    let after = DiskUse::of(&data)?;
    println!(
        "  on disk: {:.1} MiB before, {:.1} MiB after, {:.0} bytes an event",
        before.allocated as f64 / MIB,
        after.allocated as f64 / MIB,
        after.allocated as f64 / events as f64
    );
    show_tables(&data.join("journal.redb"), events)
}

/// Waits until nearly all events are indexed.
async fn wait_for_index(client: &Client) -> Answer<Duration> {
    let begun = clock::instant();
    loop {
        let page: Value = client.get("/v1/search?q=nothing-has-it").await?;
        if page["not_indexed"].as_u64().unwrap_or(0) < NOT_INDEXED_MAX {
            return Ok(begun.elapsed());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Texts of each kind, from events and documents all over the journal.
async fn texts(client: &Client) -> Answer<Vec<(&'static str, Vec<String>)>> {
    let status: Value = client.get("/v1/status").await?;
    let last = status["journal"]["last_seq"].as_u64().unwrap_or(0);
    let newest = status["documents"]["newest"].as_u64().unwrap_or(0);
    let (mut ids, mut with_devices, mut orders, mut keys, mut pickings) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for n in 0..TEXTS {
        let page: Value = client
            .get(&format!("/v1/events?after={}&limit=200", last / TEXTS * n))
            .await?;
        let event = &page["events"][0];
        let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        with_devices.push(format!("{}/{}", text("device"), text("id")));
        ids.push(text("id"));
        let events = page["events"].as_array().into_iter().flatten();
        orders.extend(
            events
                .filter_map(|event| event["order"].as_str())
                .take(1)
                .map(str::to_owned),
        );
        let page: Value = client
            .get(&format!(
                "/v1/documents?after={}&limit=1",
                newest / TEXTS * n
            ))
            .await?;
        let document = &page["documents"][0];
        keys.extend(document["key"].as_str().map(str::to_owned));
        pickings.extend(document["odoo"].as_str().map(str::to_owned));
    }
    let made = |make: &dyn Fn(u64) -> String| (0..TEXTS).map(make).collect::<Vec<_>>();
    Ok(vec![
        (
            "first 8 digits of an event id",
            ids.iter().map(|id| id[..8].to_owned()).collect(),
        ),
        (
            "first 3 digits of an event id",
            ids.iter().map(|id| id[..3].to_owned()).collect(),
        ),
        ("event id", ids),
        ("device/id", with_devices),
        ("order", orders),
        (
            "first characters of orders",
            made(&|n| format!("wh/out/{n:02}")),
        ),
        ("document key", keys),
        (
            "document number",
            made(&|n| (newest / TEXTS * n + 1).to_string()),
        ),
        ("picking", pickings),
        ("product", made(&|n| format!("4000000{:06}", n * 5))),
        (
            "first characters of products",
            made(&|n| format!("40000000{n:02}")),
        ),
        (
            "word of a product name",
            made(&|n| format!("thing {}", n * 5)),
        ),
        ("bin", made(&|n| format!("loc-bin-{:04}", n * 2))),
        (
            "first characters of bins",
            made(&|n| format!("loc-bin-0{}", n % 2)),
        ),
        ("busy device", made(&|n| format!("dev{:02}", n % 50))),
        ("quiet device", made(&|n| format!("quiet{:04}", n * 20))),
        (
            "first characters of devices",
            made(&|n| ["dev", "qui"][usize::from(n % 2 == 0)].to_owned()),
        ),
        ("reason code", made(&|_| "unknown-product".to_owned())),
        ("nothing has it", made(&|n| format!("nothing-{n}"))),
    ])
}

async fn measure(client: &Client, what: &str, texts: &[String]) -> Answer<()> {
    let (mut times, mut cut, mut total) = (Vec::new(), 0, 0);
    for text in texts {
        let path = format!("/v1/search?q={}", encode_for_path(text));
        let begun = clock::instant();
        let page: Value = client.get(&path).await?;
        times.push(begun.elapsed());
        cut += u64::from(!page["search"].is_null());
        total += page["total"].as_u64().unwrap_or(0);
    }
    times.sort_unstable();
    let at = |share: usize| (times.len().saturating_sub(1)) * share / 100;
    let ms = |share| {
        times
            .get(at(share))
            .map_or(0.0, |time| time.as_secs_f64() * 1e3)
    };
    println!(
        "  {what:<30} {:>8.2} {:>8.2} {:>8.2} {cut:>4}   {:.1} results of {} texts",
        ms(50),
        ms(95),
        ms(100),
        total as f64 / texts.len().max(1) as f64,
        texts.len()
    );
    Ok(())
}

/// The bytes of the tables of the index.
fn show_tables(file: &Path, events: u64) -> Answer<()> {
    let database = Database::builder().set_cache_size(8 << 20).open(file)?;
    let read = database.begin_read()?;
    for handle in read.list_tables()? {
        let name = handle.name().to_owned();
        if !TABLES.contains(&name.as_str()) {
            continue;
        }
        let stats = read.open_untyped_table(handle)?.stats()?;
        let stored = stats.stored_bytes() as f64;
        let pages = stored + stats.metadata_bytes() as f64 + stats.fragmented_bytes() as f64;
        println!(
            "  {name}: {:.1} bytes an event, {:.1} with the pages of redb",
            stored / events as f64,
            pages / events as f64
        );
    }
    Ok(())
}
