//! Any payload on either channel, and by each shipped profile: reading it does not panic, each part
//! ends as one event or one rejection, the same each time, and rejections store a bounded part.

use std::sync::LazyLock;

use stockrelay::channel::identity::ReadingId;
use stockrelay::channel::{Channel, EVENTS_MAX, Reading};
use stockrelay::decode::profile::{Profile, SHIPPED};
use stockrelay::decode::{PAYLOAD_BYTES_MAX, REJECTED_BYTES_MIN, decode, decode_scans, part};
use stockrelay::event::{Name, SourceKind};
use stockrelay::journal::stored;

static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    let profiles = SHIPPED.iter().map(|(_, text)| Profile::parse(text));
    profiles
        .map(|profile| profile.expect("a shipped profile"))
        .collect()
});

/// The input: the payload.
pub fn check(payload: &[u8]) {
    for channel in [Channel::Scan, Channel::Event] {
        check_decoded(&reading(channel, payload));
    }
    let reading = reading(Channel::Scan, payload);
    for profile in PROFILES.iter() {
        let entries = decode_scans(&reading, profile);
        assert!((1..=EVENTS_MAX).contains(&entries.len()));
        for (event, _) in entries.into_iter().flatten() {
            assert!(stored::event_in(&event).is_ok());
        }
    }
}

fn check_decoded(reading: &Reading) {
    let entries = decode(reading);
    assert!((1..=EVENTS_MAX).contains(&entries.len()));
    assert_eq!(entries, decode(reading));
    let mut stored_bytes = 0;
    for (index, entry) in entries.iter().enumerate() {
        let (part, _) = part(reading, index, entries.len());
        assert!(part.len() <= reading.payload.len());
        match entry {
            Ok(event) => assert!(stored::event_in(event).is_ok()),
            Err(rejection) => stored_bytes += rejection.payload.len(),
        }
    }
    let shared = PAYLOAD_BYTES_MAX.max(entries.len() * REJECTED_BYTES_MIN);
    assert!(stored_bytes <= reading.payload.len() + shared);
}

fn reading(channel: Channel, payload: &[u8]) -> Reading {
    Reading {
        id: ReadingId::of(7, 1),
        redelivered: false,
        source: SourceKind::Listen,
        device: Name::new("pda-1").expect("a name"),
        channel,
        payload: payload.to_vec().into(),
        received: "2026-11-23T08:15:30Z".parse().expect("a time"),
    }
}
