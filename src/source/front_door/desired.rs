//! The retained `config/desired` of devices from central IT's bundle, and their `config/reported`.
//!
//! **In**: the configurations of the bundle that runs, from [`FloorDevices`]; the devices' reports.
//! **Out**: retained messages. A configuration from the bundle precedes the file of
//! `mqtt.listen.device_config_dir`. One of an earlier bundle is removed, or replaced by the file.
//!
//! [`FloorDevices`]: crate::source::floor_devices::FloorDevices

use std::time::Instant;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::shared::Shared;
use crate::channel::Outbound;
use crate::channel::desired::{DESIRED, DesiredConfigs};
use crate::clock;
use crate::event::Name;
use crate::journal::SideChange;
use crate::source::floor_devices::moment;

/// How many configurations go to the journal in one request.
const STORED_TOGETHER: usize = 64;

/// The form of a message from a bundle.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FromBundle {
    #[serde(rename = "version")]
    _version: String,
    #[serde(rename = "config")]
    _config: IgnoredAny,
}

impl Shared {
    /// Sends a message of the gateway, as [`Hub::send`](super::hub::Hub::send), and notes the
    /// configurations.
    pub fn send(&self, message: Outbound, now: Instant, changes: &mut Vec<SideChange>) {
        if message.retain && message.channel == DESIRED {
            let floor = self.intake.floor_devices();
            floor.desire(&message.device, &message.payload, moment());
        }
        self.hub.send(message, now, changes);
    }

    /// Notes a device's report about its configuration.
    pub fn note_reported(&self, device: &Name, payload: &[u8]) {
        let floor = self.intake.floor_devices();
        floor.report(device, payload, moment());
    }

    pub fn show_drift(&self) {
        self.intake.floor_devices().show(&self.board, moment());
    }

    /// Compares the messages that were retained before the start.
    pub fn restore_drift(&self) {
        let (floor, now) = (self.intake.floor_devices(), moment());
        for (device, payload) in self.hub.retained_on(DESIRED) {
            floor.desire(&device, &payload, now);
        }
        for (device, payload) in self.hub.retained_on("config/reported") {
            floor.report(&device, &payload, now);
        }
    }

    /// Retains the configurations of the bundle, and removes those of an earlier bundle.
    pub async fn replace_desired(&self, configs: &DesiredConfigs) {
        let retained = self.hub.retained_on(DESIRED);
        let is_from_bundle =
            |payload: &Bytes| serde_json::from_slice::<FromBundle>(payload).is_ok();
        let gone: Vec<Name> = (retained.into_iter())
            .filter(|(device, payload)| !configs.contains_key(device) && is_from_bundle(payload))
            .map(|(device, _)| device)
            .collect();
        let removed = gone.iter().map(|device| (device, Bytes::new()));
        let desired = configs
            .iter()
            .map(|(device, config)| (device, config.payload.clone()));
        let messages: Vec<_> = removed.chain(desired).collect();
        for messages in messages.chunks(STORED_TOGETHER) {
            let mut changes = Vec::new();
            for (device, payload) in messages {
                let message = Outbound {
                    device: (*device).clone(),
                    channel: DESIRED.into(),
                    payload: payload.clone(),
                    retain: true,
                };
                self.send(message, clock::instant(), &mut changes);
            }
            self.store_side_values(changes).await;
        }
        for device in &gone {
            self.publish_configuration(device).await;
        }
    }
}
