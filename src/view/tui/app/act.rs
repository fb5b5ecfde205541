//! What each key does outside of dialogs.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use ratatui::crossterm::event::KeyCode;

use super::{App, OPENED_MAX, Prompt, PromptKind, View};
use crate::view::tui::about;
use crate::view::tui::data::Subject;
use crate::view::tui::dialog::Kind;
use crate::view::tui::keys::KeyAction;
use crate::view::tui::list::{List, ListRow};
use crate::view::tui::page::OpenPage;
use crate::view::tui::panels::{EVENTS, FOUND, PANELS, UNUSED};
use crate::view::tui::period_box::PeriodBox;
use crate::view::tui::request::Request;
use crate::view::tui::wrap::Scroll;

impl App {
    pub(super) fn act(&mut self, action: KeyAction, key: KeyCode) -> Option<Request> {
        if let Some(View::Page(page)) = self.opened.last_mut()
            && (page.hold(action) || page.act(action))
        {
            return None;
        }
        match action {
            KeyAction::Quit => return Some(Request::Quit),
            KeyAction::Help => self.help = Some(Scroll::default()),
            KeyAction::Panel => {
                let digit = "1234567890".chars().position(|c| key == KeyCode::Char(c));
                self.show_panel(digit.unwrap_or(0));
            }
            KeyAction::NextPanel => self.show_panel(self.panel + 1),
            KeyAction::PreviousPanel => self.show_panel(self.panel + PANELS.len() - 1),
            KeyAction::Up => self.step(0, 1),
            KeyAction::Down => self.step(1, 0),
            KeyAction::First => self.step(0, usize::MAX),
            KeyAction::Last => self.step(usize::MAX, 0),
            KeyAction::PageUp | KeyAction::PageDown => self.act_on_page(action),
            KeyAction::Open => self.open_selected(),
            KeyAction::Back => self.go_back(),
            KeyAction::Search => self.search(),
            KeyAction::Filter => self.start_filter(),
            KeyAction::Sort | KeyAction::Reverse => {
                self.change_list(|list, _| match action {
                    KeyAction::Sort => list.sort_next(),
                    _ => list.reverse(),
                });
            }
            KeyAction::Mark => self.mark(),
            KeyAction::MarkAll => self.mark_all(),
            KeyAction::Period => {
                let window = self.data.status.window.as_ref();
                let zone = window.map_or(TimeZone::UTC, |window| window.time_zone().0);
                let period = PeriodBox::new(zone, self.data.now);
                self.dialog = Some(Kind::Period(period).into());
            }
            KeyAction::Retry
            | KeyAction::RetryAll
            | KeyAction::Edit
            | KeyAction::Discard
            | KeyAction::Undo => self.decide(action),
        }
        None
    }

    /// Shows a panel, and closes what is open above the last one.
    pub(super) fn show_panel(&mut self, panel: usize) {
        self.panel = panel % PANELS.len();
        self.opened.clear();
        self.prompt = None;
        self.sync();
    }

    /// Changes the list that has the keys, then keeps the selection on its row.
    fn change_list(&mut self, change: impl FnOnce(&mut List, &[ListRow])) {
        let rows = std::mem::take(&mut self.rows);
        if let Some(list) = self.list_mut() {
            change(list, &rows);
        }
        self.sync();
    }

    /// Moves in the page that is open.
    pub(super) fn act_on_open_page(&mut self, action: KeyAction) {
        if let Some(View::Page(page)) = self.opened.last_mut() {
            page.act(action);
        }
    }

    pub(super) fn step(&mut self, down: usize, up: usize) {
        self.change_list(|list, rows| list.step(rows, down, up));
    }

    pub(super) fn act_on_page(&mut self, action: KeyAction) {
        self.change_list(|list, rows| match action {
            KeyAction::PageUp => list.step(rows, 0, list.page),
            _ => list.step(rows, list.page, 0),
        });
    }

    pub(super) fn sort_by(&mut self, column: usize) {
        self.change_list(|list, _| list.sort_by(column));
    }

    /// Selects a row. Returns whether it was selected before.
    pub(super) fn select_row(&mut self, index: usize) -> bool {
        let was_selected = self
            .list()
            .is_some_and(|list| list.table.selected() == Some(index));
        self.change_list(|list, rows| list.select(rows, index));
        was_selected
    }

    pub(super) fn open_selected(&mut self) {
        let opens = match self.opened.last() {
            Some(View::Page(page)) => page.selected().cloned(),
            _ => self
                .selected_row()
                .map(|row| row.opens.unwrap_or(row.subject)),
        };
        if let Some(subject) = opens {
            self.open(subject);
        }
    }

    /// The selected row of the list that has the keys.
    pub(super) fn selected_row(&self) -> Option<ListRow> {
        self.list()?.selected(&self.rows).cloned()
    }

    pub(super) fn open(&mut self, subject: Subject) {
        let view = match subject {
            Subject::Panel(panel, filter) => {
                self.show_panel(panel);
                return self.filter(filter);
            }
            Subject::EventsOf(device) => View::List(List::new(&EVENTS, device)),
            Subject::UnusedScans => {
                // Those of the last time may be settled.
                self.data.forget_unused();
                View::List(List::new(&UNUSED, ""))
            }
            Subject::Search(text) => View::List(List::new(&FOUND, text)),
            subject => {
                let mut page = OpenPage::new(subject);
                let has_needs = !about::needs(&page.subject, &self.data).is_empty();
                page.held = has_needs.then(Vec::new);
                View::Page(page)
            }
        };
        self.opened.truncate(OPENED_MAX - 1);
        self.opened.push(view);
        self.sync();
    }

    /// Closes the newest view; in a panel, removes marks, then the filter.
    fn go_back(&mut self) {
        let Some(list) = self
            .list_mut()
            .filter(|list| !list.marks.is_empty() || !list.filter.is_empty())
        else {
            self.opened.pop();
            return self.sync();
        };
        if list.marks.is_empty() {
            list.filter.clear();
        } else {
            list.marks.clear();
        }
        self.sync();
    }

    fn search(&mut self) {
        // A new search replaces the open one.
        let is_open = |list: &List| std::ptr::eq(list.spec, &raw const FOUND);
        if self.list().is_some_and(is_open) {
            self.opened.pop();
        }
        self.open(Subject::Search(String::new()));
        let (kind, text) = (PromptKind::Search, String::new());
        self.prompt = Some(Prompt { kind, text });
    }

    fn start_filter(&mut self) {
        if let Some(list) = self.list() {
            let (kind, text) = (PromptKind::Filter, list.filter.clone());
            self.prompt = Some(Prompt { kind, text });
        }
    }

    fn mark(&mut self) {
        if let Some(row) = self
            .selected_row()
            .filter(|row| self.can_decide(&row.subject))
        {
            self.change_list(|list, rows| {
                list.toggle(&row.subject);
                list.step(rows, 1, 0);
            });
        }
    }

    /// Marks all rows with the reason of the selected one, or removes all marks if they are marked.
    fn mark_all(&mut self) {
        let (Some(list), Some(row)) = (self.list(), self.selected_row()) else {
            return;
        };
        let reason_of = |subject: &Subject| (list.spec.reason)(&self.data, subject);
        let Some(reason) = reason_of(&row.subject) else {
            return;
        };
        let same = self.rows.iter().map(|row| row.subject.clone());
        let same = same
            .filter(|subject| reason_of(subject).as_ref() == Some(&reason))
            .collect();
        self.change_list(|list, _| {
            list.marks = if list.marks == same {
                BTreeSet::new()
            } else {
                same
            };
        });
    }
}
