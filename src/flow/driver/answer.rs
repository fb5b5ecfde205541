//! Sends the answer to a scan to its device, in the form that the device understands, through the
//! source of the scan.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use crate::channel::{DISPLAY, Outbound, Outlets};
use crate::clock;
use crate::decode::profiles::Profiles;
use crate::event::Event;

/// How long to wait for a place in a full queue before the answer is dropped.
const WAIT: Duration = Duration::from_millis(200);
/// Age of a scan in seconds after which a good answer is not sent. A bad answer always is.
const GOOD_ANSWER_MAX_S: i64 = 30;

#[derive(Debug)]
pub struct Answers {
    outlets: Outlets,
    profiles: Profiles,
}

impl Answers {
    pub fn new(outlets: Outlets, profiles: Profiles) -> Self {
        Self { outlets, profiles }
    }

    /// Sends the answer to `scan` to its device.
    pub async fn send(&self, scan: &Event, (ok, text): (bool, &str)) {
        let age_s = clock::now().duration_since(scan.received).as_secs();
        if ok && age_s > GOOD_ANSWER_MAX_S {
            return;
        }
        let mut messages = self.profiles.build_feedback(scan, (ok, text));
        if messages.is_empty() {
            messages.push((DISPLAY.into(), display((ok, text))));
        }
        for (channel, payload) in messages {
            let message = Outbound {
                device: scan.device.clone(),
                channel,
                payload,
                retain: false,
            };
            let sent = self.outlets.send(scan.source, message);
            if tokio::time::timeout(WAIT, sent).await.is_err() {
                tracing::warn!(device = %scan.device, "the queue of messages to the device is full: the answer to its scan was dropped. Check its connection");
            }
        }
    }
}

/// Builds the message for the display. A serial scanner's driver turns it into the scanner's own
/// command.
fn display((ok, text): (bool, &str)) -> Bytes {
    let beep = if ok { "good" } else { "bad" };
    let display = json!({"ok": ok, "text": text, "beep": beep});
    display.to_string().into()
}
