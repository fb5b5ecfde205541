//! Devices that the front door has recently refused or disconnected, for the alarms on the first
//! screen. Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// Devices in the list, at most; the oldest go first.
const DEVICES_MAX: usize = 64;
/// Devices that an alarm names.
const NAMED_MAX: usize = 3;
/// Time after which a device is removed from the list.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// Why a device was refused or disconnected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The gateway refused its log-in.
    LogIn,
    /// A packet was larger than the limit.
    TooLarge,
}

impl Why {
    pub const ALL: [Self; 2] = [Self::LogIn, Self::TooLarge];

    /// The alarm's code.
    pub fn code(self) -> &'static str {
        match self {
            Self::LogIn => "log-in",
            Self::TooLarge => "packet-too-large",
        }
    }
}

#[derive(Debug)]
struct Times {
    count: u64,
    since: Timestamp,
    last: Timestamp,
    detail: String,
}

/// Refused devices by reason and by name, if the name is known.
#[derive(Debug, Default)]
pub struct RefusedClients(BTreeMap<(Why, String), Times>);

impl RefusedClients {
    /// Counts a refusal.
    pub fn note(&mut self, why: Why, device: &str, detail: &str, now: Timestamp) {
        let key = (why, device.to_owned());
        if !self.0.contains_key(&key) && self.0.len() >= DEVICES_MAX {
            let oldest = self.0.iter().min_by_key(|(_, times)| times.last);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.0.remove(&oldest);
            }
        }
        let times = self.0.entry(key).or_insert_with(|| Times {
            count: 0,
            since: now,
            last: now,
            detail: String::new(),
        });
        times.count += 1;
        times.last = now;
        detail.clone_into(&mut times.detail);
    }

    /// Removes a device that has logged in.
    pub fn is_in(&mut self, device: &str) {
        self.0.remove(&(Why::LogIn, device.to_owned()));
    }

    /// The alarm of a reason, if it is on.
    pub fn alarm(&mut self, why: Why, now: Timestamp) -> Option<String> {
        self.0
            .retain(|_, times| now.duration_since(times.last) < FORGOTTEN_AFTER);
        let mut found: Vec<(&String, &Times)> = (self.0.iter())
            .filter(|((of, _), _)| *of == why)
            .map(|((_, device), times)| (device, times))
            .collect();
        found.sort_by_key(|(_, times)| std::cmp::Reverse(times.last));
        let (_, newest) = found.first()?;
        let mut named: Vec<String> = (found.iter().take(NAMED_MAX))
            .map(|(device, times)| {
                let often = match times.count {
                    1 => "once".to_owned(),
                    count => format!("{count} times"),
                };
                let since = times.since.strftime("%Y-%m-%d %H:%M:%SZ");
                format!("{device} {often} since {since}")
            })
            .collect();
        if found.len() > NAMED_MAX {
            named.push(format!("{} more devices", found.len() - NAMED_MAX));
        }
        let named = named.join(", ");
        let detail = &newest.detail;
        Some(match why {
            Why::LogIn => format!(
                "Refused at log-in: {named} ({detail}). Correct the device's name and password in devices.toml and on the device, or enable it there; the alarm ends when it has logged in."
            ),
            Why::TooLarge => format!(
                "Cut off: {named} ({detail}). Let the device send fewer events in a message, or raise mqtt.listen.packet_bytes_max."
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::constant(1_795_939_200, 0) + SignedDuration::from_mins(minute)
    }

    #[test]
    fn who_was_refused_is_told_until_it_is_in_or_a_while_later() {
        let mut refused = RefusedClients::default();
        for minute in 0..12 {
            refused.note(Why::LogIn, "pda-08", "wrong password", at(minute));
        }
        refused.note(Why::LogIn, "pda-09", "wrong password", at(5));
        let alarm = refused.alarm(Why::LogIn, at(12)).unwrap();
        assert!(
            alarm.starts_with("Refused at log-in: pda-08 12 times since 2026-11-29 08:00:00Z, pda-09 once since 2026-11-29 08:05:00Z (wrong password). "),
            "{alarm}"
        );
        assert_eq!(refused.alarm(Why::TooLarge, at(12)), None);
        refused.is_in("pda-08");
        let alarm = refused.alarm(Why::LogIn, at(19)).unwrap();
        assert!(!alarm.contains("pda-08"), "{alarm}");
        assert_eq!(refused.alarm(Why::LogIn, at(20)), None);
    }

    #[test]
    fn it_stays_small_however_many_names_are_tried() {
        let mut refused = RefusedClients::default();
        for number in 0..10_000 {
            refused.note(Why::LogIn, &format!("pda-{number}"), "unknown", at(0));
            refused.note(Why::TooLarge, "ring-1", "17 MiB", at(1));
        }
        assert_eq!(refused.0.len(), DEVICES_MAX);
        let alarm = refused.alarm(Why::LogIn, at(1)).unwrap();
        assert!(alarm.contains("60 more devices"), "{alarm}");
        assert!(alarm.len() < 600, "{alarm}");
        let large = refused.alarm(Why::TooLarge, at(1)).unwrap();
        assert!(
            large.starts_with("Cut off: ring-1 10000 times since"),
            "{large}"
        );
    }
}
