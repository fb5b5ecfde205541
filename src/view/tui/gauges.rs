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
use super::parts::cut;
use super::theme::{Role, Theme};
use crate::board::Link;
use crate::view::headline::{describe_bundle, describe_config};
use crate::view::snapshot::{describe_clock, describe_left};
use crate::view::table::{grouped, plain, seconds_since, size, span};

/// The rows of the head with its frame on a high screen, on others, and of the short form for a
/// small screen.
const ROWS_HIGH: u16 = 10;
const ROWS: u16 = 9;
const ROWS_SMALL: u16 = 2;
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
    let (data, theme) = (&app.data, app.theme);
    if area.height < ROWS {
        let lines = vec![odoo_line(data, theme), queue_line(data)];
        frame.render_widget(Paragraph::new(lines), area);
        return;
    }
    let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(area);
    let block = Block::bordered().border_style(theme.frame(false));
    let inner = block.inner(left);
    frame.render_widget(block.clone().title(" Events a second "), left);
    draw_rates(frame, inner, app);
    let inner = block.inner(right);
    frame.render_widget(block.title(" Link, queue, journal "), right);
    let width = usize::from(inner.width);
    let mut lines = vec![odoo_line(data, theme), queue_line(data), age_line(data)];
    let texts = [journal_text(data), disk_text(data), clock_text(data, width)];
    let config = describe_config(&data.status.config, |at| {
        format!("for {}", span(seconds_since(at, data.now)))
    });
    let config = format!("config   {}", config.unwrap_or("–".to_owned()));
    let news = describe_bundle(&data.status.config);
    // A screen with less room has the news about a bundle in place of the configuration.
    let last = match (area.height < ROWS_HIGH, news) {
        (true, news) => [news.unwrap_or(config), String::new()],
        (false, news) => [config, news.or(unfinished_text(data)).unwrap_or_default()],
    };
    let texts = texts.into_iter().chain(last);
    lines.extend(texts.map(|text| Line::from(cut(&text, width))));
    frame.render_widget(Paragraph::new(lines), inner);
}

fn draw_rates(frame: &mut Frame, area: Rect, app: &App) {
    let (data, theme) = (&app.data, app.theme);
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
        ("stored", events.stored),
        &rates.stored,
    );
    curve(
        frame,
        [rows[2], rows[3]],
        theme,
        ("posted", events.posted),
        &rates.posted,
    );
    let first = rates.at.len().saturating_sub(area.width.into());
    let ago = rates
        .at
        .get(first)
        .map(|at| span(seconds_since(*at, data.now)));
    let axis = Line::from(ago.map_or(String::new(), |ago| format!("{ago} ago")));
    let faint = theme.text(Role::Faint);
    frame.render_widget(axis.style(faint), rows[4]);
    frame.render_widget(Line::styled("now", faint).right_aligned(), rows[4]);
    let possible = match events.possible_repeats {
        0 => String::new(),
        count => format!(", {} possible", grouped(count)),
    };
    let others = format!(
        "{} duplicates{possible}, {} rejected",
        grouped(events.duplicates),
        grouped(events.rejected)
    );
    frame.render_widget(Line::from(cut(&others, area.width.into())), rows[5]);
    let text = match data.status.odoo.latency_ms {
        Some(ms) => format!("odoo {} ms ", grouped(ms)),
        None => "odoo – ms ".to_owned(),
    };
    let label = Constraint::Length(u16::try_from(text.chars().count()).unwrap_or(0));
    let [label, bars] = Layout::horizontal([label, Constraint::Fill(1)]).areas(rows[6]);
    frame.render_widget(Line::from(text), label);
    bars_of(frame, bars, theme, &rates.latency);
}

fn curve(
    frame: &mut Frame,
    [text, bars]: [Rect; 2],
    theme: Theme,
    (what, total): (&str, u64),
    rates: &VecDeque<u64>,
) {
    let now = rates.back().map_or("–".to_owned(), |tenths| {
        format!("{}.{}", grouped(tenths / 10), tenths % 10)
    });
    let line = format!("{what} {now:>8}/s {:>12} in all", grouped(total));
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
    let rest = if odoo.link == Link::Up {
        let version = odoo.version.as_deref();
        let version = version.map_or(String::new(), |version| format!(" {}", plain(version)));
        let latency = odoo.latency_ms;
        let latency = latency.map_or(String::new(), |ms| format!(", {} ms", grouped(ms)));
        format!("{version}{latency}, {} lines/call", odoo.batch_lines)
    } else {
        // The sentence has the reason below it.
        odoo.since.map_or(String::new(), |at| {
            format!(" for {}", span(seconds_since(at, data.now)))
        })
    };
    let pause = odoo.pause_s(data.now);
    let pause = pause.map_or(String::new(), |seconds| format!(", retry in {seconds} s"));
    Line::from(vec![
        Span::raw("odoo     "),
        Span::styled(word, theme.text(Role::of_state(word))),
        Span::raw(rest),
        Span::raw(pause),
    ])
}

fn queue_line(data: &Data) -> Line<'static> {
    let events = &data.status.events;
    Line::from(format!(
        "queue    {} waiting, {} sending, {} open",
        grouped(events.waiting),
        grouped(events.sending),
        grouped(events.open)
    ))
}

fn age_line(data: &Data) -> Line<'static> {
    let oldest = match data.status.oldest_waiting_s {
        seconds if seconds >= 60.0 => {
            // Only whole seconds are shown.
            let whole = Duration::try_from_secs_f64(seconds).map_or(0, |age| age.as_secs());
            span(whole)
        }
        seconds if seconds > 0.0 => format!("{seconds:.1} s"),
        _ => "nothing waits".to_owned(),
    };
    Line::from(format!("oldest   {oldest}"))
}

fn journal_text(data: &Data) -> String {
    let journal = &data.status.journal;
    let percent = (journal.bytes.saturating_mul(100))
        .checked_div(journal.budget_bytes)
        .unwrap_or(0);
    let (bytes, budget) = (size(journal.bytes), size(journal.budget_bytes));
    if journal.disk_full {
        return format!("journal  {bytes} of {budget}; the DISK is FULL");
    }
    if journal.full {
        return format!("journal  FULL: {bytes} of {budget}");
    }
    let left = left_text(journal.budget_left(data.now));
    format!("journal  {percent} % of {budget}{left}")
}

/// The free space on the disk of the journal.
fn disk_text(data: &Data) -> String {
    let journal = &data.status.journal;
    let Some(free) = journal.disk_free_bytes else {
        return "disk     –".to_owned();
    };
    let left = left_text(journal.disk_left(data.now));
    format!("disk     {} free{left}", size(free))
}

/// The time left at today's rate.
fn left_text(left: Option<Duration>) -> String {
    left.map_or(String::new(), |left| {
        format!(", {} left", describe_left(left))
    })
}

/// The gateway's clock, whether it is trusted, and what keeps it right: in few words if the width
/// has no room for more.
fn clock_text(data: &Data, width: usize) -> String {
    let clock = &data.status.clock;
    let text = format!("clock    {}", describe_clock(clock));
    if text.chars().count() <= width || !clock.trusted {
        return text;
    }
    let keeper = match (&clock.service, clock.synchronised) {
        (Some(_), Some(false)) => "not synchronised",
        (Some(service), _) => service,
        (None, _) => "no time service",
    };
    format!("clock    trusted, {}", plain(keeper))
}

fn unfinished_text(data: &Data) -> Option<String> {
    let unfinished = &data.status.unfinished;
    let parts: Vec<String> = (unfinished.iter())
        .map(|(what, devices)| format!("{} {}", grouped(*devices), plain(what)))
        .collect();
    (!parts.is_empty()).then(|| format!("unfinished on devices: {}", parts.join(", ")))
}
