//! The text of `fleet watch`: a table that is drawn again on a terminal, or a line for each change.
//!
//! A write that fails, because the reader closed the pipe, has no effect: the watch goes on.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write};
use std::ops::Range;

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
/// Columns and rows of a terminal that does not report them.
const SIZE: (u16, u16) = (100, 40);
/// A terminal with fewer columns shows one count of failed gateways instead of a count for each
/// kind of failure.
const WIDE: usize = 96;
/// The lines around the rings: bundle, headings, the remark about other rings, and the cursor.
const LINES_AROUND: usize = 4;

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
            let (columns, rows) = terminal::size().unwrap_or(SIZE);
            let size = (usize::from(columns).max(20), usize::from(rows));
            draw(manifest, rollout, now, size).and_then(|text| self.draw(&text, size.0, out))
        } else {
            self.print_changes(rollout, now, out)
        };
        drop(shown.and_then(|()| out.flush()));
    }

    fn draw(&mut self, text: &str, width: usize, out: &mut (dyn Write + Send)) -> io::Result<()> {
        let lines = text.lines().map(|line| line.chars().take(width).collect());
        self.replace(lines, out)?;
        self.drawn = text.lines().count();
        Ok(())
    }

    /// Writes lines over those that are drawn. Each line is written before the rest of the old one
    /// is erased: a terminal that is erased as a whole flickers, and may keep each frame in its
    /// history.
    fn replace(
        &mut self,
        lines: impl Iterator<Item = String>,
        out: &mut (dyn Write + Send),
    ) -> io::Result<()> {
        // ECMA-48: CPL, EL and ED.
        let drawn = std::mem::take(&mut self.drawn);
        if drawn > 0 {
            write!(out, "\x1b[{drawn}F")?;
        }
        for line in lines {
            let erase = if drawn > 0 { "\x1b[K" } else { "" };
            writeln!(out, "{line}{erase}")?;
        }
        if drawn > 0 {
            write!(out, "\x1b[J")?;
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
        let written = self.replace(std::iter::once(line(text)), out);
        drop(written.and_then(|()| out.flush()));
    }

    /// Shows the last line. The table above it stays.
    pub fn end(&mut self, text: &str, out: &mut (dyn Write + Send)) {
        self.drawn = 0;
        let written = writeln!(out, "{}", line(text));
        drop(written.and_then(|()| out.flush()));
    }
}

/// A line with the time.
fn line(text: &str) -> String {
    format!("{} {}", time(clock::now()), plain(text))
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

/// Draws the table of the rings, and the gateways that failed, for a terminal of this size.
fn draw(
    manifest: &Manifest,
    rollout: &Rollout,
    now: Timestamp,
    (columns, rows): (usize, usize),
) -> io::Result<String> {
    let mut out = Vec::new();
    writeln!(
        out,
        "bundle {} ({}), {}",
        manifest.serial,
        plain(&manifest.name),
        time(now)
    )?;
    let failed: Vec<_> = rollout.failed().collect();
    let named = failed.len().min(FAILED_MAX);
    let more = failed.len() - named;
    let used = LINES_AROUND + named + usize::from(more > 0);
    let shown = choose_rings(&rollout.rings, rows.saturating_sub(used).max(1));
    draw_rings(&rollout.rings, &shown, now, columns).write(&mut out, true)?;
    if shown.len() < rollout.rings.len() {
        let (first, last) = (shown.start + 1, shown.end);
        writeln!(out, "rings {first} to {last} of {}", rollout.rings.len())?;
    }
    for site in &failed[..named] {
        writeln!(out, "{}", describe(site))?;
    }
    if more > 0 {
        writeln!(out, "and {more} more: `stockrelay fleet status` lists all")?;
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// Chooses the rings to show, at most so many: the first one that is not done, with the one before.
fn choose_rings(rings: &[RingCounts], most: usize) -> Range<usize> {
    let is_done = |ring: &&RingCounts| ring.is_due && ring.waiting + ring.applied == 0;
    let done = rings.iter().take_while(is_done).count();
    let last = rings.len().saturating_sub(most);
    let start = done.saturating_sub(1).min(last);
    start..rings.len().min(start + most)
}

fn draw_rings(rings: &[RingCounts], shown: &Range<usize>, now: Timestamp, columns: usize) -> Table {
    let is_wide = columns >= WIDE;
    let failures: &[&str] = if is_wide {
        &["rolled-back", "refused", "silent"]
    } else {
        &["failed"]
    };
    let start = ["ring", "due", "sites", "waiting", "applied", "confirmed"];
    let mut table = Table::new(&[&start, failures, &["away", "newer"]].concat());
    for index in shown.clone() {
        let ring = &rings[index];
        let due = match ring.due {
            _ if ring.is_due => "now".to_owned(),
            Due::At(due) => format!("in {}", span(seconds_since(now, due))),
            Due::AtOnce => "now".to_owned(),
        };
        let failures = if is_wide {
            vec![ring.rolled_back, ring.refused, ring.silent]
        } else {
            vec![ring.failed()]
        };
        let counts = [ring.sites, ring.waiting, ring.applied, ring.confirmed];
        let counts = (counts.into_iter())
            .chain(failures)
            .chain([ring.away, ring.newer])
            .map(|count| count.to_string());
        table.row([(index + 1).to_string(), due].into_iter().chain(counts));
    }
    table
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
        let (first, second) = text.split_once("\x1b[5F").unwrap();
        assert_eq!(first.replace('\n', "\x1b[K\n") + "\x1b[J", second);
        let mut note: Vec<u8> = Vec::new();
        progress.note("connected again", &mut note);
        let note = String::from_utf8(note).unwrap();
        assert!(note.starts_with("\x1b[5F") && note.ends_with(" connected again\x1b[K\n\x1b[J"));
        assert!(first.contains("in 1:00:00"), "{first}");
        assert!(
            first.contains("a1 (ring 1) refused: odoo is held"),
            "{first}"
        );
    }

    #[test]
    fn a_small_terminal_shows_everything_that_matters() {
        let rings = 40;
        let mut text =
            "format = 1\nserial = 42\nname = \"autumn\"\ncreated = \"2026-11-29T04:00:00Z\"\n\
                        expires = \"2027-03-01T00:00:00Z\"\n[targets]\nall = true\n"
                .to_owned();
        for ring in 1..rings {
            let ring = format!("[[ring]]\nsites = [\"a{ring}\"]\nwait_s = 120\n");
            text.push_str(&ring);
        }
        text += "[[ring]]\nall = true\n";
        let manifest = Manifest::parse_draft(&text).unwrap();
        let names: Vec<_> = (1..=30).map(|ring| format!("a{ring}")).collect();
        let state = |ring: usize| match ring {
            5..15 => "refused",
            20.. => "waiting",
            _ => "confirmed",
        };
        let states = names.iter().enumerate();
        let states: Vec<_> = states
            .map(|(index, name)| (name.as_str(), state(index + 1)))
            .collect();
        let rollout = rollout(&manifest, &states);
        let now = NOW.parse().unwrap();
        let text = draw(&manifest, &rollout, now, (80, 24)).unwrap();
        assert!(text.lines().count() < 24, "{text}");
        for line in text.lines().take_while(|line| !line.starts_with("rings ")) {
            assert!(line.chars().count() <= 80, "{line}");
        }
        assert!(
            text.contains("and 2 more: `stockrelay fleet status`"),
            "{text}"
        );
        let heading = text.lines().nth(1).unwrap();
        let words = "ring due sites waiting applied confirmed failed away newer";
        assert!(heading.split_whitespace().eq(words.split(' ')), "{heading}");
        assert!(text.contains("\nrings 19 to 29 of 40\n"), "{text}");
        let wide = draw(&manifest, &rollout, now, (120, 24)).unwrap();
        assert!(
            wide.contains("rolled-back") && wide.contains("silent"),
            "{wide}"
        );
    }
}
