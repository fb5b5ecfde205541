//! The head of the overview: rates with their time, the link to Odoo, the queue, the journal and
//! its disk with the time left at today's rate, the clock and the configuration.

use std::collections::VecDeque;
use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Sparkline};

use super::app::App;
use super::data::Data;
use super::parts::cut_after_word;
use super::theme::{Role, Theme};
use crate::board::Link;
use crate::view::headline::{describe_bundle, describe_config};
use crate::view::snapshot::describe_clock;
use crate::view::table::{plain, seconds_since, size};
use crate::view::words::Words;

/// The rows of the head with its frame on a high screen, on others, and of the short form for a
/// small screen.
const ROWS_HIGH: u16 = 10;
const ROWS: u16 = 9;
const ROWS_SMALL: u16 = 2;
/// The width of the labels.
const LABEL_WIDTH: usize = 8;
/// From this height on, the head has all its rows.
const HEIGHT_FOR_ALL: u16 = 30;
/// The screen below which the short form is used, and below which there is no head: the list needs
/// the rows.
const HEIGHT_MIN: u16 = 20;
const HEIGHT_MIN_SMALL: u16 = 12;

/// The rows that the head needs on a screen of this size.
#[must_use]
pub fn rows(screen: Rect) -> u16 {
    match screen.height {
        ..HEIGHT_MIN_SMALL => 0,
        HEIGHT_MIN_SMALL..HEIGHT_MIN => ROWS_SMALL,
        HEIGHT_MIN..HEIGHT_FOR_ALL => ROWS,
        HEIGHT_FOR_ALL.. => ROWS_HIGH,
    }
}

pub fn draw(frame: &mut Frame, area: Rect, app: &App) {
    let (data, theme, words) = (&app.data, app.theme, app.data.words);
    if area.height < ROWS {
        let width = usize::from(area.width);
        let lines = vec![odoo_line(data, theme, width), queue_line(data, width)];
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
    let mut lines = vec![odoo_line(data, theme, width), queue_line(data, width)];
    let texts = [
        age_text(data),
        journal_text(data),
        disk_text(data),
        clock_text(data, width),
    ];
    let config = describe_config(&data.status.config, |at| {
        words.fill("for {span}", &[("span", &data.span(at))])
    });
    let config = labelled(words, "config", &config.unwrap_or("–".to_owned()));
    let news = describe_bundle(&data.status.config);
    // A screen with less room has the news about a bundle in place of the configuration.
    let last = match (area.height < ROWS_HIGH, news) {
        (true, news) => [news.unwrap_or(config), String::new()],
        (false, news) => [config, news.or(unfinished_text(data)).unwrap_or_default()],
    };
    let texts = texts.into_iter().chain(last);
    lines.extend(texts.map(|text| Line::from(cut_after_word(&text, width))));
    frame.render_widget(Paragraph::new(lines), inner);
}

fn draw_rates(frame: &mut Frame, area: Rect, app: &App) {
    let (data, theme, words) = (&app.data, app.theme, app.data.words);
    let events = &data.status.events;
    // On a low screen the last row is outside the area.
    let rows: [Rect; 8] = std::array::from_fn(|row| {
        let y = area.y + u16::try_from(row).unwrap_or(0);
        Rect::new(area.x, y, area.width, 1).intersection(area)
    });
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
    frame.render_widget(
        Line::from(cut_after_word(&others, area.width.into())),
        rows[5],
    );
    let ms = data.status.odoo.latency_ms;
    let ms = ms.map_or("–".to_owned(), |ms| words.number(ms));
    let text = format!("{} ", words.fill("odoo {ms} ms", &[("ms", &ms)]));
    let label = Constraint::Length(u16::try_from(Line::from(text.as_str()).width()).unwrap_or(0));
    let [label, bars] = Layout::horizontal([label, Constraint::Fill(1)]).areas(rows[6]);
    frame.render_widget(Line::from(text), label);
    bars_of(frame, bars, theme, &rates.latency);
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
    let line = cut_after_word(&line, text.width.into());
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

fn odoo_line(data: &Data, theme: Theme, width: usize) -> Line<'static> {
    let odoo = &data.status.odoo;
    let name = match odoo.link {
        Link::Starting => "starting",
        Link::Up => "up",
        Link::Down => "down",
        Link::Held => "held",
    };
    let words = data.words;
    let flaps = flaps_text(data);
    let rest = if odoo.link == Link::Up && flaps.is_empty() {
        let version = odoo.version.as_deref();
        let version = version.map_or(String::new(), |version| format!(" {}", plain(version)));
        let latency = odoo.latency_ms;
        let latency = latency.map_or(String::new(), |ms| format!(", {} ms", words.number(ms)));
        format!("{version}{latency}")
    } else if odoo.link == Link::Up {
        flaps
    } else {
        // The sentence has the reason below it. What began just now has no age yet.
        let since = odoo.since.filter(|at| seconds_since(*at, data.now) > 0);
        let span = since.map_or(String::new(), |at| {
            format!(" {}", words.fill("for {span}", &[("span", &data.span(at))]))
        });
        format!("{span}{flaps}")
    };
    let pause = odoo.pause_s(data.now);
    let pause = pause.map_or(String::new(), |seconds| {
        let seconds = words.fill("retry in {n} s", &[("n", &seconds.to_string())]);
        format!(", {seconds}")
    });
    let (label, word) = (labelled(words, "odoo", ""), words.word(name));
    let room = width.saturating_sub(Span::raw(format!("{label}{word}")).width());
    Line::from(vec![
        Span::raw(label),
        Span::styled(word, theme.text(Role::of_state(name))),
        Span::raw(cut_after_word(&format!("{rest}{pause}"), room)),
    ])
}

/// How often the link went down in the period. Empty: at most once.
fn flaps_text(data: &Data) -> String {
    let window = data.status.window.as_ref();
    let (count, since) = data.flaps.count_since(window.map(|window| window.since));
    let Some(since) = since.filter(|_| count > 1) else {
        return String::new();
    };
    let text = match data.status.odoo.link {
        Link::Up => "down {n} times since {time}",
        _ => "{n} times since {time}",
    };
    let (count, time) = (data.words.number(count), data.minute(since));
    let values = [("n", count.as_str()), ("time", &time)];
    format!("; {}", data.words.fill(text, &values))
}

fn queue_line(data: &Data, width: usize) -> Line<'static> {
    let events = &data.status.events;
    let words = data.words;
    let counts = [events.waiting, events.sending, events.open].map(|count| words.number(count));
    let values = [
        ("waiting", counts[0].as_str()),
        ("sending", &counts[1]),
        ("open", &counts[2]),
    ];
    let text = "{waiting} to send, {sending} sending, {open} being collected";
    let text = labelled(words, "queue", &words.fill(text, &values));
    Line::from(cut_after_word(&text, width))
}

fn age_text(data: &Data) -> String {
    let words = data.words;
    let oldest = match data.status.oldest_waiting_s {
        seconds if seconds >= 60.0 => {
            // Only whole seconds are shown.
            let whole = Duration::try_from_secs_f64(seconds).map_or(0, |age| age.as_secs());
            words.span(whole)
        }
        seconds if seconds > 0.0 => format!("{seconds:.1} s"),
        _ => return labelled(words, "oldest", words.t("nothing waits for Odoo")),
    };
    let parked = data.status.documents.parked;
    let values = [("span", oldest.as_str()), ("parked", &words.number(parked))];
    let text = match parked {
        0 => "waits for {span}",
        _ => "waits for {span}, without {parked} parked",
    };
    labelled(words, "oldest", &words.fill(text, &values))
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
    let left = left_text(journal.budget_left(data.now), words);
    let percent = percent.to_string();
    let values = [("percent", percent.as_str()), ("budget", &budget)];
    let text = words.fill("{percent} % of {budget}", &values);
    labelled(words, "journal", &format!("{text}{left}"))
}

/// The free space on the disk of the journal.
fn disk_text(data: &Data) -> String {
    let journal = &data.status.journal;
    let words = data.words;
    let Some(free) = journal.disk_free_bytes else {
        return labelled(words, "disk", "–");
    };
    let left = left_text(journal.disk_left(data.now), words);
    let free = words.fill("{bytes} free", &[("bytes", &size(free))]);
    labelled(words, "disk", &format!("{free}{left}"))
}

/// The time left at today's rate.
fn left_text(left: Option<Duration>, words: Words) -> String {
    left.map_or(String::new(), |left| {
        let left = words.span(left.as_secs());
        format!(", {}", words.fill("{span} left", &[("span", &left)]))
    })
}

/// The gateway's clock, whether it is trusted, and what keeps it right: in few words if the width
/// has no room for more.
fn clock_text(data: &Data, width: usize) -> String {
    let (words, clock) = (data.words, &data.status.clock);
    let long = if clock.trusted {
        describe_clock(clock, words)
    } else {
        words.t("in doubt: press 6").to_owned()
    };
    let text = labelled(words, "clock", &long);
    if Line::from(text.as_str()).width() <= width || !clock.trusted {
        return text;
    }
    let keeper = match (&clock.service, clock.synchronised) {
        (Some(_), Some(false)) => words.t("not synchronised").to_owned(),
        (Some(service), _) => plain(service),
        (None, _) => words.t("no time service").to_owned(),
    };
    labelled(words, "clock", &format!("{}, {keeper}", words.t("trusted")))
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
