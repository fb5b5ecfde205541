//! The view of the selected document or reading: opening it, keeping it up to date, and its keys.

use ratatui::crossterm::event::KeyCode;

use super::App;
use crate::view::tui::detail::Detail;
use crate::view::tui::keys::{self, Act};
use crate::view::tui::wish::Wish;

impl App {
    /// Opens the view of what is selected.
    pub(super) fn open_detail(&mut self) {
        self.detail = self.selected_detail();
    }

    fn selected_detail(&self) -> Option<Detail> {
        if let Some(document) = self.selected_parked() {
            return Some(Detail::of_document(document));
        }
        self.selected_rejected().map(Detail::of_rejected)
    }

    /// Shows what is known by now. What is parked no more stays as it was last seen.
    pub(super) fn refresh_detail(&mut self) {
        let now = self.selected_detail();
        if let (Some(shown), Some(now)) = (&mut self.detail, now)
            && shown.is_same(&now)
        {
            shown.update(now);
        }
    }

    /// Scrolls, closes, or decides about what is shown.
    pub(super) fn press_in_detail(&mut self, key: KeyCode) -> Option<Wish> {
        let shown = self.detail.as_mut()?;
        if shown.scroll(key) {
            return None;
        }
        let act = keys::act(key);
        let shown = shown.clone();
        match act {
            _ if key == KeyCode::Esc => self.detail = None,
            Some(Act::Open) => self.detail = None,
            Some(Act::Quit) => return Some(Wish::Quit),
            Some(Act::Help) => self.help = true,
            Some(act @ (Act::Retry | Act::RetryAll | Act::Edit | Act::Discard)) => {
                if self
                    .selected_detail()
                    .is_none_or(|now| !now.is_same(&shown))
                {
                    self.notice = Some("It does not wait for a person any more".to_owned());
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
