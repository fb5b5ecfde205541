//! When an event was done, by clocks that may be wrong. Pure.
//!
//! A device's clock that says a later time than the gateway's when an event arrives is ahead by at least so much: the device's
//! earlier events, sent late, are put right by it. A clock that is behind looks like an event that was sent late, and cannot be
//! told from one.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::event::{CLOCK_MIN, Event, Name};

/// The network and the two clocks may differ by so much without being wrong.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(2);
/// For so long it is remembered that a clock was seen to be ahead; it may have been set since.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);
/// Devices that are remembered; beyond it, those whose clock was seen longest ago are forgotten.
const DEVICES_MAX: usize = 10_000;

/// By how much each device's clock is ahead, and when that was seen.
#[derive(Debug, Default)]
pub(super) struct Skews(BTreeMap<Name, (SignedDuration, Timestamp)>);

impl Skews {
    /// When it was done, and whether that is another time than the device said.
    pub fn happened(&mut self, event: &Event) -> (Timestamp, bool) {
        let (said, received) = (event.at, event.received);
        if received < CLOCK_MIN {
            // The gateway booted without a clock: the device may have one.
            return (said, false);
        }
        let ahead = said.duration_since(received);
        if ahead > TOLERANCE {
            self.learn(&event.device, ahead, received);
            return (received, true);
        }
        match self.0.get(&event.device) {
            Some((skew, seen)) if received.duration_since(*seen) < REMEMBERED => {
                // An event of now shows that the clock was set right.
                if ahead.abs() <= TOLERANCE {
                    self.0.remove(&event.device);
                    return (said.min(received), false);
                }
                let right = said.saturating_sub(*skew).unwrap_or(said);
                (right.min(received), true)
            }
            _ => (said.min(received), false),
        }
    }

    fn learn(&mut self, device: &Name, ahead: SignedDuration, now: Timestamp) {
        if self.0.len() >= DEVICES_MAX && !self.0.contains_key(device) {
            let oldest = self.0.iter().min_by_key(|(_, (_, seen))| *seen);
            if let Some(oldest) = oldest.map(|(device, _)| device.clone()) {
                self.0.remove(&oldest);
            }
        }
        self.0.insert(device.clone(), (ahead, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Action, SourceKind};

    fn event(at: &str, received: &str) -> Event {
        Event {
            device: Name::new("pda").unwrap(),
            id: "1".to_owned(),
            id_derived: false,
            source: SourceKind::Listen,
            at: at.parse().unwrap(),
            received: received.parse().unwrap(),
            operator: None,
            action: Action::Validate {
                order: "O".to_owned(),
            },
        }
    }

    fn happened(skews: &mut Skews, at: &str, received: &str) -> (String, bool) {
        let (when, corrected) = skews.happened(&event(at, received));
        (when.to_string(), corrected)
    }

    #[test]
    fn a_clock_that_is_ahead_is_put_right_also_for_what_comes_late() {
        let mut skews = Skews::default();
        let now = "2026-11-24T10:00:00Z";
        let ten_minutes_ahead = "2026-11-24T10:10:00Z";
        assert_eq!(
            happened(&mut skews, "2026-11-24T09:00:00Z", now),
            ("2026-11-24T09:00:00Z".to_owned(), false)
        );
        assert_eq!(
            happened(&mut skews, ten_minutes_ahead, now),
            (now.to_owned(), true)
        );
        assert_eq!(
            happened(&mut skews, "2026-11-24T09:30:00Z", "2026-11-24T10:00:05Z"),
            ("2026-11-24T09:20:00Z".to_owned(), true)
        );
        // Set right meanwhile: an event of now has the time of now.
        assert_eq!(
            happened(&mut skews, "2026-11-24T10:05:00Z", "2026-11-24T10:05:01Z"),
            ("2026-11-24T10:05:00Z".to_owned(), false)
        );
        assert_eq!(
            happened(&mut skews, "2026-11-24T09:30:00Z", "2026-11-24T10:06:00Z"),
            ("2026-11-24T09:30:00Z".to_owned(), false)
        );
    }

    #[test]
    fn a_gateway_without_a_clock_takes_the_device_s_word() {
        let mut skews = Skews::default();
        let said = "2026-11-24T10:10:00Z";
        assert_eq!(
            happened(&mut skews, said, "1970-01-01T00:00:09Z"),
            (said.to_owned(), false)
        );
        assert!(skews.0.is_empty());
    }
}
