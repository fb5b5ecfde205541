//! The word for the person, in the form that the device understands, by the way that its scan came in.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use crate::clock;
use crate::decode::profile::{Message, Profile, Values};
use crate::event::{Event, SourceKind};
use crate::source::profiles::Profiles;
use crate::source::{Outbound, Outlets};

/// How long a queue may be full before a word is not worth waiting for.
const WAIT: Duration = Duration::from_millis(200);
/// A word that is right is worth nothing after so long; one that something is wrong always is.
const FRESH_S: i64 = 30;

#[derive(Debug)]
pub struct Answers {
    outlets: Outlets,
    profiles: Profiles,
}

impl Answers {
    pub fn new(outlets: Outlets, profiles: Profiles) -> Self {
        Self { outlets, profiles }
    }

    /// Tells the device of `scan`.
    pub async fn give(&self, scan: &Event, profile: &Profile, (ok, text): (bool, &str)) {
        let age_s = clock::now().duration_since(scan.received).as_secs();
        if ok && age_s > FRESH_S {
            return;
        }
        let number = self.profiles.number(&scan.device);
        let number = number.as_deref().unwrap_or(scan.device.as_str());
        for message in messages(scan, profile, number, (ok, text)) {
            let sent = self.outlets.send(scan.source, message);
            if tokio::time::timeout(WAIT, sent).await.is_err() {
                tracing::warn!(device = %scan.device, "the way to it is full: not told of its scan");
            }
        }
    }
}

/// A serial scanner's own commands are put in by what drives it; it needs to know whether it was right.
fn messages(
    scan: &Event,
    profile: &Profile,
    number: &str,
    (ok, text): (bool, &str),
) -> Vec<Outbound> {
    let feedback = if ok {
        &profile.feedback.good
    } else {
        &profile.feedback.bad
    };
    let own: Vec<(&String, &String)> = (feedback.iter())
        .filter_map(|message| match message {
            Message::Publish { topic, template } => Some((topic, template)),
            Message::Send { .. } => None,
        })
        .collect();
    let mqtt = matches!(scan.source, SourceKind::Listen | SourceKind::Broker);
    if !mqtt || own.is_empty() {
        let beep = if ok { "good" } else { "bad" };
        let display = json!({"ok": ok, "text": text, "beep": beep}).to_string();
        return vec![outbound(scan, "display".into(), display.into())];
    }
    own.into_iter()
        .enumerate()
        .map(|(place, (topic, template))| {
            let values = Values {
                text,
                id: &uuid(scan, place),
                now_ms: clock::now().as_millisecond(),
                device: number,
            };
            outbound(
                scan,
                topic.clone().into(),
                values.fill(template.trim()).into(),
            )
        })
        .collect()
}

fn outbound(scan: &Event, channel: std::borrow::Cow<'static, str>, payload: Bytes) -> Outbound {
    Outbound {
        device: scan.device.clone(),
        channel,
        payload,
        retain: false,
    }
}

/// A UUID of the form for one's own use (RFC 9562, version 8): the same word has the same one.
fn uuid(scan: &Event, place: usize) -> String {
    let name = format!("{} {} {place}", scan.device, scan.id);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&blake3::hash(name.as_bytes()).as_bytes()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}
