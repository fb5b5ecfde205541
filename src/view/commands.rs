//! The commands that query a running daemon. Each sends one request or a few, then prints a table
//! for people, or one JSON object per line. `journal` and `backup` also work on the files.

mod apply;
mod backup;
mod config;
mod devices;
mod find;
mod fleet;
mod gateway_check;
mod journal_files;
mod lists;
mod meter;
mod package;
mod pages;
mod parked;
mod pause;
mod profile;
mod rejected;
mod reload;
mod setup;
mod status;
mod support;
mod take_over;
mod trace;
mod write;

use std::io::{self, Write};

use super::client::{Client, ClientError};
use crate::reason::{Code, CodeSet};
use crate::view::table::is_unsafe;

pub use apply::{apply, history, roll_back};
pub use backup::{back_up, export};
pub use config::{Process, config};
pub use devices::{Console, PasswordInput, devices};
pub use find::find;
pub use fleet::fleet;
pub use gateway_check::{Asked, check};
pub use journal_files::{import, verify};
pub use lists::{documents, events};
pub use package::{completions, man};
pub use parked::parked;
pub(super) use parked::retry_all;
pub use pause::{pause, resume};
pub use profile::profile;
pub use rejected::rejected;
pub(super) use rejected::{describe_resent, dismiss_many};
pub use reload::reload;
pub use setup::setup;
pub use status::status;
pub use support::{Consent, support_bundle};
pub use take_over::take_over;
pub use trace::trace;

/// Done.
pub const EXIT_DONE: u8 = 0;
/// The command failed.
pub const EXIT_FAILED: u8 = 1;
/// The arguments or the configuration are wrong.
pub const EXIT_USAGE: u8 = 2;
pub const EXIT_CONFIG: u8 = 64;
/// The journal is damaged, or has a format that this version does not know.
pub const EXIT_DAMAGED: u8 = 65;
/// The daemon is not running, or central IT's broker cannot be reached (sysexits.h,
/// `EX_UNAVAILABLE`).
pub const EXIT_NO_DAEMON: u8 = 69;
/// The user interrupted the command: a search, or `config apply`, which continues on the gateway.
pub const EXIT_INTERRUPTED: u8 = 130;

/// Entries of one page: the most that the daemon sends.
const PAGE: u64 = 1_000;

#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error(transparent)]
    Client(ClientError),
    #[error("cannot write the answer: {0}")]
    Output(#[from] io::Error),
    /// Each argument is well formed, but not their combination.
    #[error("{0}")]
    Usage(String),
    /// The configuration has faults.
    #[error("{0}")]
    Config(String),
    /// Central IT's broker cannot be reached.
    #[error("{0}")]
    Unavailable(String),
    /// Ctrl-C ended a search before its end.
    #[error("{0}")]
    Interrupted(String),
    #[error("{0}")]
    Failed(String),
    /// The journal, or an export of it, is damaged.
    #[error("{0}")]
    Damaged(String),
    /// The arguments are right, and the daemon refuses the stored content that they name.
    #[error(transparent)]
    Content(ClientError),
}

impl From<ClientError> for CommandError {
    /// Rewrites the remedy: it names commands instead of requests.
    fn from(error: ClientError) -> Self {
        Self::Client(match error {
            ClientError::Output(error) => return Self::Output(error),
            ClientError::Refused {
                status,
                mut refusal,
            } => {
                refusal.remedy = rewrite_for_commands(&refusal.remedy);
                ClientError::Refused { status, refusal }
            }
            other => other,
        })
    }
}

/// Rewrites a remedy of the control API for a person who types commands.
fn rewrite_for_commands(remedy: &str) -> String {
    if remedy.starts_with("send {") {
        return "correct the arguments; run the command with --help to see the fields and examples"
            .to_owned();
    }
    remedy
        .replace(
            "as /v1/parked lists them",
            "as `stockrelay parked list` shows them",
        )
        .replace(
            "as /v1/rejected lists them",
            "as `stockrelay rejected list` shows them",
        )
        // The names of the same fields in the API.
        .replace(" (\"payload\")", "")
        .replace(" (\"channel\")", "")
        .replace(" (\"with\")", "")
        .replace(
            "/v1/search finds parts of names",
            "`stockrelay find TEXT` finds parts of names",
        )
        .replace("no_document", "no-document")
}

impl CommandError {
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Client(ClientError::NotRunning { .. } | ClientError::NoSocket(_))
            | Self::Unavailable(_) => EXIT_NO_DAEMON,
            Self::Usage(_) => EXIT_USAGE,
            Self::Config(_) => EXIT_CONFIG,
            Self::Interrupted(_) => EXIT_INTERRUPTED,
            Self::Damaged(_) => EXIT_DAMAGED,
            Self::Client(ClientError::Refused { refusal, .. }) if refusal.journal_damaged => {
                EXIT_DAMAGED
            }
            // The daemon did not accept a parameter, which was an argument of the command.
            Self::Client(ClientError::Refused { status, .. }) if status.as_u16() == 400 => {
                EXIT_USAGE
            }
            // The reader closed the pipe, as `head` does.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => EXIT_DONE,
            _ => EXIT_FAILED,
        }
    }

    /// Whether the command prints no error.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.exit_code() == EXIT_DONE
    }
}

type Done = Result<(), CommandError>;

/// Refuses a reason code that this version does not know and no entry has: it is misspelt. An entry
/// may have the code of another version.
fn check_code<T: CodeSet>(code: Option<&str>, found: u64, entries: &str, list: &str) -> Done {
    let unknown = code.filter(|code| found == 0 && Code::<T>::from(*code).known().is_none());
    match unknown {
        None => Ok(()),
        Some(code) => Err(CommandError::Usage(format!(
            "unknown code {code:?}, which no {entries} has; give a reason code, as `stockrelay {list} list` shows them"
        ))),
    }
}

/// Writes JSON in one line. What a terminal must not get is escaped: it can only be in a string.
fn json_line(out: &mut dyn Write, value: &impl serde::Serialize) -> io::Result<()> {
    let text = serde_json::to_string(value).map_err(io::Error::other)?;
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) {
            let units = &mut [0; 2];
            line.extend(
                c.encode_utf16(units)
                    .iter()
                    .map(|unit| format!("\\u{unit:04x}")),
            );
        } else {
            line.push(c);
        }
    }
    writeln!(out, "{line}")
}

/// Builds a path with its parameters, percent-encoded, without those that have no value.
fn path(base: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let mut path = base.to_owned();
    let given = parameters
        .iter()
        .filter_map(|(key, value)| Some((key, (*value)?)));
    for (at, (key, value)) in given.enumerate() {
        let mark = if at == 0 { '?' } else { '&' };
        path.push(mark);
        path.push_str(key);
        path.push('=');
        path.push_str(&super::client::encode_for_path(value));
    }
    path
}

/// Borrows the values of a request's parameters.
fn borrow<'a, const N: usize>(
    owned: &'a [(&'a str, Option<String>); N],
) -> [(&'a str, Option<&'a str>); N] {
    owned
        .each_ref()
        .map(|(key, value)| (*key, value.as_deref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_names_commands() {
        for (remedy, word) in [
            (r#"send {"reason": "TEXT"}"#, "--help"),
            ("give a number, as /v1/parked lists them", "parked list"),
            ("give a number, as /v1/rejected lists them", "rejected list"),
            (r#"omit --with ("with")"#, "omit --with"),
            ("give one of posted, no_document", "no-document"),
        ] {
            let text = rewrite_for_commands(remedy);
            assert!(text.contains(word) && !text.contains("/v1"), "{text}");
            assert!(!text.contains(['{', '"', '_']), "{text}");
        }
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let error = CommandError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(error.is_silent());
        let error = CommandError::from(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!((error.exit_code(), error.is_silent()), (EXIT_FAILED, false));
    }

    #[test]
    fn a_path_has_only_the_parameters_that_were_given() {
        let path = path(
            "/v1/events",
            &[
                ("device", None),
                ("state", Some("a b")),
                ("limit", Some("5")),
            ],
        );
        assert_eq!(path, "/v1/events?state=a%20b&limit=5");
    }
}
