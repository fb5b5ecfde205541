//! Parts that several panels, pages and boxes use.

use jiff::Timestamp;
use ratatui::crossterm::event::KeyCode;
use ratatui::layout::{Constraint, Flex, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::data::{Data, Subject};
use super::keys::Hint;
use super::list::Cell;
use super::theme::{Role, Theme};
use crate::view::words::Words;

/// Centres a box of this size, or a smaller one where the area is smaller.
pub fn centre(area: Rect, width: u16, height: u16) -> Rect {
    let [row] = Layout::vertical([Constraint::Max(height)])
        .flex(Flex::Center)
        .areas(area);
    let [area] = Layout::horizontal([Constraint::Max(width)])
        .flex(Flex::Center)
        .areas(row);
    area
}

/// The text of a list that has nothing to show.
pub fn empty(text: &str, theme: Theme) -> Paragraph<'static> {
    let text = Line::styled(text.to_owned(), theme.text(Role::Faint));
    Paragraph::new(text)
        .centered()
        .wrap(ratatui::widgets::Wrap { trim: true })
}

/// Cuts a text to this many columns, and shows that it is cut.
pub fn cut(text: &str, columns: usize) -> String {
    if Span::raw(text).width() <= columns {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut width = 1;
    for c in text.chars() {
        width += Span::raw(c.to_string()).width();
        if width > columns {
            break;
        }
        cut.push(c);
    }
    if columns > 0 {
        cut.push('…');
    }
    cut
}

/// The width of a column of ages.
pub const AGO_WIDTH: u16 = 14;

/// The age of a time; the youngest sorts first.
pub fn ago_cell(at: Option<Timestamp>, data: &Data) -> Cell {
    let cell = Cell::new(data.ago(at));
    match at {
        Some(at) => cell.order(at.as_second().saturating_neg()),
        None => cell.order(i64::MAX),
    }
}

pub fn count_cell(count: u64, words: Words) -> Cell {
    Cell::new(words.number(count)).order(i64::try_from(count).unwrap_or(i64::MAX))
}

/// For lists whose rows have no reason.
pub fn no_reason(_: &Data, _: &Subject) -> Option<String> {
    None
}

/// The gap between two hints.
const HINTS_APART: u16 = 2;

/// Lays out hints in rows of this width, and returns where each is: the mouse presses its key.
pub fn lay_hints(
    hints: &[Hint],
    width: u16,
    theme: Theme,
) -> (Vec<Line<'static>>, Vec<(Rect, KeyCode)>) {
    let mut rows = vec![Line::default()];
    let mut places = Vec::new();
    let mut x = 0;
    for hint in hints {
        let key = Span::styled(hint.shown, theme.text(Role::Focus));
        let what = Span::styled(format!(" {}", hint.what), theme.text(Role::Plain));
        let wide = u16::try_from(key.width() + what.width()).unwrap_or(u16::MAX);
        if x > 0 && x + HINTS_APART + wide > width {
            rows.push(Line::default());
            x = 0;
        }
        let y = rows.len() - 1;
        if x > 0 {
            rows[y].push_span(Span::raw("  "));
            x += HINTS_APART;
        }
        rows[y].push_span(key);
        rows[y].push_span(what);
        let y = u16::try_from(y).unwrap_or(u16::MAX);
        places.push((Rect::new(x, y, wide, 1), hint.key));
        x = x.saturating_add(wide);
    }
    (rows, places)
}

/// Moves places to where their area is on the screen, and leaves out those outside of it.
pub fn place_in(area: Rect, places: Vec<(Rect, KeyCode)>) -> Vec<(Rect, KeyCode)> {
    let moved = places.into_iter().map(|(place, key)| {
        let (x, y) = (
            area.x.saturating_add(place.x),
            area.y.saturating_add(place.y),
        );
        (Rect::new(x, y, place.width, 1).intersection(area), key)
    });
    moved.filter(|(place, _)| !place.is_empty()).collect()
}
