//! A list: its columns, its rows from the data, and what a person has chosen in it: order, filter,
//! marks and the selected row. The selection follows its row when rows move.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use ratatui::layout::Constraint;
use ratatui::widgets::TableState;

use super::data::{Data, Need, Subject};
use super::theme::Role;

/// The rows that a list loads at first, and each time that the selection reaches its end.
const ROWS_EACH: usize = 100;
/// The limit of rows that a list loads.
pub const ROWS_MAX: usize = 20_000;
/// The rows below the selected one that a list keeps loaded: new rows on top then do not push the
/// selected row out.
const ROWS_BELOW: usize = 50;
/// The narrowest column that takes the rest of the width.
const FILL_WIDTH_MIN: u16 = 12;
/// The width of the mark before a row.
pub const MARK_WIDTH: u16 = 2;

#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub title: &'static str,
    pub width: u16,
    /// Shares the rest of the width with the other columns that fill.
    pub is_filling: bool,
    /// On a narrow screen the columns with the highest rank are left out; 0 always stays.
    pub rank: u8,
    /// Aligned to the right.
    pub is_number: bool,
}

impl Column {
    #[must_use]
    pub const fn new(title: &'static str, width: u16, rank: u8) -> Self {
        Self {
            title,
            width,
            is_filling: false,
            rank,
            is_number: false,
        }
    }

    #[must_use]
    pub const fn filling(title: &'static str, rank: u8) -> Self {
        let mut column = Self::new(title, FILL_WIDTH_MIN, rank);
        column.is_filling = true;
        column
    }

    /// The narrowest width of a column that fills.
    #[must_use]
    pub const fn at_least(mut self, width: u16) -> Self {
        self.width = width;
        self
    }

    #[must_use]
    pub const fn number(title: &'static str, width: u16, rank: u8) -> Self {
        let mut column = Self::new(title, width, rank);
        column.is_number = true;
        column
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cell {
    pub text: String,
    pub role: Role,
    /// Sorts the cell. `None`: its text does.
    pub order: Option<i64>,
}

impl Cell {
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    #[must_use]
    pub fn order(mut self, order: i64) -> Self {
        self.order = Some(order);
        self
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRow {
    pub subject: Subject,
    /// What Enter opens, if not the subject itself.
    pub opens: Option<Subject>,
    pub cells: Vec<Cell>,
}

impl ListRow {
    pub fn new(subject: Subject, cells: Vec<Cell>) -> Self {
        Self {
            subject,
            opens: None,
            cells,
        }
    }
}

/// A kind of list. `of` is what a [`List`] is about: a device's name or the text of a search.
#[derive(Debug)]
pub struct Spec {
    pub name: &'static str,
    pub columns: &'static [Column],
    pub rows: fn(&Data, of: &str) -> Vec<ListRow>,
    /// All rows that exist, also those that are not loaded. `None`: it is not known.
    pub total: fn(&Data) -> Option<u64>,
    pub need: fn(of: &str, rows: usize) -> Option<Need>,
    /// The text of a list without rows.
    pub empty: &'static str,
    /// The cells of filling columns wrap: nothing is cut off.
    pub wraps: bool,
    /// While the first row is selected, the selection moves to each new first row. If not, it does
    /// so only until a person selects a row.
    pub follows: bool,
    /// The reason of a row, by which several are marked together.
    pub reason: fn(&Data, &Subject) -> Option<String>,
}

#[derive(Debug, Clone)]
pub struct List {
    pub spec: &'static Spec,
    pub of: String,
    /// The column, and whether the order is descending. `None`: the order of the data.
    pub sort: Option<(usize, bool)>,
    pub filter: String,
    pub marks: BTreeSet<Subject>,
    /// `None`: the first row, whichever it is.
    selected: Option<Subject>,
    /// A person has selected a row.
    is_moved: bool,
    index: usize,
    pub table: TableState,
    /// Rows of one page, as last drawn.
    pub page: usize,
    /// How many rows to load.
    pub loads: usize,
}

impl List {
    #[must_use]
    pub fn new(spec: &'static Spec, of: impl Into<String>) -> Self {
        Self {
            spec,
            of: of.into(),
            sort: None,
            filter: String::new(),
            marks: BTreeSet::new(),
            selected: None,
            is_moved: false,
            index: 0,
            table: TableState::new(),
            page: 10,
            loads: ROWS_EACH,
        }
    }

    /// Filters and sorts rows, as they are shown.
    #[must_use]
    pub fn arrange(&self, mut rows: Vec<ListRow>) -> Vec<ListRow> {
        if !self.filter.is_empty() {
            let filter = self.filter.to_lowercase();
            let has = |cell: &Cell| cell.text.to_lowercase().contains(&filter);
            rows.retain(|row| row.cells.iter().any(has));
        }
        if let Some((column, is_descending)) = self.sort {
            rows.sort_by(|one, other| {
                let order = compare(&one.cells[column], &other.cells[column]);
                if is_descending {
                    order.reverse()
                } else {
                    order
                }
            });
        }
        rows
    }

    #[must_use]
    pub fn need(&self) -> Option<Need> {
        (self.spec.need)(&self.of, self.loads)
    }

    /// Finds the selected row again after rows have moved, and keeps it on its line of the screen.
    pub fn sync(&mut self, rows: &[ListRow], loaded: usize) {
        let last = rows.len().saturating_sub(1);
        let place = (self.selected.as_ref())
            .and_then(|selected| rows.iter().position(|row| row.subject == *selected));
        let index = match (place, &self.selected) {
            (Some(place), _) => place,
            (None, Some(_)) => self.index.min(last),
            (None, None) => 0,
        };
        let offset = self.table.offset() + index;
        *self.table.offset_mut() = offset.saturating_sub(self.index).min(last);
        self.index = index;
        let stays = self.is_moved && !self.spec.follows;
        if place.is_none() && (self.selected.is_some() || stays) {
            self.selected = rows.get(index).map(|row| row.subject.clone());
        }
        self.table.select((!rows.is_empty()).then_some(index));
        let is_whole = self.filter.is_empty() && self.sort.is_none();
        if is_whole && self.selected.is_some() && index + ROWS_BELOW >= self.loads {
            self.load_more(loaded);
        }
        self.marks
            .retain(|mark| rows.iter().any(|row| row.subject == *mark));
    }

    /// Selects a row, by its index. In a list that follows, the first row is selected as such.
    pub fn select(&mut self, rows: &[ListRow], index: usize) {
        let index = index.min(rows.len().saturating_sub(1));
        let was_last = self.index + 1 >= rows.len();
        if index + 1 >= rows.len() && was_last && self.sort.is_some() && self.filter.is_empty() {
            self.load_more(rows.len());
        }
        let selected = rows.get(index).filter(|_| index > 0 || !self.spec.follows);
        self.selected = selected.map(|row| row.subject.clone());
        self.is_moved = true;
        self.index = index;
        self.table.select((!rows.is_empty()).then_some(index));
    }

    /// Moves the selection down, or up.
    pub fn step(&mut self, rows: &[ListRow], down: usize, up: usize) {
        self.select(rows, self.index.saturating_add(down).saturating_sub(up));
    }

    fn load_more(&mut self, loaded: usize) {
        if loaded >= self.loads {
            self.loads = (self.loads + ROWS_EACH).min(ROWS_MAX);
        }
    }

    #[must_use]
    pub fn selected<'a>(&self, rows: &'a [ListRow]) -> Option<&'a ListRow> {
        rows.get(self.index)
    }

    pub fn toggle(&mut self, subject: &Subject) {
        if !self.marks.remove(subject) {
            self.marks.insert(subject.clone());
        }
    }

    /// Sorts by the next column, and after the last one in the order of the data.
    pub fn sort_next(&mut self) {
        self.sort = match self.sort {
            None => Some((0, false)),
            Some((column, _)) if column + 1 < self.spec.columns.len() => Some((column + 1, false)),
            Some(_) => None,
        };
    }

    /// Sorts by a column; a second time in the reverse order.
    pub fn sort_by(&mut self, column: usize) {
        self.sort = match self.sort {
            Some((known, is_descending)) if known == column => Some((column, !is_descending)),
            _ => Some((column, false)),
        };
    }

    pub fn reverse(&mut self) {
        let (column, is_descending) = self.sort.unwrap_or((0, false));
        self.sort = Some((column, !is_descending));
    }
}

fn compare(one: &Cell, other: &Cell) -> Ordering {
    match (one.order, other.order) {
        (Some(one), Some(other)) => one.cmp(&other),
        // A cell without a number is empty.
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => one.text.to_lowercase().cmp(&other.text.to_lowercase()),
    }
}

/// The columns that fit into a width, each with its own width. `has_text`: the column is not empty.
#[must_use]
pub fn fit(columns: &[Column], width: u16, has_text: impl Fn(usize) -> bool) -> Vec<(usize, u16)> {
    let is_shown = |at: &usize| columns[*at].rank == 0 || has_text(*at);
    let mut shown: Vec<usize> = (0..columns.len()).filter(is_shown).collect();
    let needed = |shown: &[usize]| -> u16 {
        let widths = shown.iter().map(|at| columns[*at].width + 1);
        MARK_WIDTH + widths.sum::<u16>()
    };
    while needed(&shown) > width + 1 {
        let rank = |at: &usize| (columns[*at].rank, *at);
        let Some(most) = shown.iter().copied().max_by_key(rank) else {
            break;
        };
        if columns[most].rank == 0 {
            break;
        }
        shown.retain(|at| *at != most);
    }
    let rest = (width + 1).saturating_sub(needed(&shown));
    let filling = shown.iter().filter(|at| columns[**at].is_filling).count();
    let share = rest
        .checked_div(u16::try_from(filling).unwrap_or(1))
        .unwrap_or(0);
    (shown.into_iter())
        .map(|at| {
            let column = columns[at];
            let more = if column.is_filling { share } else { 0 };
            (at, column.width + more)
        })
        .collect()
}

/// The widths for ratatui's table.
#[must_use]
pub fn constraints(fitting: &[(usize, u16)]) -> Vec<Constraint> {
    let widths = fitting.iter().map(|(_, width)| Constraint::Length(*width));
    widths.collect()
}
