//! Errors of the connection to the broker.

use rumqttc::mqttbytes::Error as PacketError;
use rumqttc::{ConnectReturnCode, ConnectionError, StateError};

use super::CONNECT_TIMEOUT_S;
use super::options::SettingNames;

/// Whether a packet from the broker cannot be read. rumqttc reports a broken connection as such an
/// error, too.
#[must_use]
pub fn is_malformed(error: &ConnectionError) -> bool {
    matches!(
        error,
        ConnectionError::MqttState(StateError::Deserialization(inner)) if !matches!(inner, PacketError::Io(_))
    )
}

/// The size of a message that is larger than the client accepts. `None`: another error.
#[must_use]
pub fn find_oversize(error: &ConnectionError) -> Option<usize> {
    match error {
        ConnectionError::MqttState(StateError::Deserialization(
            PacketError::PayloadSizeLimitExceeded(bytes),
        )) => Some(*bytes),
        _ => None,
    }
}

/// Describes the error for a person, and what to do.
pub fn describe(error: &ConnectionError, broker: &str, names: &SettingNames) -> String {
    let SettingNames {
        client,
        url,
        username,
        password_file,
        ca,
        client_cert,
        client_key,
        packet_bytes_max,
    } = names;
    let text = error.to_string();
    if text.contains("InvalidContentType") {
        // rustls reports that the first bytes are not a TLS record.
        return format!(
            "the server at {broker} does not use TLS: set {url} to mqtt://..., or to the TLS port of the broker"
        );
    }
    if text.contains("CertificateRequired") || text.contains("certificate required") {
        return format!(
            "the broker {broker} asks for a client certificate: set {client_cert} and {client_key}"
        );
    }
    match error {
        ConnectionError::MqttState(StateError::Deserialization(
            PacketError::PayloadSizeLimitExceeded(bytes),
        )) => {
            format!(
                "the broker sent a message of {bytes} bytes, which is larger than {packet_bytes_max}: raise that limit"
            )
        }
        ConnectionError::ConnectionRefused(
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized,
        ) => {
            format!("the broker {broker} refuses {client}: check {username} and {password_file}")
        }
        ConnectionError::MqttState(StateError::Deserialization(PacketError::Io(error))) => {
            format!("the connection to the broker {broker} broke: {error}")
        }
        ConnectionError::Tls(error) => {
            format!(
                "TLS with the broker {broker} failed: {error}; check the host in {url} and {ca}"
            )
        }
        ConnectionError::NetworkTimeout => format!(
            "the broker {broker} did not answer within {CONNECT_TIMEOUT_S} s: check {url} and the network"
        ),
        ConnectionError::Io(error) => format!(
            "cannot connect to the broker {broker}: {error}; check that it runs, and host and port in {url}"
        ),
        _ => format!("broker {broker}: {text}"),
    }
}
