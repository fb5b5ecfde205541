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
mod tests {
    use super::*;
    use crate::document::DocumentNumber;
    use crate::event::RejectedNumber;

    fn press(app: &mut App, keys: &str) -> Option<Request> {
        keys.chars().fold(None, |_, c| {
            let code = if c == '\n' {
                KeyCode::Enter
            } else {
                KeyCode::Char(c)
            };
            app.press(KeyEvent::from(code))
        })
    }

    fn app_with_parked(parked: usize) -> App {
        let mut app = App::new(Path::new("/run/x.sock"), false);
        update(&mut app, parked, 0);
        app.panel = Panel::Parked;
        app
    }

    fn update(app: &mut App, parked: usize, second: i64) {
        let at = Timestamp::from_second(second).unwrap();
        let document = |number: usize| DocumentView {
            number: DocumentNumber::new(number as u64),
            key: format!("{number:032x}"),
            state: "parked".to_owned(),
            purpose: "transfer".to_owned(),
            order: None,
            more: serde_json::Map::new(),
            corrects: None,
            decision: None,
            flags: Vec::new(),
            undone: Vec::new(),
            group: "pda".to_owned(),
            lines: Vec::new(),
            events: 1,
            occurred: at,
            sealed: at,
            since: at,
            attempts: 1,
            reason: None,
            odoo: None,
            odoo_id: None,
            external_id: String::new(),
        };
        let mut snapshot = Snapshot {
            parked: (1..=parked).map(document).collect(),
            ..Snapshot::default()
        };
        snapshot.status.events.stored = second.unsigned_abs() * 5;
        app.update(Update::Gateway(Box::new(snapshot)), at);
    }

    fn confirming(app: &App) -> bool {
        matches!(&app.dialog, Some(Dialog::Discard(discard)) if discard.confirming)
    }

    #[test]
    fn a_discard_needs_a_reason_and_a_confirmation() {
        let mut app = app_with_parked(2);
        assert_eq!(press(&mut app, "jd"), None);
        assert_eq!(press(&mut app, " \n"), None);
        assert!(!confirming(&app), "blank is no reason");
        // A `q` or `y` in the reason is a letter.
        assert_eq!(press(&mut app, "query\n"), None);
        assert!(confirming(&app));
        let request = press(&mut app, "y");
        let key = format!("{:032x}", 2);
        assert_eq!(
            request,
            Some(Request::Discard {
                key,
                reason: "query".to_owned()
            })
        );
        assert_eq!(app.dialog, None);
    }

    #[test]
    fn no_means_no() {
        let mut app = app_with_parked(1);
        assert_eq!(press(&mut app, "dx\nn"), None);
        assert_eq!(app.dialog, None);
        press(&mut app, "dx");
        app.press(KeyEvent::from(KeyCode::Esc));
        assert_eq!(app.dialog, None);
    }

    #[test]
    fn a_decision_needs_a_visible_selection() {
        let mut app = app_with_parked(1);
        app.panel = Panel::Devices;
        assert_eq!(
            press(&mut app, "r"),
            None,
            "the panel of parked documents was not selected"
        );
        assert!(matches!(press(&mut app, "r"), Some(Request::Retry { .. })));
        update(&mut app, 0, 1);
        assert_eq!(press(&mut app, "r"), None);
        assert_eq!(app.notice.as_deref(), Some("No document is parked"));
    }

    #[test]
    fn the_selection_stays_within_the_rows() {
        let mut app = app_with_parked(3);
        press(&mut app, "jjjjj");
        assert_eq!(
            app.selected_parked().unwrap().number,
            DocumentNumber::new(3)
        );
        update(&mut app, 1, 1);
        assert_eq!(
            app.selected_parked().unwrap().number,
            DocumentNumber::new(1)
        );
        press(&mut app, "kGg");
        assert_eq!(
            app.selected_parked().unwrap().number,
            DocumentNumber::new(1)
        );
    }

    #[test]
    fn the_selection_follows_its_document() {
        let mut app = app_with_parked(3);
        press(&mut app, "j");
        let (mut snapshot, now) = app.snapshot.clone().unwrap();
        snapshot.parked.remove(0);
        app.update(Update::Gateway(Box::new(snapshot)), now);
        assert_eq!(
            app.selected_parked().unwrap().number,
            DocumentNumber::new(2)
        );
    }

    #[test]
    fn a_rejected_reading_is_dismissed_corrected_or_sent_again() {
        let mut app = app_with_parked(1);
        let (mut snapshot, now) = app.snapshot.clone().unwrap();
        snapshot.rejected = [4, 7].map(RejectedNumber::new).map(rejected).to_vec();
        app.update(Update::Gateway(Box::new(snapshot.clone())), now);
        assert_eq!(press(&mut app, "jj").as_ref(), None);
        assert_eq!(
            app.selected_rejected().unwrap().number,
            RejectedNumber::new(7)
        );
        // The selection follows its reading.
        snapshot.parked.clear();
        app.update(Update::Gateway(Box::new(snapshot)), now);
        assert_eq!(
            app.selected_rejected().unwrap().number,
            RejectedNumber::new(7)
        );
        assert_eq!(app.selected_parked(), None);

        let number = RejectedNumber::new(7);
        let resend = |payload: Option<&str>, reason: Option<&str>| Request::Resend {
            number,
            payload: payload.map(str::to_owned),
            reason: reason.map(str::to_owned),
        };
        // `r` asks first, and a second `r` is no answer.
        assert_eq!(press(&mut app, "r\nr"), None);
        assert_eq!(press(&mut app, "y"), Some(resend(None, None)));
        assert_eq!(press(&mut app, "r\nn"), None);
        assert_eq!(app.dialog, None);
        let why = press(&mut app, "rtopic set\ny");
        assert_eq!(why, Some(resend(None, Some("topic set"))));
        let corrected = press(&mut app, "eB2\n");
        assert_eq!(corrected, Some(resend(Some("A1B2"), None)));
        // Ctrl-U clears the text.
        press(&mut app, "e");
        let clear = KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL);
        assert_eq!(app.press(clear), None);
        assert_eq!(press(&mut app, "C3\n"), Some(resend(Some("C3"), None)));
        assert_eq!(press(&mut app, "d\n"), None, "a reason is needed");
        let reason = "test".to_owned();
        let dismissed = press(&mut app, "test\ny");
        assert_eq!(dismissed, Some(Request::Dismiss { number, reason }));
        let all = Request::DismissAll {
            upto: RejectedNumber::new(7),
            code: "not-your-topic".to_owned(),
            reason: "site".to_owned(),
        };
        assert_eq!(press(&mut app, "kdsite\na"), Some(all));
        assert_eq!(press(&mut app, "R"), None);
        assert!(app.notice.is_some());
    }

    fn rejected(number: RejectedNumber) -> RejectedView {
        RejectedView {
            number,
            device: "pda-09".to_owned(),
            source: "mqtt.listen".to_owned(),
            channel: Some("scan".to_owned()),
            received: Timestamp::UNIX_EPOCH,
            id: None,
            code: "not-your-topic".to_owned(),
            message: "\"stockrelay/v1/other/pda-09/scan\" is not a topic".to_owned(),
            payload: "A1".to_owned(),
            whole: true,
            bytes: 2,
            cut: false,
            state: "open".to_owned(),
            settled: None,
        }
    }

    #[test]
    fn rates_are_events_a_second() {
        let mut app = app_with_parked(0);
        update(&mut app, 0, 2);
        assert_eq!(app.rates.stored, [50], "tenths");
        // The clock stood still or went back: there is no rate.
        update(&mut app, 0, 2);
        assert_eq!(app.rates.stored, [50]);
    }
}
