//! Colours. Words and marks carry the same information, for terminals and people without colours.

use ratatui::style::{Color, Modifier, Style};

use crate::view::headline::Mood;

#[derive(Debug, Clone, Copy)]
pub struct Theme {
    pub colour: bool,
}

impl Theme {
    fn coloured(self, colour: Color) -> Style {
        if self.colour {
            Style::new().fg(colour)
        } else {
            Style::new()
        }
    }

    pub fn mood(self, mood: Mood) -> Style {
        let style = match mood {
            Mood::Good => self.coloured(Color::Green),
            Mood::Watch => self.coloured(Color::Yellow),
            Mood::Bad => self.coloured(Color::Red),
        };
        style.add_modifier(Modifier::BOLD)
    }

    pub fn state(self, state: &str) -> Style {
        match state {
            "posted" | "up" | "online" => self.coloured(Color::Green),
            "parked" | "held" => self.coloured(Color::Red),
            "down" | "sending" | "drift" => self.coloured(Color::Yellow),
            _ => Style::new(),
        }
    }

    pub fn frame(self, focused: bool) -> Style {
        if focused {
            self.coloured(Color::Cyan).add_modifier(Modifier::BOLD)
        } else {
            FAINT
        }
    }
}

pub const FAINT: Style = Style::new().add_modifier(Modifier::DIM);
pub const SELECTED: Style = Style::new().add_modifier(Modifier::REVERSED);
pub const HEADING: Style = Style::new().add_modifier(Modifier::BOLD);

/// The mark before a sentence, which shows the mood without colours.
pub fn mark(mood: Mood) -> &'static str {
    match mood {
        Mood::Good => "✓ ",
        Mood::Watch => "! ",
        Mood::Bad => "✗ ",
    }
}
