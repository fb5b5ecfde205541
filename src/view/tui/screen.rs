//! Lays out the screen: what runs and the sentence on top, the names of the panels, the view that
//! has the keys, and the keys below it.

use ratatui::Frame;
use ratatui::crossterm::event::KeyCode;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::app::{App, Contact, PromptKind, Target};
use super::data::Subject;
use super::draw_view::HEIGHT_FOR_FRAME;
use super::keys::{Binding, Hint, KEYS, KeyAction, Scope};
use super::panels::{self, OVERVIEW, PANELS, mood_of};
use super::parts::{cut, lay_hints, place_in};
use super::theme::{Role, mark, to_ascii};
use super::wrap::{wrap_all, wrap_within};
use super::{dialog, draw_view, gauges, help};
use crate::view::answer::{Todo, answer};
use crate::view::headline::Mood;
use crate::view::table::plain;

/// The smallest terminal that can show a list and the keys.
const WIDTH_MIN: u16 = 40;
const HEIGHT_MIN: u16 = 10;
/// From this height on, a task has two rows also on a small screen.
const HEIGHT_FOR_TASK: u16 = 12;
/// What is before each row of a task.
const TASK_INDENT: &str = "    ";
/// The rows of a task, at most.
const TASK_ROWS: usize = 2;

pub fn draw(frame: &mut Frame, app: &mut App) {
    let Rect { width, height, .. } = frame.area();
    app.targets.clear();
    app.is_too_small = width < WIDTH_MIN || height < HEIGHT_MIN;
    if app.is_too_small {
        return draw_too_small(frame, app);
    }
    let is_small = height < HEIGHT_FOR_FRAME;
    let todos = if is_small { 1 } else { 3 };
    let sentence = sentence_rows(app, todos, rows_for_sentence(app, height), width);
    let sentence_height = u16::try_from(sentence.len()).unwrap_or(1);
    let (tabs, tab_places) = lay_tabs(app, width);
    let (bottom, keys) = bottom_lines(app, width);
    let bottom_rows = u16::try_from(bottom.len())
        .unwrap_or(1)
        .min(if is_small { 2 } else { 4 });
    let is_overview = app.panel == OVERVIEW && app.opened.is_empty();
    let has_values = app.data.answered.is_some();
    // On a small screen, what to do comes before the queue.
    let has_room = !is_small || sentence_height <= 2;
    let head_rows = if is_overview && has_values && has_room {
        gauges::rows(frame.area())
    } else {
        0
    };
    let [title, said, names, head, view, below] = Layout::vertical([
        Constraint::Length(u16::from(!is_small)),
        Constraint::Length(sentence_height),
        Constraint::Length(u16::try_from(tabs.len()).unwrap_or(1)),
        Constraint::Length(head_rows),
        Constraint::Fill(1),
        Constraint::Length(bottom_rows),
    ])
    .areas(frame.area());
    draw_title(frame, title, app);
    frame.render_widget(Paragraph::new(sentence), said);
    frame.render_widget(Paragraph::new(tabs), names);
    for (place, panel) in tab_places {
        let y = names.y + place.y;
        let place = Rect { y, ..place }.intersection(names);
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

/// The rows that the sentence and the tasks below it have at most.
fn rows_for_sentence(app: &App, height: u16) -> usize {
    match height {
        // The rest of the screen is old: what to do is more important.
        _ if matches!(app.contact, Contact::Lost(_)) => 9,
        ..HEIGHT_FOR_TASK => 3,
        HEIGHT_FOR_TASK..HEIGHT_FOR_FRAME => 4,
        HEIGHT_FOR_FRAME.. => 6,
    }
}

/// Draws what is wrong with the size, and the help if it is open.
fn draw_too_small(frame: &mut Frame, app: &mut App) {
    let Rect { width, height, .. } = frame.area();
    let size = format!("{width}x{height}");
    let least = format!("{WIDTH_MIN}x{HEIGHT_MIN}");
    let values = [("size", size.as_str()), ("least", &least)];
    let words = app.data.words;
    let text = "This terminal is {size}; top needs {least} or more: make it larger, or press q";
    let text = Line::styled(words.fill(text, &values), app.theme.text(Role::Heading));
    let rows = wrap_within(&[text], width, height.into());
    frame.render_widget(Paragraph::new(rows), frame.area());
    if app.help.is_some() {
        help::draw(frame, app);
    }
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

/// The state of the work, or of the connection, and a line with the first task of each person: at
/// most `todos` lines and `most` rows.
fn sentence_rows(app: &App, todos: usize, most: usize, width: u16) -> Vec<Line<'static>> {
    let data = &app.data;
    let (mood, sentence, todo) = if let Some((mood, text)) = describe_connection(app) {
        (mood, text, Vec::new())
    } else {
        let state = answer(&data.status, data.now, data.words);
        (state.mood, state.sentence, state.todo)
    };
    let sentence = Line::from(vec![
        Span::styled(mark(mood), app.theme.badge(mood)),
        Span::styled(
            format!(" {}", plain(&sentence)),
            app.theme.text(Role::Heading),
        ),
    ]);
    let persons: Vec<_> = by_person(&todo).into_iter().take(todos).collect();
    // What to do is never less than one row for each person.
    let room = most.saturating_sub(persons.len()).max(1);
    let mut rows = wrap_within(&[sentence], width, room);
    for (place, (first, count)) in persons.iter().enumerate() {
        let others = persons.len() - place - 1;
        let room = most.saturating_sub(rows.len() + others).clamp(1, TASK_ROWS);
        rows.extend(task_rows(first, *count, room, width, app));
    }
    rows
}

/// The first task of a person. If there is no room for the problem, the text is what to do.
fn task_rows(task: &Todo, count: usize, room: usize, width: u16, app: &App) -> Vec<Line<'static>> {
    let words = app.data.words;
    let who = match count {
        1 => words.t(task.who.as_str()).to_owned(),
        count => format!("{} ({count})", words.t(task.who.as_str())),
    };
    let line = |text: &str| {
        Line::from(vec![
            Span::styled(format!("{who}: "), app.theme.text(Role::Heading)),
            Span::raw(plain(text)),
        ])
    };
    let (problem, what) = (task.problem.as_str(), task.what.as_str());
    let whole = match what {
        "" => line(problem),
        what => line(&format!("{problem}: {what}")),
    };
    let indent = u16::try_from(TASK_INDENT.len()).unwrap_or(0);
    let width = width.saturating_sub(indent);
    let mut rows = wrap_all(&[whole], width);
    if rows.len() > room {
        let short = if what.is_empty() { problem } else { what };
        rows = wrap_within(&[line(short)], width, room);
    }
    for row in &mut rows {
        row.spans.insert(0, Span::raw(TASK_INDENT));
    }
    rows
}

/// Describes the connection to the daemon. `None`: the daemon answers.
fn describe_connection(app: &App) -> Option<(Mood, String)> {
    let (data, words) = (&app.data, app.data.words);
    let Some(answered) = data.answered else {
        let begun = app.begun.unwrap_or(data.now);
        let (socket, span) = (app.socket.display().to_string(), data.span(begun));
        let values = [("socket", socket.as_str()), ("span", &span)];
        return Some(match &app.contact {
            Contact::Lost(why) => {
                let text = "Not connected, retrying each second: {why}";
                (Mood::Bad, words.fill(text, &[("why", why)]))
            }
            Contact::Silent => {
                let text = "Connecting to {socket} for {span}; the gateway does not answer";
                (Mood::Bad, words.fill(text, &values))
            }
            Contact::Answers => {
                let text = "Connecting to {socket} for {span}";
                (Mood::Watch, words.fill(text, &values))
            }
        });
    };
    let (time, ago) = (data.time(answered), data.ago(Some(answered)));
    let (text, why) = match &app.contact {
        Contact::Answers => return None,
        Contact::Silent => ("The gateway does not answer; values from {time}, {ago}", ""),
        Contact::Lost(why) => (
            "Not connected, values from {time}, {ago}; retrying each second: {why}",
            why.as_str(),
        ),
    };
    let values = [("time", time.as_str()), ("ago", &ago), ("why", why)];
    Some((Mood::Bad, words.fill(text, &values)))
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

/// The keys that have an effect, below the text that is typed or the result of the last request.
fn bottom_lines(app: &App, width: u16) -> (Vec<Line<'static>>, Vec<(Rect, KeyCode)>) {
    let words = app.data.words;
    let (text, hints) = if let Some(prompt) = &app.prompt {
        let what = match prompt.kind {
            PromptKind::Filter => words.t("filter"),
            PromptKind::Search => words.t("search"),
        };
        let hints = vec![
            Hint::new(KeyCode::Enter, "Enter", words.t("open")),
            Hint::new(KeyCode::Esc, "Esc", words.t("cancel")),
        ];
        (Some(format!("{what} > {}_", plain(&prompt.text))), hints)
    } else {
        (app.notice.as_deref().map(plain), hints(app))
    };
    let (rows, places) = lay_hints(&hints, width, app.theme);
    let Some(text) = text else {
        return (rows, places);
    };
    let line = Line::styled(text, app.theme.text(Role::Heading));
    let mut lines = wrap_all(&[line], width);
    let above = u16::try_from(lines.len()).unwrap_or(0);
    lines.extend(rows);
    let below = |(place, key): (Rect, KeyCode)| {
        let y = place.y + above;
        (Rect { y, ..place }, key)
    };
    (lines, places.into_iter().map(below).collect())
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
