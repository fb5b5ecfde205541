//! Reads the sections `[mqtt.listen]` and `[mqtt.broker]`.
//!
//! **In**: the keys as written. **Out**: the configuration of the front door and of the client of a
//! broker; `None` for an absent section, and for a broker without a valid URL. The reader collects
//! the faults. Two settings cause a warning: devices without passwords, and a password on a
//! connection without TLS.

use crate::config::rules::{BrokerKeys, both_or_neither, check_broker, url};
use crate::config::typed_values::Reader;
use crate::config::{Broker, Listen};

pub(super) fn listen(reader: &mut Reader, warnings: &mut Vec<String>) -> Option<Listen> {
    let default = Listen::default();
    let listen = Listen {
        address: reader
            .address("mqtt.listen.address")
            .unwrap_or(default.address),
        tls_cert: reader.path("mqtt.listen.tls_cert"),
        tls_key: reader.path("mqtt.listen.tls_key"),
        client_ca: reader.path("mqtt.listen.client_ca"),
        devices: reader.path("mqtt.listen.devices"),
        anonymous: reader.boolean("mqtt.listen.anonymous", default.anonymous),
        device_config_dir: reader.path("mqtt.listen.device_config_dir"),
        packet_bytes_max: reader.size(
            "mqtt.listen.packet_bytes_max",
            1_024..=16_777_216,
            default.packet_bytes_max,
        ),
        connections_max: reader.integer(
            "mqtt.listen.connections_max",
            1..=100_000,
            default.connections_max,
        ),
        in_flight_max: reader.integer(
            "mqtt.listen.in_flight_max",
            1..=65_535,
            default.in_flight_max,
        ),
        subscriptions_max: reader.integer(
            "mqtt.listen.subscriptions_max",
            1..=1_000,
            default.subscriptions_max,
        ),
        rate_per_s: reader.integer("mqtt.listen.rate_per_s", 1..=1_000_000, default.rate_per_s),
        missed_max: reader.integer("mqtt.listen.missed_max", 0..=100_000, default.missed_max),
    };
    if !reader.has("mqtt.listen") {
        return None;
    }
    both_or_neither(
        reader,
        ("mqtt.listen.tls_cert", listen.tls_cert.as_ref()),
        ("mqtt.listen.tls_key", listen.tls_key.as_ref()),
    );
    if listen.client_ca.is_some() && listen.tls_cert.is_none() {
        reader.fault(
            "mqtt.listen.client_ca",
            "client certificates without TLS",
            "client_ca together with mqtt.listen.tls_cert and mqtt.listen.tls_key",
        );
    }
    if listen.anonymous {
        warnings.push(format!(
            "mqtt.listen.anonymous is on: anyone who can connect to {} can move stock as any device; give the devices passwords (mqtt.listen.devices) and turn it off",
            listen.address
        ));
    } else if listen.devices.is_none() && listen.client_ca.is_none() {
        reader.fault(
            "mqtt.listen",
            "neither devices nor client_ca, so no device could connect",
            "mqtt.listen.devices (a file with names and password hashes), mqtt.listen.client_ca, or, only on a closed network, mqtt.listen.anonymous = true",
        );
    }
    Some(listen)
}

pub(super) fn broker(reader: &mut Reader, warnings: &mut Vec<String>) -> Option<Broker> {
    let url = url(reader, "mqtt.broker.url", &["mqtt", "mqtts"]);
    let broker = Broker {
        url: String::new(),
        client_id: reader.text("mqtt.broker.client_id", 128),
        username: reader.text("mqtt.broker.username", 256),
        password_file: reader.path("mqtt.broker.password_file"),
        ca: reader.path("mqtt.broker.ca"),
        client_cert: reader.path("mqtt.broker.client_cert"),
        client_key: reader.path("mqtt.broker.client_key"),
        devices: reader.path("mqtt.broker.devices"),
        keep_alive_s: reader.integer("mqtt.broker.keep_alive_s", 5..=3_600, 30),
        packet_bytes_max: reader.size(
            "mqtt.broker.packet_bytes_max",
            1_024..=16_777_216,
            1_048_576,
        ),
    };
    if !reader.has("mqtt.broker") {
        return None;
    }
    let keys = BrokerKeys {
        url: "mqtt.broker.url",
        username: "mqtt.broker.username",
        password_file: "mqtt.broker.password_file",
        ca: "mqtt.broker.ca",
        client_cert: "mqtt.broker.client_cert",
        client_key: "mqtt.broker.client_key",
    };
    check_broker(reader, warnings, &keys, url.as_ref());
    let url = url?;
    Some(Broker {
        url: url.as_str().trim_end_matches('/').to_owned(),
        ..broker
    })
}
