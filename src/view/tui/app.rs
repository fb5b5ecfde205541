//! What the screen shows, and what keys change. Pure: times, updates and keys come in, requests go
//! out.

mod opened;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::widgets::TableState;

use super::detail::Detail;
use super::dialog::Dialog;
use super::discard::Discard;
use super::edit::Edit;
use super::keys::{self, KeyAction};
use super::request::{Request, Step};
use super::retry::Retry;
use super::settle::{Correct, Dismiss, Resend};
use super::theme::Theme;
use super::typing::CLEAR;
use super::wrap::Scroll;
use crate::view::records::{DocumentView, RejectedView};
use crate::view::snapshot::Status;

/// The number of rates that the curve shows: one for each second.
const RATES_KEPT: usize = 240;
/// Rows of one page up or down.
const PAGE: usize = 10;

/// The result of one poll of the daemon.
#[derive(Debug, Clone, PartialEq)]
pub enum Update {
    Gateway(Box<Snapshot>),
    /// No answer; the text is the reason.
    NoAnswer(String),
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    pub status: Status,
    /// The newest first.
    pub documents: Vec<DocumentView>,
    /// The oldest first.
    pub parked: Vec<DocumentView>,
    /// Open rejected readings, the oldest first. The panel of parked documents lists them below
    /// those.
    pub rejected: Vec<RejectedView>,
}

/// The panels that a selection can be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Panel {
    Devices,
    Documents,
    Parked,
}

impl Panel {
    pub const ALL: [Self; 3] = [Self::Devices, Self::Documents, Self::Parked];

    fn at(self, steps: usize) -> Self {
        Self::ALL[(self as usize + steps) % Self::ALL.len()]
    }
}

/// Rates of the last minutes, in tenths of an event a second, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Rates {
    pub stored: VecDeque<u64>,
    pub posted: VecDeque<u64>,
    last: Option<(Timestamp, u64, u64)>,
}

impl Rates {
    fn add(&mut self, status: &Status, now: Timestamp) {
        let (stored, posted) = (status.events.stored, status.events.posted);
        if let Some((then, stored_then, posted_then)) = self.last.replace((now, stored, posted)) {
            let Ok(millis @ 1..) = u64::try_from(now.duration_since(then).as_millis()) else {
                return;
            };
            let rate = |new: u64, old: u64| new.saturating_sub(old).saturating_mul(10_000) / millis;
            push(&mut self.stored, rate(stored, stored_then));
            push(&mut self.posted, rate(posted, posted_then));
        }
    }
}

fn push(rates: &mut VecDeque<u64>, rate: u64) {
    if rates.len() == RATES_KEPT {
        rates.pop_front();
    }
    rates.push_back(rate);
}

#[derive(Debug)]
pub struct App {
    pub socket: PathBuf,
    pub theme: Theme,
    pub now: Timestamp,
    /// The last snapshot of the gateway, and its time.
    pub snapshot: Option<(Snapshot, Timestamp)>,
    /// Why the daemon does not answer. `None`: it answers.
    pub no_answer: Option<String>,
    pub rates: Rates,
    pub panel: Panel,
    /// The selected row of each panel.
    pub rows: [TableState; 3],
    pub help: bool,
    pub(super) help_scroll: Scroll,
    pub detail: Option<Detail>,
    pub dialog: Option<Dialog>,
    /// The result of the last request; the next key removes it.
    pub notice: Option<String>,
    /// What the key `q` does, for the help.
    pub quit: &'static str,
}

impl App {
    #[must_use]
    pub fn new(socket: &Path, colour: bool) -> Self {
        Self {
            socket: socket.to_owned(),
            theme: Theme { colour },
            now: Timestamp::UNIX_EPOCH,
            snapshot: None,
            no_answer: None,
            rates: Rates::default(),
            panel: Panel::Devices,
            rows: Default::default(),
            help: false,
            help_scroll: Scroll::default(),
            detail: None,
            dialog: None,
            notice: None,
            quit: keys::QUIT,
        }
    }

    pub fn tick(&mut self, now: Timestamp) {
        self.now = now;
    }

    pub fn update(&mut self, update: Update, now: Timestamp) {
        match update {
            Update::Gateway(snapshot) => {
                self.rates.add(&snapshot.status, now);
                self.no_answer = None;
                let selected = self.selected_parked().map(|document| document.key.clone());
                let reading = self.selected_rejected().map(|rejected| rejected.number);
                let parked = snapshot.parked.len();
                let row = (snapshot.parked.iter())
                    .position(|document| Some(&document.key) == selected.as_ref());
                let row = row.or_else(|| {
                    let mut rejected = snapshot.rejected.iter();
                    let place = rejected.position(|other| Some(other.number) == reading);
                    place.map(|place| parked + place)
                });
                self.snapshot = Some((*snapshot, now));
                // The selection follows its document or reading when rows move.
                if row.is_some() {
                    self.rows[Panel::Parked as usize].select(row);
                }
                for panel in Panel::ALL {
                    self.select(panel, 0, 0);
                }
                self.refresh_detail();
            }
            Update::NoAnswer(why) => self.no_answer = Some(why),
        }
    }

    /// Handles a key. Returns a request for the caller to carry out.
    pub fn press(&mut self, key: KeyEvent) -> Option<Request> {
        self.notice = None;
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return Some(Request::Quit);
        }
        if let Some(dialog) = &mut self.dialog {
            let key = match (key.modifiers.contains(KeyModifiers::CONTROL), key.code) {
                (true, KeyCode::Char('u')) => CLEAR,
                (true, KeyCode::Char(_)) => return None,
                (_, code) => code,
            };
            return match dialog.press(key) {
                Step::Stay => None,
                Step::Close => {
                    self.dialog = None;
                    None
                }
                Step::Done(request) => {
                    self.dialog = None;
                    Some(request)
                }
            };
        }
        if self.help {
            if self.help_scroll.press(key.code) {
                return None;
            }
            (self.help, self.help_scroll) = (false, Scroll::default());
            return (keys::action_of(key.code) == Some(KeyAction::Quit)).then_some(Request::Quit);
        }
        if self.detail.is_some() {
            return self.press_in_detail(key.code);
        }
        self.act(keys::action_of(key.code)?)
    }

    fn act(&mut self, act: KeyAction) -> Option<Request> {
        let panel = self.panel;
        match act {
            KeyAction::Quit => return Some(Request::Quit),
            KeyAction::Help => self.help = true,
            KeyAction::NextPanel => self.panel = panel.at(1),
            KeyAction::PreviousPanel => self.panel = panel.at(Panel::ALL.len() - 1),
            KeyAction::Up => self.select(panel, 0, 1),
            KeyAction::Down => self.select(panel, 1, 0),
            KeyAction::PageUp => self.select(panel, 0, PAGE),
            KeyAction::PageDown => self.select(panel, PAGE, 0),
            KeyAction::First => self.select(panel, 0, usize::MAX),
            KeyAction::Last => self.select(panel, usize::MAX, 0),
            KeyAction::Open if panel == Panel::Parked => self.open_detail(),
            KeyAction::Open => {
                self.notice = Some(
                    "Select a parked document or rejected reading, then press Enter".to_owned(),
                );
            }
            KeyAction::Retry | KeyAction::RetryAll | KeyAction::Edit | KeyAction::Discard => {
                return self.decide(act);
            }
        }
        None
    }

    fn rows_of(&self, panel: Panel) -> usize {
        self.snapshot
            .as_ref()
            .map_or(0, |(snapshot, _)| match panel {
                Panel::Devices => snapshot.status.devices.listed.len(),
                Panel::Documents => snapshot.documents.len(),
                Panel::Parked => snapshot.parked.len() + snapshot.rejected.len(),
            })
    }

    /// Moves a panel's selection within the rows that exist now.
    fn select(&mut self, panel: Panel, down: usize, up: usize) {
        let last = self.rows_of(panel).checked_sub(1);
        let state = &mut self.rows[panel as usize];
        let row = state
            .selected()
            .unwrap_or(0)
            .saturating_add(down)
            .saturating_sub(up);
        state.select(last.map(|last| row.min(last)));
    }

    /// The selected parked document, if a document is selected.
    #[must_use]
    pub fn selected_parked(&self) -> Option<&DocumentView> {
        let (snapshot, _) = self.snapshot.as_ref()?;
        snapshot
            .parked
            .get(self.rows[Panel::Parked as usize].selected()?)
    }

    /// The selected rejected reading, if a reading is selected.
    #[must_use]
    pub fn selected_rejected(&self) -> Option<&RejectedView> {
        let (snapshot, _) = self.snapshot.as_ref()?;
        let row = self.rows[Panel::Parked as usize].selected()?;
        let row = row.checked_sub(snapshot.parked.len())?;
        snapshot.rejected.get(row)
    }

    pub(super) fn decide(&mut self, act: KeyAction) -> Option<Request> {
        if self.panel != Panel::Parked {
            self.panel = Panel::Parked;
            self.notice = Some(
                "Select a document or reading under Parked, then press the key again".to_owned(),
            );
            return None;
        }
        if let Some(rejected) = self.selected_rejected().cloned() {
            return self.settle(act, &rejected);
        }
        let Some(document) = self.selected_parked() else {
            self.notice = Some("No document is parked".to_owned());
            return None;
        };
        let dialog = match act {
            KeyAction::Edit => Dialog::Edit(Edit::new(document)),
            KeyAction::Discard => Dialog::Discard(Discard::new(document)),
            _ => match Retry::new(document, act == KeyAction::RetryAll) {
                Ok(retry) => Dialog::Retry(retry),
                Err(request) => return Some(request),
            },
        };
        self.dialog = Some(dialog);
        None
    }

    /// Opens the dialog of a decision about a rejected reading.
    fn settle(&mut self, act: KeyAction, rejected: &RejectedView) -> Option<Request> {
        match act {
            KeyAction::Edit if rejected.whole => {
                self.dialog = Some(Dialog::Correct(Correct::new(rejected)));
            }
            KeyAction::Edit => {
                self.notice = Some(format!(
                    "The payload of rejected reading {0} is too long or not text: correct it in a file, and run `stockrelay rejected resend {0} --payload-file FILE`",
                    rejected.number
                ));
            }
            KeyAction::Discard => {
                let shown = self.snapshot.as_ref().map(|(snapshot, _)| snapshot);
                let newest = shown.and_then(|shown| shown.rejected.last());
                let newest = newest.map_or(rejected.number, |newest| newest.number);
                self.dialog = Some(Dialog::Dismiss(Dismiss::new(rejected, newest)));
            }
            KeyAction::RetryAll => {
                self.notice = Some("R is for documents. For this rejected reading press r to send it again, or d to dismiss it".to_owned());
            }
            _ => self.dialog = Some(Dialog::Resend(Resend::new(rejected))),
        }
        None
    }
}

#[cfg(test)]
mod tests;
