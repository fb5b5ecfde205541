//! Any bytes of a serial line, cut anywhere, in any framing, give the same codes. No code is empty,
//! too long or contains the end mark, and no byte is in two codes.

use stockrelay::decode::profile::{Bytes, End, Frame, Framer, Framing};

use super::Input;

/// The input: the kind of framing, `max_bytes`, the size of pieces, four bytes of marks, the line.
pub fn check(input: &[u8]) {
    let mut input = Input(input);
    let (kind, max_bytes, piece) = (input.byte(), input.byte(), input.byte());
    let marks = [input.byte(), input.byte(), input.byte(), input.byte()];
    let bytes = input.rest();
    let framing = framing(kind, max_bytes, marks);
    let whole = frames(&framing, bytes, bytes.len().max(1));
    assert_eq!(whole, frames(&framing, bytes, 1 + usize::from(piece)));
    let out: usize = whole.iter().map(|frame| check_frame(&framing, frame)).sum();
    assert!(out <= bytes.len(), "{out} bytes of {}", bytes.len());
}

fn framing(kind: u8, max_bytes: u8, marks: [u8; 4]) -> Framing {
    let (stx, etx) = marks.split_at(1 + usize::from(kind >> 6) % 3);
    let end = match kind % 3 {
        0 => End::Terminator(Bytes(etx.to_vec())),
        1 => End::Enclosed {
            stx: Bytes(stx.to_vec()),
            etx: Bytes(etx.to_vec()),
        },
        _ => End::Silence { ms: 60 },
    };
    Framing {
        end,
        max_bytes: 1 + usize::from(max_bytes),
    }
}

fn frames(framing: &Framing, bytes: &[u8], piece: usize) -> Vec<Frame> {
    let mut reader = Framer::new(framing.clone());
    let mut frames = Vec::new();
    for piece in bytes.chunks(piece) {
        frames.extend(reader.push(piece));
    }
    frames.extend(reader.silence());
    assert!(!reader.is_inside());
    frames
}

/// Checks one frame; returns how many bytes of the line it took.
fn check_frame(framing: &Framing, frame: &Frame) -> usize {
    match frame {
        Frame::Dropped(count) => *count,
        Frame::Unended(bytes) => {
            assert!(!bytes.is_empty());
            assert!(!matches!(framing.end, End::Silence { .. }));
            bytes.len()
        }
        Frame::Whole(code) => {
            assert!(!code.is_empty());
            assert!(code.len() <= framing.max_bytes, "{} bytes", code.len());
            if let End::Terminator(mark) | End::Enclosed { etx: mark, .. } = &framing.end {
                assert!(!code.windows(mark.0.len()).any(|part| part == mark.0));
            }
            code.len()
        }
    }
}
