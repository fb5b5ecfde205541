//! `stockrelay top`: the gateway in a terminal.
//!
//! ```text
//! feed (asks the control socket each second) ─┐
//! keys (a thread: reading a terminal blocks) ─┼─▶ App ─▶ draw
//! decisions that were sent                   ─┘    ├─▶ needs of the open view, to the feed
//!                                                  └─▶ requests: decisions of people, quit
//! ```
//! [`App`] uses neither terminal nor socket nor clock, so that its frames can be tested. Each panel
//! is a `list::Spec` in a file of its own: columns, rows from the data, what they need. Enter
//! opens a page or a list above the panel, Esc closes it. `keys` is the one table of keys. The
//! terminal is restored also after a panic, SIGTERM, SIGINT and SIGHUP.

mod about;
mod app;
mod ask;
mod data;
mod dialog;
mod draw_view;
mod edit;
mod feed;
mod flaps;
mod gauges;
mod help;
mod keys;
mod list;
mod page;
mod panels;
mod parts;
mod period;
mod period_box;
mod rates;
mod reader;
mod request;
mod retry;
mod screen;
mod sending;
mod settle;
mod terminal;
mod texts;
mod theme;
#[cfg(test)]
mod translations;
mod typing;
mod wrap;

use std::io;
use std::path::Path;
use std::time::Duration;

use ratatui::crossterm::event::KeyEvent;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

pub use app::{App, Click};
pub use data::{Data, DeviceEvents, Found, Hour, Need, Reply, Subject, Update};
pub use keys::{QUIT, keys_as_markdown};
pub use period::Period;
pub use request::{Outcome, Request};
pub use screen::draw;
pub use theme::{Colours, Theme};

use self::reader::Reader;
use self::terminal::{Screen, find_obstacle, theme_of_terminal, words_of_terminal};
use super::client::Client;
use crate::clock;
use crate::config::Language;

/// The limit of messages that wait to be shown; at the limit their senders wait.
const MESSAGES_MAX: usize = 64;
/// The time between two redraws: ages on the screen advance also when nothing else happens.
const REDRAW_EACH: Duration = Duration::from_millis(500);

#[derive(Debug)]
enum Message {
    Update(Update),
    Key(KeyEvent),
    Click(Click),
    /// No key can be read any more; the text is the reason.
    KeysEnded(String),
    /// Draw again: the size has changed.
    Resized,
    /// The answer to a request.
    Finished(Request, Outcome),
}

/// How the screen is shown.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// What `q` does, for the help.
    pub quit: &'static str,
    /// Decisions are refused.
    pub is_read_only: bool,
    /// `None`: the language of the locale.
    pub language: Option<Language>,
}

/// Shows the gateway that answers on this socket until `q`, or a signal to stop.
pub async fn run(socket: &Path, options: Options) -> io::Result<()> {
    let no_terminal = |why: &str| {
        let text = format!("{why}; use `stockrelay status` to print the state once");
        io::Error::other(text)
    };
    if let Some(why) = find_obstacle() {
        return Err(no_terminal(&why));
    }
    let mut stop = Stop::new()?;
    let mut screen = Screen::open().map_err(|error| no_terminal(&error.to_string()))?;
    let theme = theme_of_terminal();
    let mut app = App::new(socket, theme);
    (app.quit, app.is_read_only) = (options.quit, options.is_read_only);
    app.data.words = words_of_terminal(options.language, theme);
    tokio::select! {
        result = Box::pin(watch(&mut screen, app)) => result,
        () = stop.wait() => Ok(()),
    }
}

async fn watch(screen: &mut Screen, mut app: App) -> io::Result<()> {
    let client = Client::new(&app.socket);
    let (sender, mut messages) = mpsc::channel(MESSAGES_MAX);
    let (needs, wanted) = watch::channel(app.wanted());
    let _reader = Reader::start(sender.clone());
    let feed = tokio::spawn(feed::feed(client.clone(), wanted, sender.clone()));
    let mut feed = tokio_util::task::AbortOnDropHandle::new(feed);
    let mut redraw = tokio::time::interval(REDRAW_EACH);
    loop {
        app.tick(clock::now());
        screen.terminal().draw(|frame| draw(frame, &mut app))?;
        let now = app.wanted();
        needs.send_if_modified(|known| {
            let is_new = *known != now;
            *known = now;
            is_new
        });
        let message = tokio::select! {
            Some(message) = messages.recv() => message,
            _ = redraw.tick() => continue,
            // It ends only by a fault of the program. The screen would show old values for ever.
            _ = &mut feed => return Err(ended("cannot ask the daemon any more", "see above")),
        };
        let request = match message {
            Message::Update(update) => {
                app.update(update, clock::now());
                None
            }
            Message::Finished(request, outcome) => {
                app.finish(&request, outcome);
                None
            }
            Message::KeysEnded(why) => return Err(ended("cannot read keys any more", &why)),
            Message::Resized => None,
            Message::Key(key) => app.press(key),
            Message::Click(click) => app.click(click),
        };
        match request {
            Some(Request::Quit) => return Ok(()),
            Some(request) => {
                let (client, sender, words) = (client.clone(), sender.clone(), app.data.words);
                drop(tokio::spawn(async move {
                    let outcome = sending::execute(&client, request.clone(), words).await;
                    // The receiver is gone only when the screen has ended.
                    drop(sender.send(Message::Finished(request, outcome)).await);
                }));
            }
            None => {}
        }
    }
}

/// The error of a screen that cannot go on.
fn ended(what: &str, why: &str) -> io::Error {
    io::Error::other(format!(
        "{what} ({why}): the daemon keeps running, start `stockrelay top` again"
    ))
}

struct Stop {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Stop {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
