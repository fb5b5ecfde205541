//! The characters of the keys of each keyboard layout, by Linux's key numbers
//! (linux/input-event-codes.h).
//!
//! A row lists the characters of its keys from left to right. Each layout has its rows three times:
//! plain, with Shift and with `AltGr`. In the last, a space means that the key has no character.

use crate::decode::profile::Layout;

/// The rows by the numbers of their first and last key: digits, and the three of letters.
const ROWS: [(u16, u16); 4] = [(2, 13), (16, 27), (30, 40), (44, 53)];
/// The keys beside the rows: left of the digits, the one that wanders between the second and the
/// third row, and right of the left Shift.
const SINGLES: [u16; 3] = [41, 43, 86];
const SPACE: u16 = 57;

struct Keys {
    rows: [[&'static str; 3]; 4],
    /// Plain, with Shift and with `AltGr` each.
    singles: [&'static str; 3],
    /// Accents that wait for their letter: plain, with Shift and with `AltGr`. As Windows has them,
    /// which is what scanners are made for.
    dead: [&'static str; 3],
}

const US: Keys = Keys {
    rows: [
        ["1234567890-=", "!@#$%^&*()_+", ""],
        ["qwertyuiop[]", "QWERTYUIOP{}", ""],
        ["asdfghjkl;'", "ASDFGHJKL:\"", ""],
        ["zxcvbnm,./", "ZXCVBNM<>?", ""],
    ],
    singles: ["`~", "\\|", "\\|"],
    dead: ["", "", ""],
};

const DE: Keys = Keys {
    rows: [
        ["1234567890ß´", "!\"§$%&/()=?`", " ²³   {[]}\\"],
        ["qwertzuiopü+", "QWERTZUIOPÜ*", "@ €        ~"],
        ["asdfghjklöä", "ASDFGHJKLÖÄ", ""],
        ["yxcvbnm,.-", "YXCVBNM;:_", "      µ"],
    ],
    singles: ["^°", "#'", "<>|"],
    dead: ["^´", "`", ""],
};

const FR: Keys = Keys {
    rows: [
        ["&é\"'(-è_çà)=", "1234567890°+", " ~#{[|`\\^@]}"],
        ["azertyuiop^$", "AZERTYUIOP¨£", "  €        ¤"],
        ["qsdfghjklmù", "QSDFGHJKLM%", ""],
        ["wxcvbn,;:!", "WXCVBN?./§", ""],
    ],
    singles: ["²", "*µ", "<>"],
    dead: ["^", "¨", "~`"],
};

/// The character of a key, and whether it is an accent that waits for its letter.
pub fn character(layout: Layout, key: u16, shift: bool, altgr: bool) -> Option<(char, bool)> {
    let keys = match layout {
        Layout::Us => &US,
        Layout::De => &DE,
        Layout::Fr => &FR,
    };
    let level = match (shift, altgr) {
        (false, false) => 0,
        (true, false) => 1,
        (_, true) => 2,
    };
    if key == SPACE {
        return Some((' ', false));
    }
    let row = ROWS
        .iter()
        .position(|(first, last)| (*first..=*last).contains(&key));
    let written = if let Some(row) = row {
        keys.rows[row][level]
            .chars()
            .nth((key - ROWS[row].0).into())
    } else {
        let single = SINGLES.iter().position(|single| *single == key)?;
        keys.singles[single].chars().nth(level)
    };
    let written = written.filter(|c| *c != ' ');
    written.map(|c| (c, keys.dead[level].contains(c)))
}

/// An accent and its letter.
pub fn composed(accent: char, letter: char) -> Option<char> {
    let pairs = match accent {
        '^' => "aâeêiîoôuûAÂEÊIÎOÔUÛ",
        '´' => "aáeéiíoóuúyýAÁEÉIÍOÓUÚYÝ",
        '`' => "aàeèiìoòuùAÀEÈIÌOÒUÙ",
        '¨' => "aäeëiïoöuüyÿAÄEËIÏOÖUÜ",
        _ => return None,
    };
    let mut pairs = pairs.chars();
    while let (Some(plain), Some(whole)) = (pairs.next(), pairs.next()) {
        if plain == letter {
            return Some(whole);
        }
    }
    None
}
