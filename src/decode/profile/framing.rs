//! Where one code ends and the next begins, in a stream of bytes that may stop anywhere.

use super::text::describe_bytes;
use super::{End, Framing};

#[cfg(test)]
mod tests;

/// A part of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A code without its marks. Never empty.
    Whole(Vec<u8>),
    /// The number of bytes that are not a code: longer than `max_bytes`, or outside of STX and ETX.
    Dropped(usize),
    /// The bytes of a code whose end mark never came. Never empty.
    Unended(Vec<u8>),
}

/// Cuts a stream into codes. It never holds more than `max_bytes` and one end mark.
#[derive(Debug)]
pub struct Framer {
    framing: Framing,
    held: Vec<u8>,
    /// Bytes of a code that is too long, until now. They are dropped to its end.
    dropped: usize,
    /// Whether the stream is between STX and ETX. Always `true` without these marks.
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

    /// Whether a code has started and not ended.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        self.dropped > 0 || !self.held.is_empty()
    }

    /// Adds bytes, and returns the parts that they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Frame> {
        let mut frames = Vec::new();
        for &byte in bytes {
            if self.is_between(byte) {
                continue;
            }
            self.held.push(byte);
            self.step(&mut frames);
        }
        frames
    }

    /// Whether a byte is a line end or NUL between two codes: the LF of CR LF where CR ends a code.
    fn is_between(&self, byte: u8) -> bool {
        let begun =
            self.is_inside() || matches!(self.framing.end, End::Enclosed { .. }) && self.inside;
        !begun && is_line_end(byte) && self.mark().first() != Some(&byte)
    }

    /// The expected mark. Empty: a pause ends the code.
    fn mark(&self) -> &[u8] {
        match &self.framing.end {
            End::Terminator(mark) => mark.0.as_slice(),
            End::Enclosed { stx, .. } if !self.inside => stx.0.as_slice(),
            End::Enclosed { etx, .. } => etx.0.as_slice(),
            End::Silence { .. } => &[],
        }
    }

    /// Applies a pause: it ends a code if the framing is by silence, and otherwise drops a code
    /// that has started.
    pub fn silence(&mut self) -> Option<Frame> {
        let held = std::mem::take(&mut self.held);
        let dropped = std::mem::take(&mut self.dropped) + held.len();
        let by_silence = matches!(self.framing.end, End::Silence { .. });
        let was_inside = self.inside;
        self.inside = !matches!(self.framing.end, End::Enclosed { .. });
        let is_whole = dropped == held.len();
        if dropped == 0 || is_whole && held.iter().copied().all(is_line_end) {
            None
        } else if by_silence && is_whole {
            Some(Frame::Whole(held))
        } else if was_inside && is_whole {
            Some(Frame::Unended(held))
        } else {
            Some(Frame::Dropped(dropped))
        }
    }

    fn step(&mut self, frames: &mut Vec<Frame>) {
        let mark = self.mark();
        let mark_len = mark.len();
        if !mark.is_empty() && self.held.ends_with(mark) {
            let enclosed = matches!(self.framing.end, End::Enclosed { .. });
            self.held.truncate(self.held.len() - mark_len);
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
        // The start of a mark must stay until its rest comes.
        let max = self.framing.max_bytes + mark_len.max(1) - 1;
        if self.held.len() > max {
            let keep = mark_len.max(1) - 1;
            self.dropped += self.held.len() - keep;
            self.held.drain(..self.held.len() - keep);
        }
    }
}

impl Framing {
    /// Explains what to do about a code whose end mark never came.
    #[must_use]
    pub fn explain_unended(&self, bytes: &[u8]) -> String {
        let (mark, key) = match &self.end {
            End::Terminator(mark) => (describe_bytes(&mark.0), "terminator"),
            End::Enclosed { etx, .. } => (describe_bytes(&etx.0), "etx"),
            End::Silence { ms } => (format!("{ms} ms of silence"), "silence_ms"),
        };
        let length = bytes.len();
        let is_mark = |byte: &&u8| byte.is_ascii_control();
        let sent = bytes.iter().rev().take_while(is_mark).count();
        let sent = match describe_bytes(&bytes[length - sent..]) {
            sent if sent.is_empty() => "what the scanner sends".to_owned(),
            sent => format!("{sent}, which it sent"),
        };
        format!(
            "{length} bytes came without the end mark {mark}: set the scanner's suffix to {mark}, or connection.framing.{key} of the profile to {sent}"
        )
    }
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n' | 0)
}
