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

use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, MouseButton, MouseEventKind};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

pub use app::{App, Click};
pub use data::{Data, DeviceEvents, Found, Hour, Need, Reply, Subject, Update};
pub use keys::{QUIT, keys_as_markdown};
pub use period::Period;
pub use request::Request;
pub use screen::draw;
pub use theme::{Colours, Theme};

use self::terminal::{Screen, theme_of_terminal, words_of_terminal};
use super::client::Client;
use crate::clock;
use crate::config::Language;

/// The limit of messages that wait to be shown; at the limit their senders wait.
const MESSAGES_MAX: usize = 64;
/// The time between two redraws: ages on the screen advance also when nothing else happens.
const REDRAW_EACH: Duration = Duration::from_millis(500);
/// The time within which the thread that reads keys notices that the screen has ended.
const KEY_WAIT: Duration = Duration::from_millis(100);

#[derive(Debug)]
enum Message {
    Update(Update),
    Key(event::KeyEvent),
    Click(Click),
    /// Draw again: the size has changed.
    Resized,
    /// The result of a request, and the documents and readings that it decided about.
    Finished(String, Vec<Subject>),
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
    let no_terminal = |what: &str| {
        let text = format!("{what}; use `stockrelay status` to print the state once");
        io::Error::other(text)
    };
    if !io::stdout().is_terminal() {
        return Err(no_terminal("standard output is not a terminal"));
    }
    if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        return Err(no_terminal(
            "TERM is dumb: the terminal cannot move its cursor",
        ));
    }
    let mut stop = Stop::new()?;
    let mut screen = Screen::open()?;
    let theme = theme_of_terminal();
    let mut app = App::new(socket, theme);
    (app.quit, app.is_read_only) = (options.quit, options.is_read_only);
    app.data.words = words_of_terminal(options.language, theme);
    tokio::select! {
        result = watch(&mut screen, app) => result,
        () = stop.wait() => Ok(()),
    }
}

async fn watch(screen: &mut Screen, mut app: App) -> io::Result<()> {
    let client = Client::new(&app.socket);
    let (sender, mut messages) = mpsc::channel(MESSAGES_MAX);
    let (needs, wanted) = watch::channel(app.wanted());
    let _keys = Keys::start(sender.clone());
    let feed = tokio::spawn(feed::feed(client.clone(), wanted, sender.clone()));
    let _feed = tokio_util::task::AbortOnDropHandle::new(feed);
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
        };
        let request = match message {
            Message::Update(update) => {
                app.update(update, clock::now());
                None
            }
            Message::Finished(notice, decided) => {
                app.finish(notice, &decided);
                None
            }
            Message::Resized => None,
            Message::Key(key) => app.press(key),
            Message::Click(click) => app.click(click),
        };
        match request {
            Some(Request::Quit) => return Ok(()),
            Some(request) => {
                let (client, sender, words) = (client.clone(), sender.clone(), app.data.words);
                drop(tokio::spawn(async move {
                    let (notice, decided) = sending::execute(&client, request, words).await;
                    // The receiver is gone only when the screen has ended.
                    drop(sender.send(Message::Finished(notice, decided)).await);
                }));
            }
            None => {}
        }
    }
}

/// The thread that waits for keys and the mouse; it ends soon after this value is dropped.
struct Keys(Arc<AtomicBool>);

impl Keys {
    fn start(sender: mpsc::Sender<Message>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let event =
                    event::poll(KEY_WAIT).and_then(|ready| ready.then(event::read).transpose());
                let message = match event {
                    Ok(Some(event)) => message_of(&event),
                    Ok(None) => continue,
                    // The terminal is gone; SIGHUP stops the rest.
                    Err(_) => break,
                };
                if let Some(message) = message
                    && sender.blocking_send(message).is_err()
                {
                    break;
                }
            }
        });
        Self(is_over)
    }
}

fn message_of(event: &Event) -> Option<Message> {
    match event {
        Event::Key(key) if key.is_press() => Some(Message::Key(*key)),
        Event::Resize(..) => Some(Message::Resized),
        Event::Mouse(mouse) => Some(Message::Click(match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => Click::Left(mouse.column, mouse.row),
            MouseEventKind::ScrollUp => Click::WheelUp,
            MouseEventKind::ScrollDown => Click::WheelDown,
            _ => return None,
        })),
        _ => None,
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
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
