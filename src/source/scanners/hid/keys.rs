//! Turns key events into codes. Pure.
//!
//! **In**: key numbers (linux/input-event-codes.h), pressed or released. **Out**: a code when the
//! terminator's key is pressed. The module also handles accents and their letters, Caps Lock, the
//! keypad, Alt with a number on the keypad, and Ctrl with a letter or bracket, which is how
//! scanners type GS (`Ctrl+]`, `Alt+029`).

use super::layout;
use crate::decode::profile::{Frame, Key, Layout};

const BACKSPACE: u16 = 14;
const TAB: u16 = 15;
const ENTER: u16 = 28;
const CTRL: [u16; 2] = [29, 97];
const SHIFT: [u16; 2] = [42, 54];
const ALT: u16 = 56;
const CAPS_LOCK: u16 = 58;
const KEYPAD: &str = "789-456+1230.";
const KEYPAD_FIRST: u16 = 71;
const KEYPAD_LAST: u16 = 83;
const KEYPAD_TIMES: u16 = 55;
const KEYPAD_DIVIDED: u16 = 98;
const KEYPAD_ENTER: u16 = 96;
const ALTGR: u16 = 100;
/// The values of a key event: released, pressed. A key that is held down repeats with another
/// value, which is not a second key.
const RELEASED: i32 = 0;
const PRESSED: i32 = 1;

/// A keyboard scanner's keys, as far as they have come. It never holds more than `bytes_max`.
#[derive(Debug)]
pub struct Keyboard {
    layout: Layout,
    terminator: Key,
    bytes_max: usize,
    shift: [bool; 2],
    ctrl: [bool; 2],
    alt: bool,
    altgr: bool,
    caps: bool,
    /// The number typed on the keypad while Alt is held.
    number: Option<u32>,
    accent: Option<char>,
    text: String,
    /// Bytes of a code that is too long or lost keys; all of it is thrown away to its end.
    dropped: usize,
}

impl Keyboard {
    pub fn new(layout: Layout, terminator: Key, bytes_max: usize) -> Self {
        Self {
            layout,
            terminator,
            bytes_max,
            shift: [false; 2],
            ctrl: [false; 2],
            alt: false,
            altgr: false,
            caps: false,
            number: None,
            accent: None,
            text: String::new(),
            dropped: 0,
        }
    }

    /// Whether a code has begun and not ended.
    pub fn is_inside(&self) -> bool {
        self.dropped > 0 || self.accent.is_some() || !self.text.is_empty()
    }

    /// Takes a key, gives the code that it ended.
    pub fn key(&mut self, key: u16, value: i32) -> Option<Frame> {
        let down = match value {
            PRESSED => true,
            RELEASED => false,
            _ => return None,
        };
        if self.modifier(key, down) || !down {
            return None;
        }
        match (key, self.terminator) {
            (ENTER | KEYPAD_ENTER, Key::Enter) | (TAB, Key::Tab) => return self.end(),
            // A second suffix is no part of the next code.
            (ENTER | KEYPAD_ENTER, Key::Tab) => {}
            (TAB, Key::Enter) => self.write('\t'),
            (BACKSPACE, _) => drop(self.text.pop()),
            _ => self.character(key),
        }
        None
    }

    /// Keys were lost: what they were part of is no code.
    pub fn lost(&mut self) {
        self.dropped += self.text.len().max(1);
        self.text.clear();
        self.accent = None;
        // Which of them were let go is lost as well.
        (self.shift, self.ctrl) = ([false; 2], [false; 2]);
        (self.alt, self.altgr, self.number) = (false, false, None);
    }

    /// Ends the code after a pause without keys.
    pub fn silence(&mut self) -> Option<Frame> {
        self.end()
    }

    fn end(&mut self) -> Option<Frame> {
        if let Some(accent) = self.accent.take() {
            self.write(accent);
        }
        let text = std::mem::take(&mut self.text);
        match std::mem::take(&mut self.dropped) {
            0 if text.is_empty() => None,
            0 => Some(Frame::Whole(text.into_bytes())),
            dropped => Some(Frame::Dropped(dropped + text.len())),
        }
    }

    /// Whether the key was one that changes what others write.
    fn modifier(&mut self, key: u16, down: bool) -> bool {
        if let Some(side) = SHIFT.iter().position(|shift| *shift == key) {
            self.shift[side] = down;
        } else if let Some(side) = CTRL.iter().position(|ctrl| *ctrl == key) {
            self.ctrl[side] = down;
        } else if key == ALT {
            self.alt = down;
            if !down {
                self.write_number();
            }
        } else if key == ALTGR {
            // On a US keyboard this key is a second Alt.
            self.altgr = down && self.layout != Layout::Us;
        } else if key == CAPS_LOCK {
            self.caps ^= down;
        } else {
            return false;
        }
        true
    }

    fn character(&mut self, key: u16) {
        if let Some(c) = keypad(key) {
            match c.to_digit(10).filter(|_| self.alt) {
                Some(digit) => {
                    let number = self.number.unwrap_or(0).saturating_mul(10) + digit;
                    self.number = Some(number.min(1_000_000));
                }
                None => self.compose(c, false),
            }
            return;
        }
        let shift = self.shift.contains(&true);
        let Some((c, waits)) = layout::character(self.layout, key, shift, self.altgr) else {
            return;
        };
        if self.ctrl.contains(&true) {
            // Ctrl with a key from `@` to `_` in ASCII writes the control character whose code is
            // the lowest five bits of the key's character. With Ctrl, no other character is
            // written, except those of the keypad, which ignores Ctrl.
            if let Some(control @ '@'..='_') = Some(c.to_ascii_uppercase()) {
                self.write(char::from(control as u8 & 0x1f));
            }
        } else if !self.alt {
            self.compose(if self.caps { swapped(c) } else { c }, waits);
        }
    }

    /// An accent waits for its letter; before a space it is itself, and before anything else both
    /// are written.
    fn compose(&mut self, c: char, waits: bool) {
        match self.accent.take() {
            Some(accent) if c == ' ' => return self.write(accent),
            Some(accent) => {
                if let Some(whole) = layout::composed(accent, c) {
                    return self.write(whole);
                }
                self.write(accent);
            }
            None => {}
        }
        if waits {
            self.accent = Some(c);
        } else {
            self.write(c);
        }
    }

    fn write_number(&mut self) {
        let number = self
            .number
            .take()
            .and_then(|number| u8::try_from(number).ok());
        // Latin-1 and Windows' own table agree except for 128 to 159, which have no character of a
        // barcode.
        if let Some(number @ (1..=127 | 160..)) = number {
            self.compose(char::from(number), false);
        }
    }

    fn write(&mut self, c: char) {
        if self.dropped > 0 || self.text.len() + c.len_utf8() > self.bytes_max {
            self.dropped += self.text.len() + c.len_utf8();
            self.text.clear();
        } else {
            self.text.push(c);
        }
    }
}

fn swapped(c: char) -> char {
    if c.is_lowercase() && c != 'ß' && c != 'µ' {
        c.to_uppercase().next().unwrap_or(c)
    } else {
        c.to_lowercase().next().unwrap_or(c)
    }
}

fn keypad(key: u16) -> Option<char> {
    match key {
        KEYPAD_FIRST..=KEYPAD_LAST => KEYPAD.chars().nth((key - KEYPAD_FIRST).into()),
        KEYPAD_TIMES => Some('*'),
        KEYPAD_DIVIDED => Some('/'),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
