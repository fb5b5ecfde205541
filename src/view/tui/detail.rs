//! All that is known of a parked document or a rejected reading, in a view that scrolls.

use ratatui::Frame;
use ratatui::crossterm::event::KeyCode;
use ratatui::text::Line;
use ratatui::widgets::Block;

use super::app::{App, Wish};
use super::keys::{self, Act};
use super::parked::{choices_of, choices_of_rejected, describe_line, faults_of};
use super::theme::{FAINT, HEADING};
use super::wrap::Scroll;
use crate::view::records::{DocumentView, RejectedView};
use crate::view::table::plain;

/// What the view is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Of {
    Document(String),
    Rejected(u64),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Detail {
    of: Of,
    title: String,
    lines: Vec<Line<'static>>,
    scroll: Scroll,
}

impl App {
    /// Opens the view of what is selected.
    pub(super) fn open_detail(&mut self) {
        self.detail = self.selected_detail();
    }

    fn selected_detail(&self) -> Option<Detail> {
        let detail = |of, title, lines| Detail {
            of,
            title,
            lines,
            scroll: Scroll::default(),
        };
        if let Some(document) = self.selected_parked() {
            let title = format!(" Document {} ", document.number);
            let of = Of::Document(document.key.clone());
            return Some(detail(of, title, about(document)));
        }
        let rejected = self.selected_rejected()?;
        let title = format!(" Rejected reading {} ", rejected.number);
        let of = Of::Rejected(rejected.number);
        Some(detail(of, title, about_rejected(rejected)))
    }

    /// Shows what is known by now. What is parked no more stays as it was last seen.
    pub(super) fn refresh_detail(&mut self) {
        let now = self.selected_detail();
        if let (Some(shown), Some(now)) = (&mut self.detail, now)
            && shown.of == now.of
        {
            shown.lines = now.lines;
        }
    }

    /// Scrolls, closes, or decides about what is shown.
    pub(super) fn press_in_detail(&mut self, key: KeyCode) -> Option<Wish> {
        let shown = self.detail.as_mut()?;
        if shown.scroll.press(key) {
            return None;
        }
        let act = keys::act(key);
        let of = shown.of.clone();
        match act {
            _ if key == KeyCode::Esc => self.detail = None,
            Some(Act::Open) => self.detail = None,
            Some(Act::Quit) => return Some(Wish::Quit),
            Some(Act::Help) => self.help = true,
            Some(act @ (Act::Retry | Act::RetryAll | Act::Edit | Act::Discard)) => {
                if self.selected_detail().is_none_or(|now| now.of != of) {
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

pub fn draw(frame: &mut Frame, app: &mut App) {
    let Some(detail) = &mut app.detail else {
        return;
    };
    let block = Block::bordered()
        .border_style(app.theme.frame(true))
        .title(detail.title.clone());
    let keys = Line::styled("↑↓ Page Up/Down scroll   Esc close", HEADING);
    let area = frame.area();
    (detail.scroll).draw(frame, area, block, &detail.lines, &keys);
}

fn about(document: &DocumentView) -> Vec<Line<'static>> {
    let mut lines = vec![choices_of(document), Line::default()];
    if let Some(reason) = &document.reason {
        lines.push(Line::styled(plain(reason.code.as_str()), HEADING));
        lines.extend(faults_of(&reason.message).map(Line::from));
        lines.push(Line::default());
    }
    let mut head = format!("{} of {}", plain(&document.purpose), plain(&document.group));
    if let Some(order) = &document.order {
        head = format!("{head} for {}", plain(order));
    }
    lines.push(Line::styled(head, FAINT));
    let numbered = document.lines.iter().enumerate();
    lines.extend(numbered.map(|(place, line)| {
        Line::from(format!(
            "line {}: {}",
            place + 1,
            describe_line(document, line)
        ))
    }));
    lines
}

fn about_rejected(rejected: &RejectedView) -> Vec<Line<'static>> {
    let from = format!(
        "from {} by {}, {}",
        plain(&rejected.device),
        plain(&rejected.source),
        rejected.received
    );
    let mut lines = vec![
        choices_of_rejected(),
        Line::default(),
        Line::styled(plain(&rejected.code), HEADING),
        Line::from(plain(&rejected.message)),
        Line::styled(from, FAINT),
        Line::default(),
        Line::from(plain(&rejected.payload)),
    ];
    if !rejected.whole {
        lines.push(Line::styled("More may have come than is shown here", FAINT));
    }
    lines
}
