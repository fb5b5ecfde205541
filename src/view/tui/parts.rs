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

/// Cuts a text to this many columns, and shows that it is cut: a code or a name.
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

/// Cuts a sentence to this many columns after a word, or within a long word, and shows that it is
/// cut.
pub fn cut_after_word(text: &str, columns: usize) -> String {
    let cut = cut(text, columns);
    let Some(begin) = cut.strip_suffix('…').filter(|_| cut != text) else {
        return cut;
    };
    let is_word_whole = text[begin.len()..].starts_with(' ');
    let words = match begin.rsplit_once(' ') {
        Some((words, _)) if !is_word_whole && words.len() * 2 >= begin.len() => words,
        _ => begin,
    };
    let ends = [' ', ',', ';', ':', '،', '؛'];
    let words = words.trim_end_matches(ends);
    // A number without its noun says nothing.
    let words = match words.rsplit_once(' ') {
        Some((before, last)) if last.starts_with(|c: char| c.is_ascii_digit()) => before,
        _ => words,
    };
    format!("{}…", words.trim_end_matches(ends))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_anywhere_and_a_sentence_after_a_word() {
        assert_eq!(cut("unknown-location", 8), "unknown…");
        assert_eq!(cut("漢字漢字", 6), "漢字…");
        for (text, columns, expected) in [
            ("one two three", 13, "one two three"),
            ("one two three", 12, "one two…"),
            ("one two, three", 9, "one two…"),
            ("one two; three", 10, "one two…"),
            ("a verylongwordindeed", 12, "a verylongw…"),
            ("0 to send, 12 sending", 15, "0 to send…"),
            ("one two", 0, ""),
        ] {
            assert_eq!(cut_after_word(text, columns), expected, "{text} {columns}");
        }
        assert_eq!(cut_after_word("عدد، ثم كلمة", 6), "عدد…");
    }
}
