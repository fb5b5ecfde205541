//! The gateway's own MQTT port and the devices that may use it.

use std::collections::BTreeMap;

use super::Finding;
use crate::config;
use crate::event::Name;
use crate::source::devices::Device;
use crate::source::{devices, front_door};

/// The name of the findings about the list of devices.
const DEVICES: &str = "mqtt.listen.devices";
/// The most devices that one finding names.
const NAMES_MAX: usize = 5;

/// Checks who can read passwords, and that a device can connect.
pub(super) fn listen(listen: &config::Listen) -> Vec<Finding> {
    let mut findings = Vec::new();
    if listen.tls_cert.is_none() && !listen.address.ip().is_loopback() {
        findings.push(Finding::warn(
            "mqtt.listen.tls_cert",
            format!("mqtt.listen at {} has no TLS", listen.address),
            "others on the network can read the passwords of devices",
            "set mqtt.listen.tls_cert and tls_key, unless you trust everyone on the network",
        ));
    }
    // The list of `opens` has a file that cannot be read.
    let devices = listen.devices.as_deref().map(devices::read).transpose();
    let nobody = devices.map(|known| front_door::nobody(listen, &known.unwrap_or_default()));
    if let Ok(Some(nobody)) = nobody {
        findings.push(Finding::warn(
            DEVICES,
            nobody,
            "no device can send a scan",
            "run `stockrelay devices add NAME`; a running daemon reads the changed list by itself",
        ));
    }
    let list = listen.devices.as_deref().map(devices::read);
    let list = list.and_then(Result::ok).unwrap_or_default();
    findings.extend(without_password(listen, &list));
    findings
}

/// Devices of the list that have no password, and whether a certificate can replace it.
fn without_password(listen: &config::Listen, list: &BTreeMap<Name, Device>) -> Option<Finding> {
    let without = list.iter();
    let without = without.filter(|(_, device)| device.enabled && device.hash.is_none());
    let names: Vec<_> = without.map(|(name, _)| name.to_string()).collect();
    if names.is_empty() {
        return None;
    }
    let shown = names.iter().take(NAMES_MAX).cloned();
    let more = names.len().saturating_sub(NAMES_MAX);
    let more = (more > 0).then(|| format!("{more} more"));
    let shown: Vec<_> = shown.chain(more).collect();
    let what = format!("devices without a password: {}", shown.join(", "));
    if listen.client_ca.is_some() {
        let what = format!("{what}; they log in with a certificate");
        return Some(Finding::ok(DEVICES, what));
    }
    if listen.anonymous {
        return Some(Finding::warn(
            DEVICES,
            what,
            "with mqtt.listen.anonymous anyone who knows the name of such a device can move stock as this device",
            "run `stockrelay devices add NAME --replace-password` for each",
        ));
    }
    Some(Finding::warn(
        DEVICES,
        what,
        "they cannot connect: mqtt.listen.client_ca is not set, so no certificate replaces the password",
        "run `stockrelay devices add NAME --replace-password` for each",
    ))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::view::check::Level;

    #[test]
    fn devices_without_a_password_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("devices.toml");
        let off = "[devices.off]\nenabled = false\n";
        let list = |names: &[&str]| {
            let entries = names.iter().map(|name| format!("[devices.{name}]\n"));
            std::fs::write(&file, entries.chain([off.to_owned()]).collect::<String>()).unwrap();
            devices::read(&file).unwrap()
        };
        let mut listen = config::Listen {
            devices: Some(file.clone()),
            ..config::Listen::default()
        };
        assert_eq!(without_password(&listen, &list(&[])), None);
        let found = without_password(&listen, &list(&["a", "b", "c", "d", "e", "f"])).unwrap();
        assert_eq!(found.level, Level::Warn);
        assert_eq!(
            found.what,
            "devices without a password: a, b, c, d, e, 1 more"
        );
        listen.client_ca = Some(PathBuf::from("ca.pem"));
        let found = without_password(&listen, &list(&["a"])).unwrap();
        assert_eq!(found.level, Level::Ok);
    }
}
