//! Any bytes of an MQTT client, cut anywhere: the same packets are read, and the same fault ends
//! them.

use stockrelay::source::front_door::count_packets;

use super::Input;

/// The shortest packet, in bytes.
const PACKET_BYTES_MIN: usize = 2;

/// The input: the protocol level (odd for 5), the size of pieces, the bytes.
pub fn check(input: &[u8]) {
    let mut input = Input(input);
    let (is_v5, piece) = (input.byte() % 2 == 1, input.byte());
    let bytes = input.rest();
    let whole = count_packets(bytes, is_v5, bytes.len());
    let pieces = count_packets(bytes, is_v5, 1 + usize::from(piece));
    assert_eq!(whole, pieces);
    assert!(whole.0 <= bytes.len() / PACKET_BYTES_MIN);
}
