//! A page that is open: its subject, the scroll position, and the selected link.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::about;
use super::data::{Data, Subject};
use super::keys::KeyAction;
use super::theme::{SELECTED, Theme};
use super::wrap::wrap;
use crate::view::words::Words;

/// The limit of keys that wait for the first answer; further ones are ignored.
const HELD_MAX: usize = 32;

#[derive(Debug, Clone)]
pub struct OpenPage {
    pub subject: Subject,
    top: usize,
    /// As last drawn: rows of one page, all rows, and the row of each link.
    height: usize,
    rows: usize,
    links: Vec<(usize, Subject)>,
    selected: Option<Subject>,
    area: Rect,
    /// The keys that a person pressed before the page had its first answer: they are about what the
    /// answer shows. `None`: the page has its answer.
    pub held: Option<Vec<KeyAction>>,
}

impl OpenPage {
    #[must_use]
    pub fn new(subject: Subject) -> Self {
        Self {
            subject,
            top: 0,
            height: 1,
            rows: 0,
            links: Vec::new(),
            selected: None,
            area: Rect::default(),
            held: None,
        }
    }

    /// The link that Enter opens.
    #[must_use]
    pub fn selected(&self) -> Option<&Subject> {
        self.selected.as_ref()
    }

    /// Holds a key that moves or opens, while the page has no answer yet. Returns whether it is
    /// held.
    pub fn hold(&mut self, action: KeyAction) -> bool {
        use KeyAction::{Down, First, Last, Open, PageDown, PageUp, Up};
        let moves = matches!(action, Down | First | Last | Open | PageDown | PageUp | Up);
        let Some(held) = self.held.as_mut().filter(|_| moves) else {
            return false;
        };
        if held.len() < HELD_MAX {
            held.push(action);
        }
        true
    }

    /// Builds the rows again, as for the last frame.
    pub fn arrange(&mut self, data: &Data, theme: Theme) {
        self.show(data, theme, self.area);
    }

    /// Moves to the next link if it is visible, else scrolls. Returns whether the action moves.
    pub fn act(&mut self, action: KeyAction) -> bool {
        let last = self.rows.saturating_sub(self.height);
        match action {
            KeyAction::Down => {
                let next = self.visible_after(self.selected_row());
                if next.is_none() {
                    self.top = (self.top + 1).min(last);
                }
                let next = next.or_else(|| self.visible_after(self.selected_row()));
                self.selected = next.or_else(|| self.visible());
            }
            KeyAction::Up => {
                let next = self.visible_before(self.selected_row());
                if next.is_none() {
                    self.top = self.top.saturating_sub(1);
                }
                let next = next.or_else(|| self.visible_before(self.selected_row()));
                self.selected = next.or_else(|| self.visible());
            }
            KeyAction::PageUp => self.scroll_to(self.top.saturating_sub(self.height)),
            KeyAction::PageDown => self.scroll_to((self.top + self.height).min(last)),
            KeyAction::First => self.scroll_to(0),
            KeyAction::Last => {
                self.scroll_to(last);
                let end = self.links_in_view().next_back().cloned();
                self.selected = end;
            }
            _ => return false,
        }
        true
    }

    fn scroll_to(&mut self, top: usize) {
        self.top = top;
        let first = self.links_in_view().next().cloned();
        self.selected = first;
    }

    fn links_in_view(&self) -> impl DoubleEndedIterator<Item = &Subject> {
        let shown = self.top..self.top + self.height;
        let links = self
            .links
            .iter()
            .filter(move |(row, _)| shown.contains(row));
        links.map(|(_, link)| link)
    }

    /// The selected link if it is visible, else the first visible one.
    fn visible(&self) -> Option<Subject> {
        let selected = self
            .links_in_view()
            .find(|link| Some(*link) == self.selected.as_ref());
        selected.or_else(|| self.links_in_view().next()).cloned()
    }

    fn selected_row(&self) -> Option<usize> {
        let link = self
            .links
            .iter()
            .find(|(_, link)| Some(link) == self.selected.as_ref());
        link.map(|(row, _)| *row)
    }

    fn visible_after(&self, row: Option<usize>) -> Option<Subject> {
        let shown = self.top..self.top + self.height;
        let mut links = self.links.iter().filter(|(at, _)| shown.contains(at));
        links
            .find(|(at, _)| row.is_none_or(|row| *at > row))
            .map(|(_, link)| link.clone())
    }

    fn visible_before(&self, row: Option<usize>) -> Option<Subject> {
        let shown = self.top..self.top + self.height;
        let mut links = self.links.iter().rev().filter(|(at, _)| shown.contains(at));
        links
            .find(|(at, _)| row.is_some_and(|row| *at < row))
            .map(|(_, link)| link.clone())
    }

    /// Builds the visible rows, and returns where each visible link is.
    pub fn show(
        &mut self,
        data: &Data,
        theme: Theme,
        area: Rect,
    ) -> (Vec<Line<'static>>, Vec<(Rect, Subject)>) {
        let mut rows: Vec<(Line<'static>, Option<Subject>)> = Vec::new();
        (self.area, self.links) = (area, Vec::new());
        for line in about::lines(&self.subject, data, theme) {
            if let Some(link) = &line.opens {
                self.links.push((rows.len(), link.clone()));
            }
            let wrapped = wrap(&line.line, area.width.into()).into_iter();
            rows.extend(wrapped.map(|row| (row, line.opens.clone())));
        }
        self.height = usize::from(area.height).max(1);
        self.rows = rows.len();
        self.top = self.top.min(self.rows.saturating_sub(self.height));
        self.selected = self.visible();
        let (mut shown, mut places) = (Vec::new(), Vec::new());
        let visible = rows.into_iter().skip(self.top).take(area.height.into());
        for ((row, link), y) in visible.zip(area.y..) {
            let is_selected = link.is_some() && link == self.selected;
            shown.push(if is_selected {
                row.patch_style(SELECTED)
            } else {
                row
            });
            if let Some(link) = link {
                places.push((Rect::new(area.x, y, area.width, 1), link));
            }
        }
        (shown, places)
    }

    /// Which rows are visible, such as `1-20 of 48`. `None`: all.
    #[must_use]
    pub fn position(&self, words: Words) -> Option<String> {
        let end = (self.top + self.height).min(self.rows);
        let rows = format!("{}-{end}", self.top + 1);
        let values = [("n", rows.as_str()), ("all", &self.rows.to_string())];
        (self.rows > self.height).then(|| words.fill("{n} of {all}", &values))
    }
}
