//! The configurations of floor devices, as retained messages on the broker.
//!
//! **In**: the configurations of the bundle that runs. **Out**: the messages that have changed
//! since the gateway started. The broker keeps them. The gateway removes a configuration of an
//! earlier bundle only if it published that configuration since its start.

use std::sync::Arc;

use bytes::Bytes;

use super::link::Link;
use crate::channel::Outbound;
use crate::channel::desired::{DESIRED, DesiredConfigs};
use crate::event::Name;
use crate::source::floor_devices::{FloorDevices, moment};

/// Publishes the configurations whenever they change. Runs until it is dropped.
pub(super) async fn publish(floor: &FloorDevices, link: &Link) {
    let mut configs = floor.configs();
    configs.mark_changed();
    let mut before: DesiredConfigs = Arc::default();
    while configs.changed().await.is_ok() {
        let Some(present) = configs.borrow_and_update().clone() else {
            continue;
        };
        let gone = before
            .keys()
            .filter(|device| !present.contains_key(*device));
        for device in gone {
            send(floor, link, device, Bytes::new()).await;
        }
        for (device, config) in present.iter() {
            if before.get(device) != Some(config) {
                send(floor, link, device, config.payload.clone()).await;
            }
        }
        before = present;
    }
    // The configurations are gone with the gateway.
    std::future::pending::<()>().await;
}

async fn send(floor: &FloorDevices, link: &Link, device: &Name, payload: Bytes) {
    floor.desire(device, &payload, moment());
    let message = Outbound {
        device: device.clone(),
        channel: DESIRED.into(),
        payload,
        retain: true,
    };
    link.send(message).await;
}
