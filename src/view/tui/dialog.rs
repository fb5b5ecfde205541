//! The dialog boxes. Each kind has a file of its own with its text and its keys. A box stays until
//! the daemon has carried its request out: after a refusal it shows why, with all that was typed.

use ratatui::Frame;
use ratatui::crossterm::event::KeyCode;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph};

use super::ask::Ask;
use super::data::Data;
use super::edit::Edit;
use super::keys::Hint;
use super::parts::{centre, lay_hints, place_in};
use super::period_box::PeriodBox;
use super::request::{Request, Shown, Step};
use super::retry::Retry;
use super::settle::Correct;
use super::theme::{Role, Theme};
use super::typing::WIDTH;
use super::wrap::{wrap_all, wrap_within};
use crate::view::table::plain;

#[derive(Debug, Clone, PartialEq)]
pub struct Dialog {
    kind: Kind,
    answer: DialogAnswer,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Ask(Ask),
    Retry(Retry),
    Edit(Edit),
    Correct(Correct),
    Period(PeriodBox),
}

/// The answer of the daemon to the request of a dialog.
#[derive(Debug, Clone, PartialEq)]
enum DialogAnswer {
    /// Nothing is sent.
    None,
    /// The request is sent.
    Awaited(Request),
    /// The daemon changed nothing; the text is the reason.
    Refused(String),
}

impl From<Kind> for Dialog {
    fn from(kind: Kind) -> Self {
        let answer = DialogAnswer::None;
        Self { kind, answer }
    }
}

impl Dialog {
    pub fn press(&mut self, key: KeyCode) -> Step {
        if matches!(self.answer, DialogAnswer::Awaited(_)) {
            let is_over = key == KeyCode::Esc;
            return if is_over { Step::Close } else { Step::Stay };
        }
        let step = match &mut self.kind {
            Kind::Ask(ask) => ask.press(key),
            Kind::Retry(retry) => retry.press(key),
            Kind::Edit(edit) => edit.press(key),
            Kind::Correct(correct) => correct.press(key),
            Kind::Period(period) => period.press(key),
        };
        if let Step::Done(request) = &step {
            self.answer = DialogAnswer::Awaited(request.clone());
        } else if self.is_confirming() {
            // The old refusal says nothing about what is sent now.
            self.answer = DialogAnswer::None;
        }
        step
    }

    /// Whether the dialog asks for the last confirmation.
    fn is_confirming(&self) -> bool {
        match &self.kind {
            Kind::Ask(ask) => ask.is_confirming,
            Kind::Edit(edit) => edit.is_confirming(),
            Kind::Retry(_) | Kind::Correct(_) | Kind::Period(_) => false,
        }
    }

    /// Whether the dialog has sent this request, and waits for the answer.
    #[must_use]
    pub fn awaits(&self, request: &Request) -> bool {
        matches!(&self.answer, DialogAnswer::Awaited(sent) if sent == request)
    }

    /// Shows why the daemon refused the request, with all that was typed.
    pub fn refuse(&mut self, why: String) {
        self.answer = DialogAnswer::Refused(why);
        match &mut self.kind {
            Kind::Ask(ask) => ask.reopen(),
            Kind::Edit(edit) => edit.reopen(),
            Kind::Retry(_) | Kind::Correct(_) | Kind::Period(_) => {}
        }
    }

    /// Takes over the time of now.
    pub fn tick(&mut self, now: jiff::Timestamp) {
        if let Kind::Period(period) = &mut self.kind {
            period.tick(now);
        }
    }

    /// The codes whose names the box shows.
    #[must_use]
    pub fn codes(&self) -> Vec<&str> {
        match &self.kind {
            Kind::Edit(edit) => edit.codes(),
            _ => Vec::new(),
        }
    }

    /// `rows`: those of the screen that a box can have.
    fn show(&self, rows: usize, data: &Data) -> Shown {
        let words = data.words;
        let mut shown = match &self.kind {
            Kind::Ask(ask) => ask.show(words),
            Kind::Retry(retry) => retry.show(words),
            Kind::Edit(edit) => edit.show(rows, data),
            Kind::Correct(correct) => correct.show(words),
            Kind::Period(period) => period.show(words),
        };
        match &self.answer {
            DialogAnswer::None => {}
            DialogAnswer::Awaited(_) => {
                let close = words.t("close; the gateway decides all the same");
                shown.hints = vec![Hint::new(KeyCode::Esc, "Esc", close)];
                shown.fault = Some(words.t("Sent; the gateway has not answered yet").to_owned());
            }
            DialogAnswer::Refused(why) => {
                let fault = shown.fault.take();
                shown.fault = fault.or_else(|| Some(why.clone()));
            }
        }
        shown
    }
}

/// Draws a box, and returns where its keys are.
pub fn draw(frame: &mut Frame, dialog: &Dialog, data: &Data, theme: Theme) -> Vec<(Rect, KeyCode)> {
    let rows = usize::from(frame.area().height.saturating_sub(2));
    let shown = dialog.show(rows, data);
    let columns = frame.area().width.min(WIDTH).saturating_sub(2);
    let (hints, places) = lay_hints(&shown.hints, columns, theme);
    let room = rows.saturating_sub(hints.len());
    // The fault stays visible, with at least the row in which a person types.
    let fault = shown.fault.map(|fault| {
        let line = Line::styled(format!("! {}", plain(&fault)), theme.text(Role::Bad));
        wrap_within(&[line], columns, room.saturating_sub(1).max(1))
    });
    let fault = fault.unwrap_or_default();
    let mut lines = fit(shown.lines, columns, room.saturating_sub(fault.len()));
    lines.extend(fault);
    let height = u16::try_from(lines.len() + hints.len() + 2).unwrap_or(u16::MAX);
    let area = centre(frame.area(), WIDTH, height);
    let block = Block::bordered()
        .border_style(theme.frame(true))
        .title(format!(" {} ", shown.title));
    let mut inner = block.inner(area);
    let text: Vec<Line> = lines.into_iter().chain(hints.iter().cloned()).collect();
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(text.clone()).block(block), area);
    let above = u16::try_from(text.len() - hints.len()).unwrap_or(0);
    inner.height = inner.height.saturating_sub(above);
    inner.y += above;
    place_in(inner, places)
}

/// Wraps the text of a box. If it has too many rows, the selected row stays visible.
fn fit(mut lines: Vec<Line<'static>>, columns: u16, rows: usize) -> Vec<Line<'static>> {
    let room = rows.max(1);
    if wrap_all(&lines, columns).len() > room {
        lines.retain(|line| line.width() > 0);
    }
    let is_at = |line: &Line<'_>| line.to_string().trim_start().starts_with("> ");
    let at = lines.iter().rposition(is_at).unwrap_or(lines.len());
    let before = wrap_all(&lines[..at], columns).len();
    let after = lines.get(at).map_or(0, |line| {
        wrap_all(std::slice::from_ref(line), columns).len()
    });
    let first = (before + after).saturating_sub(room);
    let shown = wrap_all(&lines, columns).into_iter();
    shown.skip(first).take(room).collect()
}
