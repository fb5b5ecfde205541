//! Any bytes on a serial line, cut anywhere, by any framing: the same codes come out, none is
//! empty, too long or holds the end mark, and no byte comes out twice.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stockrelay::decode::profile::{Bytes, End, Frame, Framer, Framing};

fuzz_target!(|input: (u8, u8, u8, [u8; 4], &[u8])| {
    let (kind, max_bytes, piece, marks, bytes) = input;
    let first = 1 + usize::from(kind >> 6) % 3;
    let (stx, etx) = marks.split_at(first);
    let end = match kind % 3 {
        0 => End::Terminator(Bytes(etx.to_vec())),
        1 => End::Enclosed { stx: Bytes(stx.to_vec()), etx: Bytes(etx.to_vec()) },
        _ => End::Silence { ms: 60 },
    };
    let framing = Framing { end, max_bytes: 1 + usize::from(max_bytes) };
    let whole = frames(&framing, bytes, bytes.len().max(1));
    assert_eq!(whole, frames(&framing, bytes, 1 + usize::from(piece)));
    let mut out = 0;
    for frame in &whole {
        match frame {
            Frame::Dropped(count) => out += count,
            Frame::Unended(begun) => {
                out += begun.len();
                assert!(!begun.is_empty() && !matches!(framing.end, End::Silence { .. }));
            }
            Frame::Whole(code) => {
                out += code.len();
                assert!(!code.is_empty() && code.len() <= framing.max_bytes, "{} bytes", code.len());
                let ends = |mark: &Bytes| code.windows(mark.0.len()).any(|part| part == mark.0);
                match &framing.end {
                    End::Terminator(mark) | End::Enclosed { etx: mark, .. } => assert!(!ends(mark)),
                    End::Silence { .. } => {}
                }
            }
        }
    }
    assert!(out <= bytes.len(), "{out} bytes of {}", bytes.len());
});

fn frames(framing: &Framing, bytes: &[u8], piece: usize) -> Vec<Frame> {
    let mut framer = Framer::new(framing.clone());
    let mut frames: Vec<_> = bytes.chunks(piece).flat_map(|piece| framer.push(piece)).collect();
    frames.extend(framer.silence());
    assert!(!framer.is_inside());
    frames
}
