//! Any payload on either channel, and by each shipped profile: reading it must not panic, each part
//! of it ends as one event or one rejection, the same each time, and no more is kept than may be.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stockrelay::decode::profile::{Profile, SHIPPED};
use stockrelay::decode::{EVENTS_MAX, REJECTED_BYTES_MAX, decode, part, scanned};
use stockrelay::event::{Name, SourceKind};
use stockrelay::journal::stored;
use stockrelay::source::identity::ReadingId;
use stockrelay::source::{Channel, Reading};

static PROFILES: LazyLock<Vec<Profile>> =
    LazyLock::new(|| SHIPPED.iter().map(|(_, text)| Profile::parse(text).expect("a shipped profile")).collect());

fuzz_target!(|payload: &[u8]| {
    for channel in [Channel::Scan, Channel::Event] {
        let reading = reading(channel, payload);
        let entries = decode(&reading);
        assert!((1..=EVENTS_MAX).contains(&entries.len()));
        assert_eq!(entries, decode(&reading));
        for (index, entry) in entries.iter().enumerate() {
            assert!(part(&reading, index).len() <= REJECTED_BYTES_MAX);
            match entry {
                Ok(event) => assert!(stored::event_in(event).is_ok()),
                Err(rejection) => assert!(rejection.payload.len() <= REJECTED_BYTES_MAX),
            }
        }
    }
    let reading = reading(Channel::Scan, payload);
    for profile in PROFILES.iter() {
        let entries = scanned(&reading, profile);
        assert!((1..=EVENTS_MAX).contains(&entries.len()));
        for (event, _) in entries.into_iter().flatten() {
            assert!(stored::event_in(&event).is_ok());
        }
    }
});

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
