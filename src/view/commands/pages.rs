//! Fetches the pages of a list. While the daemon searches for entries that match a filter, standard
//! error shows the progress, and Ctrl-C ends the search: the command then prints what was found.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Client, CommandError};
use crate::clock;
use crate::view::records::{DocumentPage, EventPage, SearchView};
use crate::view::table::{counted, grouped};

/// The shortest time between two texts on a terminal.
const TERMINAL_EACH: Duration = Duration::from_millis(100);
/// If standard error is not a terminal: the time to the first line, and between two lines.
const LINE_EACH: Duration = Duration::from_secs(10);
/// Clears the line that the cursor is on.
const CLEAR: &str = "\r\x1b[K";

/// A page of a list that the daemon may have to search for.
pub(super) trait Page: DeserializeOwned {
    /// The name of an entry.
    const ENTRY: &'static str;

    fn search(&self) -> Option<SearchView>;

    /// How many entries the page has.
    fn found(&self) -> u64;

    /// Where the next page starts.
    fn next(&self) -> u64;
}

impl Page for EventPage {
    const ENTRY: &'static str = "event";

    fn search(&self) -> Option<SearchView> {
        self.search
    }

    fn found(&self) -> u64 {
        self.events.len() as u64
    }

    fn next(&self) -> u64 {
        self.next.get()
    }
}

impl Page for DocumentPage {
    const ENTRY: &'static str = "document";

    fn search(&self) -> Option<SearchView> {
        self.search
    }

    fn found(&self) -> u64 {
        self.documents.len() as u64
    }

    fn next(&self) -> u64 {
        self.next.get()
    }
}

/// Fetches pages, one after the other.
pub(super) struct Pages<'a> {
    client: &'a Client,
    /// `None` before the first page on which the daemon had not finished its search: until then,
    /// Ctrl-C ends the process at once.
    interrupts: Option<Signal>,
    progress: SearchProgress,
    /// How many entries the daemon has searched, and how many the command has got.
    searched: u64,
    found: u64,
    /// What the last page reported.
    left: u64,
    next: u64,
}

impl<'a> Pages<'a> {
    pub fn new(client: &'a Client) -> Self {
        Self {
            client,
            interrupts: None,
            progress: SearchProgress::new(io::stderr().is_terminal(), clock::instant()),
            searched: 0,
            found: 0,
            left: 0,
            next: 0,
        }
    }

    /// Fetches a page. `None`: Ctrl-C has ended the search.
    pub async fn fetch<T: Page>(&mut self, path: &str) -> Result<Option<T>, CommandError> {
        let page: T = match &mut self.interrupts {
            None => self.client.get(path).await?,
            Some(interrupts) => tokio::select! {
                page = self.client.get(path) => page?,
                _ = interrupts.recv() => return Ok(None),
            },
        };
        self.found += page.found();
        self.next = page.next();
        let Some(search) = page.search() else {
            self.hide();
            return Ok(Some(page));
        };
        if self.interrupts.is_none() {
            self.interrupts = Some(signal(SignalKind::interrupt())?);
        }
        self.searched += search.searched;
        self.left = search.left;
        let text = self.describe::<T>();
        let shown = self.progress.show(&text, clock::instant());
        show(shown.as_deref().unwrap_or_default());
        Ok(Some(page))
    }

    /// Waits. Returns whether Ctrl-C has ended the wait.
    pub async fn pause(&mut self, time: Duration) -> bool {
        let Some(interrupts) = &mut self.interrupts else {
            tokio::time::sleep(time).await;
            return false;
        };
        tokio::select! {
            () = tokio::time::sleep(time) => false,
            _ = interrupts.recv() => true,
        }
    }

    /// Removes the progress from the terminal, if the command prints any entries there.
    pub fn hide_before(&mut self, entries: usize) {
        if entries > 0 {
            self.hide();
        }
    }

    fn hide(&mut self) {
        show(self.progress.hide());
    }

    /// Why the list is not complete after an interrupt, and how to continue.
    pub fn interrupted<T: Page>(&mut self) -> CommandError {
        self.hide();
        CommandError::Interrupted(format!(
            "interrupted: {}; continue with --after {}",
            self.describe::<T>(),
            self.next
        ))
    }

    fn describe<T: Page>(&self) -> String {
        format!(
            "searched {} of {}, found {}",
            grouped(self.searched),
            counted(self.searched + self.left, T::ENTRY),
            grouped(self.found)
        )
    }
}

impl Drop for Pages<'_> {
    fn drop(&mut self) {
        self.hide();
    }
}

/// Writes to standard error. A closed standard error is not a failure.
fn show(text: &str) {
    drop(io::stderr().write_all(text.as_bytes()));
}

/// Decides when the progress is shown: on a terminal at once, in one line that is replaced;
/// elsewhere only if the search is slow. Pure.
#[derive(Debug)]
struct SearchProgress {
    is_terminal: bool,
    /// When the progress was shown last; before that, when the command began.
    last: Instant,
    is_shown: bool,
}

impl SearchProgress {
    fn new(is_terminal: bool, now: Instant) -> Self {
        Self {
            is_terminal,
            last: now,
            is_shown: false,
        }
    }

    /// What standard error gets. `None`: it is too early.
    fn show(&mut self, text: &str, now: Instant) -> Option<String> {
        let each = match (self.is_terminal, self.is_shown) {
            (true, false) => Duration::ZERO,
            (true, true) => TERMINAL_EACH,
            (false, _) => LINE_EACH,
        };
        if now.duration_since(self.last) < each {
            return None;
        }
        self.last = now;
        self.is_shown = true;
        Some(if self.is_terminal {
            format!("{CLEAR}{text} (Ctrl-C ends the search)")
        } else {
            format!("{text}\n")
        })
    }

    /// What removes the progress.
    fn hide(&mut self) -> &'static str {
        if std::mem::take(&mut self.is_shown) && self.is_terminal {
            CLEAR
        } else {
            ""
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_shows_the_progress_at_once_in_one_line_that_is_removed() {
        let begun = clock::instant();
        let at = |ms| begun + Duration::from_millis(ms);
        let mut progress = SearchProgress::new(true, begun);
        assert_eq!(progress.hide(), "");
        let first = progress.show("searched 1", at(60)).unwrap();
        assert!(first.starts_with("\r\x1b[Ksearched 1"), "{first:?}");
        assert!(
            first.contains("Ctrl-C") && !first.contains('\n'),
            "{first:?}"
        );
        assert_eq!(progress.show("searched 2", at(159)), None);
        assert!(progress.show("searched 3", at(160)).is_some());
        assert_eq!((progress.hide(), progress.hide()), ("\r\x1b[K", ""));
    }

    #[test]
    fn a_file_gets_lines_and_only_if_the_search_is_slow() {
        let begun = clock::instant();
        let at = |s| begun + Duration::from_secs(s);
        let mut progress = SearchProgress::new(false, begun);
        assert_eq!(progress.show("searched 1", at(9)), None);
        let line = progress.show("searched 2", at(10));
        assert_eq!(line.as_deref(), Some("searched 2\n"));
        assert_eq!(progress.show("searched 3", at(19)), None);
        assert!(progress.show("searched 4", at(20)).is_some());
        assert_eq!(progress.hide(), "");
    }
}
