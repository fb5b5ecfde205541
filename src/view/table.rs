//! Formats text for people: aligned tables, grouped numbers, sizes, spans of time. Pure.
//!
//! Control characters that devices or Odoo sent are replaced, so that no barcode controls a
//! terminal.

use std::io::{self, Write};

use jiff::Timestamp;

/// The columns whose numbers are aligned to the right. In every other column a cell that looks like
/// a number is a name, such as an id or a barcode.
const NUMBERS: [&str; 6] = ["SEQ", "NUMBER", "LINE", "LINES", "EVENTS", "QUANTITY"];

/// Rows under headings, each column as wide as its widest cell.
#[derive(Debug, Clone, Default)]
pub struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    #[must_use]
    pub fn new(headings: &[&'static str]) -> Self {
        Self {
            headings: headings.to_vec(),
            rows: Vec::new(),
        }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows
            .push(cells.into_iter().map(|cell| plain(&cell)).collect());
    }

    /// Writes the rows. Columns of numbers are aligned to the right, all others to the left; the
    /// last column ends the line.
    pub fn write(&self, out: &mut impl Write, with_headings: bool) -> io::Result<()> {
        let mut widths: Vec<usize> = self.headings.iter().map(|h| h.chars().count()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let headings: Vec<String> = self.headings.iter().map(|h| (*h).to_owned()).collect();
        for row in with_headings
            .then_some(&headings)
            .into_iter()
            .chain(&self.rows)
        {
            let mut line = String::new();
            for ((cell, width), heading) in row.iter().zip(&widths).zip(&self.headings) {
                let gap = width.saturating_sub(cell.chars().count());
                if NUMBERS.contains(heading) && is_number(cell) {
                    line.extend(std::iter::repeat_n(' ', gap));
                    line.push_str(cell);
                } else {
                    line.push_str(cell);
                    line.extend(std::iter::repeat_n(' ', gap));
                }
                line.push_str("  ");
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

fn is_number(cell: &str) -> bool {
    !cell.is_empty()
        && cell
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b',' | b'-'))
}

/// Replaces the characters that [`is_unsafe`] names.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if is_unsafe(c) { '·' } else { c })
        .collect()
}

/// Whether a terminal must not get the character: it controls the terminal, changes the direction
/// of writing, or is invisible, so that two texts that differ look the same.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// `1,234,567`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 movement`, `2 movements`.
#[must_use]
pub fn counted(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", grouped(number))
}

/// `512 B`, `1.5 MiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1_024 {
        return format!("{bytes} B");
    }
    // Only one decimal is shown: whole tenths are exact enough.
    let mut tenths = u128::from(bytes) * 10 / 1_024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1_024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// `02:14`, `1:02:14`, `3 d 01:02`.
#[must_use]
pub fn span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes:02}:{:02}", seconds % 60),
        (0, _) => format!("{hours}:{minutes:02}:{:02}", seconds % 60),
        _ => format!("{days} d {hours:02}:{minutes:02}"),
    }
}

/// Whole seconds from `then` to `now`; 0 where the clock went back.
#[must_use]
pub fn seconds_since(then: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(now.duration_since(then).as_secs()).unwrap_or(0)
}

/// `2026-11-23T08:15:30Z`.
#[must_use]
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_only_columns_of_numbers_are_aligned_to_the_right() {
        let mut table = Table::new(&["SEQ", "ID", "WHAT"]);
        table.row(["7".into(), "pda-1".into(), "LOC-BIN-0019".into()]);
        table.row(["4711".into(), "80".into(), "4000000000556".into()]);
        let mut out = Vec::new();
        table.write(&mut out, true).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "SEQ   ID     WHAT\n   7  pda-1  LOC-BIN-0019\n4711  80     4000000000556\n"
        );
    }

    #[test]
    fn a_barcode_does_not_command_the_terminal() {
        assert_eq!(plain("a\x1b[2Jb\u{202e}c\x1d"), "a·[2Jb·c·");
    }

    #[test]
    fn numbers_sizes_and_spans_are_readable() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(counted(1, "movement"), "1 movement");
        assert_eq!(size(1_023), "1023 B");
        assert_eq!(size(1_536), "1.5 KiB");
        assert_eq!(size(1 << 30), "1.0 GiB");
        assert_eq!(size(u64::MAX), "16777215.9 TiB");
        assert_eq!(span(134), "02:14");
        assert_eq!(span(3_734), "1:02:14");
        assert_eq!(span(86_400 * 3 + 3_725), "3 d 01:02");
    }
}
