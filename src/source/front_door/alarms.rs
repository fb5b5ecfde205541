//! The alarms about missing passwords: anyone may enter, or nobody can.

use std::collections::BTreeMap;

use crate::board::Board;
use crate::config::Listen;
use crate::event::Name;
use crate::source::devices::Device;

/// Raises the alarms about missing passwords.
pub fn warn_of(config: &Listen, devices: &BTreeMap<Name, Device>, board: &Board) {
    let anonymous = config.anonymous.then(|| {
        format!(
            "anyone who reaches {} can publish as any device without a password: set mqtt.listen.anonymous = false and list the devices",
            config.address
        )
    });
    if let Some(sentence) = &anonymous {
        tracing::warn!("{sentence}");
    }
    board.alarm("anonymous", anonymous);
    if let Some(sentence) = warn_of_nobody(config, devices, board) {
        tracing::warn!("{sentence}");
    }
}

/// Raises an alarm while no device can come in.
pub fn warn_of_nobody(
    config: &Listen,
    devices: &BTreeMap<Name, Device>,
    board: &Board,
) -> Option<String> {
    let nobody = nobody(config, devices);
    board.alarm("no-credentials", nobody.clone());
    nobody
}

/// Explains why no device can log in, and what to do. `None`: a device can log in.
#[must_use]
pub fn nobody(config: &Listen, devices: &BTreeMap<Name, Device>) -> Option<String> {
    let may_log_in = |device: &Device| device.enabled && device.hash.is_some();
    if config.anonymous || config.client_ca.is_some() || devices.values().any(may_log_in) {
        return None;
    }
    Some(match &config.devices {
        None => {
            "no device can connect: set mqtt.listen.devices or mqtt.listen.client_ca".to_owned()
        }
        Some(file) => format!(
            "no device can log in: {} has none that is enabled and has a password. Add one with `stockrelay devices hash NAME`",
            file.display()
        ),
    })
}
