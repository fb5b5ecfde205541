//! Reads the time of a device's clock from its `state` messages: `{"at":
//! "2026-11-23T08:15:30.120Z"}`.
//!
//! A retained copy of a state and a last will contain no usable time, because the device wrote them
//! earlier than the gateway receives them.

use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::event::{Name, is_plausible};

/// Times that wait for the assembler; of more, the newest are dropped: devices say the time again.
pub const CLOCK_TIMES_MAX: usize = 1_024;
/// Larger states are not read.
const STATE_BYTES_MAX: usize = 16 << 10;

/// A device said that it is `at`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockTime {
    pub device: Name,
    pub at: Timestamp,
    pub received: Timestamp,
}

/// The way from the sources to the assembler.
#[derive(Debug, Clone, Default)]
pub struct ClockTimes(Option<mpsc::Sender<ClockTime>>);

impl ClockTimes {
    /// The way, and the assembler's end of it.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<ClockTime>) {
        let (sender, receiver) = mpsc::channel(CLOCK_TIMES_MAX);
        (Self(Some(sender)), receiver)
    }

    /// Hands over the time that a state message names, if it names one.
    pub fn send(&self, device: &Name, state: &[u8], received: Timestamp) {
        if let (Some(sender), Some(at)) = (&self.0, time_of(state)) {
            let device = device.clone();
            // Full, or the daemon stops: nothing that the next message does not show as well.
            drop(sender.try_send(ClockTime {
                device,
                at,
                received,
            }));
        }
    }
}

fn time_of(state: &[u8]) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct State {
        at: Option<serde_json::Value>,
    }
    if state.len() > STATE_BYTES_MAX {
        return None;
    }
    let State { at } = serde_json::from_slice(state).ok()?;
    let at: Timestamp = at?.as_str()?.parse().ok()?;
    is_plausible(at).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_names_the_time_in_at_or_not_at_all() {
        let at = "2026-11-23T08:15:30.12Z";
        let state = format!(r#"{{"online": true, "at": "{at}", "battery": 80}}"#);
        assert_eq!(time_of(state.as_bytes()), Some(at.parse().unwrap()));
        let offset = br#"{"at": "2026-11-23T09:15:30.12+01:00"}"#;
        assert_eq!(time_of(offset), Some(at.parse().unwrap()));
        for none in [
            r#"{"online": true}"#,
            r#"{"at": 1763885730}"#,
            r#"{"at": "08:15"}"#,
            r#"{"at": null}"#,
            r#"{"at": "5138-11-16T09:46:39Z"}"#,
            "[]",
            "online",
            "",
        ] {
            assert_eq!(time_of(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn without_room_a_time_is_dropped_and_nobody_waits() {
        let (sender, mut heard_times) = ClockTimes::new();
        let device = Name::new("pda").unwrap();
        let received = Timestamp::from_second(1_795_000_000).unwrap();
        for _ in 0..CLOCK_TIMES_MAX + 10 {
            sender.send(&device, br#"{"at": "2026-11-23T08:15:30Z"}"#, received);
        }
        let mut count = 0;
        while heard_times.try_recv().is_ok() {
            count += 1;
        }
        assert_eq!(count, CLOCK_TIMES_MAX);
    }
}
