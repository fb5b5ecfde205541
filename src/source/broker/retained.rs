//! Retained scans and events become rejected readings, which the journal stores once.
//!
//! A broker delivers the last retained message of a topic at every subscription (MQTT 3.1.1,
//! 3.3.1.3). The gateway cannot distinguish such a copy from a message that it never received, so
//! it creates no event from it.

use jiff::Timestamp;
use rumqttc::Publish;

use crate::channel::identity::ReadingId;
use crate::channel::{Channel, Reading};
use crate::decode;
use crate::event::{Event, Name, Rejection, SourceKind};
use crate::reason::RejectionCode;

/// Builds the rejected readings of a retained message, one for each event in it. They have the ids
/// of the events. An event without an id gets an id from the hash of the message and the event's
/// place in it, so that the same message always gives the same ids.
pub(super) fn reject(
    device: &Name,
    channel: Option<Channel>,
    publish: &Publish,
    received: Timestamp,
) -> Vec<Rejection> {
    let reading = Reading {
        id: ReadingId::next(),
        redelivered: false,
        source: SourceKind::Broker,
        device: device.clone(),
        channel: channel.unwrap_or(Channel::Event),
        payload: publish.payload.clone(),
        received,
    };
    let digest = digest(publish);
    let entries = decode::decode(&reading);
    let count = entries.len();
    let rejection = |(index, entry): (usize, Result<Event, Rejection>)| {
        let own_id = match entry {
            Ok(event) => (!event.id_derived).then_some(event.id),
            Err(rejection) => rejection.id,
        };
        let (payload, cut) = decode::part(&reading, index, count);
        Rejection {
            device: device.clone(),
            source: SourceKind::Broker,
            channel,
            received,
            id: Some(own_id.unwrap_or_else(|| format!("retained-{digest}-{index}"))),
            code: RejectionCode::Retained,
            message: format!(
                "{:?} is retained at the broker, and may be a copy of what is stored already. Send it again here if it is not, let the device publish without retain, and clear the topic at the broker",
                publish.topic
            ),
            payload,
            cut,
        }
    };
    entries.into_iter().enumerate().map(rejection).collect()
}

fn digest(publish: &Publish) -> String {
    let mut hash = blake3::Hasher::new();
    // A topic holds no NUL, so the two cannot run together.
    hash.update(publish.topic.as_bytes())
        .update(b"\0")
        .update(&publish.payload);
    hash.finalize().to_hex()[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use rumqttc::QoS;

    use super::*;

    #[test]
    fn a_retained_message_is_a_rejected_reading_for_each_event_in_it() {
        let device = Name::new("pda-1").unwrap();
        let rejected = |channel, payload: &str| {
            let topic = "stockrelay/v1/s/pda-1/event";
            let publish = Publish::new(topic, QoS::AtLeastOnce, payload.to_owned());
            reject(&device, Some(channel), &publish, Timestamp::UNIX_EPOCH)
        };
        let message =
            r#"[{"id":"7","type":"transfer","product":"P","from":"A","to":"B"},{"type":"count"}]"#;
        let found = rejected(Channel::Event, message);
        let ids: Vec<_> = found
            .iter()
            .map(|found| found.id.clone().unwrap())
            .collect();
        assert_eq!((ids.len(), ids[0].as_str()), (2, "7"));
        assert!(
            found
                .iter()
                .all(|found| found.code == RejectionCode::Retained)
        );
        assert_eq!(found[1].payload, br#"{"type":"count"}"#);
        // The same message gets the same ids.
        assert_eq!(rejected(Channel::Event, message), found);
        let scan = rejected(Channel::Scan, "4006381333931");
        assert_eq!(
            (scan.len(), &scan[0].payload[..]),
            (1, &b"4006381333931"[..])
        );
        assert_ne!(scan[0].id, rejected(Channel::Scan, "4006381333930")[0].id);
    }
}
