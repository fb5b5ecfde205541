//! Colours and characters for each kind of terminal. Words and marks carry the same information,
//! for terminals and people without colours.
//!
//! A colour of a text reaches a contrast of 4.5:1 on black and on white, because the screen does
//! not know the terminal's background; a badge brings its own background. A test calculates both.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};

use crate::view::headline::Mood;

/// The colours that the terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colours {
    /// `NO_COLOR`, or a terminal such as a vt100: bold and reversed text only.
    None,
    /// The user may have changed these: they appear only as badges, black on a bright colour.
    Sixteen,
    #[default]
    Many,
}

impl Colours {
    pub const ALL: [Self; 3] = [Self::None, Self::Sixteen, Self::Many];

    /// Finds the colours by the environment's `NO_COLOR`, `TERM` and `COLORTERM`.
    #[must_use]
    pub fn of(no_color: bool, term: &str, colorterm: &str) -> Self {
        let is_grey = ["vt", "ansi-m", "dumb"];
        if no_color || term.is_empty() || is_grey.iter().any(|kind| term.starts_with(kind)) {
            Self::None
        } else if term.contains("256color") || !colorterm.is_empty() || term.contains("direct") {
            Self::Many
        } else {
            Self::Sixteen
        }
    }
}

/// What a text is, from which its style follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    #[default]
    Plain,
    Faint,
    Heading,
    Good,
    Watch,
    Bad,
    /// The frame and the name of what has the keys.
    Focus,
}

impl Role {
    pub const ALL: [Self; 7] = [
        Self::Plain,
        Self::Faint,
        Self::Heading,
        Self::Good,
        Self::Watch,
        Self::Bad,
        Self::Focus,
    ];

    /// The role of the name of a state.
    pub fn of_state(state: &str) -> Self {
        match state {
            "posted" | "up" | "online" | "resent" => Self::Good,
            "parked" | "held" | "open" => Self::Bad,
            "down" | "sending" | "drift" => Self::Watch,
            _ => Self::Plain,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    pub colours: Colours,
    /// False: the terminal shows ASCII only.
    pub is_unicode: bool,
}

impl Default for Theme {
    fn default() -> Self {
        Self {
            colours: Colours::default(),
            is_unicode: true,
        }
    }
}

impl Theme {
    #[must_use]
    pub fn text(self, role: Role) -> Style {
        let colour = match (self.colours, role) {
            (Colours::Many, Role::Faint) => Some(243),
            (Colours::Many, Role::Good) => Some(29),
            (Colours::Many, Role::Bad) => Some(131),
            (Colours::Many, Role::Focus) => Some(63),
            _ => None,
        };
        let style = colour.map_or(Style::new(), |index| Style::new().fg(Color::Indexed(index)));
        match role {
            Role::Plain | Role::Faint | Role::Good => style,
            Role::Heading | Role::Watch | Role::Bad | Role::Focus => {
                style.add_modifier(Modifier::BOLD)
            }
        }
    }

    /// The style of a mark that shows a mood.
    #[must_use]
    pub fn badge(self, mood: Mood) -> Style {
        let (text, ground) = match (self.colours, mood) {
            (Colours::None, _) => return Style::new().add_modifier(Modifier::REVERSED),
            (Colours::Sixteen, Mood::Good) => (Color::Black, Color::LightGreen),
            (Colours::Sixteen, Mood::Watch) => (Color::Black, Color::LightYellow),
            (Colours::Sixteen, Mood::Bad) => (Color::Black, Color::LightRed),
            (Colours::Many, Mood::Good) => (Color::Indexed(231), Color::Indexed(22)),
            (Colours::Many, Mood::Watch) => (Color::Indexed(16), Color::Indexed(214)),
            (Colours::Many, Mood::Bad) => (Color::Indexed(231), Color::Indexed(124)),
        };
        Style::new().fg(text).bg(ground)
    }

    #[must_use]
    pub fn frame(self, is_focused: bool) -> Style {
        self.text(if is_focused { Role::Focus } else { Role::Faint })
    }
}

pub const SELECTED: Style = Style::new().add_modifier(Modifier::REVERSED);
pub const HEADING: Style = Style::new().add_modifier(Modifier::BOLD);

/// The mark before a sentence, which shows the mood without colours.
pub fn mark(mood: Mood) -> &'static str {
    match mood {
        Mood::Good => " ✓ ",
        Mood::Watch => " ! ",
        Mood::Bad => " ✗ ",
    }
}

/// Replaces each character that is not ASCII, for a terminal that shows ASCII only.
pub fn to_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() {
            let ascii = ascii_of(cell.symbol());
            cell.set_symbol(ascii);
        }
    }
}

fn ascii_of(symbol: &str) -> &'static str {
    match symbol {
        "│" | "┃" | "█" => "|",
        "─" | "━" | "–" | "▁" => "-",
        "┌" | "┐" | "└" | "┘" | "├" | "┤" | "┬" | "┴" | "┼" | "✓" | "▄" | "▅" => {
            "+"
        }
        "▂" | "▃" => "=",
        "▆" | "▇" => "#",
        "✗" | "×" => "x",
        "↑" | "▲" => "^",
        "↓" | "▼" => "v",
        "→" | "▸" => ">",
        "←" => "<",
        "…" | "·" => ".",
        "●" => "*",
        symbol => letter_of(symbol),
    }
}

/// The letter without its mark, as the languages of the screen use it.
fn letter_of(symbol: &str) -> &'static str {
    match symbol {
        "ä" | "á" | "à" | "â" => "a",
        "é" | "è" | "ê" | "ë" => "e",
        "í" | "ï" | "î" => "i",
        "ö" | "ó" | "ô" => "o",
        "ü" | "ú" | "ù" | "û" => "u",
        "ç" => "c",
        "ñ" => "n",
        "ß" => "s",
        "Ä" | "À" => "A",
        "É" | "È" | "Ê" => "E",
        "Í" => "I",
        "Ö" | "Ó" => "O",
        "Ü" | "Ú" => "U",
        "Ç" => "C",
        "„" | "“" | "«" | "»" => "\"",
        _ => "?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Rgb = (u8, u8, u8);
    const BLACK: Rgb = (0, 0, 0);
    const WHITE: Rgb = (255, 255, 255);
    const MOODS: [Mood; 3] = [Mood::Good, Mood::Watch, Mood::Bad];

    /// The colours that a terminal may show: xterm's, and those of the Linux console.
    fn shown(colour: Color) -> Vec<Rgb> {
        match colour {
            Color::Black => vec![BLACK],
            Color::LightGreen => vec![(0, 255, 0), (85, 255, 85)],
            Color::LightYellow => vec![(255, 255, 0), (255, 255, 85)],
            Color::LightRed => vec![(255, 0, 0), (255, 85, 85)],
            Color::Indexed(index @ 16..=231) => {
                let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
                let of = index - 16;
                vec![(level(of / 36), level(of / 6 % 6), level(of % 6))]
            }
            Color::Indexed(index @ 232..) => {
                let grey = 8 + 10 * (index - 232);
                vec![(grey, grey, grey)]
            }
            other => panic!("{other:?} has no fixed colour"),
        }
    }

    /// The relative luminance of WCAG 2.
    fn luminance((red, green, blue): Rgb) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.03928 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }

    fn contrast(one: Rgb, other: Rgb) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn each_pair_of_colours_is_readable_on_black_and_on_white() {
        let mut pairs = 0;
        for colours in Colours::ALL {
            let theme = Theme {
                colours,
                is_unicode: true,
            };
            let texts = Role::ALL.map(|role| theme.text(role));
            for style in texts.into_iter().chain(MOODS.map(|mood| theme.badge(mood))) {
                let Some(text) = style.fg else {
                    assert_eq!(style.bg, None, "a background needs a colour of the text");
                    continue;
                };
                let grounds = style.bg.map_or(vec![BLACK, WHITE], shown);
                for (text, ground) in shown(text)
                    .into_iter()
                    .flat_map(|text| grounds.iter().map(move |ground| (text, *ground)))
                {
                    pairs += 1;
                    let ratio = contrast(text, ground);
                    assert!(ratio >= 4.5, "{colours:?} {style:?}: {ratio:.2}");
                }
            }
        }
        assert_eq!(pairs, 8 + 3 + 6, "texts on both, and badges");
    }

    #[test]
    fn letters_stay_readable_without_unicode() {
        let plain = |c: char| {
            if c.is_ascii() {
                c.to_string()
            } else {
                ascii_of(&c.to_string()).to_owned()
            }
        };
        let ascii = |text: &str| text.chars().map(plain).collect::<String>();
        assert_eq!(ascii("für Aufträge „ñ“"), "fur Auftrage \"n\"");
    }

    #[test]
    fn the_environment_decides_about_colours() {
        for (no_color, term, colorterm, colours) in [
            (false, "xterm-256color", "", Colours::Many),
            (false, "xterm", "truecolor", Colours::Many),
            (false, "xterm", "", Colours::Sixteen),
            (false, "linux", "", Colours::Sixteen),
            (false, "vt100", "", Colours::None),
            (true, "xterm-256color", "truecolor", Colours::None),
        ] {
            assert_eq!(Colours::of(no_color, term, colorterm), colours, "{term}");
        }
    }
}
