//! What the screen shows, and what keys and the mouse change. Pure: times, updates, keys and clicks
//! come in, requests and needs go out.
//!
//! A panel is a list. Enter opens a page or another list above it, Esc closes the newest one.

mod act;
mod deciding;
mod mouse;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;

use super::about;
use super::data::{Data, Need, Update};
use super::dialog::Dialog;
use super::keys::{self, KeyAction};
use super::list::{List, ListRow};
use super::page::OpenPage;
use super::panels::{OVERVIEW, PANELS, PARKED};
use super::period::Period;
use super::request::{Outcome, Request, Step};
use super::theme::Theme;
use super::typing::{CLEAR, type_key};
use super::wrap::Scroll;

pub use mouse::{Click, Target};

/// The limit of views above a panel; a further one replaces the newest.
const OPENED_MAX: usize = 50;

#[derive(Debug, Clone)]
pub enum View {
    List(List),
    Page(OpenPage),
}

/// A text that a person types in the bottom line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    pub kind: PromptKind,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptKind {
    Filter,
    Search,
}

/// How the last poll of the daemon ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contact {
    /// With an answer, or there was none yet.
    Answers,
    /// The daemon takes requests, and does not answer for some time.
    Silent,
    /// There is no daemon to ask; the text is the reason.
    Lost(String),
}

#[derive(Debug)]
pub struct App {
    pub socket: PathBuf,
    pub theme: Theme,
    /// Decisions are refused.
    pub is_read_only: bool,
    /// What the key `q` does, for the help.
    pub quit: &'static str,
    pub data: Data,
    /// What the sentence counts.
    pub period: Period,
    pub contact: Contact,
    /// When the screen was opened. `None`: it was not drawn yet.
    pub(super) begun: Option<Timestamp>,
    /// The terminal is too small to show anything, as last drawn.
    pub(super) is_too_small: bool,
    pub panel: usize,
    /// One for each panel.
    pub(super) lists: Vec<List>,
    /// The views that are open above the panel; the newest has the keys.
    pub(super) opened: Vec<View>,
    /// The rows of the list that has the keys, and how many there are without its filter.
    pub(super) rows: Vec<ListRow>,
    pub(super) loaded: usize,
    pub(super) help: Option<Scroll>,
    pub dialog: Option<Dialog>,
    pub prompt: Option<Prompt>,
    /// The result of the last request; the next key removes it.
    pub notice: Option<String>,
    /// The screen is large enough to show the page of the selected row beside the list, as last
    /// drawn.
    pub(super) has_preview: bool,
    /// Where the mouse can click, as last drawn; the last ones are on top.
    pub(super) targets: Vec<(Rect, Target)>,
}

impl App {
    #[must_use]
    pub fn new(socket: &Path, theme: Theme) -> Self {
        Self {
            socket: socket.to_owned(),
            theme,
            is_read_only: false,
            quit: keys::QUIT,
            data: Data::default(),
            period: Period::default(),
            contact: Contact::Answers,
            begun: None,
            is_too_small: false,
            panel: 0,
            lists: PANELS.iter().map(|spec| List::new(spec, "")).collect(),
            opened: Vec::new(),
            rows: Vec::new(),
            loaded: 0,
            help: None,
            dialog: None,
            prompt: None,
            notice: None,
            has_preview: false,
            targets: Vec::new(),
        }
    }

    pub fn tick(&mut self, now: Timestamp) {
        self.data.now = now;
        self.begun.get_or_insert(now);
        if let Some(dialog) = &mut self.dialog {
            dialog.tick(now);
        }
        self.sync();
    }

    pub fn update(&mut self, update: Update, now: Timestamp) {
        match update {
            Update::Gateway(status, answers) => {
                self.contact = Contact::Answers;
                let page_need = self.page_need();
                let is_to = |need: &Need| answers.iter().any(|answer| answer.is_to(need));
                let is_page_read = page_need.is_some_and(|need| is_to(&need));
                self.data.take(*status, answers, now);
                self.sync();
                if is_page_read {
                    self.fill_page();
                }
            }
            Update::Silent => self.contact = Contact::Silent,
            Update::NoAnswer(why) => self.contact = Contact::Lost(why),
        }
    }

    /// What the open page needs first. `None`: it has that already, or no page is open.
    fn page_need(&self) -> Option<Need> {
        match self.opened.last() {
            Some(View::Page(page)) if page.held.is_some() => {
                about::needs(&page.subject, &self.data).into_iter().next()
            }
            _ => None,
        }
    }

    /// Gives the page its first answer, then the keys that waited for it.
    fn fill_page(&mut self) {
        let Some(View::Page(page)) = self.opened.last_mut() else {
            return;
        };
        page.arrange(&self.data, self.theme);
        for action in page.held.take().unwrap_or_default() {
            match action {
                KeyAction::Open => return self.open_selected(),
                action => self.act_on_open_page(action),
            }
        }
    }

    /// Shows the answer to a request: a refusal in the dialog that has sent the request, if the
    /// dialog is still open.
    pub fn finish(&mut self, request: &Request, outcome: Outcome) {
        let is_of = |dialog: &Dialog| dialog.awaits(request);
        let dialog = self.dialog.take_if(|dialog| is_of(dialog));
        match (outcome, dialog) {
            (Outcome::Done { notice, decided }, _) => {
                self.notice = Some(notice);
                for subject in &decided {
                    self.data.note_decision(subject);
                }
                self.sync();
            }
            (Outcome::Refused(why), Some(mut dialog)) => {
                dialog.refuse(why);
                self.dialog = Some(dialog);
            }
            (Outcome::Refused(why), None) => self.notice = Some(why),
        }
    }

    /// What the feed has to read: the period of the status, and what the open view needs.
    #[must_use]
    pub fn wanted(&self) -> (Period, Vec<Need>) {
        (self.period, self.needs())
    }

    /// What the open view needs beyond the status.
    #[must_use]
    pub fn needs(&self) -> Vec<Need> {
        let mut needs = match self.opened.last() {
            Some(View::Page(page)) => about::needs(&page.subject, &self.data),
            Some(View::List(list)) => list.need().into_iter().collect(),
            None => self.lists[self.panel].need().into_iter().collect(),
        };
        if self.panel == OVERVIEW && self.opened.is_empty() {
            if let Some(Need::Parked { rows }) = needs.first_mut() {
                // The panel of parked documents keeps the rows that it has.
                *rows = self.lists[PARKED].loads.max(*rows);
            }
            needs.extend(
                (self.data.status.events.rejected_open > 0).then_some(Need::OldestRejected),
            );
        }
        if self.has_preview
            && self.list().is_some()
            && let Some(subject) = self.subject()
        {
            needs.extend(about::needs(&subject, &self.data));
        }
        let codes = self.dialog.as_ref().map(Dialog::codes);
        let is_unknown = |code: &&str| !self.data.names.contains_key(*code);
        let codes = codes.unwrap_or_default().into_iter().filter(is_unknown);
        let codes: BTreeSet<String> = codes.map(str::to_owned).collect();
        if !codes.is_empty() {
            needs.push(Need::Names(codes));
        }
        needs.extend(self.data.needs_of_outcomes());
        needs
    }

    /// Builds the rows of the list that has the keys, and keeps its selection on its row.
    fn sync(&mut self) {
        (self.rows, self.loaded) = (Vec::new(), 0);
        if self.data.answered.is_none() {
            return;
        }
        let list = match self.opened.last_mut() {
            Some(View::List(list)) => list,
            Some(View::Page(_)) => return,
            None => &mut self.lists[self.panel],
        };
        let rows = (list.spec.rows)(&self.data, &list.of);
        self.loaded = rows.len();
        self.rows = list.arrange(rows);
        list.sync(&self.rows, self.loaded);
    }

    /// The list that has the keys. `None`: a page has them.
    #[must_use]
    pub fn list(&self) -> Option<&List> {
        match self.opened.last() {
            Some(View::List(list)) => Some(list),
            Some(View::Page(_)) => None,
            None => Some(&self.lists[self.panel]),
        }
    }

    pub(super) fn list_mut(&mut self) -> Option<&mut List> {
        match self.opened.last_mut() {
            Some(View::List(list)) => Some(list),
            Some(View::Page(_)) => None,
            None => Some(&mut self.lists[self.panel]),
        }
    }

    /// Handles a key. Returns a request for the caller to carry out.
    pub fn press(&mut self, key: KeyEvent) -> Option<Request> {
        self.notice = None;
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        let key = match (is_control, key.code) {
            (true, KeyCode::Char('c')) => return Some(Request::Quit),
            (true, KeyCode::Char('u')) => CLEAR,
            (true, KeyCode::Char(_)) => return None,
            (_, code) => code,
        };
        if self.is_too_small {
            return self.press_unseen(key);
        }
        if let Some(dialog) = &mut self.dialog {
            let step = dialog.press(key);
            if matches!(step, Step::Close | Step::Period(_)) {
                self.dialog = None;
            }
            return match step {
                Step::Done(request) => Some(request),
                Step::Period(period) => {
                    self.period = period;
                    None
                }
                Step::Stay | Step::Close => None,
            };
        }
        if let Some(scroll) = &mut self.help {
            if !scroll.press(key) {
                self.help = None;
            }
            let is_quit = keys::action_of(key) == Some(KeyAction::Quit);
            return is_quit.then_some(Request::Quit);
        }
        if self.prompt.is_some() {
            self.press_in_prompt(key);
            return None;
        }
        self.act(keys::action_of(key)?, key)
    }

    /// Handles a key while the terminal is too small: nothing is visible that a key could change.
    fn press_unseen(&mut self, key: KeyCode) -> Option<Request> {
        match keys::action_of(key)? {
            KeyAction::Quit => Some(Request::Quit),
            KeyAction::Help => {
                self.help = match self.help {
                    Some(_) => None,
                    None => Some(Scroll::default()),
                };
                None
            }
            _ => None,
        }
    }

    fn press_in_prompt(&mut self, key: KeyCode) {
        let Some(prompt) = &mut self.prompt else {
            return;
        };
        let kind = prompt.kind;
        match key {
            KeyCode::Up => self.step(0, 1),
            KeyCode::Down => self.step(1, 0),
            KeyCode::PageUp => self.act_on_page(KeyAction::PageUp),
            KeyCode::PageDown => self.act_on_page(KeyAction::PageDown),
            KeyCode::Enter => {
                self.prompt = None;
                if kind == PromptKind::Search {
                    self.open_selected();
                }
            }
            KeyCode::Esc => {
                self.prompt = None;
                match kind {
                    PromptKind::Search => drop(self.opened.pop()),
                    PromptKind::Filter => self.filter(String::new()),
                }
            }
            key => {
                type_key(&mut prompt.text, key);
                let text = prompt.text.clone();
                match (kind, self.list_mut()) {
                    (PromptKind::Search, Some(list)) => {
                        *list = List::new(list.spec, text);
                    }
                    _ => self.filter(text),
                }
                self.sync();
            }
        }
    }

    fn filter(&mut self, text: String) {
        if let Some(list) = self.list_mut() {
            list.filter = text;
        }
        self.sync();
    }
}

#[cfg(test)]
mod tests;
