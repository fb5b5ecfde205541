//! Lays out the screen: what runs and the sentence on top, the names of the panels, the view that
//! has the keys, and the keys below it.

use ratatui::Frame;
use ratatui::crossterm::event::KeyCode;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::app::{App, PromptKind, Target};
use super::data::Subject;
use super::draw_view::HEIGHT_FOR_FRAME;
use super::keys::{Binding, Hint, KEYS, KeyAction, Scope};
use super::panels::{self, OVERVIEW, PANELS, mood_of};
use super::parts::{cut, lay_hints, place_in};
use super::theme::{Role, mark, to_ascii};
use super::wrap::{rows_of, wrap_all};
use super::{dialog, draw_view, gauges, help};
use crate::view::answer::{Todo, answer};
use crate::view::headline::Mood;
use crate::view::table::plain;

pub fn draw(frame: &mut Frame, app: &mut App) {
    let Rect { width, height, .. } = frame.area();
    app.targets.clear();
    let is_small = height < HEIGHT_FOR_FRAME;
    let sentence = sentence_lines(app, if is_small { 1 } else { 3 }, width);
    let most = match (&app.no_answer, is_small) {
        // The rest of the screen is old: what to do is more important.
        (Some(_), _) => 9,
        (None, true) => 2,
        (None, false) => 6,
    };
    let sentence_rows = rows_of(&sentence, width, most).max(1);
    let (tabs, tab_places) = lay_tabs(app, width);
    let (bottom, keys) = bottom_lines(app, width);
    let bottom_rows = u16::try_from(bottom.len())
        .unwrap_or(1)
        .min(if is_small { 2 } else { 4 });
    let is_overview = app.panel == OVERVIEW && app.opened.is_empty();
    let head_rows = if is_overview {
        gauges::rows(frame.area())
    } else {
        0
    };
    let [title, said, names, head, view, below] = Layout::vertical([
        Constraint::Length(u16::from(!is_small)),
        Constraint::Length(sentence_rows),
        Constraint::Length(u16::try_from(tabs.len()).unwrap_or(1)),
        Constraint::Length(head_rows),
        Constraint::Fill(1),
        Constraint::Length(bottom_rows),
    ])
    .areas(frame.area());
    draw_title(frame, title, app);
    frame.render_widget(Paragraph::new(wrap_all(&sentence, width)), said);
    frame.render_widget(Paragraph::new(tabs), names);
    for (place, panel) in tab_places {
        let place = Rect {
            y: names.y + place.y,
            ..place
        }
        .intersection(names);
        app.add_target(place, Target::Panel(panel));
    }
    if head_rows > 0 {
        gauges::draw(frame, head, app);
    }
    draw_view::draw(frame, view, app);
    frame.render_widget(Paragraph::new(bottom), below);
    for (place, key) in place_in(below, keys) {
        app.add_target(place, Target::Key(key));
    }
    draw_boxes(frame, app);
    if !app.theme.is_unicode {
        to_ascii(frame.buffer_mut());
    }
}

/// Draws the help or the dialog over the rest, which the mouse then does not reach.
fn draw_boxes(frame: &mut Frame, app: &mut App) {
    if app.help.is_some() {
        app.targets.clear();
        help::draw(frame, app);
    }
    if let Some(dialog) = &app.dialog {
        app.targets.clear();
        for (place, key) in dialog::draw(frame, dialog, &app.data, app.theme) {
            app.add_target(place, Target::Key(key));
        }
    }
}

fn draw_title(frame: &mut Frame, area: Rect, app: &App) {
    let words = app.data.words;
    let mut title = match app.data.answered {
        Some(_) => {
            let status = &app.data.status;
            let (version, site) = (plain(&status.version), plain(&status.site));
            let up = words.span(status.uptime_s);
            let values = [
                ("version", version.as_str()),
                ("site", &site),
                ("span", &up),
                ("period", words.t(app.period.name())),
            ];
            words.fill(
                "stockrelay {version}  {site}, up {span}, period: {period}",
                &values,
            )
        }
        None => format!("stockrelay {}", env!("CARGO_PKG_VERSION")),
    };
    if app.is_read_only {
        title = format!("{title}, {}", words.t("read-only"));
    }
    let (_, zone) = app.data.zone();
    let clock = format!("{}{zone}", app.data.time(app.data.now));
    let room = usize::from(area.width).saturating_sub(clock.len() + 1);
    let title = cut(&title, room);
    let faint = app.theme.text(Role::Faint);
    frame.render_widget(Line::styled(title, faint), area);
    frame.render_widget(Line::styled(clock, faint).right_aligned(), area);
}

/// What was done since the shift began, and a line with the first task of each person: at most
/// `todos` lines.
fn sentence_lines(app: &App, todos: usize, width: u16) -> Vec<Line<'static>> {
    let (data, words) = (&app.data, app.data.words);
    let mut todo = Vec::new();
    let (mood, sentence) = match (&app.no_answer, data.answered) {
        (Some(why), last) => {
            let sentence = match last {
                Some(at) => {
                    let ago = data.ago(Some(at));
                    let values = [("ago", ago.as_str()), ("why", why)];
                    let text = "Not connected, last answer {ago}; retrying each second: {why}";
                    words.fill(text, &values)
                }
                None => words.fill(
                    "Not connected, retrying each second: {why}",
                    &[("why", why)],
                ),
            };
            (Mood::Bad, sentence)
        }
        (None, Some(_)) => {
            let state = answer(&data.status, data.now, words);
            todo = state.todo;
            (state.mood, state.sentence)
        }
        (None, None) => (Mood::Watch, words.t("Connecting to the daemon").to_owned()),
    };
    let mut lines = vec![Line::from(vec![
        Span::styled(mark(mood), app.theme.badge(mood)),
        Span::styled(
            format!(" {}", plain(&sentence)),
            app.theme.text(Role::Heading),
        ),
    ])];
    let width = usize::from(width);
    lines.extend(
        by_person(&todo)
            .into_iter()
            .take(todos)
            .map(|(first, count)| {
                let who = match count {
                    1 => words.t(first.who.as_str()).to_owned(),
                    count => format!("{} ({count})", words.t(first.who.as_str())),
                };
                let who = format!("    {who}: ");
                let room = width.saturating_sub(Span::raw(who.as_str()).width());
                let what = match first.what.as_str() {
                    "" => first.problem.clone(),
                    what => format!("{}: {what}", first.problem),
                };
                Line::from(vec![
                    Span::styled(who, app.theme.text(Role::Heading)),
                    Span::raw(cut(&plain(&what), room)),
                ])
            }),
    );
    lines
}

/// The first task of each person, and how many tasks the person has.
fn by_person(todo: &[Todo]) -> Vec<(&Todo, usize)> {
    let mut persons: Vec<(&Todo, usize)> = Vec::new();
    for task in todo {
        match persons.iter_mut().find(|(first, _)| first.who == task.who) {
            Some((_, count)) => *count += 1,
            None => persons.push((task, 1)),
        }
    }
    persons
}

/// The names of the panels with their digits and counts, wrapped into rows; on a narrow screen only
/// the digits of the others.
fn lay_tabs(app: &App, width: u16) -> (Vec<Line<'static>>, Vec<(Rect, usize)>) {
    let is_narrow = width < 70;
    let mut rows = vec![Line::default()];
    let mut places = Vec::new();
    let mut x = 0;
    for (panel, spec) in PANELS.iter().enumerate() {
        let digit = (panel + 1) % 10;
        let is_shown = panel == app.panel;
        let alert = if mood_of(panel, &app.data).is_some() {
            "!"
        } else {
            ""
        };
        let name = app.data.words.t(spec.name);
        let text = if is_narrow && !is_shown {
            format!("{digit}{alert}")
        } else {
            format!("{digit} {name}{}{alert}", count_of(app, panel))
        };
        let (text, role) = match (is_shown, alert) {
            (true, _) => (format!("[{text}]"), Role::Focus),
            (false, "") => (format!(" {text} "), Role::Plain),
            (false, _) => (format!(" {text} "), Role::Bad),
        };
        let span = Span::styled(text, app.theme.text(role));
        let wide = u16::try_from(span.width()).unwrap_or(u16::MAX);
        if x > 0 && x + wide > width {
            rows.push(Line::default());
            x = 0;
        }
        let y = rows.len() - 1;
        rows[y].push_span(span);
        let y = u16::try_from(y).unwrap_or(0);
        places.push((Rect::new(x, y, wide, 1), panel));
        x += wide;
    }
    (rows, places)
}

/// The count beside the name of a panel.
fn count_of(app: &App, panel: usize) -> String {
    let status = &app.data.status;
    if app.data.answered.is_none() {
        return String::new();
    }
    let count = match panel {
        panels::DEVICES => return format!(" {}", panels::count_devices(&app.data)),
        panels::DOCUMENTS => status.documents.sealed(),
        panels::PARKED => status.documents.parked,
        panels::REJECTED => status.events.rejected_open,
        panels::ALARMS => panels::raised(&app.data).len() as u64,
        _ => 0,
    };
    if count == 0 {
        return String::new();
    }
    format!(" {}", app.data.words.number(count))
}

/// The text that is typed, else the result of the last request, else the keys that have an effect.
fn bottom_lines(app: &App, width: u16) -> (Vec<Line<'static>>, Vec<(Rect, KeyCode)>) {
    let words = app.data.words;
    if let Some(prompt) = &app.prompt {
        let what = match prompt.kind {
            PromptKind::Filter => words.t("filter"),
            PromptKind::Search => words.t("search"),
        };
        let typed = format!("{what} > {}_", plain(&prompt.text));
        let line = Line::styled(typed, app.theme.text(Role::Heading));
        let hints = [
            Hint::new(KeyCode::Enter, "Enter", words.t("open")),
            Hint::new(KeyCode::Esc, "Esc", words.t("cancel")),
        ];
        let (rows, places) = lay_hints(&hints, width, app.theme);
        let mut lines = wrap_all(&[line], width);
        let typed = u16::try_from(lines.len()).unwrap_or(0);
        lines.extend(rows);
        let below = |(place, key): (Rect, KeyCode)| {
            (
                Rect {
                    y: place.y + typed,
                    ..place
                },
                key,
            )
        };
        return (lines, places.into_iter().map(below).collect());
    }
    if let Some(notice) = &app.notice {
        let line = Line::styled(plain(notice), app.theme.text(Role::Heading));
        return (wrap_all(&[line], width), Vec::new());
    }
    lay_hints(&hints(app), width, app.theme)
}

/// The word of a key in the bottom line. A reading is sent again, corrected and dismissed; a
/// document is retried, edited and discarded.
fn hint_for(binding: &Binding, subject: Option<&Subject>) -> Option<&'static str> {
    let is_reading = matches!(subject, Some(Subject::Rejected(_)));
    match binding.action {
        KeyAction::Retry if is_reading => Some("send again"),
        KeyAction::RetryAll if is_reading => None,
        KeyAction::Edit if is_reading => Some("correct"),
        KeyAction::Discard if is_reading => Some("dismiss"),
        _ => binding.hint,
    }
}

/// The keys that have an effect now.
fn hints(app: &App) -> Vec<Hint> {
    let subject = app.subject();
    let has_effect = |scope: Scope| match scope {
        Scope::Always => true,
        Scope::Lists => app.list().is_some(),
        Scope::Opened => {
            let is_changed =
                |list: &super::list::List| !list.filter.is_empty() || !list.marks.is_empty();
            !app.opened.is_empty() || app.list().is_some_and(is_changed)
        }
        Scope::Decide => {
            let can = |subject: &Subject| app.can_decide(subject);
            !app.is_read_only && subject.as_ref().is_some_and(can)
        }
        Scope::Discarded => {
            let can = |subject: &Subject| app.is_discarded(subject);
            !app.is_read_only && subject.as_ref().is_some_and(can)
        }
    };
    let bindings = KEYS.iter().filter(|binding| has_effect(binding.scope));
    bindings
        .filter_map(|binding| {
            let shown = binding.shown.split(',').next().unwrap_or_default();
            let hint = hint_for(binding, subject.as_ref())?;
            Some(Hint::new(
                *binding.keys.first()?,
                shown,
                app.data.words.t(hint),
            ))
        })
        .collect()
}
