//! The word for the person, in the form that the device understands, by the way that its scan came
//! in.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use crate::channel::{Outbound, Outlets};
use crate::clock;
use crate::decode::profiles::Profiles;
use crate::event::Event;

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
    pub async fn give(&self, scan: &Event, (ok, text): (bool, &str)) {
        let age_s = clock::now().duration_since(scan.received).as_secs();
        if ok && age_s > FRESH_S {
            return;
        }
        let mut words = self.profiles.words(scan, (ok, text));
        if words.is_empty() {
            words.push(("display".into(), display((ok, text))));
        }
        for (channel, payload) in words {
            let message = Outbound {
                device: scan.device.clone(),
                channel,
                payload,
                retain: false,
            };
            let sent = self.outlets.send(scan.source, message);
            if tokio::time::timeout(WAIT, sent).await.is_err() {
                tracing::warn!(device = %scan.device, "the way to it is full: not told of its scan");
            }
        }
    }
}

/// A serial scanner's own commands are put in by what drives it; it needs to know whether it was
/// right.
fn display((ok, text): (bool, &str)) -> Bytes {
    let beep = if ok { "good" } else { "bad" };
    let display = json!({"ok": ok, "text": text, "beep": beep});
    display.to_string().into()
}
