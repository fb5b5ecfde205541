//! Where one code ends and the next begins, in a stream of bytes that may stop anywhere.

use super::{End, Framing};

#[cfg(test)]
mod tests;

/// What the stream held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A code, without what encloses it. Never empty.
    Whole(Vec<u8>),
    /// So many bytes that were no code: longer than `max_bytes`, or outside of STX and ETX.
    Dropped(usize),
}

/// Cuts a stream. It never holds more than `max_bytes` and one end mark.
#[derive(Debug)]
pub struct Framer {
    framing: Framing,
    held: Vec<u8>,
    /// Bytes of a code that is too long, so far; they are thrown away to its end.
    dropped: usize,
    /// Between STX and ETX; always, where nothing encloses a code.
    inside: bool,
}

impl Framer {
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        let inside = !matches!(framing.end, End::Enclosed { .. });
        Self {
            framing,
            held: Vec::new(),
            dropped: 0,
            inside,
        }
    }

    /// Whether a code has begun and not ended.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        self.dropped > 0 || !self.held.is_empty()
    }

    /// Takes what came, gives what it completed.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Frame> {
        let mut frames = Vec::new();
        for &byte in bytes {
            self.held.push(byte);
            self.step(&mut frames);
        }
        frames
    }

    /// Nothing came for a while: it ends a code where silence does, and throws away a half one elsewhere.
    pub fn silence(&mut self) -> Option<Frame> {
        let held = std::mem::take(&mut self.held);
        let dropped = std::mem::take(&mut self.dropped) + held.len();
        let by_silence = matches!(self.framing.end, End::Silence { .. });
        self.inside = !matches!(self.framing.end, End::Enclosed { .. });
        if dropped == 0 {
            None
        } else if by_silence && dropped == held.len() {
            Some(Frame::Whole(held))
        } else {
            Some(Frame::Dropped(dropped))
        }
    }

    fn step(&mut self, frames: &mut Vec<Frame>) {
        let mark = match &self.framing.end {
            End::Terminator(mark) => mark.0.as_slice(),
            End::Enclosed { stx, .. } if !self.inside => stx.0.as_slice(),
            End::Enclosed { etx, .. } => etx.0.as_slice(),
            End::Silence { .. } => &[],
        };
        if !mark.is_empty() && self.held.ends_with(mark) {
            let enclosed = matches!(self.framing.end, End::Enclosed { .. });
            self.held.truncate(self.held.len() - mark.len());
            let held = std::mem::take(&mut self.held);
            let dropped = std::mem::take(&mut self.dropped);
            if dropped > 0 || !self.inside && !held.is_empty() {
                frames.push(Frame::Dropped(dropped + held.len()));
            } else if self.inside && !held.is_empty() {
                frames.push(Frame::Whole(held));
            }
            self.inside = !enclosed || !self.inside;
            return;
        }
        // A mark that has begun must stay, to be seen when its rest comes.
        let max = self.framing.max_bytes + mark.len().max(1) - 1;
        if self.held.len() > max {
            let keep = mark.len().max(1) - 1;
            self.dropped += self.held.len() - keep;
            self.held.drain(..self.held.len() - keep);
        }
    }
}
