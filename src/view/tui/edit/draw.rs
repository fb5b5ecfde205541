//! Draws the form that edits a parked document.

use std::collections::BTreeSet;

use ratatui::crossterm::event::KeyCode;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{Edit, Mode, QUANTITY, Row};
use crate::view::table::plain;
use crate::view::tui::data::Data;
use crate::view::tui::keys::Hint;
use crate::view::tui::parts::cut;
use crate::view::tui::request::Shown;
use crate::view::tui::texts::with_name;
use crate::view::tui::theme::{HEADING, SELECTED};
use crate::view::tui::typing::{WIDTH, draw_typed};
use crate::view::words::Words;

/// The changed lines that the last question names.
const LINES_STATED: usize = 3;
/// A quantity that is so many times the old one may be a slip.
const ABSURD_FACTOR: f64 = 10.0;
/// Rows of the box that are not fields.
const OTHER_ROWS: usize = 3;

impl Edit {
    /// What the typed code means. `None`: the field has no code, or the daemon has not answered.
    fn describe_typed(&self, data: &Data) -> Option<String> {
        let code = self.typed_code()?;
        Some(match data.names.get(code)? {
            Some(name) => format!("   {}", plain(name)),
            None => format!(
                "   {}",
                data.words
                    .t("no product or location of this site has this code")
            ),
        })
    }

    /// Draws the fields that fit on the screen, around the selected one, and what the mode asks.
    pub fn show(&self, screen: usize, data: &Data) -> Shown {
        let words = data.words;
        let lines = match &self.mode {
            Mode::Fields => {
                let effect = "A corrected document replaces this one, which stays in the history.";
                self.draw_fields(screen, words, [Line::from(words.t(effect).to_owned())])
            }
            Mode::Value(text) => {
                let meaning = self.describe_typed(data).unwrap_or_default();
                let below = [draw_typed(text, true), Line::from(meaning)];
                self.draw_fields(screen, words, below)
            }
            // The question needs the room of the fields.
            Mode::Confirm => self.describe_effect(data),
            Mode::Reason => {
                let why = "Why? The reason is stored with both documents.";
                let why = Line::from(words.t(why).to_owned());
                self.draw_fields(screen, words, [why, draw_typed(&self.reason, true)])
            }
        };
        let number = self.number.to_string();
        Shown {
            title: words.fill("Edit document {number}", &[("number", &number)]),
            lines,
            fault: self.fault.as_ref().map(|fault| fault.describe(words)),
            hints: self.hints(words),
        }
    }

    fn draw_fields<const N: usize>(
        &self,
        screen: usize,
        words: Words,
        below: [Line<'static>; N],
    ) -> Vec<Line<'static>> {
        let room = screen.saturating_sub(OTHER_ROWS + 2).max(1);
        let first = (self.row + 1).saturating_sub(room);
        let rows = self.rows.iter().enumerate().skip(first).take(room);
        let fields = rows.map(|(place, row)| self.draw_field(place, row, first, words));
        fields.chain([Line::default()]).chain(below).collect()
    }

    fn hints(&self, words: Words) -> Vec<Hint> {
        let hint = |key, shown, what: &str| Hint::new(key, shown, words.t(what));
        match &self.mode {
            Mode::Fields => vec![
                hint(KeyCode::Down, "↓", "next"),
                hint(KeyCode::Up, "↑", "previous"),
                hint(KeyCode::Enter, "Enter", "change"),
                hint(KeyCode::Char('s'), "s", "send"),
                hint(KeyCode::Esc, "Esc", "cancel"),
            ],
            Mode::Value(_) => {
                let is_needed = self.rows.get(self.row).is_some_and(|row| row.is_needed);
                let cancel = if is_needed {
                    "cancel"
                } else {
                    "cancel; an empty value clears the field"
                };
                vec![
                    hint(KeyCode::Enter, "Enter", "set"),
                    Hint::new(KeyCode::Esc, "Esc", words.t(cancel)),
                ]
            }
            Mode::Confirm => vec![
                hint(KeyCode::Char('y'), "y", "send"),
                hint(KeyCode::Char('n'), "n", "back"),
            ],
            Mode::Reason => vec![
                hint(KeyCode::Enter, "Enter", "continue"),
                hint(KeyCode::Esc, "Esc", "back"),
            ],
        }
    }

    /// What goes to Odoo after the edit, and what looks wrong about it.
    fn describe_effect(&self, data: &Data) -> Vec<Line<'static>> {
        let words = data.words;
        let mut lines = vec![Line::from(
            words
                .t("This goes to Odoo as soon as Odoo can be reached:")
                .to_owned(),
        )];
        for row in self
            .rows
            .iter()
            .filter(|row| row.line.is_none() && row.is_changed())
        {
            let value = match row.after.as_str() {
                "" => words.t("none").to_owned(),
                value => plain(value),
            };
            let change = format!("  {}: {value}", words.t(row.name));
            lines.push(Line::styled(change, HEADING));
        }
        let numbers: BTreeSet<usize> = (self.rows.iter())
            .filter(|row| row.is_changed())
            .filter_map(|row| row.line)
            .collect();
        for number in numbers.iter().take(LINES_STATED) {
            let what = self.describe_line(*number, data);
            lines.push(Line::styled(format!("  {}", plain(&what)), HEADING));
        }
        let others = self
            .lines_count()
            .saturating_sub(numbers.len().min(LINES_STATED)) as u64;
        if others > 0 {
            let others = words.count(others, "and {n} other line", "and {n} other lines");
            lines.push(Line::from(format!("  {others}")));
        }
        for row in self.rows.iter().filter(|row| is_absurd(row)) {
            let values = [("after", row.after.as_str()), ("before", &row.before)];
            let warning = words.fill(
                "! The quantity is {after}, it was {before}: check it.",
                &values,
            );
            lines.push(Line::styled(plain(&warning), HEADING));
        }
        if !self.rows.iter().any(Row::is_changed) {
            lines.push(Line::from(words.t("Nothing is changed.").to_owned()));
        }
        lines.push(Line::default());
        lines.push(Line::from(words.t("Send it?").to_owned()));
        lines
    }

    /// What a line moves after the edit.
    fn describe_line(&self, number: usize, data: &Data) -> String {
        let words = data.words;
        let field = |name: &str| {
            let mut rows = self.rows.iter();
            let row = rows.find(|row| row.line == Some(number) && row.name == name)?;
            Some(row.after.as_str()).filter(|value| !value.is_empty())
        };
        let product = with_name(field("product").unwrap_or_default(), data);
        let quantity = field(QUANTITY).unwrap_or("0");
        let values = [("quantity", quantity), ("product", &product)];
        let mut what = words.fill("{quantity} of {product}", &values);
        for name in ["lot", "package", "from", "to"] {
            if let Some(value) = field(name) {
                what = format!("{what} {} {}", words.t(name), with_name(value, data));
            }
        }
        what
    }

    fn lines_count(&self) -> usize {
        let last = self.rows.last().and_then(|row| row.line);
        last.unwrap_or(0)
    }

    fn draw_field(&self, place: usize, row: &Row, first: usize, words: Words) -> Line<'static> {
        // The number of the line appears at its first field, and at the top of the screen.
        let begins = place == first || self.rows[place - 1].line != row.line;
        let line = match row.line {
            Some(number) if begins || place == self.row => {
                words.fill("line {number}", &[("number", &number.to_string())])
            }
            _ => String::new(),
        };
        let value = if row.is_changed() {
            let or_none = |text: &str| match text {
                "" => words.t("none").to_owned(),
                text => plain(text),
            };
            format!("{} → {}", or_none(&row.before), or_none(&row.after))
        } else {
            plain(&row.after)
        };
        let value = cut(&value, usize::from(WIDTH) - 26);
        let (mark, style) = match (place == self.row, row.is_changed()) {
            (true, _) => ("> ", SELECTED),
            (false, true) => ("  ", HEADING),
            (false, false) => ("  ", Style::new()),
        };
        Line::from(vec![
            Span::raw(mark),
            Span::raw(format!("{line:<9}")),
            Span::styled(format!("{:<9}", words.t(row.name)), style),
            Span::raw(format!("  {value}")),
        ])
    }
}

/// Whether a quantity is so much larger than before that it may be a slip.
fn is_absurd(row: &Row) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    let (Some(before), Some(after)) = (number(&row.before), number(&row.after)) else {
        return false;
    };
    row.name == QUANTITY && before > 0.0 && after >= before * ABSURD_FACTOR
}
