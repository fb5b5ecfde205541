//! Wraps texts that are too wide, and scrolls texts that are too long.

use ratatui::Frame;
use ratatui::crossterm::event::KeyCode;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::keys::{self, KeyAction};
use super::parts::cut_after_word;

/// Wraps a line to this many columns, at spaces, or within a word that is wider.
pub fn wrap(line: &Line<'_>, columns: usize) -> Vec<Line<'static>> {
    let columns = columns.max(1);
    let mut rows = Vec::new();
    let mut row: Vec<(char, ratatui::style::Style)> = Vec::new();
    let (mut width, mut space) = (0, None);
    for span in &line.spans {
        for c in span.content.chars() {
            let wide = width_of(c);
            if width + wide > columns && !row.is_empty() {
                if c == ' ' {
                    rows.push(styled(&row, line));
                    (row, width, space) = (Vec::new(), 0, None);
                    continue;
                }
                let rest = match space.take() {
                    Some(at) => {
                        let rest = row.split_off(at + 1);
                        row.pop();
                        rest
                    }
                    None => Vec::new(),
                };
                rows.push(styled(&row, line));
                width = rest.iter().map(|(c, _)| width_of(*c)).sum();
                row = rest;
            }
            // No break within the indentation.
            if c == ' ' && row.iter().any(|(c, _)| *c != ' ') {
                space = Some(row.len());
            }
            row.push((c, span.style));
            width += wide;
        }
    }
    if !row.is_empty() || rows.is_empty() {
        rows.push(styled(&row, line));
    }
    rows
}

pub fn wrap_all(lines: &[Line<'_>], columns: u16) -> Vec<Line<'static>> {
    let columns = usize::from(columns);
    lines.iter().flat_map(|line| wrap(line, columns)).collect()
}

/// Wraps lines into at most `most` rows. The last row shows that the text is cut.
pub fn wrap_within(lines: &[Line<'_>], columns: u16, most: usize) -> Vec<Line<'static>> {
    let mut rows = wrap_all(lines, columns);
    if rows.len() > most {
        rows.truncate(most);
        if let Some(last) = rows.last_mut() {
            end_cut(last, columns.into());
        }
    }
    rows
}

/// Ends a row with an ellipsis, after its last word that leaves room for it.
fn end_cut(row: &mut Line<'static>, columns: usize) {
    let style = row.spans.last().map_or(row.style, |span| span.style);
    let text: String = row.spans.iter().map(|span| &*span.content).collect();
    // One more word does not fit: the text is cut.
    let text = cut_after_word(&format!("{text} {}", "…".repeat(columns)), columns);
    let text = text.trim_end_matches('…').trim_end();
    // The styles before the cut stay.
    let mut left = text.chars().count();
    for span in &mut row.spans {
        let kept: String = span.content.chars().take(left).collect();
        left -= kept.chars().count();
        span.content = kept.into();
    }
    row.push_span(Span::styled("…", style));
}

fn styled(row: &[(char, ratatui::style::Style)], line: &Line<'_>) -> Line<'static> {
    let spans = row.chunk_by(|(_, one), (_, other)| one == other);
    let spans = spans.map(|part| {
        let text: String = part.iter().map(|(c, _)| *c).collect();
        Span::styled(text, part[0].1)
    });
    Line::from(spans.collect::<Vec<_>>()).style(line.style)
}

fn width_of(c: char) -> usize {
    if c.is_ascii() {
        return 1;
    }
    Span::raw(c.encode_utf8(&mut [0; 4]).to_owned()).width()
}

/// The scroll position of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scroll {
    top: usize,
    /// Rows of one page, as last drawn.
    page: usize,
}

impl Scroll {
    /// Handles a key. Returns whether the key scrolls. `draw` limits the position to the end of the
    /// text.
    pub fn press(&mut self, key: KeyCode) -> bool {
        let page = self.page.max(1);
        self.top = match keys::action_of(key) {
            Some(KeyAction::Up) => self.top.saturating_sub(1),
            Some(KeyAction::Down) => self.top.saturating_add(1),
            Some(KeyAction::PageUp) => self.top.saturating_sub(page),
            Some(KeyAction::PageDown) => self.top.saturating_add(page),
            Some(KeyAction::First) => 0,
            Some(KeyAction::Last) => usize::MAX,
            _ => return false,
        };
        true
    }

    /// Draws the visible part in a box, whose title and line of keys always stay.
    pub fn draw(
        &mut self,
        frame: &mut Frame,
        area: Rect,
        block: Block<'_>,
        lines: &[Line<'_>],
        keys: &Line<'_>,
    ) {
        let inner = block.inner(area);
        let rows = wrap_all(lines, inner.width);
        let keys = wrap_all(std::slice::from_ref(keys), inner.width);
        let room = usize::from(inner.height).saturating_sub(keys.len()).max(1);
        let last = rows.len().saturating_sub(room);
        (self.page, self.top) = (room, self.top.min(last));
        let shown = rows.into_iter().skip(self.top).take(room).chain(keys);
        frame.render_widget(Clear, area);
        let shown = Paragraph::new(shown.collect::<Vec<_>>()).block(block);
        frame.render_widget(shown, area);
    }
}

#[cfg(test)]
mod tests {
    use ratatui::style::Style;

    use super::*;

    fn rows(text: &str, columns: usize) -> Vec<String> {
        let rows = wrap(&Line::from(text.to_owned()), columns);
        rows.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_text_that_is_cut_ends_at_a_word_with_an_ellipsis() {
        let within = |text: &str, columns: u16, most: usize| {
            let rows = wrap_within(&[Line::from(text.to_owned())], columns, most);
            let rows = rows.iter().map(ToString::to_string);
            rows.collect::<Vec<_>>()
        };
        assert_eq!(within("one two", 4, 2), ["one", "two"]);
        assert_eq!(within("one two three", 7, 1), ["one…"]);
        assert_eq!(within("one two three", 8, 1), ["one two…"]);
        assert_eq!(within("one two, three", 9, 1), ["one two…"]);
        assert_eq!(within("one two three", 5, 2), ["one", "two…"]);
        assert_eq!(within("unbreakable", 4, 2), ["unbr", "eak…"]);
    }

    #[test]
    fn a_cut_keeps_the_styles_before_it() {
        let bold = Style::new().bold();
        let line = Line::from(vec![Span::styled("who: ", bold), Span::raw("what to do")]);
        let rows = wrap_within(&[line], 11, 1);
        assert_eq!(rows[0].to_string(), "who: what…");
        assert_eq!(rows[0].spans[0], Span::styled("who: ", bold));
    }

    #[test]
    fn texts_wrap_at_spaces_and_wide_words_anywhere() {
        assert_eq!(rows("", 5), [""]);
        assert_eq!(rows("one two", 7), ["one two"]);
        assert_eq!(rows("one two", 6), ["one", "two"]);
        assert_eq!(rows("one two", 3), ["one", "two"]);
        assert_eq!(rows("a longer word", 6), ["a", "longer", "word"]);
        assert_eq!(rows("unbreakable", 4), ["unbr", "eaka", "ble"]);
        assert_eq!(rows("  indented", 6), ["  inde", "nted"]);
        assert_eq!(rows("漢字漢字", 5), ["漢字", "漢字"]);
        assert_eq!(rows("x", 0), ["x"]);
    }
}
