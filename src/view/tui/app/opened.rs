//! The detail view of the selected document or reading: opens it, updates it and handles its keys.

use ratatui::crossterm::event::KeyCode;

use super::App;
use crate::view::tui::detail::Detail;
use crate::view::tui::keys::{self, KeyAction};
use crate::view::tui::request::Request;

impl App {
    /// Opens the detail view of the selected document or reading.
    pub(super) fn open_detail(&mut self) {
        self.detail = self.selected_detail();
    }

    fn selected_detail(&self) -> Option<Detail> {
        if let Some(document) = self.selected_parked() {
            return Some(Detail::of_document(document));
        }
        self.selected_rejected().map(Detail::of_rejected)
    }

    /// Updates the detail view. A document or reading that a person has settled meanwhile keeps its
    /// last text.
    pub(super) fn refresh_detail(&mut self) {
        let now = self.selected_detail();
        if let (Some(shown), Some(now)) = (&mut self.detail, now)
            && shown.is_same(&now)
        {
            shown.update(now);
        }
    }

    /// Handles a key in the detail view: scrolls, closes, or starts a decision.
    pub(super) fn press_in_detail(&mut self, key: KeyCode) -> Option<Request> {
        let shown = self.detail.as_mut()?;
        if shown.scroll(key) {
            return None;
        }
        let act = keys::action_of(key);
        let shown = shown.clone();
        match act {
            _ if key == KeyCode::Esc => self.detail = None,
            Some(KeyAction::Open) => self.detail = None,
            Some(KeyAction::Quit) => return Some(Request::Quit),
            Some(KeyAction::Help) => self.help = true,
            Some(
                act @ (KeyAction::Retry
                | KeyAction::RetryAll
                | KeyAction::Edit
                | KeyAction::Discard),
            ) => {
                if self
                    .selected_detail()
                    .is_none_or(|now| !now.is_same(&shown))
                {
                    self.notice = Some(
                        "Already settled: this document or reading no longer waits for a person"
                            .to_owned(),
                    );
                    return None;
                }
                self.detail = None;
                return self.decide(act);
            }
            _ => {}
        }
        None
    }
}
