//! The terminal: raw mode, the mouse, and what it can show. Everything is restored when the screen
//! ends, also after a panic.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use ratatui::crossterm::execute;

use super::theme::{Colours, Theme};
use crate::config::Language;
use crate::view::table::plain;
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

/// The beginnings of the names of terminals that can move their cursor. A machine that a person
/// reaches with `ssh` often does not have the description of the person's terminal.
const FAMILIES: [&str; 22] = [
    "alacritty",
    "ansi",
    "contour",
    "cygwin",
    "eterm",
    "foot",
    "ghostty",
    "gnome",
    "iterm",
    "konsole",
    "kitty",
    "linux",
    "mintty",
    "nsterm",
    "putty",
    "rxvt",
    "screen",
    "st-",
    "tmux",
    "vt",
    "wezterm",
    "xterm",
];
/// Where descriptions of terminals are, in addition to the directories that the environment names.
const TERMINFO: [&str; 4] = [
    "/etc/terminfo",
    "/lib/terminfo",
    "/usr/share/terminfo",
    "/usr/lib/terminfo",
];

/// Finds why the screen cannot be shown here. `None`: it can.
pub fn find_obstacle() -> Option<String> {
    if !io::stdout().is_terminal() {
        return Some("standard output is not a terminal".to_owned());
    }
    // Keys are read from the terminal of the process if standard input is a file or a pipe.
    if !io::stdin().is_terminal() && File::open("/dev/tty").is_err() {
        return Some("standard input is not a terminal".to_owned());
    }
    let term = std::env::var_os("TERM").unwrap_or_default();
    obstacle_of(&term.to_string_lossy(), &terminfo_directories())
}

/// Why a terminal with this name cannot show the screen.
fn obstacle_of(term: &str, terminfo: &[PathBuf]) -> Option<String> {
    if term.is_empty() {
        let text = "TERM is not set: `stockrelay top` does not know what the terminal can do";
        return Some(text.to_owned());
    }
    if term == "dumb" {
        return Some("TERM is dumb: the terminal cannot move its cursor".to_owned());
    }
    let is_known = term != "unknown" && (is_of_family(term) || is_described(term, terminfo));
    (!is_known).then(|| {
        let term = plain(term);
        format!(
            "TERM is {term}, and this machine does not know such a terminal: set TERM to the name of yours, such as xterm-256color"
        )
    })
}

fn is_of_family(term: &str) -> bool {
    let term = term.to_lowercase();
    term == "st" || FAMILIES.iter().any(|family| term.starts_with(family))
}

/// Whether a directory has the description of the terminal: below its first letter, or below the
/// hexadecimal number of the letter.
fn is_described(term: &str, directories: &[PathBuf]) -> bool {
    let Some(first) = term.bytes().next().filter(|_| !term.contains('/')) else {
        return false;
    };
    let below = [char::from(first).to_string(), format!("{first:x}")];
    let mut files = (directories.iter()).flat_map(|directory| {
        below
            .each_ref()
            .map(|below| directory.join(below).join(term))
    });
    files.any(|file| file.is_file())
}

fn terminfo_directories() -> Vec<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).unwrap_or_default();
    let mut directories: Vec<PathBuf> = vec![variable("TERMINFO").into()];
    directories.push(Path::new(&variable("HOME")).join(".terminfo"));
    let others: OsString = variable("TERMINFO_DIRS");
    directories.extend(std::env::split_paths(&others));
    directories.extend(TERMINFO.map(PathBuf::from));
    directories.retain(|directory| directory.is_absolute());
    directories
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
    fn a_terminal_that_cannot_move_its_cursor_or_is_unknown_is_refused_with_the_reason() {
        let directory = tempfile::tempdir().unwrap();
        for (below, name) in [("w", "wy50"), ("68", "h19")] {
            std::fs::create_dir(directory.path().join(below)).unwrap();
            std::fs::write(directory.path().join(below).join(name), "").unwrap();
        }
        let terminfo = [directory.path().to_owned()];
        let obstacle = |term: &str| obstacle_of(term, &terminfo).unwrap_or_default();
        assert!(obstacle("").starts_with("TERM is not set"));
        assert!(obstacle("dumb").contains("cannot move its cursor"));
        for term in ["foo", "unknown", "w/../w/wy50", "wy51", "\u{1b}[2J"] {
            let text = obstacle(term);
            assert!(text.contains("such as xterm-256color"), "{term}: {text}");
            assert!(!text.contains('\u{1b}'), "{term}");
        }
        for term in [
            "xterm-kitty",
            "vt100",
            "screen.xterm-256color",
            "st",
            "wy50",
            "h19",
        ] {
            assert_eq!(obstacle(term), "", "{term}");
        }
    }

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
