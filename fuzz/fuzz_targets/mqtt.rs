//! Any bytes from an MQTT client, cut anywhere: the same packets are read, and the same fault ends
//! them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stockrelay::source::front_door::count_packets;

fuzz_target!(|input: (bool, u8, &[u8])| {
    let (is_v5, piece, bytes) = input;
    let whole = count_packets(bytes, is_v5, bytes.len());
    assert_eq!(whole, count_packets(bytes, is_v5, 1 + usize::from(piece)));
    assert!(whole.0 <= bytes.len() / 2, "a packet has two bytes at least");
});
