//! Each character is typed by a table of this file's own: which key it is on, by the name that
//! Linux gives the key after the US keyboard.

use std::str::FromStr as _;

use evdev::KeyCode;

use super::*;

/// All of ASCII that is printed but letters, digits and the space, each with its key: `S` with
/// Shift, `G` with `AltGr`, `*` an accent, after which a space is typed.
const US: &str = "! S1 \" S' # S3 $ S4 % S5 & S7 ' ' ( S9 ) S0 * S8 + S= , , - - . . / / : S; ; ; < S, = = \
    > S. ? S/ @ S2 [ [ \\ \\ ] ] ^ S6 _ S- ` ` { S[ } S] ~ S` | S\\";
const DE: &str = "! S1 \" S2 # \\ $ S4 % S5 & S6 ' S\\ ( S8 ) S9 * S] + ] , , - / . . / S7 : S. ; S, < < = S0 \
    > S< ? S- @ Gq [ G8 \\ G- ] G9 ^ *` _ S/ ` *S= { G7 } G0 ~ G] | G<";
const FR: &str = "! / \" 3 # G3 $ ] % S' & 1 ' 4 ( 5 ) - * \\ + S= , m - 6 . S, / S. : . ; , < < = = \
    > S< ? Sm @ G0 [ G5 \\ G8 ] G- ^ G9 _ 8 ` *G7 { G4 } G= ~ *G2 | G6";

fn code(name: &str) -> u16 {
    let name = match name {
        "'" => "APOSTROPHE",
        "," => "COMMA",
        "-" => "MINUS",
        "." => "DOT",
        "/" => "SLASH",
        ";" => "SEMICOLON",
        "=" => "EQUAL",
        "[" => "LEFTBRACE",
        "\\" => "BACKSLASH",
        "]" => "RIGHTBRACE",
        "`" => "GRAVE",
        "<" => "102ND",
        other => other,
    };
    let name = format!("KEY_{}", name.to_uppercase());
    KeyCode::from_str(&name).expect("a key's name").code()
}

/// Types as a hand does: modifiers down, the key down and up, modifiers up.
fn press(keyboard: &mut Keyboard, chord: &str) -> Option<Frame> {
    let (modifiers, name) = match chord.split_at_checked(1) {
        Some((modifier @ ("S" | "G"), name)) if name.chars().count() == 1 => (modifier, name),
        _ => ("", chord),
    };
    let modifier = match modifiers {
        "S" => Some(code("LEFTSHIFT")),
        "G" => Some(code("RIGHTALT")),
        _ => None,
    };
    modifier.map(|key| keyboard.key(key, 1));
    let frame = keyboard.key(code(name), 1);
    assert_eq!(keyboard.key(code(name), 2), None, "held down");
    keyboard.key(code(name), 0);
    modifier.map(|key| keyboard.key(key, 0));
    frame
}

fn chord(layout: Layout, c: char) -> String {
    let swapped = |pairs: &[(char, &str)], c: char| {
        let low = c.to_ascii_lowercase();
        let found = pairs.iter().find(|(from, _)| *from == low);
        let key = found.map_or(low.to_string(), |(_, to)| (*to).to_owned());
        if c.is_ascii_uppercase() {
            format!("S{key}")
        } else {
            key
        }
    };
    let (table, letters): (_, &[_]) = match layout {
        Layout::Us => (US, &[]),
        Layout::De => (DE, &[('y', "z"), ('z', "y")]),
        Layout::Fr => (
            FR,
            &[('a', "q"), ('q', "a"), ('w', "z"), ('z', "w"), ('m', ";")],
        ),
    };
    match c {
        ' ' => "SPACE".to_owned(),
        'a'..='z' | 'A'..='Z' => swapped(letters, c),
        '0'..='9' if layout == Layout::Fr => format!("S{c}"),
        '0'..='9' => c.to_string(),
        _ => {
            let words: Vec<_> = table.split_whitespace().collect();
            let entry = words.chunks(2).find(|entry| entry[0] == c.to_string());
            entry.unwrap_or_else(|| panic!("{c:?} is in no entry"))[1].to_owned()
        }
    }
}

fn type_text(keyboard: &mut Keyboard, layout: Layout, text: &str) {
    for c in text.chars() {
        let chord = chord(layout, c);
        let frame = match chord.strip_prefix('*').filter(|accent| !accent.is_empty()) {
            Some(accent) => press(keyboard, accent).or_else(|| press(keyboard, "SPACE")),
            None => press(keyboard, &chord),
        };
        assert_eq!(frame, None);
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is what a key gives")]
fn whole(text: &str) -> Option<Frame> {
    Some(Frame::Whole(text.as_bytes().to_vec()))
}

#[test]
fn every_printable_character_of_ascii_is_read_on_every_layout() {
    let all: String = (' '..='~').collect();
    for layout in [Layout::Us, Layout::De, Layout::Fr] {
        let mut keyboard = Keyboard::new(layout, Key::Enter, 4_096);
        for c in all.chars() {
            let text = format!("x{c}x");
            type_text(&mut keyboard, layout, &text);
            assert_eq!(press(&mut keyboard, "ENTER"), whole(&text), "{layout:?}");
        }
        type_text(&mut keyboard, layout, &all);
        assert_eq!(press(&mut keyboard, "ENTER"), whole(&all), "{layout:?}");
    }
}

#[test]
fn a_scanner_of_another_layout_is_misread() {
    let mut keyboard = Keyboard::new(Layout::De, Key::Enter, 4_096);
    type_text(&mut keyboard, Layout::Us, "AZ-1");
    assert_eq!(press(&mut keyboard, "ENTER"), whole("AYß1"));
}

#[test]
fn gs_is_taken_as_a_control_key_and_as_a_number() {
    let mut keyboard = Keyboard::new(Layout::Us, Key::Tab, 4_096);
    keyboard.key(code("LEFTCTRL"), 1);
    press(&mut keyboard, "]");
    keyboard.key(code("LEFTCTRL"), 0);
    press(&mut keyboard, "1");
    keyboard.key(code("LEFTALT"), 1);
    for digit in ["KP0", "KP2", "KP9"] {
        press(&mut keyboard, digit);
    }
    keyboard.key(code("LEFTALT"), 0);
    press(&mut keyboard, "KP7");
    assert_eq!(press(&mut keyboard, "ENTER"), None, "Tab ends here");
    assert_eq!(press(&mut keyboard, "TAB"), whole("\x1d1\x1d7"));
}

#[test]
fn caps_lock_and_accents_do_as_on_a_keyboard() {
    let mut keyboard = Keyboard::new(Layout::De, Key::Enter, 4_096);
    press(&mut keyboard, "CAPSLOCK");
    press(&mut keyboard, "a");
    press(&mut keyboard, "Sb");
    press(&mut keyboard, "1");
    press(&mut keyboard, "CAPSLOCK");
    press(&mut keyboard, "`");
    press(&mut keyboard, "e");
    press(&mut keyboard, "`");
    press(&mut keyboard, "1");
    press(&mut keyboard, "`");
    assert_eq!(press(&mut keyboard, "ENTER"), whole("Ab1ê^1^"));
}

#[test]
fn what_is_too_long_or_lost_keys_is_thrown_away_to_its_end() {
    let mut keyboard = Keyboard::new(Layout::Us, Key::Enter, 3);
    type_text(&mut keyboard, Layout::Us, "abcdefgh");
    assert!(keyboard.is_inside());
    assert_eq!(press(&mut keyboard, "ENTER"), Some(Frame::Dropped(8)));
    type_text(&mut keyboard, Layout::Us, "abc");
    assert_eq!(press(&mut keyboard, "ENTER"), whole("abc"));

    keyboard.key(code("LEFTSHIFT"), 1);
    type_text(&mut keyboard, Layout::Us, "a");
    keyboard.lost();
    type_text(&mut keyboard, Layout::Us, "b");
    assert_eq!(press(&mut keyboard, "ENTER"), Some(Frame::Dropped(2)));
    type_text(&mut keyboard, Layout::Us, "b");
    assert_eq!(
        keyboard.silence(),
        whole("b"),
        "without its terminator, and without the Shift of before"
    );
    assert!(!keyboard.is_inside());
}
