//! The text of `fleet watch`: a table that is drawn again on a terminal, or a line for each change.
//!
//! A write that fails, because the reader closed the pipe, has no effect: the watch goes on.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write};

use jiff::Timestamp;
use ratatui::crossterm::terminal;

use crate::clock;
use crate::event::Name;
use crate::fleet::Manifest;
use crate::fleet::manifest::Due;
use crate::fleet::rollout::{Fate, RingCounts, Rollout, SiteFate};
use crate::view::table::{Table, counted, plain, seconds_since, span, time};

/// The failed gateways that the table names.
const FAILED_MAX: usize = 8;
/// The width of a terminal that does not report it.
const WIDTH: usize = 100;

pub struct Progress {
    is_terminal: bool,
    /// The number of lines that are drawn, and can be drawn again.
    drawn: usize,
    /// The rings that the last lines showed.
    shown: Vec<RingCounts>,
    /// The failures that a line showed.
    failures: BTreeMap<Name, Fate>,
    last_note: String,
}

impl Progress {
    pub fn new() -> Self {
        Self::on(io::stdout().is_terminal())
    }

    fn on(is_terminal: bool) -> Self {
        Self {
            is_terminal,
            drawn: 0,
            shown: Vec::new(),
            failures: BTreeMap::new(),
            last_note: String::new(),
        }
    }

    /// Shows the rollout.
    pub fn show(
        &mut self,
        manifest: &Manifest,
        rollout: &Rollout,
        now: Timestamp,
        out: &mut (dyn Write + Send),
    ) {
        let shown = if self.is_terminal {
            draw(manifest, rollout, now).and_then(|text| self.draw(&text, out))
        } else {
            self.print_changes(rollout, now, out)
        };
        drop(shown.and_then(|()| out.flush()));
    }

    fn draw(&mut self, text: &str, out: &mut (dyn Write + Send)) -> io::Result<()> {
        let width = terminal::size().map_or(WIDTH, |(width, _)| usize::from(width).max(20));
        self.erase(out)?;
        for line in text.lines() {
            let line: String = line.chars().take(width).collect();
            writeln!(out, "{line}")?;
            self.drawn += 1;
        }
        Ok(())
    }

    /// Removes the lines that are drawn.
    fn erase(&mut self, out: &mut (dyn Write + Send)) -> io::Result<()> {
        if self.drawn > 0 {
            // The cursor goes up, and everything below it is erased (ECMA-48, CPL and ED).
            write!(out, "\x1b[{}F\x1b[J", self.drawn)?;
            self.drawn = 0;
        }
        Ok(())
    }

    fn print_changes(
        &mut self,
        rollout: &Rollout,
        now: Timestamp,
        out: &mut (dyn Write + Send),
    ) -> io::Result<()> {
        let shown = std::mem::replace(&mut self.shown, rollout.rings.clone());
        for (index, ring) in rollout.rings.iter().enumerate() {
            if shown.get(index) != Some(ring) {
                writeln!(out, "{} ring {}: {}", time(now), index + 1, list(ring))?;
            }
        }
        let failures = rollout.failed().map(|site| (site.site.clone(), site.fate));
        let shown = std::mem::replace(&mut self.failures, failures.collect());
        for site in rollout.failed() {
            if shown.get(&site.site) != Some(&site.fate) {
                writeln!(out, "{} {}", time(now), describe(site))?;
            }
        }
        Ok(())
    }

    /// Shows a line about the command itself, unless it is that of the last time.
    pub fn note(&mut self, text: &str, out: &mut (dyn Write + Send)) {
        if self.last_note == text {
            return;
        }
        text.clone_into(&mut self.last_note);
        drop(self.erase(out).and_then(|()| write_line(text, out)));
    }

    /// Shows the last line. The table above it stays.
    pub fn end(&mut self, text: &str, out: &mut (dyn Write + Send)) {
        self.drawn = 0;
        drop(write_line(text, out));
    }
}

fn write_line(text: &str, out: &mut (dyn Write + Send)) -> io::Result<()> {
    writeln!(out, "{} {}", time(clock::now()), plain(text))?;
    out.flush()
}

/// Lists the counts of a ring in one line.
fn list(ring: &RingCounts) -> String {
    let due = if ring.is_due { ring.sites } else { 0 };
    let sites = counted(ring.sites as u64, "site");
    let mut text = format!("{sites}, {due} due");
    for (count, what) in [
        (ring.waiting, "waiting"),
        (ring.applied, "applied"),
        (ring.confirmed, "confirmed"),
        (ring.rolled_back, "rolled back"),
        (ring.refused, "refused"),
        (ring.silent, "silent"),
        (ring.away, "away"),
        (ring.newer, "with a newer bundle"),
    ] {
        if count > 0 {
            text = format!("{text}, {count} {what}");
        }
    }
    text
}

fn describe(site: &SiteFate) -> String {
    let colon = if site.reason.is_empty() { "" } else { ": " };
    format!(
        "{} (ring {}) {}{colon}{}",
        site.site,
        site.ring + 1,
        site.fate.name(),
        plain(&site.reason)
    )
}

/// Draws the table of the rings, and the gateways that failed.
fn draw(manifest: &Manifest, rollout: &Rollout, now: Timestamp) -> io::Result<String> {
    let mut out = Vec::new();
    writeln!(
        out,
        "bundle {} ({}), {}",
        manifest.serial,
        plain(&manifest.name),
        time(now)
    )?;
    let mut table = Table::new(&[
        "ring",
        "due",
        "sites",
        "waiting",
        "applied",
        "confirmed",
        "rolled-back",
        "refused",
        "silent",
        "away",
        "newer",
    ]);
    for (index, ring) in rollout.rings.iter().enumerate() {
        let due = match ring.due {
            _ if ring.is_due => "now".to_owned(),
            Due::At(due) => format!("in {}", span(seconds_since(now, due))),
            Due::AtOnce => "now".to_owned(),
        };
        let counts = [
            ring.sites,
            ring.waiting,
            ring.applied,
            ring.confirmed,
            ring.rolled_back,
            ring.refused,
            ring.silent,
            ring.away,
            ring.newer,
        ];
        let counts = counts.map(|count| count.to_string());
        table.row([(index + 1).to_string(), due].into_iter().chain(counts));
    }
    table.write(&mut out, true)?;
    let failed: Vec<_> = rollout.failed().collect();
    for site in failed.iter().take(FAILED_MAX) {
        writeln!(out, "{}", describe(site))?;
    }
    if let Some(more) = failed
        .len()
        .checked_sub(FAILED_MAX)
        .filter(|more| *more > 0)
    {
        writeln!(out, "and {more} more: `stockrelay fleet status` lists all")?;
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::heard::HeardSites;
    use crate::fleet::rollout::Limits;
    use crate::fleet::topics::report_topic;

    const NOW: &str = "2026-11-29T05:00:00Z";

    fn manifest() -> Manifest {
        let text = "format = 1\nserial = 42\nname = \"autumn\"\ncreated = \"2026-11-29T04:00:00Z\"\n\
                    expires = \"2027-03-01T00:00:00Z\"\n[targets]\nall = true\n\
                    [[ring]]\nsites = [\"a1\"]\nwait_s = 7200\n[[ring]]\nall = true\n";
        Manifest::parse_draft(text).unwrap()
    }

    fn rollout(manifest: &Manifest, states: &[(&str, &str)]) -> Rollout {
        let now = NOW.parse().unwrap();
        let mut heard = HeardSites::default();
        for (site, state) in states {
            let text = format!(
                r#"{{"site": "{site}", "at": "{NOW}", "running": {{"serial": 41}},
                     "wanted": {{"serial": 42, "state": "{state}", "reason": "odoo is held"}}}}"#
            );
            let topic = report_topic(&Name::new(site).unwrap());
            heard.hear(&topic, text.as_bytes(), true, now).unwrap();
        }
        let limits = Limits {
            max_failed: 0.1,
            silent_s: 900,
        };
        Rollout::judge(manifest, &heard, limits, now)
    }

    #[test]
    fn without_a_terminal_each_change_is_a_line() {
        let manifest = manifest();
        let now = NOW.parse().unwrap();
        let mut progress = Progress::on(false);
        let mut print = |states: &[(&str, &str)]| {
            let mut out: Vec<u8> = Vec::new();
            let rollout = rollout(&manifest, states);
            progress.show(&manifest, &rollout, now, &mut out);
            String::from_utf8(out).unwrap()
        };
        let first = "2026-11-29T05:00:00Z ring 1: 1 site, 1 due, 1 waiting\n\
                     2026-11-29T05:00:00Z ring 2: 1 site, 0 due, 1 waiting\n";
        assert_eq!(print(&[("a1", "staged"), ("b1", "waiting")]), first);
        assert_eq!(print(&[("a1", "staged"), ("b1", "waiting")]), "");
        let failed = "2026-11-29T05:00:00Z ring 1: 1 site, 1 due, 1 rolled back\n\
                      2026-11-29T05:00:00Z a1 (ring 1) rolled-back: odoo is held\n";
        assert_eq!(print(&[("a1", "rolled-back"), ("b1", "waiting")]), failed);
        assert_eq!(print(&[("a1", "rolled-back"), ("b1", "waiting")]), "");
    }

    #[test]
    fn a_terminal_shows_the_rings_and_the_failures_over_the_last_frame() {
        let manifest = manifest();
        let now = NOW.parse().unwrap();
        let rollout = rollout(&manifest, &[("a1", "refused"), ("b1", "waiting")]);
        let mut progress = Progress::on(true);
        let mut out: Vec<u8> = Vec::new();
        for _ in 0..2 {
            progress.show(&manifest, &rollout, now, &mut out);
        }
        let text = String::from_utf8(out).unwrap();
        let (first, second) = text.split_once("\x1b[5F\x1b[J").unwrap();
        assert_eq!(first, second);
        assert!(first.contains("in 1:00:00"), "{first}");
        assert!(
            first.contains("a1 (ring 1) refused: odoo is held"),
            "{first}"
        );
    }
}
