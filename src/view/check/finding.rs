//! One finding, and its text.

use std::fmt;

use serde::Serialize;

use crate::view::table::plain;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Level {
    #[serde(rename = "ok")]
    Ok,
    #[serde(rename = "warning")]
    Warn,
    #[serde(rename = "failed")]
    Fail,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub level: Level,
    /// The checked part: a key of the configuration, such as `odoo.api_key_file`, or another name
    /// of docs/operations.md. Programs recognise a finding by it.
    pub about: &'static str,
    pub what: String,
    /// What a fault prevents. Empty if there is no fault.
    pub why: String,
    /// What to do. Empty if there is nothing to do.
    pub remedy: String,
}

impl Finding {
    pub fn ok(about: &'static str, what: impl Into<String>) -> Self {
        Self {
            level: Level::Ok,
            about,
            what: what.into(),
            why: String::new(),
            remedy: String::new(),
        }
    }

    pub fn warn(
        about: &'static str,
        what: impl Into<String>,
        why: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Warn,
            why: why.into(),
            remedy: remedy.into(),
            ..Self::ok(about, what)
        }
    }

    pub fn fail(
        about: &'static str,
        what: impl Into<String>,
        why: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Fail,
            ..Self::warn(about, what, why, remedy)
        }
    }

    /// A finding from a message of the form `fault; remedy`. `otherwise` is the remedy of a message
    /// that has none.
    pub(super) fn of_message(
        level: Level,
        about: &'static str,
        message: &str,
        why: impl Into<String>,
        otherwise: &str,
    ) -> Self {
        let (what, remedy) = split(message);
        Self {
            level,
            ..Self::warn(about, what, why, remedy.unwrap_or(otherwise))
        }
    }

    /// Fault and remedy in one line, as the log and the status have them.
    #[must_use]
    pub fn message(&self) -> String {
        if self.remedy.is_empty() {
            return self.what.clone();
        }
        format!("{}; {}", self.what, self.remedy)
    }
}

/// The fault and the remedy in a message of the gateway.
fn split(message: &str) -> (&str, Option<&str>) {
    // A list of faults has a remedy in each line.
    if message.contains('\n') {
        return (message, None);
    }
    match message.rsplit_once("; ") {
        Some((what, remedy)) => (what, Some(remedy)),
        None => (message, None),
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok  ",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        };
        write!(f, "{level}  {}", plain(&self.what))?;
        for (label, text) in [("why: ", &self.why), ("do:  ", &self.remedy)] {
            if !text.is_empty() {
                write!(f, "\n      {label}{}", plain(text))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_has_a_line_for_each_part() {
        let text = Finding::fail("disk", "disk\nfull", "no scan is stored", "free space");
        let lines = "FAIL  disk·full\n      why: no scan is stored\n      do:  free space";
        assert_eq!(text.to_string(), lines);
        assert_eq!(text.message(), "disk\nfull; free space");
        assert_eq!(Finding::ok("disk", "enough").to_string(), "ok    enough");
    }

    #[test]
    fn the_last_part_of_a_message_is_its_remedy() {
        let of = |text| {
            let finding = Finding::of_message(Level::Fail, "odoo", text, "", "look at it");
            (finding.what, finding.remedy)
        };
        let parts = |what: &str, remedy: &str| (what.to_owned(), remedy.to_owned());
        assert_eq!(of("a; b; do c"), parts("a; b", "do c"));
        assert_eq!(of("a"), parts("a", "look at it"));
        assert_eq!(of("a:\nb; c"), parts("a:\nb; c", "look at it"));
    }
}
