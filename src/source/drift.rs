//! Which devices do not use the configuration that they should.
//!
//! **In**: the messages on `config/desired` and `config/reported`, each with its moment. **Out**:
//! the devices that drift: the version that they reported has differed from the desired version for
//! longer than a set time, or they reported an error. Pure, in memory: after a restart the sources
//! pass the retained messages again, and the time starts again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use crate::board::DriftView;
use crate::event::Name;

/// The largest number of devices that are compared.
const COMPARED_MAX: usize = 20_000;
/// The longest version and the longest error that are shown, in characters.
const VERSION_CHARS_MAX: usize = 64;
const ERROR_CHARS_MAX: usize = 200;

/// A time by both clocks: the monotonic one for waiting, the wall clock for people.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub instant: Instant,
    pub at: Timestamp,
}

/// The desired and the reported configuration of every device.
#[derive(Debug, Default)]
pub struct Drift {
    devices: BTreeMap<Name, Compared>,
}

#[derive(Debug, Default)]
struct Compared {
    desired: Option<Desired>,
    reported: Option<Reported>,
    /// When the versions began to differ. `None`: they are equal, or no version is desired.
    differs: Option<Moment>,
    /// When the device first reported its present error.
    failed: Option<Moment>,
}

/// A retained `config/desired`.
#[derive(Debug, PartialEq, Eq)]
struct Desired {
    /// `None`: a configuration without a version, which is not compared.
    version: Option<String>,
}

/// A `config/reported`.
#[derive(Debug, PartialEq, Eq)]
struct Reported {
    version: Option<String>,
    error: Option<String>,
}

impl Drift {
    /// Notes the message on a device's `config/desired`. Empty: the device has none.
    pub fn desire(&mut self, device: &Name, payload: &[u8], now: Moment) {
        let desired = (!payload.is_empty()).then(|| Desired {
            version: read_text(payload, "version"),
        });
        self.change(device, now, |compared| compared.desired = desired);
    }

    /// Notes the message on a device's `config/reported`. Empty: the device removed it.
    pub fn report(&mut self, device: &Name, payload: &[u8], now: Moment) {
        let reported = (!payload.is_empty()).then(|| Reported {
            version: read_text(payload, "version"),
            error: read_error(payload),
        });
        self.change(device, now, |compared| compared.reported = reported);
    }

    fn change(&mut self, device: &Name, now: Moment, change: impl FnOnce(&mut Compared)) {
        if !self.devices.contains_key(device) && self.devices.len() >= COMPARED_MAX {
            return;
        }
        let compared = self.devices.entry(device.clone()).or_default();
        change(compared);
        compared.update(now);
        if compared.desired.is_none() && compared.reported.is_none() {
            self.devices.remove(device);
        }
    }

    /// Lists the devices that drift. A different version counts if it lasts longer than `after`.
    #[must_use]
    pub fn list(&self, after: Duration, now: Instant) -> BTreeMap<Name, DriftView> {
        let listed = self.devices.iter().filter_map(|(device, compared)| {
            let view = compared.view(after, now)?;
            Some((device.clone(), view))
        });
        listed.collect()
    }
}

impl Compared {
    fn update(&mut self, now: Moment) {
        let wanted = self
            .desired
            .as_ref()
            .and_then(|desired| desired.version.as_ref());
        let found = self
            .reported
            .as_ref()
            .and_then(|reported| reported.version.as_ref());
        let is_different = wanted.is_some() && wanted != found;
        self.differs = is_different.then(|| self.differs.unwrap_or(now));
        // Without a configuration, an error of an earlier one has no meaning.
        let error = self
            .reported
            .as_ref()
            .and_then(|reported| reported.error.as_ref());
        let is_failed = error.is_some() && self.desired.is_some();
        self.failed = is_failed.then(|| self.failed.unwrap_or(now));
    }

    /// `None`: the device does not drift.
    fn view(&self, after: Duration, now: Instant) -> Option<DriftView> {
        let is_late = |since: &Moment| now.saturating_duration_since(since.instant) > after;
        let late = self.differs.filter(is_late);
        let since = match (late, self.failed) {
            (Some(one), Some(other)) if other.instant < one.instant => other,
            (Some(one), _) | (None, Some(one)) => one,
            (None, None) => return None,
        };
        let reported = self.reported.as_ref();
        Some(DriftView {
            desired: self
                .desired
                .as_ref()
                .and_then(|desired| desired.version.clone()),
            reported: reported.and_then(|reported| reported.version.clone()),
            error: reported.and_then(|reported| reported.error.clone()),
            since: since.at,
        })
    }
}

/// Reads a text of a JSON object. `None`: the payload has no such text.
fn read_text(payload: &[u8], key: &str) -> Option<String> {
    let message: Value = serde_json::from_slice(payload).ok()?;
    let text = message.get(key)?.as_str()?;
    Some(text.chars().take(VERSION_CHARS_MAX).collect())
}

/// Reads the error that a device reports: anything but `null`.
fn read_error(payload: &[u8]) -> Option<String> {
    let message: Value = serde_json::from_slice(payload).ok()?;
    let text = match message.get("error")? {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Some(text.chars().take(ERROR_CHARS_MAX).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    const HOUR: Duration = Duration::from_hours(1);

    fn name() -> Name {
        Name::new("pda-1").unwrap()
    }

    /// A moment, so many seconds after the first.
    struct Clock(Instant);

    impl Clock {
        fn at(&self, seconds: u64) -> Moment {
            let seconds_signed = i64::try_from(seconds).unwrap();
            Moment {
                instant: self.0 + Duration::from_secs(seconds),
                at: Timestamp::from_second(1_800_000_000 + seconds_signed).unwrap(),
            }
        }
    }

    fn clock() -> Clock {
        Clock(clock::instant())
    }

    fn desired(version: &str) -> Vec<u8> {
        format!(r#"{{"version": "{version}", "config": {{}}}}"#).into()
    }

    fn reported(version: &str) -> Vec<u8> {
        format!(r#"{{"version": "{version}", "error": null}}"#).into()
    }

    #[test]
    fn versions_that_differ_are_drift_only_after_the_set_time() {
        let (clock, mut drift) = (clock(), Drift::default());
        drift.desire(&name(), &desired("a"), clock.at(0));
        drift.report(&name(), &reported("b"), clock.at(10));
        assert_eq!(drift.list(HOUR, clock.at(3_600).instant), [].into());
        let view = DriftView {
            desired: Some("a".to_owned()),
            reported: Some("b".to_owned()),
            error: None,
            since: clock.at(0).at,
        };
        let found = drift.list(HOUR, clock.at(3_601).instant);
        assert_eq!(found, [(name(), view)].into());
        // A new desired version does not start the time again: the device still differs.
        drift.desire(&name(), &desired("c"), clock.at(3_602));
        assert_eq!(drift.list(HOUR, clock.at(3_603).instant).len(), 1);
        drift.report(&name(), &reported("c"), clock.at(3_604));
        assert_eq!(
            drift.list(Duration::ZERO, clock.at(9_999).instant),
            [].into()
        );
        // After they were equal, the time starts again.
        drift.desire(&name(), &desired("d"), clock.at(10_000));
        assert_eq!(drift.list(HOUR, clock.at(13_600).instant), [].into());
        assert_eq!(drift.list(HOUR, clock.at(13_601).instant).len(), 1);
    }

    #[test]
    fn an_error_is_drift_at_once_and_until_it_is_null() {
        let (clock, mut drift) = (clock(), Drift::default());
        drift.desire(&name(), &desired("a"), clock.at(0));
        for (error, shown) in [("\"no such decoder\"", "no such decoder"), ("7", "7")] {
            let report = format!(r#"{{"version": "a", "error": {error}}}"#);
            drift.report(&name(), report.as_bytes(), clock.at(5));
            let found = drift.list(HOUR, clock.at(6).instant);
            assert_eq!(found[&name()].error.as_deref(), Some(shown));
            assert_eq!(found[&name()].since, clock.at(5).at);
        }
        drift.report(&name(), &reported("a"), clock.at(7));
        assert_eq!(drift.list(HOUR, clock.at(8).instant), [].into());
        drift.report(&name(), br#"{"version": "a"}"#, clock.at(9));
        assert_eq!(drift.list(HOUR, clock.at(99_999).instant), [].into());
    }

    #[test]
    fn a_device_that_reports_no_version_drifts_and_one_without_a_desired_version_does_not() {
        let (clock, mut drift) = (clock(), Drift::default());
        for report in ["", "{", "[]", "{}", r#"{"version": 3}"#] {
            drift.desire(&name(), &desired("a"), clock.at(0));
            drift.report(&name(), report.as_bytes(), clock.at(0));
            let found = drift.list(HOUR, clock.at(3_601).instant);
            assert_eq!(found[&name()].reported, None, "{report}");
        }
        // A file of mqtt.listen.device_config_dir has any form.
        drift.desire(&name(), br#"{"beep": 1}"#, clock.at(0));
        drift.report(&name(), &reported("b"), clock.at(0));
        assert_eq!(drift.list(HOUR, clock.at(9_999).instant), [].into());
        let failed = br#"{"beep": 1, "error": "no beeper"}"#;
        drift.report(&name(), failed, clock.at(0));
        assert_eq!(drift.list(HOUR, clock.at(1).instant).len(), 1);
        drift.desire(&name(), b"", clock.at(2));
        assert_eq!(drift.list(HOUR, clock.at(9_999).instant), [].into());
        drift.report(&name(), b"", clock.at(3));
        assert!(drift.devices.is_empty());
    }

    #[test]
    fn long_texts_of_a_device_are_cut() {
        let (clock, mut drift) = (clock(), Drift::default());
        drift.desire(&name(), &desired("a"), clock.at(0));
        let long = "x".repeat(1_000);
        let report = format!(r#"{{"version": "{long}", "error": "{long}"}}"#);
        drift.report(&name(), report.as_bytes(), clock.at(0));
        let view = drift
            .list(HOUR, clock.at(1).instant)
            .remove(&name())
            .unwrap();
        assert_eq!(view.reported.unwrap().len(), VERSION_CHARS_MAX);
        assert_eq!(view.error.unwrap().len(), ERROR_CHARS_MAX);
    }
}
