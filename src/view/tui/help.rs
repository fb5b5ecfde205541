//! The box that lists the keys of [`KEYS`].

use ratatui::Frame;
use ratatui::text::{Line, Span};
use ratatui::widgets::Block;

use super::app::App;
use super::keys::{KEYS, KeyAction};
use super::parts::centre;
use super::theme::{FAINT, HEADING};
use super::wrap::wrap_all;

const WIDTH: u16 = 78;

pub fn draw(frame: &mut Frame, app: &mut App) {
    let lines: Vec<Line> = KEYS
        .iter()
        .map(|binding| {
            let key = Span::styled(format!(" {:<14}", binding.shown), HEADING);
            let what = match binding.action {
                KeyAction::Quit => app.quit,
                _ => binding.what,
            };
            Line::from(vec![key, Span::raw(what)])
        })
        .collect();
    let keys = Line::styled(" ↑↓ scroll, any other key closes this.", FAINT);
    let columns = frame.area().width.min(WIDTH).saturating_sub(2);
    let rows =
        wrap_all(&lines, columns).len() + wrap_all(std::slice::from_ref(&keys), columns).len();
    let height = u16::try_from(rows + 2).unwrap_or(u16::MAX);
    let area = centre(frame.area(), WIDTH, height);
    let block = Block::bordered()
        .border_style(app.theme.frame(true))
        .title(" Keys ");
    (app.help_scroll).draw(frame, area, block, &lines, &keys);
}
