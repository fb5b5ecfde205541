//! The configurations for floor devices, and which devices drift from theirs.
//!
//! **In**: the configurations of the bundle that runs ([`FloorDevices::replace`]), and the messages
//! on `config/desired` and `config/reported`. **Out**: the configurations to the sources
//! ([`FloorDevices::configs`]); the devices that drift to the board, with the alarm `device-drift`.
//!
//! All sources share one: it is a part of the intake.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::drift::{Drift, Moment};
use crate::board::{Board, DriftView};
use crate::channel::desired::{DesiredConfig, DesiredConfigs};
use crate::clock;
use crate::event::Name;

/// The code of the alarm about devices that drift.
pub const DEVICE_DRIFT: &str = "device-drift";
/// Default of the time after which a different version is drift.
pub const DRIFT_AFTER: Duration = Duration::from_hours(1);

/// Returns the present moment.
#[must_use]
pub fn moment() -> Moment {
    Moment {
        instant: clock::instant(),
        at: clock::now(),
    }
}

/// The floor devices of the site; clones share them.
#[derive(Debug, Clone)]
pub struct FloorDevices(Arc<FloorShared>);

#[derive(Debug)]
struct FloorShared {
    /// `None` until the first [`FloorDevices::replace`].
    configs: watch::Sender<Option<DesiredConfigs>>,
    compared: Mutex<Comparison>,
}

#[derive(Debug)]
struct Comparison {
    drift: Drift,
    after: Duration,
}

impl Default for FloorDevices {
    fn default() -> Self {
        Self(Arc::new(FloorShared {
            configs: watch::Sender::new(None),
            compared: Mutex::new(Comparison {
                drift: Drift::default(),
                after: DRIFT_AFTER,
            }),
        }))
    }
}

impl FloorDevices {
    /// Replaces the configurations of all devices by those of the bundle that runs; an empty map:
    /// no bundle runs, or it has none. Sources then publish them as retained messages, and remove
    /// those of an earlier bundle.
    pub fn replace(&self, configs: BTreeMap<Name, DesiredConfig>) {
        self.0.configs.send_replace(Some(Arc::new(configs)));
    }

    /// Sets the time after which a different version is drift.
    pub fn set_drift_after(&self, after: Duration) {
        self.compared().after = after;
    }

    /// The present configurations, for a source. `None`: no bundle has been looked at yet.
    #[must_use]
    pub fn configs(&self) -> watch::Receiver<Option<DesiredConfigs>> {
        self.0.configs.subscribe()
    }

    /// Whether the bundle has a configuration for the device.
    #[must_use]
    pub fn has(&self, device: &Name) -> bool {
        let configs = self.0.configs.borrow();
        configs
            .as_ref()
            .is_some_and(|configs| configs.contains_key(device))
    }

    /// Notes the message on a device's `config/desired`.
    pub fn desire(&self, device: &Name, payload: &[u8], now: Moment) {
        self.compared().drift.desire(device, payload, now);
    }

    /// Notes the message on a device's `config/reported`.
    pub fn report(&self, device: &Name, payload: &[u8], now: Moment) {
        self.compared().drift.report(device, payload, now);
    }

    /// Shows the devices that drift, and raises or clears the alarm.
    pub fn show(&self, board: &Board, now: Moment) {
        let devices = {
            let compared = self.compared();
            compared.drift.list(compared.after, now.instant)
        };
        board.alarm(DEVICE_DRIFT, describe(&devices));
        board.drift(devices);
    }

    /// Nothing under the lock can panic half-way: a poisoned lock still has a good value.
    fn compared(&self) -> MutexGuard<'_, Comparison> {
        self.0
            .compared
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Describes the devices that drift. `None`: no device does.
fn describe(devices: &BTreeMap<Name, DriftView>) -> Option<String> {
    let (device, view) = devices.first_key_value()?;
    let others = match devices.len() {
        1 => String::new(),
        many => format!(" (and {} more)", many - 1),
    };
    let desired = view.desired.as_deref().unwrap_or("without a version");
    let what = match (&view.error, &view.reported) {
        (Some(error), _) => format!(
            "Device {device} reports an error with its configuration {desired}: {error}{others}"
        ),
        (None, Some(reported)) => format!(
            "Device {device} should use configuration {desired} and reports {reported}{others}"
        ),
        (None, None) => format!(
            "Device {device} should use configuration {desired} and has reported none{others}"
        ),
    };
    Some(format!(
        "{what}, since {:.0}. Connect the device, or correct its template or values in the next bundle.",
        view.since
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alarm_names_a_device_and_what_to_do_and_clears_by_itself() {
        let (floor, board) = (FloorDevices::default(), Board::new());
        let now = Moment {
            instant: clock::instant(),
            at: "2026-11-29T18:00:00Z".parse().unwrap(),
        };
        let later = Moment {
            instant: now.instant + Duration::from_secs(2),
            ..now
        };
        let alarm = || {
            floor.show(&board, later);
            board.snapshot().alarms.remove(DEVICE_DRIFT)
        };
        let names = ["pda-1", "pda-2"].map(|name| Name::new(name).unwrap());
        for name in &names {
            floor.desire(name, br#"{"version": "a", "config": {}}"#, now);
        }
        assert_eq!(alarm(), None, "not before the default of an hour");
        floor.set_drift_after(Duration::from_secs(1));
        assert_eq!(
            alarm().unwrap(),
            "Device pda-1 should use configuration a and has reported none (and 1 more), since 2026-11-29T18:00:00Z. Connect the device, or correct its template or values in the next bundle."
        );
        assert_eq!(board.snapshot().drift.len(), 2);
        floor.report(&names[0], br#"{"version": "a", "error": null}"#, now);
        let error = br#"{"version": "b", "error": "bad decoder"}"#;
        floor.report(&names[1], error, now);
        let sentence = alarm().unwrap();
        let wanted = "Device pda-2 reports an error with its configuration a: bad decoder, since";
        assert!(sentence.starts_with(wanted), "{sentence}");
        floor.report(&names[1], br#"{"version": "a", "error": null}"#, now);
        assert_eq!(alarm(), None);
        assert_eq!(board.snapshot().drift, [].into());
    }
}
