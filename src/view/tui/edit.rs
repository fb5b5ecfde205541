//! The form that edits a parked document: its fields, the value that is being typed, then the
//! reason. A value that the gateway would refuse stays in the form, with what is wrong about it.

mod draw;
mod fault;

use ratatui::crossterm::event::KeyCode;
use serde_json::{Map, Value, json};

use self::fault::EditFault;
use super::request::{Request, Step};
use super::typing::type_key;
use crate::document::DocumentNumber;
use crate::event::{EventType, Field};
use crate::reason::ReasonCode;
use crate::view::records::{DocumentView, LineView};

/// The codes whose names one request looks up.
const CODES_MAX: usize = 20;
const ORDER: &str = "order";
const QUANTITY: &str = "quantity";

/// One field of the document, with its old and its new value.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    /// The number of its line. `None`: the order of the whole document.
    line: Option<usize>,
    name: &'static str,
    before: String,
    after: String,
    /// The document needs a value of this field.
    is_needed: bool,
}

impl Row {
    fn is_changed(&self) -> bool {
        self.before != self.after
    }

    /// Whether the value is the code of a product or a location.
    fn is_code(&self) -> bool {
        ["product", "from", "to"].contains(&self.name)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Mode {
    Fields,
    /// Typing the value of the chosen field.
    Value(String),
    /// Typing the reason.
    Reason,
    /// The reason is given; a person must confirm what goes to Odoo.
    Confirm,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    number: DocumentNumber,
    /// The type of the document: `transfer`, `pick`, ...
    kind: String,
    /// Unchanged, the document is created again: a user has cancelled it in Odoo.
    takes_no_change: bool,
    rows: Vec<Row>,
    row: usize,
    mode: Mode,
    reason: String,
    /// Why the last key had no effect.
    fault: Option<EditFault>,
}

impl Edit {
    pub fn new(document: &DocumentView) -> Self {
        let of = EventType::named(&document.purpose);
        let reason = document.reason.as_ref();
        Self {
            number: document.number,
            kind: document.purpose.clone(),
            takes_no_change: reason
                .is_some_and(|reason| reason.code == ReasonCode::CancelledInOdoo),
            rows: of.map_or(Vec::new(), |of| rows_of(document, of)),
            row: 0,
            mode: Mode::Fields,
            reason: String::new(),
            fault: None,
        }
    }

    pub fn press(&mut self, key: KeyCode) -> Step {
        self.fault = None;
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
            (Mode::Fields, KeyCode::Char('s')) => match self.find_fault() {
                None => self.mode = Mode::Reason,
                fault => self.fault = fault,
            },
            (Mode::Value(_) | Mode::Reason | Mode::Confirm, KeyCode::Esc)
            | (Mode::Confirm, KeyCode::Char('n' | 'N')) => self.mode = Mode::Fields,
            (Mode::Confirm, KeyCode::Char('y' | 'Y')) => {
                let (number, body) = (self.number, self.build_body());
                return Step::Done(Request::Edit { number, body });
            }
            (Mode::Fields | Mode::Confirm, _) => {}
            (Mode::Value(_), KeyCode::Enter) => self.set_value(),
            (Mode::Reason, KeyCode::Enter) if self.reason.trim().is_empty() => {
                self.fault = Some(EditFault::NoReason);
            }
            (Mode::Reason, KeyCode::Enter) => self.mode = Mode::Confirm,
            (Mode::Value(text), key) => type_key(text, key),
            (Mode::Reason, key) => type_key(&mut self.reason, key),
        }
        Step::Stay
    }

    /// Takes over the typed value. One that the gateway would refuse stays, with its fault.
    fn set_value(&mut self) {
        let (Mode::Value(text), Some(row)) = (&self.mode, self.rows.get_mut(self.row)) else {
            return;
        };
        let text = text.trim();
        // The old value may be what a person has to leave as it is.
        self.fault = (text != row.before)
            .then(|| fault::of_value(row, text))
            .flatten();
        if self.fault.is_none() {
            text.clone_into(&mut row.after);
            self.mode = Mode::Fields;
        }
    }

    /// Why the document cannot be sent as it is now.
    fn find_fault(&self) -> Option<EditFault> {
        if !self.takes_no_change && !self.rows.iter().any(Row::is_changed) {
            return Some(EditFault::Unchanged);
        }
        let quantities = self.rows.iter().filter(|row| row.name == QUANTITY);
        let mut quantities = quantities.peekable();
        let is_removed = |row: &Row| fault::is_zero(&row.after);
        // In a count, 0 means that nothing was found.
        let has_none = self.kind != "count" && quantities.peek().is_some();
        (has_none && quantities.all(is_removed)).then_some(EditFault::NothingLeft)
    }

    /// Shows the fields again, after the gateway has refused the edit.
    pub fn reopen(&mut self) {
        self.mode = Mode::Fields;
    }

    /// Whether the box asks for the last confirmation.
    pub fn is_confirming(&self) -> bool {
        self.mode == Mode::Confirm
    }

    /// Builds the request to the control API from the changed fields. An empty value clears its
    /// field.
    fn build_body(&self) -> Value {
        let mut body = json!({ "reason": self.reason.trim() });
        let mut lines: Vec<(usize, Map<String, Value>)> = Vec::new();
        for row in self.rows.iter().filter(|row| row.is_changed()) {
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
        Some(text.trim()).filter(|text| row.is_code() && !text.is_empty())
    }

    /// The codes whose names the box shows: the typed one, or those of the lines that go to Odoo.
    pub fn codes(&self) -> Vec<&str> {
        if self.mode != Mode::Confirm {
            return self.typed_code().into_iter().collect();
        }
        let rows = self.rows.iter().filter(|row| {
            let is_changed = |other: &Row| other.line == row.line && other.is_changed();
            row.is_code() && self.rows.iter().any(is_changed)
        });
        let codes = rows.map(|row| row.after.as_str());
        codes
            .filter(|code| !code.is_empty())
            .take(CODES_MAX)
            .collect()
    }
}

/// The fields of a document of this type that a person can change.
fn rows_of(document: &DocumentView, of: &EventType) -> Vec<Row> {
    let row = |line, name, value: Option<&str>, is_needed| Row {
        line,
        name,
        before: value.unwrap_or_default().to_owned(),
        after: value.unwrap_or_default().to_owned(),
        is_needed,
    };
    let mut rows = Vec::new();
    if of.takes(Field::Order) {
        let is_needed = of.required().any(|field| field == Field::Order);
        rows.push(row(None, ORDER, document.order.as_deref(), is_needed));
    }
    for (place, line) in document.lines.iter().enumerate() {
        let number = Some(place + 1);
        for field in of.fields_of_line() {
            let is_needed = of.needs_in_line(field);
            rows.push(row(number, field.name(), value(line, field), is_needed));
            if field == Field::Product {
                let quantity = line.quantity.to_string();
                rows.push(row(number, QUANTITY, Some(&quantity), true));
            }
        }
    }
    rows
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

#[cfg(test)]
mod tests;
