//! The decisions of a person about rejected readings: dismiss them, or send one again, unchanged or
//! corrected.
//!
//! One transaction settles the reading, with its audit record, and stores the events: it cannot be
//! sent again twice.

use std::collections::VecDeque;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use bytes::Bytes;

use super::body::{Fields, RawBody, read_bytes};
use super::decide::Decision;
use super::problem::Problem;
use super::query::Id;
use super::{BODY_BYTES_MAX, Gateway, RESEND_BYTES_MAX, reading};
use crate::channel::identity::ReadingId;
use crate::channel::{Channel, Reading};
use crate::clock;
use crate::decode::is_event;
use crate::event::{Action, Event, RejectedNumber, Seq, SourceKind};
use crate::journal::{Accepted, AuditRecord, Outcome, Rejected, Settlement};
use crate::view::http::Peer;
use crate::view::records::{Dismissed, EventView, Place, RejectedView, Resent};
use crate::view::words::Words;

/// Readings that one request dismisses at most.
const DISMISSED_MAX: usize = 1_000;
/// Open readings that one request reads at a time.
const READ_AT_ONCE: usize = 256;

const DISMISSED: &str = "dismissed";
const RESENT: &str = "resent";

#[derive(Debug)]
struct DismissManyBody {
    by: Option<String>,
    reason: Option<String>,
    /// The number of the newest reading that the person has checked.
    upto: Option<RejectedNumber>,
    /// Dismisses the raw scans of devices without a flow, and no reading.
    scans: bool,
    code: Option<String>,
    device: Option<String>,
}

pub async fn show(
    State(gateway): State<Gateway>,
    Id(id): Id,
) -> Result<Json<RejectedView>, Problem> {
    let found = find(&gateway, &id).await?;
    Ok(Json(RejectedView::of(&gateway.site, &found)))
}

pub async fn dismiss(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    Id(id): Id,
    body: RawBody,
) -> Result<Json<RejectedView>, Problem> {
    let bytes = read_bytes(body, BODY_BYTES_MAX)?;
    let mut fields = Fields::read(&bytes, &["by", "reason"], r#"send {"reason": "TEXT"}"#)?;
    let decision = Decision::of(fields.text("by")?, fields.text("reason")?, peer)?;
    let reason = require_reason(&decision)?;
    let found = find_open(&gateway, &id).await?;
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
        [Outcome::Settled(_)] => show(State(gateway), Id(id)).await,
        _ => Err(not_open(&find(&gateway, &id).await?)),
    }
}

/// Dismisses open readings up to a number, a limited number in each request; with `code` or
/// `device`, only those. Without either, it also acknowledges the readings that were deleted to
/// save space. With `scans`, it dismisses the raw scans of devices without a flow instead.
pub async fn dismiss_many(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    body: RawBody,
) -> Result<Json<Dismissed>, Problem> {
    let body = DismissManyBody::read(body)?;
    let decision = Decision::of(body.by.clone(), body.reason.clone(), peer)?;
    let reason = require_reason(&decision)?;
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
            "\"upto\" is missing",
            "give the number of the newest rejected reading that you have checked",
        ));
    };
    let is_all = body.code.is_none() && body.device.is_none();
    let record = record(&decision, DISMISSED, reason);
    let (numbers, more) = reading(&gateway, move |g| choose_readings(g, &body, upto)).await?;
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

/// Finds the open readings that a request dismisses. Returns their numbers, and whether there are
/// more.
fn choose_readings(
    gateway: &Gateway,
    body: &DismissManyBody,
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
            let matches = |wanted: &Option<String>, found: &str| {
                wanted.as_ref().is_none_or(|wanted| wanted == found)
            };
            if matches(&body.code, rejected.code.as_str())
                && matches(&body.device, rejected.device.as_str())
            {
                if numbers.len() == DISMISSED_MAX {
                    return Ok((numbers, true));
                }
                numbers.push(after);
            }
        }
    }
}

/// Sends a reading again: the stored payload, or the one that the person gives instead.
pub async fn resend(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    Id(id): Id,
    body: RawBody,
) -> Result<Json<Resent>, Problem> {
    let remedy = r#"send {"reason": "TEXT", "payload": "TEXT", "channel": "event" or "scan"}"#;
    let bytes = read_bytes(body, RESEND_BYTES_MAX)?;
    let accepted = &["by", "reason", "payload", "channel"];
    let mut fields = Fields::read(&bytes, accepted, remedy)?;
    let decision = Decision::of(fields.text("by")?, fields.text("reason")?, peer)?;
    let (payload, channel) = (fields.text("payload")?, fields.text("channel")?);
    let found = find_open(&gateway, &id).await?;
    let payload = payload_of(&found, payload)?;
    let channel = channel_of(&found, &payload, channel.as_deref())?;
    let what = if payload == found.payload {
        "sent again as it was"
    } else {
        "sent again, corrected"
    };
    let settlement = Settlement {
        number: found.number,
        record: record(&decision, RESENT, what.to_owned()),
        events: decode_again(&gateway, &found, channel, payload)?,
    };
    let settled = gateway
        .journal
        .inbox()
        .settle(vec![settlement], None)
        .await?;
    let accepted = match settled.readings.into_iter().next() {
        Some(Outcome::Settled(accepted)) => accepted,
        Some(Outcome::Differs { id, original }) => {
            return Err(refuse_conflict(&gateway, &found, &id, original).await?);
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

/// Returns the payload to send: the stored one if it is whole, or the one that the person gives
/// instead.
fn payload_of(found: &Rejected, given: Option<String>) -> Result<Bytes, Problem> {
    let Some(given) = given else {
        if found.cut {
            return Err(Problem::bad(
                format!(
                    "only the first {} bytes of the payload of rejected reading {} are stored",
                    found.bytes, found.number
                ),
                "give the whole payload with --payload-file (\"payload\"); nothing was changed",
            ));
        }
        return Ok(Bytes::from(found.payload.clone()));
    };
    let is_mark = |text: &str| text.contains(char::REPLACEMENT_CHARACTER);
    if is_mark(&given) && !std::str::from_utf8(&found.payload).is_ok_and(is_mark) {
        return Err(Problem::bad(
            "the payload has the character U+FFFD, which the gateway shows for bytes that are not text",
            "replace it by what the device should have sent; nothing was changed",
        ));
    }
    Ok(Bytes::from(given))
}

/// Returns the channel on which the payload is read: the one that the person names; for an
/// unchanged payload, the one on which it arrived; else event if it has an event type.
fn channel_of(found: &Rejected, payload: &[u8], given: Option<&str>) -> Result<Channel, Problem> {
    let remedy = "give --channel (\"channel\") event for a JSON object with a type, or scan for a barcode; nothing was changed";
    if let Some(given) = given {
        return Channel::named(given)
            .ok_or_else(|| Problem::bad("\"channel\" is neither event nor scan", remedy));
    }
    let as_received = found.channel.filter(|_| payload == found.payload);
    let as_written = is_event(payload).then_some(Channel::Event);
    let channel = as_received.or(as_written).or(found.channel);
    channel.ok_or_else(|| {
        Problem::bad(
            "the gateway does not know whether the payload is an event or a scan",
            remedy,
        )
    })
}

/// Decodes the payload with its device's profile. The events have the time at which the rejected
/// reading was received. One fault refuses the whole payload.
fn decode_again(
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
                "as {}, the payload is rejected: {}: {}",
                describe_channel(channel),
                rejection.code,
                rejection.message
            ),
            "correct the payload with --payload (\"payload\"), or choose the channel with --channel event or --channel scan (\"channel\"); nothing was changed",
        )
    })?;
    let is_scan = |event: &Event| matches!(event.action, Action::Scan { .. });
    // An old scan does not belong to the movement that the flow has started since.
    if events.iter().any(is_scan) && gateway.profiles.has_flow(&found.device) {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            format!(
                "device {} has a flow, in which an old scan would join the current movement",
                found.device
            ),
            "send the whole movement as an event (type, product, from, to) with --payload (\"payload\"); nothing was changed",
        ));
    }
    Ok(events)
}

fn describe_channel(channel: Channel) -> &'static str {
    match channel {
        Channel::Event => "an event",
        Channel::Scan => "a scan",
    }
}

/// Builds the refusal if an event with the same id but different fields is in the journal
/// (`original`) or in the same payload.
async fn refuse_conflict(
    gateway: &Gateway,
    found: &Rejected,
    id: &str,
    original: Option<Seq>,
) -> Result<Problem, Problem> {
    let device = &found.device;
    let Some(seq) = original else {
        return Ok(Problem::new(
            StatusCode::CONFLICT,
            format!("two events of this payload have the id {id:?} but different fields"),
            "give each event a different id; nothing was changed",
        ));
    };
    let stored = reading(gateway, move |g| Ok(g.journal.event(seq)?)).await?;
    let fields = stored.map_or(String::new(), |stored| {
        let what = EventView::of(&gateway.site, &stored, &Place::Open);
        format!(": {} {}", what.kind, what.describe(Words::ENGLISH))
    });
    Ok(Problem::new(
        StatusCode::CONFLICT,
        format!(
            "event {seq} of {device} already has the id {id:?} and is a different event{fields}"
        ),
        "if this is another movement, send it with a new id in --payload (\"payload\"), else dismiss it; nothing was changed",
    ))
}

fn record(decision: &Decision, state: &str, note: String) -> AuditRecord {
    let (by, note) = decision.sign(note);
    AuditRecord {
        at: clock::now(),
        state: state.to_owned(),
        by,
        note,
    }
}

fn require_reason(decision: &Decision) -> Result<String, Problem> {
    if decision.reason.is_none() {
        return Err(Problem::bad(
            "a dismissal needs a reason",
            "give it in \"reason\"; the gateway stores it",
        ));
    }
    Ok(DISMISSED.to_owned())
}

async fn find_open(gateway: &Gateway, id: &str) -> Result<Rejected, Problem> {
    let found = find(gateway, id).await?;
    match found.settled {
        None => Ok(found),
        Some(_) => Err(not_open(&found)),
    }
}

async fn find(gateway: &Gateway, id: &str) -> Result<Rejected, Problem> {
    let missing = || {
        Problem::missing(
            format!(
                "rejected reading {:?} does not exist",
                super::query::shorten(id)
            ),
            "give a number, as /v1/rejected lists them",
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
        "nothing was changed: only open rejected readings take a decision",
    )
}

impl DismissManyBody {
    fn read(body: RawBody) -> Result<Self, Problem> {
        let remedy = r#"send {"upto": NUMBER, "reason": "TEXT"}, and "code" or "device"; or {"scans": true, "reason": "TEXT"}"#;
        let accepted = &["by", "reason", "upto", "scans", "code", "device"];
        let mut fields = Fields::read(&read_bytes(body, BODY_BYTES_MAX)?, accepted, remedy)?;
        let body = Self {
            by: fields.text("by")?,
            reason: fields.text("reason")?,
            upto: fields.number("upto")?.map(RejectedNumber::new),
            scans: fields.flag("scans")?,
            code: fields.text("code")?,
            device: fields.text("device")?,
        };
        let has_filter = body.upto.is_some() || body.code.is_some() || body.device.is_some();
        if body.scans && has_filter {
            let fault = "\"scans\" excludes \"upto\", \"code\" and \"device\"";
            return Err(fields.refuse(fault));
        }
        Ok(body)
    }
}
