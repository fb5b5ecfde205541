//! The newest lines of the log, in memory, for `GET /v1/log`: people who may read the gateway's
//! state need no right to read the system's log.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::records::{LogLine, LogPage};
use crate::clock;

/// The limit of lines, and of characters in one: at most about 1 MB.
const LINES_MAX: usize = 500;
const LINE_CHARS_MAX: usize = 500;

/// The lines of this process, as its log is one for the whole process.
static RECENT: Mutex<Recent> = Mutex::new(Recent {
    lines: VecDeque::new(),
    newest: 0,
});

struct Recent {
    lines: VecDeque<LogLine>,
    newest: u64,
}

/// The lines after this number, oldest first, at most `limit`.
#[must_use]
pub fn read(after: u64, limit: usize) -> LogPage {
    let recent = recent();
    let newer = recent.lines.iter().filter(|line| line.number > after);
    let lines: Vec<LogLine> = newer.take(limit).cloned().collect();
    let next = lines.last().map_or(after, |line| line.number);
    LogPage {
        more: next < recent.newest,
        next,
        lines,
    }
}

fn recent() -> MutexGuard<'static, Recent> {
    // Nothing under the lock can panic half-way.
    RECENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Copies each event of the log into the lines.
pub struct RecentLayer;

impl<S: Subscriber> Layer<S> for RecentLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let metadata = event.metadata();
        let part = metadata.target();
        let mut recent = recent();
        recent.newest += 1;
        let line = LogLine {
            number: recent.newest,
            at: clock::now(),
            level: metadata.level().to_string(),
            part: part.strip_prefix("stockrelay::").unwrap_or(part).to_owned(),
            text: text.0.chars().take(LINE_CHARS_MAX).collect(),
        };
        if recent.lines.len() == LINES_MAX {
            recent.lines.pop_front();
        }
        recent.lines.push_back(line);
    }
}

/// The message of an event, then its fields as `name=value`.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if self.0.len() > LINE_CHARS_MAX * 4 {
            return;
        }
        let value = format!("{value:?}");
        // A String never fails to grow.
        let _ = match field.name() {
            "message" => {
                self.0.insert_str(0, &value);
                Ok(())
            }
            name => write!(self.0, " {name}={value}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn lines_have_their_fields_and_are_limited() {
        let subscriber = tracing_subscriber::registry().with(RecentLayer);
        tracing::subscriber::with_default(subscriber, || {
            let before = read(0, usize::MAX).next;
            tracing::warn!(error = "no route", "cannot reach {}", "Odoo");
            let page = read(before, 10);
            assert_eq!(page.lines.len(), 1);
            assert_eq!(page.lines[0].text, "cannot reach Odoo error=no route");
            assert_eq!(page.lines[0].level, "WARN");
            for _ in 0..LINES_MAX + 7 {
                tracing::info!("{}", "x".repeat(LINE_CHARS_MAX * 2));
            }
            let page = read(0, usize::MAX);
            assert_eq!(page.lines.len(), LINES_MAX);
            let longest = page.lines.iter().map(|line| line.text.len()).max();
            assert_eq!(longest, Some(LINE_CHARS_MAX));
            assert!(read(0, 10).more);
        });
    }
}
