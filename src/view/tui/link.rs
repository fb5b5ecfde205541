//! The panel of the link to Odoo, the queue, the journal and the sources.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

use super::app::App;
use crate::board::Link;
use crate::view::snapshot::Status;
use crate::view::table::{counted, grouped, plain, seconds_since, size, span};

pub fn draw(frame: &mut Frame, area: Rect, app: &App) {
    let block = Block::bordered()
        .border_style(app.theme.frame(false))
        .title(" Queue and link ");
    let lines = app
        .snapshot
        .as_ref()
        .map_or_else(Vec::new, |(snapshot, _)| lines(app, &snapshot.status));
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn lines<'a>(app: &App, status: &Status) -> Vec<Line<'a>> {
    let events = &status.events;
    let oldest = match status.oldest_waiting_s {
        seconds if seconds >= 60.0 => {
            // Only whole seconds are shown.
            let whole = Duration::try_from_secs_f64(seconds).map_or(0, |age| age.as_secs());
            format!(", oldest {}", span(whole))
        }
        seconds if seconds > 0.0 => format!(", oldest {seconds:.1} s"),
        _ => String::new(),
    };
    let mut lines = vec![
        odoo(app, status),
        Line::from(format!(
            "queue    {} waiting, {} sending",
            grouped(events.waiting),
            grouped(events.sending)
        )),
        Line::from(format!("         {} open{oldest}", grouped(events.open))),
        journal(status),
    ];
    lines.extend(status.sources.iter().map(|source| {
        let (name, state) = (plain(&source.name), plain(&source.view.state));
        let why = source
            .view
            .detail
            .as_deref()
            .map_or(String::new(), |why| format!(": {}", plain(why)));
        Line::from(vec![
            Span::raw(format!("{name} ")),
            Span::styled(state.clone(), app.theme.state(&state)),
            Span::raw(format!(", {}{why}", counted(source.view.devices, "device"))),
        ])
    }));
    lines
}

fn odoo<'a>(app: &App, status: &Status) -> Line<'a> {
    let odoo = &status.odoo;
    let word = match odoo.link {
        Link::Starting => "starting",
        Link::Up => "up",
        Link::Down => "down",
        Link::Held => "held",
    };
    let rest = if odoo.link == Link::Up {
        let version = odoo
            .version
            .as_deref()
            .map_or(String::new(), |version| format!(" {}", plain(version)));
        let latency = odoo
            .latency_ms
            .map_or(String::new(), |ms| format!(", {} ms", grouped(ms)));
        format!("{version}{latency}, {} lines/call", odoo.batch_lines)
    } else {
        // The headline has the reason below it.
        odoo.since.map_or(String::new(), |at| {
            format!(" for {}", span(seconds_since(at, app.now)))
        })
    };
    let pause = odoo
        .pause_s(app.now)
        .map_or(String::new(), |seconds| format!(", retry in {seconds} s"));
    Line::from(vec![
        Span::raw("odoo     "),
        Span::styled(word, app.theme.state(word)),
        Span::raw(rest),
        Span::raw(pause),
    ])
}

fn journal<'a>(status: &Status) -> Line<'a> {
    let journal = &status.journal;
    let percent = (journal.bytes.saturating_mul(100))
        .checked_div(journal.budget_bytes)
        .unwrap_or(0);
    let (bytes, budget) = (size(journal.bytes), size(journal.budget_bytes));
    Line::from(if journal.disk_full {
        format!("journal  {bytes} of {budget}; the DISK is FULL")
    } else if journal.full {
        format!("journal  FULL: {bytes} of {budget}")
    } else {
        format!("journal  {percent} %, {bytes} of {budget}")
    })
}
