//! The terminal: raw mode, the mouse, and what it can show. Everything is restored when the screen
//! ends, also after a panic.

use std::io;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use ratatui::crossterm::execute;

use super::theme::{Colours, Theme};
use crate::config::Language;
use crate::view::words::Words;

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

/// Finds the language of the screen: the chosen one, else that of the locale (`LC_ALL`, else
/// `LC_MESSAGES`, else `LANG`), else English. A terminal without Unicode cannot show Arabic.
pub fn words_of_terminal(chosen: Option<Language>, theme: Theme) -> Words {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].map(variable);
    let language = chosen.unwrap_or_else(|| language_of(&locale));
    match language {
        Language::Arabic if !theme.is_unicode => Words::ENGLISH,
        language => Words { language },
    }
}

/// The language of the first variable that is set. `C`, `POSIX` and unknown languages: English.
fn language_of(variables: &[String]) -> Language {
    let set = variables.iter().find(|value| !value.is_empty());
    let language = set.and_then(|locale| Language::of(locale));
    language.unwrap_or(Language::English)
}

fn shows_unicode(locale: &str) -> bool {
    let locale = locale.to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_decides_about_the_language() {
        let of = |values: [&str; 3]| language_of(&values.map(str::to_owned));
        assert_eq!(of(["de_AT.UTF-8", "fr_FR", "nl_NL"]), Language::German);
        assert_eq!(of(["", "fr_FR", "nl_NL"]), Language::French);
        assert_eq!(of(["", "", "nl_NL.UTF-8"]), Language::Dutch);
        // C is set: the variables after it have no effect.
        assert_eq!(of(["C", "fr_FR", "nl_NL"]), Language::English);
        assert_eq!(of(["", "POSIX", "es_ES"]), Language::English);
        assert_eq!(of(["", "", "sv_SE.UTF-8"]), Language::English);
        assert_eq!(of(["", "", ""]), Language::English);
    }

    #[test]
    fn arabic_needs_unicode_and_a_chosen_language_precedes_the_locale() {
        let theme = |is_unicode| Theme {
            is_unicode,
            ..Theme::default()
        };
        let words = |language, is_unicode| words_of_terminal(Some(language), theme(is_unicode));
        assert_eq!(words(Language::Arabic, true).language, Language::Arabic);
        assert_eq!(words(Language::Arabic, false), Words::ENGLISH);
        assert_eq!(words(Language::German, false).language, Language::German);
    }

    #[test]
    fn the_locale_decides_about_unicode() {
        assert!(shows_unicode("nl_NL.UTF-8") && shows_unicode("C.utf8"));
        assert!(!shows_unicode("C") && !shows_unicode("POSIX"));
        assert!(!shows_unicode("de_DE.ISO-8859-1"));
    }
}
