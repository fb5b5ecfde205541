//! Asks why a document is discarded, and whether it is meant.

use ratatui::Frame;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::app::App;
use super::help::centred;
use super::theme::HEADING;
use crate::view::table::plain;

const WIDTH: u16 = 70;
const HEIGHT: u16 = 7;

pub fn draw(frame: &mut Frame, app: &App) {
    let Some(dialog) = &app.dialog else {
        return;
    };
    let area = centred(frame.area(), WIDTH, HEIGHT);
    // Of a long reason, the end is where the person types.
    let room = usize::from(area.width.saturating_sub(6));
    let reason = plain(&dialog.reason);
    let skipped = reason.chars().count().saturating_sub(room);
    let reason: String = reason.chars().skip(skipped).collect();
    let (cursor, keys) = if dialog.confirming {
        ("", " Discard it for good?  y yes   n no")
    } else {
        ("_", " Enter go on   Esc leave it parked")
    };
    let lines = vec![
        Line::from(" It will never be posted to Odoo. Why? This is kept with it."),
        Line::default(),
        Line::from(vec![
            Span::raw(" > "),
            Span::styled(reason, HEADING),
            Span::raw(cursor),
        ]),
        Line::default(),
        Line::styled(keys, HEADING),
    ];
    let title = format!(" Discard document {} ", dialog.number);
    let block = Block::bordered()
        .border_style(app.theme.frame(true))
        .title(title);
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}
