//! The form of a line of the log.
//!
//! **Guarantees:** one event is one line, and a line has no control characters: what a device or
//! Odoo sends cannot forge lines or move the cursor of a terminal. In systemd's journal each line
//! has its priority (sd-daemon(3)), so that `journalctl -p warning` works.

use std::fmt;
use std::os::fd::AsFd;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

/// The variable in which systemd names the stream to its journal: device and inode (systemd.exec).
const STREAM: &str = "JOURNAL_STREAM";

/// Formats events with `format`, and makes each one safe line of it.
#[derive(Debug, Clone)]
pub struct SafeLines<F> {
    pub format: F,
    /// Whether each line begins with its priority, for systemd's journal.
    pub has_priority: bool,
    /// Whether `format` writes colours: their escape sequences stay. tracing-subscriber has escaped
    /// those of the texts.
    pub has_colours: bool,
}

impl<S, N, F> FormatEvent<S, N> for SafeLines<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut text = String::new();
        self.format
            .format_event(context, Writer::new(&mut text), event)?;
        if self.has_priority {
            writer.write_str(priority(*event.metadata().level()))?;
        }
        let has_colours = self.has_colours;
        write_safe(text.trim_end_matches('\n'), has_colours, &mut writer)?;
        writer.write_char('\n')
    }
}

/// The priority of syslog(3), as sd-daemon(3) reads it.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        Level::DEBUG | Level::TRACE => "<7>",
    }
}

/// Writes control characters as `\u001b`, which JSON reads, too.
fn write_safe(text: &str, has_colours: bool, out: &mut impl fmt::Write) -> fmt::Result {
    for letter in text.chars() {
        if letter.is_control() && !(has_colours && letter == '\u{1b}') {
            write!(out, "\\u{:04x}", u32::from(letter))?;
        } else {
            out.write_char(letter)?;
        }
    }
    Ok(())
}

/// Whether this stream goes to systemd's journal. A stream that was redirected to a file does not.
#[must_use]
pub fn is_journal(stream: impl AsFd, variable: Option<&str>) -> bool {
    let Ok(stat) = rustix::fs::fstat(stream) else {
        return false;
    };
    variable.is_some_and(|named| named == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// Whether standard error goes to systemd's journal.
#[must_use]
pub fn is_to_journal() -> bool {
    let named = std::env::var(STREAM).ok();
    is_journal(std::io::stderr(), named.as_deref())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::MetadataExt as _;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::layer;
    use tracing_subscriber::prelude::*;

    use super::*;

    #[derive(Clone, Default)]
    struct Out(Arc<Mutex<Vec<u8>>>);

    impl Write for Out {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Logs with hostile texts in the message and in both kinds of fields.
    fn log(is_json: bool, has_priority: bool) -> String {
        let out = Out::default();
        let of_layer = out.clone();
        let writer = move || of_layer.clone();
        let run = || {
            let name = "pda\n<0>ERROR forged\x1b[2J\u{9b}31m\u{7}";
            tracing::warn!(client_id = name, device = %name, "refused: {name}");
            tracing::info!("next");
        };
        let has_colours = false;
        if is_json {
            let layer = layer()
                .json()
                .with_writer(writer)
                .map_event_format(|format| SafeLines {
                    format,
                    has_priority,
                    has_colours,
                });
            tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), run);
        } else {
            let layer = layer().with_ansi(false).with_writer(writer);
            let layer = layer.map_event_format(|format| SafeLines {
                format: format.with_ansi(false).without_time(),
                has_priority,
                has_colours,
            });
            tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), run);
        }
        let bytes = out.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_hostile_name_forges_no_line_and_no_escape_sequence_and_lines_have_their_priority() {
        let log = log(false, true);
        let lines: Vec<&str> = log.lines().collect();
        assert_eq!(lines.len(), 2, "{log:?}");
        assert!(lines[0].starts_with("<4> WARN "), "{log:?}");
        assert!(lines[1].starts_with("<6> INFO "), "{log:?}");
        let is_raw = |letter: char| letter.is_control() && letter != '\n';
        assert!(!log.contains(is_raw), "{log:?}");
        assert!(lines[0].contains("\\u000a<0>ERROR forged"), "{log:?}");
    }

    #[test]
    fn a_line_of_json_stays_json() {
        let log = log(true, false);
        let lines: Vec<&str> = log.lines().collect();
        assert_eq!(lines.len(), 2, "{log:?}");
        let first: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
        let name = first["fields"]["device"].as_str().unwrap();
        assert!(name.starts_with("pda\n<0>ERROR"), "{name:?}");
        let is_raw = |letter: char| letter.is_control() && letter != '\n';
        assert!(!log.contains(is_raw), "{log:?}");
    }

    #[test]
    fn only_the_named_stream_is_the_journal() {
        let file = tempfile::tempfile().unwrap();
        let data = file.metadata().unwrap();
        let named = format!("{}:{}", data.dev(), data.ino());
        assert!(is_journal(&file, Some(&named)));
        assert!(!is_journal(&file, Some("8:1")));
        assert!(!is_journal(&file, None));
    }
}
