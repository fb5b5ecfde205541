//! Lays out the screen: the headline on top, rates and link below it, then the lists.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

use super::app::{App, Panel, Snapshot};
use super::keys::KEYS;
use super::theme::{FAINT, HEADING, mark};
use super::wrap::{rows_of, wrap_all};
use super::{detail, devices, dialog, documents, help, link, parked, rates};
use crate::view::headline::{Mood, describe_bundle, describe_config, headline};
use crate::view::table::{plain, seconds_since, span};

/// With at least this many rows, the three lists are shown one below the other; with fewer, only
/// the selected one.
const ROWS_FOR_ALL: u16 = 24;
/// Rows of the rates and the link, with their frames.
const OVERVIEW_ROWS: u16 = 7;
/// The gap between two hints in the bottom line.
const HINTS_APART: &str = "  ";

pub fn draw(frame: &mut Frame, app: &mut App) {
    let Rect { width, height, .. } = frame.area();
    let most = (height / 4).max(1);
    let alarm_line = first_alarm(app);
    let alarm_rows = (alarm_line.iter())
        .map(|line| rows_of(std::slice::from_ref(line), width, most))
        .sum();
    let sentence_lines = sentence_lines(app);
    let sentence_rows = rows_of(&sentence_lines, width, most.max(2)).max(2);
    let bottom_lines = bottom_lines(app, width);
    let bottom_rows = rows_of(&bottom_lines, width, most);
    let bundle_line = bundle_line(app, width);
    let [title, bundle, sentence, alarm, overview, lists, bottom] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(bundle_line.is_some().into()),
        Constraint::Length(sentence_rows),
        Constraint::Length(alarm_rows),
        Constraint::Length(OVERVIEW_ROWS),
        Constraint::Fill(1),
        Constraint::Length(bottom_rows),
    ])
    .areas(frame.area());
    draw_title(frame, title, app);
    if let Some(line) = bundle_line {
        frame.render_widget(line, bundle);
    }
    draw_wrapped(frame, sentence, &sentence_lines);
    if let Some(line) = alarm_line {
        draw_wrapped(frame, alarm, &[line]);
    }
    let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(overview);
    rates::draw(frame, left, app);
    link::draw(frame, right, app);
    draw_lists(frame, lists, app);
    draw_wrapped(frame, bottom, &bottom_lines);
    if let Some(detail) = &mut app.detail {
        detail::draw(frame, detail, app.theme);
    }
    if app.help {
        help::draw(frame, app);
    }
    if let Some(dialog) = &app.dialog {
        dialog::draw(frame, dialog, app.theme);
    }
}

fn draw_title(frame: &mut Frame, area: Rect, app: &App) {
    let title = match &app.snapshot {
        Some((Snapshot { status, .. }, _)) => {
            let since = |at| format!("for {}", span(seconds_since(at, app.now)));
            let config = describe_config(&status.config, since);
            let config = config.map_or(String::new(), |config| format!("; config {config}"));
            format!(
                "stockrelay {}  {}, up {}{config}",
                plain(&status.version),
                plain(&status.site),
                span(status.uptime_s)
            )
        }
        None => format!("stockrelay {}", env!("CARGO_PKG_VERSION")),
    };
    frame.render_widget(Line::styled(title, FAINT), area);
}

/// The pending bundle, or the last one if it was not confirmed, cut to the width.
fn bundle_line(app: &App, width: u16) -> Option<Line<'static>> {
    let (Snapshot { status, .. }, _) = app.snapshot.as_ref()?;
    let text = describe_bundle(&status.config)?;
    let width = usize::from(width);
    let text = if text.chars().count() > width {
        let start: String = text.chars().take(width.saturating_sub(1)).collect();
        start + "…"
    } else {
        text
    };
    Some(Line::styled(text, FAINT))
}

fn draw_wrapped(frame: &mut Frame, area: Rect, lines: &[Line<'_>]) {
    frame.render_widget(Paragraph::new(wrap_all(lines, area.width)), area);
}

fn sentence_lines(app: &App) -> Vec<Line<'static>> {
    let (mood, sentence) = match (&app.no_answer, &app.snapshot) {
        (Some(_), last) => {
            let socket = app.socket.display();
            let age = last.as_ref().map_or(String::new(), |(_, at)| {
                format!("; last answer {} ago", span(seconds_since(*at, app.now)))
            });
            (
                Mood::Bad,
                format!("Not connected to the daemon on {socket}{age}; retrying each second"),
            )
        }
        (None, Some((snapshot, _))) => headline(&snapshot.status, app.now),
        (None, None) => (Mood::Watch, "Connecting to the daemon".to_owned()),
    };
    let mut lines = vec![Line::styled(
        format!("{}{}", mark(mood), plain(&sentence)),
        app.theme.mood(mood),
    )];
    // Why the link is not up.
    let snapshot = app.snapshot.as_ref().filter(|_| app.no_answer.is_none());
    if let Some(why) = snapshot.and_then(|(snapshot, _)| snapshot.status.odoo.detail.as_ref()) {
        lines.push(Line::from(format!("  {}", plain(why))));
    }
    lines
}

fn first_alarm(app: &App) -> Option<Line<'static>> {
    let (snapshot, _) = app.snapshot.as_ref()?;
    let alarms = &snapshot.status.alarms;
    let first = alarms.values().next()?;
    let more = match alarms.len() {
        1 => String::new(),
        many => format!("  ({} more: run `stockrelay status`)", many - 1),
    };
    let text = format!("{}{}{more}", mark(Mood::Watch), plain(first));
    Some(Line::styled(text, app.theme.mood(Mood::Watch)))
}

fn draw_lists(frame: &mut Frame, area: Rect, app: &mut App) {
    if area.height >= ROWS_FOR_ALL {
        let areas: [Rect; 3] = Layout::vertical([Constraint::Fill(1); 3]).areas(area);
        for (panel, area) in Panel::ALL.into_iter().zip(areas) {
            draw_list(frame, area, app, panel, None);
        }
    } else {
        let tabs = tabs(app);
        draw_list(frame, area, app, app.panel, Some(tabs));
    }
}

fn draw_list(
    frame: &mut Frame,
    area: Rect,
    app: &mut App,
    panel: Panel,
    tabs: Option<Line<'static>>,
) {
    let focused = panel == app.panel;
    let title = tabs.unwrap_or_else(|| Line::from(format!(" {} ", name(app, panel))));
    let block = Block::bordered()
        .border_style(app.theme.frame(focused))
        .title(title);
    match panel {
        Panel::Devices => devices::draw(frame, area, block, app),
        Panel::Documents => documents::draw(frame, area, block, app),
        Panel::Parked => parked::draw(frame, area, block, app),
    }
}

fn tabs(app: &App) -> Line<'static> {
    let mut spans = vec![Span::raw(" ")];
    for panel in Panel::ALL {
        let name = name(app, panel);
        if panel == app.panel {
            spans.push(Span::styled(format!("[{name}]"), HEADING));
        } else {
            spans.push(Span::styled(format!(" {name} "), FAINT));
        }
        spans.push(Span::raw(" "));
    }
    Line::from(spans)
}

/// The name of a panel, with its counts.
fn name(app: &App, panel: Panel) -> String {
    let Some((Snapshot { status, .. }, _)) = &app.snapshot else {
        return match panel {
            Panel::Devices => "Devices".to_owned(),
            Panel::Documents => "Documents".to_owned(),
            Panel::Parked => "Parked".to_owned(),
        };
    };
    match panel {
        Panel::Devices => {
            let devices = &status.devices;
            let counts = format!("Devices {}/{}", devices.online, devices.known);
            match devices.drift {
                0 => counts,
                drift => format!("{counts}, {drift} drift"),
            }
        }
        Panel::Documents => format!("Documents {}", status.documents.sealed()),
        Panel::Parked => match status.events.rejected_open {
            0 => format!("Parked {}", status.documents.parked),
            open if status.events.rejected_dropped > 0 => format!(
                "Parked {}, rejected {open}, {} of them deleted to save space: see `stockrelay status`",
                status.documents.parked, status.events.rejected_dropped
            ),
            open => format!("Parked {}, rejected {open}", status.documents.parked),
        },
    }
}

/// The result of the last request, else the hints for the keys, wrapped into rows.
fn bottom_lines(app: &App, width: u16) -> Vec<Line<'static>> {
    if let Some(notice) = &app.notice {
        return vec![Line::styled(plain(notice), HEADING)];
    }
    let mut rows = vec![Line::default()];
    for binding in KEYS {
        let Some(hint) = binding.hint else { continue };
        let key = binding.shown.split(',').next().unwrap_or_default();
        let hint = [
            Span::styled(key, HEADING),
            Span::styled(format!(" {hint}"), FAINT),
        ];
        let wide: usize = hint.iter().map(Span::width).sum();
        let last = rows.len() - 1;
        match rows[last].width() {
            0 => {}
            used if used + HINTS_APART.len() + wide <= usize::from(width) => {
                rows[last].push_span(Span::raw(HINTS_APART));
            }
            _ => rows.push(Line::default()),
        }
        let last = rows.len() - 1;
        for span in hint {
            rows[last].push_span(span);
        }
    }
    rows
}
