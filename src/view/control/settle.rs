//! What a person decides about rejected readings: to dismiss them, or to send one again, as it is
//! or corrected.
//!
//! In one transaction the reading is settled, with its audit record, and what was sent again is
//! stored: nobody can send it twice.

use std::collections::VecDeque;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use bytes::Bytes;
use serde::Deserialize;

use super::decide::{Decision, Taken, bytes};
use super::problem::Problem;
use super::query::Id;
use super::{Gateway, reading};
use crate::channel::identity::ReadingId;
use crate::channel::{Channel, Reading};
use crate::clock;
use crate::decode::is_event;
use crate::event::{Action, Event, RejectedNumber, Seq, SourceKind};
use crate::journal::{Accepted, AuditRecord, Outcome, Rejected, Settlement};
use crate::view::http::Peer;
use crate::view::records::{Dismissed, EventView, Place, RejectedView, Resent};

/// Readings that one request dismisses at most.
const DISMISSED_MAX: usize = 1_000;
/// Open readings that one request reads at a time.
const READ_AT_ONCE: usize = 256;

const DISMISSED: &str = "dismissed";
const RESENT: &str = "resent";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    by: Option<String>,
    reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Again {
    by: Option<String>,
    reason: Option<String>,
    payload: Option<String>,
    channel: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Many {
    by: Option<String>,
    reason: Option<String>,
    /// The number of the newest reading that the person has seen.
    upto: Option<RejectedNumber>,
    /// Dismisses the raw scans that nothing was made of, and no reading.
    #[serde(default)]
    scans: bool,
    code: Option<String>,
    device: Option<String>,
}

pub async fn one(
    State(gateway): State<Gateway>,
    Id(id): Id,
) -> Result<Json<RejectedView>, Problem> {
    Ok(Json(RejectedView::of(&find(&gateway, &id).await?)))
}

pub async fn dismiss(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    Id(id): Id,
    body: Taken,
) -> Result<Json<RejectedView>, Problem> {
    let body: One = read(body, r#"send {"reason": "TEXT"}"#)?;
    let decision = Decision::of(body.by, body.reason, peer)?;
    let reason = needed(&decision)?;
    let found = open(&gateway, &id).await?;
    let settlement = Settlement {
        number: found.number,
        record: record(&decision, DISMISSED, reason),
        events: Vec::new(),
    };
    let settled = gateway
        .journal
        .inbox()
        .settle(vec![settlement], None)
        .await?;
    match settled.readings.as_slice() {
        [Outcome::Settled(_)] => one(State(gateway), Id(id)).await,
        _ => Err(not_open(&find(&gateway, &id).await?)),
    }
}

/// Dismisses all open ones up to a number, of one code or device where the request names it; and,
/// where it names none, those that were removed for room.
pub async fn dismiss_many(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    body: Taken,
) -> Result<Json<Dismissed>, Problem> {
    let remedy = r#"send {"upto": NUMBER, "reason": "TEXT"}, and "code" or "device""#;
    let body: Many = read(body, remedy)?;
    let decision = Decision::of(body.by.clone(), body.reason.clone(), peer)?;
    let reason = needed(&decision)?;
    if body.scans {
        let record = record(&decision, DISMISSED, reason);
        let dismissed = gateway.journal.inbox().dismiss_scans(record).await?;
        return Ok(Json(Dismissed {
            dismissed,
            more: false,
        }));
    }
    let Some(upto) = body.upto else {
        return Err(Problem::bad(
            "upto is missing",
            "give the number of the newest rejected reading that you have looked at",
        ));
    };
    let is_all = body.code.is_none() && body.device.is_none();
    let record = record(&decision, DISMISSED, reason);
    let (numbers, more) = reading(&gateway, move |g| chosen(g, &body, upto)).await?;
    let settlement = |number| Settlement {
        number,
        record: record.clone(),
        events: Vec::new(),
    };
    let settlements = numbers.into_iter().map(settlement).collect();
    let dropped = is_all.then(|| (record.clone(), upto));
    let settled = gateway.journal.inbox().settle(settlements, dropped).await?;
    let is_settled = |outcome: &&Outcome| matches!(outcome, Outcome::Settled(_));
    let readings = settled.readings.iter().filter(is_settled).count() as u64;
    Ok(Json(Dismissed {
        dismissed: readings + settled.dropped,
        more,
    }))
}

/// The numbers of the open readings that a request means, and whether there are more.
fn chosen(
    gateway: &Gateway,
    body: &Many,
    upto: RejectedNumber,
) -> Result<(Vec<RejectedNumber>, bool), Problem> {
    let (mut numbers, mut after) = (Vec::new(), RejectedNumber::ZERO);
    loop {
        let mut page: VecDeque<Rejected> =
            gateway.journal.rejected_open(after, READ_AT_ONCE)?.into();
        if page.is_empty() {
            return Ok((numbers, false));
        }
        while let Some(rejected) = page.pop_front() {
            after = rejected.number;
            if after > upto {
                return Ok((numbers, false));
            }
            let is_meant = |wanted: &Option<String>, found: &str| {
                wanted.as_ref().is_none_or(|wanted| wanted == found)
            };
            if is_meant(&body.code, rejected.code.as_str())
                && is_meant(&body.device, rejected.device.as_str())
            {
                if numbers.len() == DISMISSED_MAX {
                    return Ok((numbers, true));
                }
                numbers.push(after);
            }
        }
    }
}

/// Sends one again: what came, or what the person gives in its place.
pub async fn resend(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    Id(id): Id,
    body: Taken,
) -> Result<Json<Resent>, Problem> {
    let remedy = r#"send {"reason": "TEXT", "payload": "TEXT", "channel": "event" or "scan"}"#;
    let body: Again = read(body, remedy)?;
    let decision = Decision::of(body.by, body.reason, peer)?;
    let found = open(&gateway, &id).await?;
    let payload = payload_of(&found, body.payload)?;
    let channel = channel_of(&found, &payload, body.channel.as_deref())?;
    let what = if payload == found.payload {
        "sent again as it was"
    } else {
        "sent again, corrected"
    };
    let settlement = Settlement {
        number: found.number,
        record: record(&decision, RESENT, what.to_owned()),
        events: decoded(&gateway, &found, channel, payload)?,
    };
    let settled = gateway
        .journal
        .inbox()
        .settle(vec![settlement], None)
        .await?;
    let accepted = match settled.readings.into_iter().next() {
        Some(Outcome::Settled(accepted)) => accepted,
        Some(Outcome::Differs { id, original }) => {
            return Err(differs(&gateway, &found, &id, original).await?);
        }
        Some(Outcome::NotOpen) | None => return Err(not_open(&find(&gateway, &id).await?)),
    };
    let (mut events, mut duplicates) = (Vec::new(), Vec::new());
    for accepted in accepted {
        match accepted {
            Accepted::Stored { seq } => events.push(seq),
            Accepted::Duplicate { original } => duplicates.push(original),
            Accepted::Rejected { .. } => {}
        }
    }
    Ok(Json(Resent {
        number: found.number,
        events,
        duplicates,
    }))
}

/// What is sent: all that came, or what the person gives in its place.
fn payload_of(found: &Rejected, given: Option<String>) -> Result<Bytes, Problem> {
    let Some(given) = given else {
        if found.cut {
            return Err(Problem::bad(
                format!("only the first {} bytes of it are stored", found.bytes),
                "give all of it with --payload-file (\"payload\"); nothing was changed",
            ));
        }
        return Ok(Bytes::from(found.payload.clone()));
    };
    let is_mark = |text: &str| text.contains(char::REPLACEMENT_CHARACTER);
    if is_mark(&given) && !std::str::from_utf8(&found.payload).is_ok_and(is_mark) {
        return Err(Problem::bad(
            "the payload has the mark (U+FFFD) that stands for bytes that are no text",
            "write in its place what the device should have sent; nothing was changed",
        ));
    }
    Ok(Bytes::from(given))
}

/// How it is read: as the person says; else as an event where it names the type of one; else as it
/// came. What came is read as it came first.
fn channel_of(found: &Rejected, payload: &[u8], given: Option<&str>) -> Result<Channel, Problem> {
    let remedy = "give --channel (\"channel\"): event for a JSON object with a type, scan for a barcode; nothing was changed";
    if let Some(given) = given {
        return Channel::named(given)
            .ok_or_else(|| Problem::bad("channel is neither event nor scan", remedy));
    }
    let as_it_came = found.channel.filter(|_| payload == found.payload);
    let as_written = is_event(payload).then_some(Channel::Event);
    let channel = as_it_came.or(as_written).or(found.channel);
    channel.ok_or_else(|| Problem::bad("nothing says whether it is an event or a scan", remedy))
}

/// The events of what is sent again, read as its device's own and done when the rejected reading
/// was received; a fault refuses all of it.
fn decoded(
    gateway: &Gateway,
    found: &Rejected,
    channel: Channel,
    payload: Bytes,
) -> Result<Vec<Event>, Problem> {
    let reading = Reading {
        id: ReadingId::next(),
        redelivered: false,
        source: SourceKind::named(&found.source).unwrap_or(SourceKind::Listen),
        device: found.device.clone(),
        channel,
        payload,
        received: found.received,
    };
    let entries = gateway.profiles.decode_again(&reading).into_iter();
    let events: Vec<Event> = entries.collect::<Result<_, _>>().map_err(|rejection| {
        Problem::bad(
            format!(
                "read as {}: {}: {}",
                article(channel),
                rejection.code,
                rejection.message
            ),
            "correct it with --payload (\"payload\"), or say what it is with --channel event or scan (\"channel\"); nothing was changed",
        )
    })?;
    let is_scan = |event: &Event| matches!(event.action, Action::Scan { .. });
    // What the flow has begun by now has nothing to do with an old scan.
    if events.iter().any(is_scan) && gateway.profiles.has_flow(&found.device) {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "this device has a flow: send it as an event (type, product, from, to)",
            "an old scan would go into what the flow has begun now; give the whole movement with --payload (\"payload\"). Nothing was changed",
        ));
    }
    Ok(events)
}

fn article(channel: Channel) -> &'static str {
    match channel {
        Channel::Event => "an event",
        Channel::Scan => "a scan",
    }
}

/// Another event has the id, and says something else.
async fn differs(
    gateway: &Gateway,
    found: &Rejected,
    id: &str,
    original: Option<Seq>,
) -> Result<Problem, Problem> {
    let device = &found.device;
    let Some(seq) = original else {
        return Ok(Problem::new(
            StatusCode::CONFLICT,
            format!("two events of this payload have the id {id:?} and say different things"),
            "give each event an id of its own; nothing was changed",
        ));
    };
    let stored = reading(gateway, move |g| Ok(g.journal.event(seq)?)).await?;
    let says = stored.map_or(String::new(), |stored| {
        let what = EventView::of(&gateway.site, &stored, &Place::Open);
        format!(": {} {}", what.kind, what.in_words())
    });
    Ok(Problem::new(
        StatusCode::CONFLICT,
        format!("event {seq} of {device} has the id {id:?} and says something else{says}"),
        "if this is another movement, send it with an id of its own in --payload (\"payload\"); else dismiss it. Nothing was changed",
    ))
}

fn record(decision: &Decision, state: &str, note: String) -> AuditRecord {
    let (by, note) = decision.signed(note);
    AuditRecord {
        at: clock::now(),
        state: state.to_owned(),
        by,
        note,
    }
}

fn needed(decision: &Decision) -> Result<String, Problem> {
    if decision.reason.is_none() {
        return Err(Problem::bad(
            "dismissing needs a reason",
            "say why in \"reason\": it is stored with the reading for whoever asks later",
        ));
    }
    Ok(DISMISSED.to_owned())
}

async fn open(gateway: &Gateway, id: &str) -> Result<Rejected, Problem> {
    let found = find(gateway, id).await?;
    match found.settled {
        None => Ok(found),
        Some(_) => Err(not_open(&found)),
    }
}

async fn find(gateway: &Gateway, id: &str) -> Result<Rejected, Problem> {
    let missing = || {
        Problem::missing(
            format!("there is no rejected reading {:?}", super::query::cut(id)),
            "give the number of one, as /v1/rejected lists them",
        )
    };
    let Ok(number) = id.parse::<RejectedNumber>() else {
        return Err(missing());
    };
    let found = reading(gateway, move |g| Ok(g.journal.rejected_one(number)?)).await?;
    found.ok_or_else(missing)
}

fn not_open(found: &Rejected) -> Problem {
    let by = found.settled.as_ref().map_or(String::new(), |record| {
        format!(" but {} by {}", record.state, record.by)
    });
    Problem::new(
        StatusCode::CONFLICT,
        format!("rejected reading {} is not open{by}", found.number),
        "nothing was changed; only an open one waits for a decision",
    )
}

fn read<T: Default + for<'a> Deserialize<'a>>(body: Taken, remedy: &str) -> Result<T, Problem> {
    let bytes = bytes(body)?;
    if bytes.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(&bytes)
        .map_err(|error| Problem::bad(format!("the body is not understood: {error}"), remedy))
}
