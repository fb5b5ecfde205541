//! The pages: all about one device, event, document, rejected reading, alarm, order, source, key or
//! line of the log. A page is text; some of its lines open another page.

mod alarm;
mod device;
mod document;
mod event;
mod order;
mod other;
mod reading;
mod what_runs;

use std::collections::BTreeSet;

use ratatui::text::{Line, Span};

use super::data::{Data, Need, Subject};
use super::theme::{Role, Theme};
use crate::view::records::DocumentView;
use crate::view::table::plain;
use crate::view::words::Words;

/// A line of a page.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PageLine {
    pub line: Line<'static>,
    /// What Enter on the line opens.
    pub opens: Option<Subject>,
}

/// The text of a page while it is built.
pub struct PageText<'a> {
    pub data: &'a Data,
    theme: Theme,
    lines: Vec<PageLine>,
}

/// The lines of a document whose names are looked up: three codes each, within the limit of one
/// request.
const NAMED_LINES_MAX: usize = 60;
/// The width of the labels.
const LABEL_WIDTH: usize = 12;

impl PageText<'_> {
    pub fn heading(&mut self, text: impl Into<String>) {
        if !self.lines.is_empty() {
            self.lines.push(PageLine::default());
        }
        let line = Line::styled(plain(&text.into()), self.theme.text(Role::Heading));
        self.lines.push(PageLine { line, opens: None });
    }

    pub fn line(&mut self, text: impl AsRef<str>) {
        self.styled(text, Role::Plain);
    }

    pub fn styled(&mut self, text: impl AsRef<str>, role: Role) {
        let line = Line::styled(plain(text.as_ref()), self.theme.text(role));
        self.lines.push(PageLine { line, opens: None });
    }

    /// What a page shows before its data is there.
    pub fn refusal_or_loading(&mut self) {
        match &self.data.refusal {
            Some(why) => self.styled(why, Role::Bad),
            None => self.line(self.data.words.t("loading")),
        }
    }

    /// A label in the language of the person, and a value.
    pub fn value(&mut self, label: &str, value: impl AsRef<str>) {
        self.value_in(label, value, Role::Plain);
    }

    pub fn value_in(&mut self, label: &str, value: impl AsRef<str>, role: Role) {
        let label = self.data.words.t(label);
        let gap = LABEL_WIDTH.saturating_sub(Span::raw(label).width());
        let label = format!("{}{} ", plain(label), " ".repeat(gap));
        let line = Line::from(vec![
            Span::styled(label, self.theme.text(Role::Faint)),
            Span::styled(plain(value.as_ref()), self.theme.text(role)),
        ]);
        self.lines.push(PageLine { line, opens: None });
    }

    /// A line that opens another page.
    pub fn link(&mut self, text: impl AsRef<str>, opens: Subject) {
        let text = format!("▸ {}", plain(text.as_ref()));
        let line = Line::styled(text, self.theme.text(Role::Focus));
        let opens = Some(opens);
        self.lines.push(PageLine { line, opens });
    }
}

/// The title of a page.
#[must_use]
pub fn title(subject: &Subject, words: Words) -> String {
    let named = |text: &str, name: &str| words.fill(text, &[("name", &plain(name))]);
    match subject {
        Subject::Device(name) => named("Device {name}", name),
        Subject::Event(id) => match id.strip_prefix("seq:") {
            Some(seq) => named("Event {name}", seq),
            None => plain(id),
        },
        Subject::Document(number) => {
            words.fill("Document {number}", &[("number", &number.to_string())])
        }
        Subject::Rejected(number) => named("Rejected reading {name}", &number.to_string()),
        Subject::Alarm(code) => named("Alarm {name}", code),
        Subject::Order(name) => named("Order {name}", name),
        Subject::Source(name) => named("Source {name}", name),
        Subject::Configuration => words.t("Configuration").to_owned(),
        Subject::Key(key) => plain(key),
        Subject::Log(_) => words.t("Line of the log").to_owned(),
        Subject::Name(name) => plain(name),
        Subject::EventsOf(_)
        | Subject::UnusedScans
        | Subject::Todo(_)
        | Subject::Search(_)
        | Subject::Panel(..) => String::new(),
    }
}

/// Whether a subject is a list, which has no page.
#[must_use]
pub fn is_list(subject: &Subject) -> bool {
    matches!(
        subject,
        Subject::EventsOf(_) | Subject::UnusedScans | Subject::Search(_) | Subject::Panel(..)
    )
}

/// The text of a page.
#[must_use]
pub fn lines(subject: &Subject, data: &Data, theme: Theme) -> Vec<PageLine> {
    let lines = Vec::new();
    let mut text = PageText { data, theme, lines };
    match subject {
        Subject::Device(name) => device::write(&mut text, name),
        Subject::Event(id) | Subject::Name(id) => event::write(&mut text, id),
        Subject::Document(number) => document::write(&mut text, *number),
        Subject::Rejected(number) => reading::write(&mut text, *number),
        Subject::Alarm(code) => alarm::write(&mut text, code),
        Subject::Order(name) => order::write(&mut text, name),
        Subject::Source(name) => other::write_source(&mut text, name),
        Subject::Configuration => what_runs::write(&mut text),
        Subject::Key(key) => other::write_key(&mut text, key),
        Subject::Log(number) => other::write_log(&mut text, *number),
        Subject::EventsOf(_)
        | Subject::UnusedScans
        | Subject::Todo(_)
        | Subject::Search(_)
        | Subject::Panel(..) => {}
    }
    text.lines
}

/// What a page needs beyond the status.
#[must_use]
pub fn needs(subject: &Subject, data: &Data) -> Vec<Need> {
    let mut needs = match subject {
        Subject::Event(id) | Subject::Name(id) => vec![Need::Trace(id.clone())],
        Subject::Document(number) => vec![Need::Document(*number)],
        Subject::Rejected(number) => vec![Need::Reading(*number)],
        Subject::Order(_) => vec![Need::Orders],
        Subject::Device(device) => vec![Need::Events {
            device: device.clone(),
            rows: device::EVENTS_SHOWN,
        }],
        Subject::Log(_) => vec![Need::Log],
        Subject::Key(_) | Subject::Configuration => vec![Need::Config],
        Subject::Alarm(_)
        | Subject::Source(_)
        | Subject::EventsOf(_)
        | Subject::UnusedScans
        | Subject::Todo(_)
        | Subject::Search(_)
        | Subject::Panel(..) => Vec::new(),
    };
    let document = match subject {
        Subject::Document(number) => data.document(*number),
        Subject::Event(id) | Subject::Name(id) => {
            data.trace_of(id).and_then(|trace| trace.document.as_ref())
        }
        _ => None,
    };
    if let Subject::Document(number) = subject {
        // The page names the picking of the document that replaces this one.
        let detail = data.details.get(number);
        needs.extend(
            detail
                .and_then(|detail| detail.replaced_by)
                .map(Need::Document),
        );
    }
    if let Subject::Name(id) = subject
        && let Some(name) = data.trace_of(id).and_then(|trace| trace.name.as_ref())
        && !data.names.contains_key(&name.id)
    {
        needs.push(Need::Names([name.id.clone()].into()));
    }
    needs.extend(document.and_then(|document| names_of(document, data)));
    needs
}

/// The names that a document's lines need.
fn names_of(document: &DocumentView, data: &Data) -> Option<Need> {
    let mut codes = BTreeSet::new();
    for line in document.lines.iter().take(NAMED_LINES_MAX) {
        codes.insert(line.product.clone());
        codes.extend(line.from.iter().chain(&line.to).cloned());
    }
    codes.retain(|code| !data.names.contains_key(code));
    (!codes.is_empty()).then_some(Need::Names(codes))
}
