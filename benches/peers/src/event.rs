//! The events that the load publishes: numbered, 200 bytes long, with random ids.

use std::io::Write as _;

/// The size of every payload.
pub const PAYLOAD_BYTES: usize = 200;

/// Writes the payload of event `number` over `out`: a transfer, as a device sends it to stockrelay.
///
/// `device` is the same for all events of a connection, as it is for a person and a device.
pub fn write_payload(number: u64, device: &str, out: &mut Vec<u8>) {
    out.clear();
    let (high, low) = (scatter(!number), scatter(number));
    let (product, from, to) = (number % 500, number % 200, (number % 200 + 7) % 200);
    let written = write!(
        out,
        r#"{{"id":"{high:016x}{low:016x}","type":"transfer","product":"4000000{product:06}","quantity":1,"from":"LOC-BIN-{from:04}","to":"LOC-BIN-{to:04}","operator":"{device}"#
    );
    written.expect("writing to memory cannot fail");
    // The operator's name has what is missing.
    out.resize(PAYLOAD_BYTES - 2, b'.');
    out.extend(br#""}"#);
}

/// Mixes the bits of a number (the finaliser of `SplitMix64`). Two numbers never give the same
/// result, so that no two events have the same id.
fn scatter(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_json_of_200_bytes_with_an_id_of_its_own() {
        let mut ids = std::collections::BTreeSet::new();
        let mut payload = Vec::new();
        for number in [0, 1, 199, 1_000_000, u64::MAX] {
            write_payload(number, "dev07", &mut payload);
            assert_eq!(payload.len(), PAYLOAD_BYTES);
            let json: serde_json::Value = serde_json::from_slice(&payload).unwrap();
            let id = json["id"].as_str().unwrap().to_owned();
            assert_eq!(id.len(), 32);
            assert!(ids.insert(id));
        }
    }
}
