//! The head of the overview: rates with their time, the link to Odoo, the queue, the journal with
//! the time left, the configuration and the clock.

use std::collections::VecDeque;
use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Sparkline};

use super::app::App;
use super::data::Data;
use super::parts::cut;
use super::theme::{Role, Theme};
use crate::board::Link;
use crate::view::headline::{describe_bundle, describe_config};
use crate::view::table::{plain, size};
use crate::view::words::Words;

/// The rows of the head with its frame, and of the short form for a small screen.
const ROWS: u16 = 9;
const ROWS_SMALL: u16 = 2;
/// From this width on, the head has the curve of Odoo's response times.
const WIDTH_FOR_LATENCY: u16 = 100;
/// The width of the labels.
const LABEL_WIDTH: usize = 8;
/// The screen below which the short form is used.
const HEIGHT_MIN: u16 = 20;

/// The rows that the head needs on a screen of this size.
#[must_use]
pub fn rows(screen: Rect) -> u16 {
    if screen.height < HEIGHT_MIN {
        ROWS_SMALL
    } else {
        ROWS
    }
}

pub fn draw(frame: &mut Frame, area: Rect, app: &App) {
    let (data, theme, words) = (&app.data, app.theme, app.data.words);
    if area.height < ROWS {
        let lines = vec![odoo_line(data, theme), queue_line(data)];
        frame.render_widget(Paragraph::new(lines), area);
        return;
    }
    let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(area);
    let block = Block::bordered().border_style(theme.frame(false));
    let inner = block.inner(left);
    frame.render_widget(
        block
            .clone()
            .title(format!(" {} ", words.t("Events a second"))),
        left,
    );
    draw_rates(frame, inner, app);
    let inner = block.inner(right);
    frame.render_widget(
        block.title(format!(" {} ", words.t("Link, queue, journal"))),
        right,
    );
    let width = usize::from(inner.width);
    let mut lines = vec![odoo_line(data, theme), queue_line(data), age_line(data)];
    lines.push(Line::from(cut(&journal_text(data), width)));
    let config = describe_config(&data.status.config, |at| {
        words.fill("for {span}", &[("span", &data.span(at))])
    });
    lines.push(Line::from(cut(
        &labelled(words, "config", &config.unwrap_or("–".to_owned())),
        width,
    )));
    lines.push(Line::from(cut(&clock_text(data), width)));
    if let Some(bundle) = describe_bundle(&data.status.config) {
        lines.push(Line::from(cut(&bundle, width)));
    } else if let Some(unfinished) = unfinished_text(data) {
        lines.push(Line::from(cut(&unfinished, width)));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

fn draw_rates(frame: &mut Frame, area: Rect, app: &App) {
    let (data, theme, words) = (&app.data, app.theme, app.data.words);
    let events = &data.status.events;
    let rows: [Rect; 7] = Layout::vertical([Constraint::Length(1); 7]).areas(area);
    let rates = &data.rates;
    curve(
        frame,
        [rows[0], rows[1]],
        theme,
        (words, "stored {rate}/s, {all} in all", events.stored),
        &rates.stored,
    );
    curve(
        frame,
        [rows[2], rows[3]],
        theme,
        (words, "posted {rate}/s, {all} in all", events.posted),
        &rates.posted,
    );
    let first = rates.at.len().saturating_sub(area.width.into());
    let ago = rates.at.get(first).map(|at| data.ago(Some(*at)));
    let axis = Line::from(ago.unwrap_or_default());
    let faint = theme.text(Role::Faint);
    frame.render_widget(axis.style(faint), rows[4]);
    frame.render_widget(Line::styled(words.t("now"), faint).right_aligned(), rows[4]);
    let possible = match events.possible_repeats {
        0 => String::new(),
        count => words.fill(", {n} possible", &[("n", &words.number(count))]),
    };
    let (duplicates, rejected) = (
        words.number(events.duplicates),
        words.number(events.rejected),
    );
    let values = [
        ("duplicates", duplicates.as_str()),
        ("possible", &possible),
        ("rejected", &rejected),
    ];
    let others = words.fill(
        "{duplicates} duplicates{possible}, {rejected} rejected",
        &values,
    );
    frame.render_widget(Line::from(cut(&others, area.width.into())), rows[5]);
    if area.width >= WIDTH_FOR_LATENCY / 2 {
        let text = words.t("Odoo ms ");
        let [label, bars] =
            Layout::horizontal([Constraint::Length(8), Constraint::Fill(1)]).areas(rows[6]);
        frame.render_widget(Line::styled(text, faint), label);
        bars_of(frame, bars, theme, &rates.latency);
    }
}

fn curve(
    frame: &mut Frame,
    [text, bars]: [Rect; 2],
    theme: Theme,
    (words, text_of, total): (Words, &str, u64),
    rates: &VecDeque<u64>,
) {
    let now = rates.back().map_or("–".to_owned(), |tenths| {
        format!("{}.{}", words.number(tenths / 10), tenths % 10)
    });
    let line = words.fill(text_of, &[("rate", &now), ("all", &words.number(total))]);
    frame.render_widget(Line::from(line), text);
    bars_of(frame, bars, theme, rates);
}

fn bars_of(frame: &mut Frame, area: Rect, theme: Theme, values: &VecDeque<u64>) {
    let first = values.len().saturating_sub(area.width.into());
    let mut data: Vec<u64> = values.iter().skip(first).copied().collect();
    // The newest is at the right end, as the axis shows.
    let missing = usize::from(area.width).saturating_sub(data.len());
    data.splice(0..0, std::iter::repeat_n(0, missing));
    frame.render_widget(
        Sparkline::default()
            .data(data)
            .style(theme.text(Role::Good)),
        area,
    );
}

fn odoo_line(data: &Data, theme: Theme) -> Line<'static> {
    let odoo = &data.status.odoo;
    let word = match odoo.link {
        Link::Starting => "starting",
        Link::Up => "up",
        Link::Down => "down",
        Link::Held => "held",
    };
    let words = data.words;
    let rest = if odoo.link == Link::Up {
        let version = odoo.version.as_deref();
        let version = version.map_or(String::new(), |version| format!(" {}", plain(version)));
        let latency = odoo.latency_ms;
        let latency = latency.map_or(String::new(), |ms| format!(", {} ms", words.number(ms)));
        format!("{version}{latency}")
    } else {
        // The sentence has the reason below it.
        odoo.since.map_or(String::new(), |at| {
            format!(" {}", words.fill("for {span}", &[("span", &data.span(at))]))
        })
    };
    let pause = odoo.pause_s(data.now);
    let pause = pause.map_or(String::new(), |seconds| {
        let seconds = words.fill("retry in {n} s", &[("n", &seconds.to_string())]);
        format!(", {seconds}")
    });
    Line::from(vec![
        Span::raw(labelled(words, "odoo", "")),
        Span::styled(words.word(word), theme.text(Role::of_state(word))),
        Span::raw(rest),
        Span::raw(pause),
    ])
}

fn queue_line(data: &Data) -> Line<'static> {
    let events = &data.status.events;
    let words = data.words;
    let counts = [events.waiting, events.sending, events.open].map(|count| words.number(count));
    let values = [
        ("waiting", counts[0].as_str()),
        ("sending", &counts[1]),
        ("open", &counts[2]),
    ];
    let text = "to send {waiting}, sending {sending}, being collected {open}";
    Line::from(labelled(words, "queue", &words.fill(text, &values)))
}

fn age_line(data: &Data) -> Line<'static> {
    let words = data.words;
    let oldest = match data.status.oldest_waiting_s {
        seconds if seconds >= 60.0 => {
            // Only whole seconds are shown.
            let whole = Duration::try_from_secs_f64(seconds).map_or(0, |age| age.as_secs());
            words.span(whole)
        }
        seconds if seconds > 0.0 => format!("{seconds:.1} s"),
        _ => return Line::from(labelled(words, "oldest", words.t("nothing waits for Odoo"))),
    };
    let parked = data.status.documents.parked;
    let values = [("span", oldest.as_str()), ("parked", &words.number(parked))];
    let text = match parked {
        0 => "waits for {span}",
        _ => "waits for {span}, without {parked} parked",
    };
    Line::from(labelled(words, "oldest", &words.fill(text, &values)))
}

/// A label as wide as the others, and a value.
fn labelled(words: Words, label: &str, value: &str) -> String {
    let label = words.t(label);
    let gap = LABEL_WIDTH.saturating_sub(Span::raw(label).width());
    format!("{label}{} {value}", " ".repeat(gap))
}

fn journal_text(data: &Data) -> String {
    let words = data.words;
    let journal = &data.status.journal;
    let percent = (journal.bytes.saturating_mul(100))
        .checked_div(journal.budget_bytes)
        .unwrap_or(0);
    let (bytes, budget) = (size(journal.bytes), size(journal.budget_bytes));
    if journal.disk_full {
        let values = [("bytes", bytes.as_str()), ("budget", &budget)];
        let text = words.fill("{bytes} of {budget}; the DISK is FULL", &values);
        return labelled(words, "journal", &text);
    }
    if journal.full {
        let values = [("bytes", bytes.as_str()), ("budget", &budget)];
        let text = words.fill("FULL: {bytes} of {budget}", &values);
        return labelled(words, "journal", &text);
    }
    let left = time_left(data).map_or(String::new(), |left| {
        format!("; {}", words.fill("{span} left", &[("span", &left)]))
    });
    let percent = percent.to_string();
    let values = [
        ("percent", percent.as_str()),
        ("bytes", &bytes),
        ("budget", &budget),
    ];
    let text = words.fill("{percent} %, {bytes} of {budget}", &values);
    labelled(words, "journal", &format!("{text}{left}"))
}

/// The time until the journal is full, at the rate since the screen was opened.
fn time_left(data: &Data) -> Option<String> {
    let journal = &data.status.journal;
    let growth = data.rates.growth(journal.bytes, data.now)?;
    let room = journal.budget_bytes.checked_sub(journal.bytes)?;
    // Exact enough for a forecast.
    #[allow(clippy::cast_precision_loss)]
    let seconds = room as f64 / growth;
    let left = Duration::try_from_secs_f64(seconds).ok()?;
    Some(data.words.span(left.as_secs()))
}

/// The gateway's clock, and whether it is trusted.
fn clock_text(data: &Data) -> String {
    let words = data.words;
    let (_, zone) = data.zone();
    let doubt = data.status.alarms.contains_key("clock");
    let state = if doubt {
        "in doubt: press 6"
    } else {
        "trusted"
    };
    let text = format!("{}{zone}, {}", data.time(data.now), words.t(state));
    labelled(words, "clock", &text)
}

fn unfinished_text(data: &Data) -> Option<String> {
    let unfinished = &data.status.unfinished;
    let parts: Vec<String> = (unfinished.iter())
        .map(|(what, devices)| format!("{} {}", data.words.number(*devices), data.words.word(what)))
        .collect();
    let parts = parts.join(", ");
    let text = "unfinished on devices: {parts}";
    (!parts.is_empty()).then(|| data.words.fill(text, &[("parts", &parts)]))
}
