//! The terminal: raw mode, the mouse, and what it can show. Everything is restored when the screen
//! ends, also after a panic.

use std::io;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use ratatui::crossterm::execute;

use super::theme::{Colours, Theme};

/// The terminal while the screen is open.
pub struct Screen(DefaultTerminal);

impl Screen {
    pub fn open() -> io::Result<Self> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // The terminal may be gone.
            drop(execute!(io::stdout(), DisableMouseCapture));
            before(info);
        }));
        let screen = Self(ratatui::try_init()?);
        execute!(io::stdout(), EnableMouseCapture)?;
        Ok(screen)
    }

    pub fn terminal(&mut self) -> &mut DefaultTerminal {
        &mut self.0
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // The terminal may be gone.
        drop(execute!(io::stdout(), DisableMouseCapture));
        ratatui::restore();
    }
}

/// Finds what the terminal can show, by the environment.
pub fn theme_of_terminal() -> Theme {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let no_color = !variable("NO_COLOR").is_empty();
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].map(variable);
    let locale = locale.iter().find(|value| !value.is_empty());
    Theme {
        colours: Colours::of(no_color, &variable("TERM"), &variable("COLORTERM")),
        is_unicode: locale.is_some_and(|locale| shows_unicode(locale)),
    }
}

fn shows_unicode(locale: &str) -> bool {
    let locale = locale.to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_decides_about_unicode() {
        assert!(shows_unicode("nl_NL.UTF-8") && shows_unicode("C.utf8"));
        assert!(!shows_unicode("C") && !shows_unicode("POSIX"));
        assert!(!shows_unicode("de_DE.ISO-8859-1"));
    }
}
