//! The box that lists the keys of [`KEYS`].

use ratatui::Frame;
use ratatui::text::{Line, Span};
use ratatui::widgets::Block;

use super::app::App;
use super::keys::{KEYS, KeyAction};
use super::parts::centre;
use super::theme::Role;
use super::wrap::wrap_all;

const WIDTH: u16 = 78;

pub fn draw(frame: &mut Frame, app: &mut App) {
    let (theme, words) = (app.theme, app.data.words);
    let mut lines: Vec<Line> = (KEYS.iter())
        .map(|binding| {
            let key = format!(" {:<14}", binding.shown);
            let key = Span::styled(key, theme.text(Role::Focus));
            let what = match binding.action {
                KeyAction::Quit => app.quit,
                _ => binding.what,
            };
            Line::from(vec![key, Span::raw(words.t(what).to_owned())])
        })
        .collect();
    lines.push(Line::default());
    let mouse = "The mouse selects, opens, sorts by a heading, and presses the keys that are shown. With Shift held, the terminal selects text as usual.";
    lines.push(Line::from(format!(" {}", words.t(mouse))));
    let keys = Line::styled(
        format!(" {}", words.t("↑↓ scroll, any other key closes this")),
        theme.text(Role::Faint),
    );
    let columns = frame.area().width.min(WIDTH).saturating_sub(2);
    let rows = wrap_all(&lines, columns).len() + 1;
    let height = u16::try_from(rows + 2).unwrap_or(u16::MAX);
    let area = centre(frame.area(), WIDTH, height);
    let block = Block::bordered()
        .border_style(theme.frame(true))
        .title(format!(" {} ", words.t("Keys")));
    if let Some(scroll) = &mut app.help {
        scroll.draw(frame, area, block, &lines, &keys);
    }
}
