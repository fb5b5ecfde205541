//! The form that edits a parked document: its fields, the value that is being typed, then the
//! reason.

use ratatui::crossterm::event::KeyCode;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

use super::data::Data;
use super::keys::Hint;
use super::request::{Request, Shown, Step};
use super::texts::with_name;
use super::theme::{HEADING, SELECTED};
use super::typing::{WIDTH, draw_typed, type_key};
use crate::document::DocumentNumber;
use crate::event::{EventType, Field};
use crate::view::records::{DocumentView, LineView};
use crate::view::table::plain;
use crate::view::words::Words;

/// The changed lines that the last question names.
const LINES_STATED: usize = 3;
/// The codes whose names one request looks up.
const CODES_MAX: usize = 20;
/// A quantity that is so many times the old one may be a slip.
const ABSURD_FACTOR: f64 = 10.0;
/// Rows of the box that are not fields.
const OTHER_ROWS: usize = 3;

/// One field of the document, with its old and its new value.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    /// The number of its line. `None`: the order of the whole document.
    line: Option<usize>,
    name: &'static str,
    before: String,
    after: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Mode {
    Fields,
    /// Typing the value of the chosen field.
    Value(String),
    Reason {
        text: String,
        /// A person went on without a reason.
        is_missing: bool,
    },
    /// The reason is given; a person must confirm what goes to Odoo.
    Confirm(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    number: DocumentNumber,
    rows: Vec<Row>,
    row: usize,
    mode: Mode,
}

impl Edit {
    pub fn new(document: &DocumentView) -> Self {
        let kind = document.purpose.as_str();
        let row = |line, name, value: Option<&str>| Row {
            line,
            name,
            before: value.unwrap_or_default().to_owned(),
            after: value.unwrap_or_default().to_owned(),
        };
        let mut rows = Vec::new();
        let of = EventType::named(kind);
        if of.is_some_and(|of| of.takes(Field::Order)) {
            rows.push(row(None, "order", document.order.as_deref()));
        }
        let fields = of.map(EventType::fields_of_line).unwrap_or_default();
        for (place, line) in document.lines.iter().enumerate() {
            let number = Some(place + 1);
            for field in &fields {
                rows.push(row(number, field.name(), value(line, *field)));
                if *field == Field::Product {
                    rows.push(row(number, "quantity", Some(&line.quantity.to_string())));
                }
            }
        }
        Self {
            number: document.number,
            rows,
            row: 0,
            mode: Mode::Fields,
        }
    }

    pub fn press(&mut self, key: KeyCode) -> Step {
        match (&mut self.mode, key) {
            (Mode::Fields, KeyCode::Esc) => return Step::Close,
            (Mode::Fields, KeyCode::Up | KeyCode::Char('k')) => {
                self.row = self.row.saturating_sub(1);
            }
            (Mode::Fields, KeyCode::Down | KeyCode::Char('j')) => {
                self.row = (self.row + 1).min(self.rows.len().saturating_sub(1));
            }
            (Mode::Fields, KeyCode::Enter) => {
                if let Some(row) = self.rows.get(self.row) {
                    self.mode = Mode::Value(row.after.clone());
                }
            }
            (Mode::Fields, KeyCode::Char('s')) => {
                self.mode = Mode::Reason {
                    text: String::new(),
                    is_missing: false,
                };
            }
            (Mode::Value(_) | Mode::Reason { .. } | Mode::Confirm(_), KeyCode::Esc)
            | (Mode::Confirm(_), KeyCode::Char('n' | 'N')) => self.mode = Mode::Fields,
            (Mode::Confirm(reason), KeyCode::Char('y' | 'Y')) => {
                let reason = reason.clone();
                let (number, body) = (self.number, self.build_body(&reason));
                return Step::Done(Request::Edit { number, body });
            }
            (Mode::Fields | Mode::Confirm(_), _) => {}
            (Mode::Value(text), KeyCode::Enter) => {
                self.rows[self.row].after = text.trim().to_owned();
                self.mode = Mode::Fields;
            }
            (Mode::Reason { text, is_missing }, KeyCode::Enter) => {
                let reason = text.trim().to_owned();
                *is_missing = reason.is_empty();
                if !reason.is_empty() {
                    self.mode = Mode::Confirm(reason);
                }
            }
            (Mode::Value(text) | Mode::Reason { text, .. }, key) => type_key(text, key),
        }
        Step::Stay
    }

    /// Builds the request to the control API from the changed fields. An empty value clears its
    /// field.
    fn build_body(&self, reason: &str) -> Value {
        let mut body = json!({ "reason": reason });
        let mut lines: Vec<(usize, Map<String, Value>)> = Vec::new();
        for row in self.rows.iter().filter(|row| row.before != row.after) {
            let value = match row.after.as_str() {
                "" => Value::Null,
                text => text.into(),
            };
            let Some(number) = row.line else {
                body[row.name] = value;
                continue;
            };
            if lines.last().is_none_or(|(last, _)| *last != number) {
                let line = Map::from_iter([("line".to_owned(), json!(number))]);
                lines.push((number, line));
            }
            if let Some((_, line)) = lines.last_mut() {
                line.insert(row.name.to_owned(), value);
            }
        }
        body["lines"] = lines.into_iter().map(|(_, line)| line).collect();
        body
    }

    /// The code of a product or a location that a person types.
    fn typed_code(&self) -> Option<&str> {
        let Mode::Value(text) = &self.mode else {
            return None;
        };
        let row = self.rows.get(self.row)?;
        let is_named = ["product", "from", "to"].contains(&row.name);
        Some(text.trim()).filter(|text| is_named && !text.is_empty())
    }

    /// The codes whose names the box shows: the typed one, or those of the lines that go to Odoo.
    pub fn codes(&self) -> Vec<&str> {
        if !matches!(self.mode, Mode::Confirm(_)) {
            return self.typed_code().into_iter().collect();
        }
        let rows = self.rows.iter().filter(|row| {
            let is_changed = |other: &Row| other.line == row.line && other.before != other.after;
            ["product", "from", "to"].contains(&row.name) && self.rows.iter().any(is_changed)
        });
        let codes = rows.map(|row| row.after.as_str());
        codes
            .filter(|code| !code.is_empty())
            .take(CODES_MAX)
            .collect()
    }

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

    /// Draws the fields that fit on the screen, around the selected one.
    pub fn show(&self, screen: usize, data: &Data) -> Shown {
        let room = screen.saturating_sub(OTHER_ROWS + 2).max(1);
        let first = (self.row + 1).saturating_sub(room);
        let mut lines: Vec<Line> = (self.rows.iter().enumerate())
            .skip(first)
            .take(room)
            .map(|(place, row)| self.draw_field(place, row, first, data.words))
            .collect();
        lines.push(Line::default());
        let words = data.words;
        let hint = |key, shown, what: &str| Hint::new(key, shown, words.t(what));
        let hints = match &self.mode {
            Mode::Fields => {
                let effect = "A corrected document replaces this one, which stays in the history.";
                lines.push(Line::from(words.t(effect).to_owned()));
                vec![
                    hint(KeyCode::Down, "↓", "next"),
                    hint(KeyCode::Up, "↑", "previous"),
                    hint(KeyCode::Enter, "Enter", "change"),
                    hint(KeyCode::Char('s'), "s", "send"),
                    hint(KeyCode::Esc, "Esc", "cancel"),
                ]
            }
            Mode::Value(text) => {
                lines.push(draw_typed(text, true));
                let meaning = self.describe_typed(data);
                lines.push(Line::from(meaning.unwrap_or_default()));
                vec![
                    hint(KeyCode::Enter, "Enter", "set"),
                    hint(
                        KeyCode::Esc,
                        "Esc",
                        "cancel; an empty value clears the field",
                    ),
                ]
            }
            Mode::Confirm(_) => {
                // The question needs the room of the fields.
                lines.clear();
                lines.extend(self.describe_effect(data));
                vec![
                    hint(KeyCode::Char('y'), "y", "send"),
                    hint(KeyCode::Char('n'), "n", "back"),
                ]
            }
            Mode::Reason { text, is_missing } => {
                let why = if *is_missing {
                    "Give a reason. It is stored with both documents."
                } else {
                    "Why? The reason is stored with both documents."
                };
                lines.push(Line::from(words.t(why).to_owned()));
                lines.push(draw_typed(text, true));
                vec![
                    hint(KeyCode::Enter, "Enter", "continue"),
                    hint(KeyCode::Esc, "Esc", "back"),
                ]
            }
        };
        let number = self.number.to_string();
        let title = words.fill("Edit document {number}", &[("number", &number)]);
        Shown {
            title,
            lines,
            hints,
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
        let numbers: BTreeSet<usize> = (self.rows.iter())
            .filter(|row| row.before != row.after)
            .filter_map(|row| row.line)
            .collect();
        for number in numbers.iter().take(LINES_STATED) {
            let field = |name: &str| {
                let mut rows = self.rows.iter();
                let row = rows.find(|row| row.line == Some(*number) && row.name == name)?;
                Some(row.after.as_str()).filter(|value| !value.is_empty())
            };
            let product = with_name(field("product").unwrap_or_default(), data);
            let quantity = field("quantity").unwrap_or("0");
            let values = [("quantity", quantity), ("product", &product)];
            let mut what = words.fill("{quantity} of {product}", &values);
            for name in ["lot", "package", "from", "to"] {
                if let Some(value) = field(name) {
                    what = format!("{what} {} {}", words.t(name), with_name(value, data));
                }
            }
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
        if self.rows.iter().all(|row| row.before == row.after) {
            lines.push(Line::from(words.t("Nothing is changed.").to_owned()));
        }
        lines.push(Line::default());
        lines.push(Line::from(words.t("Send it?").to_owned()));
        lines
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
        let value = if row.before == row.after {
            plain(&row.after)
        } else {
            let or_none = |text: &str| match text {
                "" => words.t("none").to_owned(),
                text => plain(text),
            };
            format!("{} → {}", or_none(&row.before), or_none(&row.after))
        };
        let value: String = value.chars().take(usize::from(WIDTH) - 26).collect();
        let (mark, style) = match (place == self.row, row.before == row.after) {
            (true, _) => ("> ", SELECTED),
            (false, true) => ("  ", Style::new()),
            (false, false) => ("  ", HEADING),
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
    let number = |text: &str| text.replace(',', ".").parse::<f64>().ok();
    let (Some(before), Some(after)) = (number(&row.before), number(&row.after)) else {
        return false;
    };
    row.name == "quantity" && before > 0.0 && after >= before * ABSURD_FACTOR
}

/// The value of a text field of a line. `None`: the line does not have it.
fn value(line: &LineView, field: Field) -> Option<&str> {
    match field {
        Field::Product => Some(&line.product),
        Field::From => line.from.as_deref(),
        Field::To => line.to.as_deref(),
        Field::Lot => line.lot.as_deref(),
        Field::Package => line.package.as_deref(),
        Field::Owner => line.owner.as_deref(),
        Field::Expiry => line.expiry.as_deref(),
        Field::BestBefore => line.best_before.as_deref(),
        _ => None,
    }
}
