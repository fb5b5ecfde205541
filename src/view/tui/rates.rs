//! The panel of rates: events stored and posted per second.

use std::collections::VecDeque;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Block, Sparkline};

use super::app::App;
use super::theme::FAINT;
use crate::view::table::grouped;

pub fn draw(frame: &mut Frame, area: Rect, app: &App) {
    let block = Block::bordered()
        .border_style(app.theme.frame(false))
        .title(" Rates ");
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let (stored, posted, (again, rejected, possible_repeats)) =
        app.snapshot
            .as_ref()
            .map_or((0, 0, (0, 0, 0)), |(snapshot, _)| {
                let events = &snapshot.status.events;
                (
                    events.stored,
                    events.posted,
                    (events.duplicates, events.rejected, events.possible_repeats),
                )
            });
    let rows: [Rect; 5] = Layout::vertical([Constraint::Length(1); 5]).areas(inner);
    curve(
        frame,
        [rows[0], rows[1]],
        app,
        ("stored", stored),
        &app.rates.stored,
    );
    curve(
        frame,
        [rows[2], rows[3]],
        app,
        ("posted", posted),
        &app.rates.posted,
    );
    let (again, rejected) = (grouped(again), grouped(rejected));
    let others = match possible_repeats {
        0 => format!("also {again} duplicates, {rejected} rejected"),
        // Short, for a narrow screen.
        count => {
            let possible = grouped(count);
            format!("{again} duplicates, {possible} possible, {rejected} rejected")
        }
    };
    frame.render_widget(Line::styled(others, FAINT), rows[4]);
}

fn curve(
    frame: &mut Frame,
    [text, bars]: [Rect; 2],
    app: &App,
    (what, total): (&str, u64),
    rates: &VecDeque<u64>,
) {
    let now = rates.back().map_or("–".to_owned(), |tenths| {
        format!("{}.{}", grouped(tenths / 10), tenths % 10)
    });
    let line = format!("{what} {now:>8}/s {:>12} in all", grouped(total));
    frame.render_widget(Line::from(line), text);
    let shown = rates.len().saturating_sub(usize::from(bars.width));
    let data: Vec<u64> = rates.iter().skip(shown).copied().collect();
    frame.render_widget(
        Sparkline::default().data(data).style(app.theme.state("up")),
        bars,
    );
}
