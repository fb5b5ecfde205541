//! Draws the view that has the keys: a list, a page, or on a large screen a list with the page of
//! its selected row.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, Borders, HighlightSpacing, Paragraph, Row as TableRow, Table};

use super::about;
use super::app::{App, Target, View};
use super::data::Need;
use super::list::{Column, List, ListRow, MARK_WIDTH, constraints, fit};
use super::page::OpenPage;
use super::panels::{DEVICES, OVERVIEW, PANELS, PARKED, count_decided};
use super::parts::{cut, empty};
use super::theme::{Role, SELECTED, Theme};
use super::wrap::wrap_within;
use crate::view::table::plain;

/// From this width on, the page of the selected row is shown on the right.
const WIDTH_FOR_RIGHT: u16 = 140;
/// From this height on, the page of the selected row is shown below the list.
const HEIGHT_FOR_BELOW: u16 = 22;
/// On a screen with fewer rows, views have no frame but their title.
pub const HEIGHT_FOR_FRAME: u16 = 16;

/// Draws the view that has the keys.
pub fn draw(frame: &mut Frame, area: Rect, app: &mut App) {
    app.has_preview = false;
    let is_small = frame.area().height < HEIGHT_FOR_FRAME;
    let borders = if is_small { Borders::TOP } else { Borders::ALL };
    let block = Block::new()
        .borders(borders)
        .border_style(app.theme.frame(true));
    if let Some(View::Page(mut page)) = app.opened.pop_if(|view| matches!(view, View::Page(_))) {
        draw_page(frame, area, block, app, &mut page);
        app.opened.push(View::Page(page));
        return;
    }
    let preview = app.subject().filter(|subject| {
        // Beside the overview, the devices. Elsewhere the whole room is for the list.
        !about::is_list(subject) || (app.panel == OVERVIEW && app.opened.is_empty())
    });
    let parts = if preview.is_none() {
        None
    } else if area.width >= WIDTH_FOR_RIGHT {
        let parts = [Constraint::Percentage(60), Constraint::Fill(1)];
        Some(Layout::horizontal(parts).areas::<2>(area))
    } else if area.height >= HEIGHT_FOR_BELOW {
        let parts = [Constraint::Fill(1), Constraint::Percentage(45)];
        Some(Layout::vertical(parts).areas::<2>(area))
    } else {
        None
    };
    let list_area = parts.map_or(area, |[list, _]| list);
    draw_list(frame, list_area, block, app);
    if let Some([_, area]) = parts {
        app.has_preview = true;
        let block = Block::bordered().border_style(app.theme.frame(false));
        match preview {
            Some(subject) if !about::is_list(&subject) => {
                draw_page(frame, area, block, app, &mut OpenPage::new(subject));
            }
            _ => draw_devices(frame, area, block, app),
        }
    }
}

/// Beside a list whose selected row has no page: the devices.
fn draw_devices(frame: &mut Frame, area: Rect, block: Block<'_>, app: &App) {
    let mut devices = List::new(PANELS[DEVICES], "");
    let rows = (devices.spec.rows)(&app.data, "");
    devices.sync(&rows, rows.len());
    devices.table.select(None);
    let title = title(&devices, &rows, rows.len(), app);
    let block = block.title(cut_title(&title, area));
    draw_rows(frame, area, block, app, &mut devices, &rows);
}

fn cut_title(title: &str, area: Rect) -> String {
    format!(
        " {} ",
        cut(title, usize::from(area.width.saturating_sub(4)))
    )
}

fn draw_page(frame: &mut Frame, area: Rect, block: Block<'_>, app: &mut App, page: &mut OpenPage) {
    let inner = block.inner(area);
    let (lines, places) = page.show(&app.data, app.theme, inner);
    let mut title = about::title(&page.subject, app.data.words);
    if let Some(position) = page.position(app.data.words) {
        title = format!("{title}, {position}");
    }
    frame.render_widget(
        Paragraph::new(lines).block(block.title(cut_title(&title, area))),
        area,
    );
    for (place, link) in places {
        app.add_target(place, Target::Link(link));
    }
}

fn draw_list(frame: &mut Frame, area: Rect, block: Block<'_>, app: &mut App) {
    let inner = block.inner(area);
    let Some(mut list) = app.list().cloned() else {
        return;
    };
    let rows = std::mem::take(&mut app.rows);
    list.page = usize::from(inner.height.saturating_sub(1)).max(1);
    let title = title(&list, &rows, app.loaded, app);
    let block = block.title(cut_title(&title, area));
    let heights = draw_rows(frame, area, block, app, &mut list, &rows);
    let fitting = fit_rows(&list, &rows, inner.width);
    add_targets(app, inner, &fitting, &heights, list.table.offset());
    app.rows = rows;
    if let Some(known) = app.list_mut() {
        *known = list;
    }
}

/// Draws the rows that fit, and returns the height of each row.
fn draw_rows(
    frame: &mut Frame,
    area: Rect,
    block: Block<'_>,
    app: &App,
    list: &mut List,
    rows: &[ListRow],
) -> Vec<u16> {
    let theme = app.theme;
    let fitting = fit_rows(list, rows, block.inner(area).width);
    if rows.is_empty() {
        let text = empty_text(app, list);
        frame.render_widget(empty(&plain(&text), theme).block(block), area);
        return Vec::new();
    }
    // The heading takes one row. A taller row than the list would not be drawn at all.
    let height_max = block.inner(area).height.saturating_sub(1).max(1);
    let drawn = (rows.iter()).map(|row| draw_row(row, list, &fitting, theme, height_max));
    let (drawn, heights): (Vec<TableRow>, Vec<u16>) = drawn.unzip();
    let table = Table::new(drawn, constraints(&fitting))
        .header(draw_header(list, &fitting, app))
        .row_highlight_style(SELECTED)
        .highlight_symbol("> ")
        .highlight_spacing(HighlightSpacing::Always)
        .block(block);
    frame.render_stateful_widget(table, area, &mut list.table);
    heights
}

/// Why a list has no rows.
fn empty_text(app: &App, list: &List) -> String {
    let words = app.data.words;
    if let Some(refusal) = &app.data.refusal {
        return refusal.clone();
    }
    if !list.filter.is_empty() && app.loaded > 0 {
        let loaded = words.number(app.loaded as u64);
        let text = "None of {n} rows contains \"{filter}\". Esc removes the filter.";
        return words.fill(text, &[("n", &loaded), ("filter", &list.filter)]);
    }
    let need = list.need();
    if !app.data.has_read(need.as_ref()) {
        return words.t("loading").to_owned();
    }
    match need {
        Some(Need::Search { text, .. }) => {
            words.fill("Nothing is found for \"{text}\"", &[("text", &text)])
        }
        _ => words.t(list.spec.empty).to_owned(),
    }
}

/// The columns that fit. A column without any text leaves its room to the others.
fn fit_rows(list: &List, rows: &[ListRow], width: u16) -> Vec<(usize, u16)> {
    let has_text = |at: usize| rows.iter().any(|row| !row.cells[at].text.is_empty());
    fit(list.spec.columns, width, |at| {
        rows.is_empty() || has_text(at)
    })
}

/// The places of the headings and of the visible rows.
fn add_targets(
    app: &mut App,
    inner: Rect,
    fitting: &[(usize, u16)],
    heights: &[u16],
    first: usize,
) {
    let mut x = inner.x + MARK_WIDTH;
    for (column, width) in fitting {
        let place = Rect::new(x, inner.y, *width, 1).intersection(inner);
        app.add_target(place, Target::Column(*column));
        x = x.saturating_add(width + 1);
    }
    let mut y = inner.y + 1;
    for (row, height) in heights.iter().enumerate().skip(first) {
        if y >= inner.bottom() {
            return;
        }
        let place = Rect::new(inner.x, y, inner.width, *height).intersection(inner);
        app.add_target(place, Target::Row(row));
        y = y.saturating_add(*height);
    }
}

fn draw_header(list: &List, fitting: &[(usize, u16)], app: &App) -> TableRow<'static> {
    let (theme, words) = (app.theme, app.data.words);
    let heading = |(at, width): &(usize, u16)| {
        let column = list.spec.columns[*at];
        let arrow = match list.sort {
            Some((sorted, false)) if sorted == *at => "↑",
            Some((sorted, true)) if sorted == *at => "↓",
            _ => "",
        };
        let room = usize::from(*width).saturating_sub(arrow.chars().count());
        aligned(
            format!("{}{arrow}", cut(words.t(column.title), room)),
            column,
        )
    };
    TableRow::new(fitting.iter().map(heading).collect::<Vec<_>>()).style(theme.text(Role::Heading))
}

fn aligned(text: String, column: Column) -> Text<'static> {
    let text = Text::from(text);
    if column.is_number {
        text.right_aligned()
    } else {
        text
    }
}

/// A row, and its height: at most `height_max`.
fn draw_row(
    row: &ListRow,
    list: &List,
    fitting: &[(usize, u16)],
    theme: Theme,
    height_max: u16,
) -> (TableRow<'static>, u16) {
    let is_marked = list.marks.contains(&row.subject);
    let mut height = 1;
    let cells: Vec<Text> = (fitting.iter().enumerate())
        .map(|(place, (at, width))| {
            let (cell, column) = (&row.cells[*at], list.spec.columns[*at]);
            let mut text = cell.text.clone();
            if place == 0 && is_marked {
                text = format!("●{text}");
            }
            let style = theme.text(cell.role);
            if list.spec.wraps && column.is_filling {
                let line = Line::styled(text, style);
                let lines = wrap_within(&[line], *width, height_max.into());
                height = height.max(u16::try_from(lines.len()).unwrap_or(1));
                return Text::from(lines);
            }
            aligned(cut(&text, usize::from(*width)), column).style(style)
        })
        .collect();
    let height = height.min(height_max);
    (
        TableRow::new(cells).height(height).style(Style::new()),
        height,
    )
}

/// The name of the list, and how many of its rows are shown.
fn title(list: &List, rows: &[ListRow], loaded: usize, app: &App) -> String {
    let words = app.data.words;
    let name = words.t(list.spec.name);
    let about = match list.of.as_str() {
        "" => name.to_owned(),
        of => format!("{name} {}", plain(of)),
    };
    if !app.data.has_read(list.need().as_ref()) {
        return about;
    }
    let (shown, total) = (words.number(loaded as u64), (list.spec.total)(&app.data));
    let all = match total {
        Some(total) if total <= loaded as u64 => shown,
        Some(total) => {
            let values = [("n", shown.as_str()), ("all", &words.number(total))];
            words.fill("{n} of {all}", &values)
        }
        None => words.fill("{n} and more", &[("n", &shown)]),
    };
    let mut title = format!("{about}: {all}");
    if !list.filter.is_empty() {
        let found = words.number(rows.len() as u64);
        let values = [
            ("n", found.as_str()),
            ("filter", &list.filter),
            ("all", &all),
        ];
        let text = words.fill("{n} with \"{filter}\" among {all}", &values);
        title = format!("{about}: {}", plain(&text));
    }
    let decided = count_decided(&app.data);
    let is_parked = std::ptr::eq(list.spec, PANELS[PARKED]);
    for (text, count) in [
        (
            "{n} of them decided just now",
            if is_parked { decided } else { 0 },
        ),
        ("{n} marked", list.marks.len() as u64),
    ] {
        if count > 0 {
            let more = words.fill(text, &[("n", &words.number(count))]);
            title = format!("{title}, {more}");
        }
    }
    title
}
