//! Polls the control socket: the status, and what the open view needs. Polls also while no daemon
//! answers.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::SignedDuration;
use serde::de::IgnoredAny;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::Message;
use super::data::{DeviceEvents, Found, Hour, Need, Reply, Update};
use super::period::Period;
use crate::clock;
use crate::document::DocumentNumber;
use crate::event::{RejectedNumber, Seq};
use crate::view::client::{Client, ClientError, encode_for_path};
use crate::view::records::{
    CodeNameView, ConfigHistory, DocumentPage, DocumentView, EventPage, EventView, HitPage,
    LogPage, Names, OrderPage, RejectedPage, RejectedView,
};
use crate::view::snapshot::Status;

const EACH: Duration = Duration::from_secs(1);
/// A daemon that answers no status for this time is called silent.
const SILENT: Duration = Duration::from_millis(800);
// A person knows within two seconds that the values are old.
const _: () = assert!(EACH.as_millis() + SILENT.as_millis() < 2_000);
/// The feed waits this many times as long as a poll took, so that it costs the daemon little.
const REST: u32 = 10;
/// Needs that cost more, or change rarely, are read at each such poll, and when they are new.
const SLOW_POLLS: u64 = 5;
/// A text that a person types is looked up when it has not changed for this time.
const TYPED: Duration = Duration::from_millis(150);
/// The largest page that the control API answers, and the largest of a search.
const PAGE_MAX: usize = 1_000;
const HITS_MAX: usize = 200;
/// Readings among which the oldest one of each cause is searched.
const OLDEST_ROWS: usize = 100;
/// The newest events among which those of a device are searched at first, and the most.
const SEARCHED_FIRST: u64 = 5_000;
const SEARCHED_MAX: u64 = 500_000;
/// The time that the page of a device summarizes.
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// How long one poll searches for the events of a device.
const SEARCH_TIME: Duration = Duration::from_millis(500);

pub(super) async fn feed(
    client: Client,
    mut wanted: watch::Receiver<(Period, Vec<Need>)>,
    sender: mpsc::Sender<Message>,
) {
    let (mut last, mut poll) = (Vec::new(), 0_u64);
    loop {
        let (period, needs) = wait_for_typing(&mut wanted, &last).await;
        let begun = Instant::now();
        let is_new = |need: &Need| !last.contains(need);
        let due = |need: &&Need| !is_slow(need) || poll % SLOW_POLLS == 0 || is_new(need);
        let due: Vec<Need> = needs.iter().filter(due).cloned().collect();
        let has_status = AtomicBool::new(false);
        let fetched = tokio::select! {
            fetched = fetch(&client, period, due, &has_status) => fetched,
            // It ends only when the screen has ended.
            () = report_silence(&client, &has_status, &sender) => return,
        };
        let (update, rest) = match fetched {
            Ok(update) => (update, EACH.max(begun.elapsed() * REST)),
            Err(ClientError::Slow(_)) => (Update::Silent, EACH),
            Err(error) => (Update::NoAnswer(error.to_string()), EACH),
        };
        if sender.send(Message::Update(update)).await.is_err() {
            return;
        }
        (last, poll) = (needs, poll + 1);
        tokio::select! {
            () = tokio::time::sleep_until(begun + rest) => {}
            changed = wanted.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

/// Reports while a poll lasts that the daemon does not answer. A need may take long; the status may
/// not. Returns when the screen has ended.
async fn report_silence(client: &Client, has_status: &AtomicBool, sender: &mpsc::Sender<Message>) {
    tokio::time::sleep(SILENT).await;
    loop {
        let answers = has_status.load(Ordering::Relaxed) && answers_status(client).await;
        if !answers && sender.send(Message::Update(Update::Silent)).await.is_err() {
            return;
        }
        tokio::time::sleep(SILENT).await;
    }
}

async fn answers_status(client: &Client) -> bool {
    let status = client.get::<IgnoredAny>("/v1/status");
    tokio::time::timeout(SILENT, status).await.is_ok()
}

/// The period and the needs, when a person does not change them any more by typing.
async fn wait_for_typing(
    wanted: &mut watch::Receiver<(Period, Vec<Need>)>,
    last: &[Need],
) -> (Period, Vec<Need>) {
    loop {
        let (period, needs) = wanted.borrow_and_update().clone();
        let is_typed = |need: &Need| {
            matches!(need, Need::Search { .. } | Need::Names(_)) && !last.contains(need)
        };
        if !needs.iter().any(is_typed) {
            return (period, needs);
        }
        tokio::select! {
            () = tokio::time::sleep(TYPED) => return (period, needs),
            Ok(()) = wanted.changed() => {}
        }
    }
}

fn is_slow(need: &Need) -> bool {
    match need {
        Need::Orders
        | Need::Config
        | Need::Events { .. }
        | Need::Unused { .. }
        | Need::Search { .. }
        | Need::OldestRejected => true,
        Need::Documents { rows } | Need::Parked { rows } | Need::Rejected { rows } => {
            *rows > PAGE_MAX
        }
        Need::Log | Need::Trace(_) | Need::Names(_) | Need::Document(_) | Need::Reading(_) => false,
    }
}

/// `has_status` becomes true when the daemon has answered with its status.
async fn fetch(
    client: &Client,
    period: Period,
    needs: Vec<Need>,
    has_status: &AtomicBool,
) -> Result<Update, ClientError> {
    let since = period.parameter(clock::now());
    let path = format!("/v1/status?since={}", encode_for_path(&since));
    let status: Status = client.get(&path).await?;
    has_status.store(true, Ordering::Relaxed);
    let mut answers = Vec::with_capacity(needs.len());
    for need in needs {
        match answer(client, &need, &status).await {
            Ok(answer) => answers.push(answer),
            Err(error @ ClientError::Refused { .. }) => {
                answers.push(Reply::Refused(need, error.to_string()));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Update::Gateway(Box::new(status), answers))
}

async fn answer(client: &Client, need: &Need, status: &Status) -> Result<Reply, ClientError> {
    Ok(match need {
        Need::Documents { rows } => {
            Reply::Documents(read_newest_documents(client, *rows, status).await?)
        }
        Need::Parked { rows } => {
            let after = DocumentNumber::ZERO;
            Reply::Parked(read_documents(client, "parked", after, *rows).await?)
        }
        Need::Rejected { rows } => Reply::Rejected(read_rejected(client, *rows).await?),
        Need::OldestRejected => Reply::OldestRejected(read_rejected(client, OLDEST_ROWS).await?),
        Need::Orders => {
            let orders: OrderPage = client.get(&format!("/v1/orders?limit={PAGE_MAX}")).await?;
            Reply::Orders(orders)
        }
        Need::Config => {
            let config = client.get("/v1/config/effective").await?;
            let history: ConfigHistory = client.get("/v1/config/history").await?;
            Reply::Config(Box::new(config), history)
        }
        Need::Log => {
            let log: LogPage = client.get(&format!("/v1/log?limit={PAGE_MAX}")).await?;
            Reply::Log(log)
        }
        Need::Events { device, rows } => {
            let filter = format!("device={}", encode_for_path(device));
            let found = read_events(client, &filter, |_| true, *rows, status).await?;
            let device = device.clone();
            Reply::Events(DeviceEvents { device, ..found })
        }
        Need::Unused { rows } => {
            let is_unused = |event: &EventView| event.unused;
            Reply::Unused(read_events(client, "type=scan", is_unused, *rows, status).await?)
        }
        Need::Trace(id) => {
            let trace = client
                .get(&format!("/v1/trace/{}", encode_for_path(id)))
                .await?;
            Reply::Trace(id.clone(), Box::new(trace))
        }
        Need::Names(codes) => Reply::Names(read_names(client, codes).await?),
        Need::Search { text, rows } => Reply::Search(search(client, text, *rows).await?),
        Need::Document(number) => {
            let detail = client.get(&format!("/v1/parked/{number}")).await?;
            Reply::Document(Box::new(detail))
        }
        Need::Reading(number) => {
            let reading = client.get(&format!("/v1/rejected/{number}")).await?;
            Reply::Reading(Box::new(reading))
        }
    })
}

async fn read_names(
    client: &Client,
    codes: &BTreeSet<String>,
) -> Result<Vec<CodeNameView>, ClientError> {
    let code = |code: &String| format!("code={}", encode_for_path(code));
    let codes: Vec<String> = codes.iter().map(code).collect();
    let path = format!("/v1/names?{}", codes.join("&"));
    let names: Names = client.get(&path).await?;
    Ok(names.names)
}

async fn read_newest_documents(
    client: &Client,
    rows: usize,
    status: &Status,
) -> Result<Vec<DocumentView>, ClientError> {
    // Documents are numbered without gaps.
    let after = status.documents.newest.back_by(rows as u64);
    let mut documents = read_documents(client, "documents", after, rows).await?;
    documents.reverse();
    Ok(documents)
}

async fn read_documents(
    client: &Client,
    list: &str,
    mut after: DocumentNumber,
    rows: usize,
) -> Result<Vec<DocumentView>, ClientError> {
    let mut documents = Vec::new();
    while documents.len() < rows {
        let limit = (rows - documents.len()).min(PAGE_MAX);
        let path = format!("/v1/{list}?after={after}&limit={limit}");
        let page: DocumentPage = client.get(&path).await?;
        documents.extend(page.documents);
        after = page.next;
        if !page.more {
            break;
        }
    }
    Ok(documents)
}

async fn read_rejected(client: &Client, rows: usize) -> Result<Vec<RejectedView>, ClientError> {
    let (mut rejected, mut after) = (Vec::new(), RejectedNumber::ZERO);
    while rejected.len() < rows {
        let limit = (rows - rejected.len()).min(PAGE_MAX);
        let path = format!("/v1/rejected?state=open&after={after}&limit={limit}");
        let page: RejectedPage = client.get(&path).await?;
        rejected.extend(page.rejected);
        after = page.next;
        if !page.more {
            break;
        }
    }
    Ok(rejected)
}

/// The newest events of a filter: searches among the newest events of all devices, and further back
/// while there are too few.
async fn read_events(
    client: &Client,
    filter: &str,
    is_wanted: fn(&EventView) -> bool,
    rows: usize,
    status: &Status,
) -> Result<DeviceEvents, ClientError> {
    let begun = Instant::now();
    let (newest, mut searched) = (status.journal.last_seq, SEARCHED_FIRST);
    loop {
        let (mut events, mut after) = (Vec::new(), newest.back_by(searched));
        let is_all = after == Seq::ZERO;
        loop {
            let path = format!("/v1/events?{filter}&after={after}&limit={PAGE_MAX}");
            let page: EventPage = client.get(&path).await?;
            events.extend(page.events.into_iter().filter(is_wanted));
            after = page.next;
            if !page.more {
                break;
            }
        }
        if events.len() >= rows
            || is_all
            || searched >= SEARCHED_MAX
            || begun.elapsed() > SEARCH_TIME
        {
            let hour = Hour::of(&events, clock::now() - HOUR, is_all);
            events.reverse();
            let is_cut = !is_all || events.len() > rows;
            events.truncate(rows);
            return Ok(DeviceEvents {
                device: String::new(),
                hour,
                events,
                searched,
                is_cut,
            });
        }
        searched *= 4;
    }
}

async fn search(client: &Client, text: &str, rows: usize) -> Result<Found, ClientError> {
    let mut found = Found {
        text: text.to_owned(),
        ..Found::default()
    };
    let mut after = String::new();
    while found.hits.len() < rows {
        let limit = (rows - found.hits.len()).min(HITS_MAX);
        let path = format!(
            "/v1/search?q={}&limit={limit}{after}",
            encode_for_path(text)
        );
        let page: HitPage = client.get(&path).await?;
        found.hits.extend(page.results);
        (found.total, found.is_exact) = (page.total, page.total_exact);
        let Some(next) = page.next else { break };
        after = format!("&after={}", encode_for_path(&next));
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
