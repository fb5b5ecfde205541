//! Estimates the number of events and bytes that a reading may become, from its raw bytes.

use crate::channel::EVENTS_MAX;
use crate::channel::{Channel, Reading};
use crate::fair::{Cost, Limits};

/// The approximate memory of an event or a rejection until it is committed, with its answers.
const ELEMENT_BYTES: usize = 1_536;
/// Limit of the work between decoding and commit: several commits, so that the disk never waits for
/// the decoder. A device whose address has fewer than 64 elements does not wait for the others.
pub(super) const GATE: Limits = Limits {
    elements: 2_048,
    bytes: 8 << 20,
    modest_elements: 64,
};

pub(super) fn cost(readings: &[Reading]) -> Cost {
    let mut cost = Cost::default();
    for reading in readings {
        let elements = elements(reading.channel, &reading.payload);
        cost.elements += elements;
        cost.bytes += elements * ELEMENT_BYTES + 2 * reading.payload.len();
    }
    cost
}

/// An upper bound of the events and rejections that a payload may become. The decoder rejects a
/// longer array as a whole.
pub(crate) fn elements(channel: Channel, payload: &[u8]) -> usize {
    let counted = match channel {
        Channel::Event if payload.trim_ascii_start().starts_with(b"[") => commas(payload) + 1,
        Channel::Event => 1,
        // Profiles read several codes of one payload: objects, or lines.
        Channel::Scan => {
            let mut marks = [0, 0, 0];
            for byte in payload {
                match byte {
                    b'{' => marks[0] += 1,
                    b'\n' => marks[1] += 1,
                    b'\r' => marks[2] += 1,
                    _ => {}
                }
            }
            marks.into_iter().max().unwrap_or(0) + 1
        }
    };
    counted.min(EVENTS_MAX)
}

/// Commas between the elements of a JSON array; texts and what is nested do not count.
fn commas(array: &[u8]) -> usize {
    let (mut depth, mut commas) = (0_usize, 0);
    let (mut in_text, mut is_escaped) = (false, false);
    for byte in array {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 1 => commas += 1,
            _ => {}
        }
    }
    commas
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_counted_as_the_decoder_takes_them_apart() {
        let of = |text: &str| elements(Channel::Event, text.as_bytes());
        assert_eq!(of(r#"{"id":"1","quantity":2}"#), 1);
        assert_eq!(of("[]"), 1);
        assert_eq!(of(r#" [{"id":"a,b\",","x":[1,2]},{"id":"c"}]"#), 2);
        assert_eq!(of(&format!("[{}]", vec!["0"; 500].join(","))), 500);
        assert_eq!(of(&format!("[{}]", vec!["0"; 9_000].join(","))), EVENTS_MAX);
        assert_eq!(elements(Channel::Scan, b"4006381333931\r"), 2);
        assert_eq!(elements(Channel::Scan, b"4006381333931"), 1);
    }
}
