//! `stockrelay top`: the gateway in a terminal, one panel a file.
//!
//! ```text
//! feed (asks the control socket each second) ─┐
//! keys (a thread: reading a terminal blocks) ─┼─▶ App ─▶ draw
//! decisions that were sent                   ─┘    └─▶ wishes: retry, edit, discard, quit
//! ```
//! [`App`] knows neither terminal nor socket nor clock, so that its frames can be tested. The
//! terminal is put back as it was also after a panic, SIGTERM, SIGINT and SIGHUP.

mod app;
mod detail;
mod devices;
mod dialog;
mod discard;
mod documents;
mod edit;
mod feed;
mod help;
mod keys;
mod link;
mod parked;
mod parts;
mod rates;
mod retry;
mod screen;
mod settle;
mod texts;
mod theme;
mod typing;
mod wish;
mod wrap;

use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

pub use app::{App, Panel, Seen, Snapshot};
pub use screen::draw;
pub use wish::Wish;

use super::client::{Client, ClientError, path_part};
use super::commands::{describe_resent, dismiss_many, retry_all};
use super::records::{DocumentDetail, RejectedView, Resent};
use super::table::counted;
use crate::clock;

/// Messages that wait to be shown; their senders wait then.
const MESSAGES_MAX: usize = 64;
/// Ages on the screen go on also when nothing else happens.
const REDRAW_EACH: Duration = Duration::from_millis(500);
/// How soon the thread that reads keys sees that it is over.
const KEY_WAIT: Duration = Duration::from_millis(100);

#[derive(Debug)]
enum Message {
    Seen(Seen),
    Key(event::KeyEvent),
    /// Draw again: the size has changed.
    Resized,
    /// What became of a wish.
    Notice(String),
}

/// Shows the gateway that answers on this socket until `q`, or a signal to stop.
pub async fn run(socket: &Path) -> io::Result<()> {
    if !io::stdout().is_terminal() {
        let text = "standard output is no terminal; `stockrelay status` prints one screen anywhere";
        return Err(io::Error::other(text));
    }
    let mut stop = Stop::new()?;
    let mut terminal = ratatui::try_init()?;
    let result = tokio::select! {
        result = watch(&mut terminal, socket) => result,
        () = stop.told() => Ok(()),
    };
    ratatui::restore();
    result
}

async fn watch(terminal: &mut DefaultTerminal, socket: &Path) -> io::Result<()> {
    let client = Client::new(socket);
    let (sender, mut messages) = mpsc::channel(MESSAGES_MAX);
    let _keys = Keys::start(sender.clone());
    let feed = tokio::spawn(feed::feed(client.clone(), sender.clone()));
    let _feed = tokio_util::task::AbortOnDropHandle::new(feed);
    let mut app = App::new(socket, std::env::var_os("NO_COLOR").is_none());
    let mut redraw = tokio::time::interval(REDRAW_EACH);
    loop {
        app.tick(clock::now());
        terminal.draw(|frame| draw(frame, &mut app))?;
        let message = tokio::select! {
            Some(message) = messages.recv() => message,
            _ = redraw.tick() => continue,
        };
        match message {
            Message::Seen(seen) => app.see(seen, clock::now()),
            Message::Notice(notice) => app.notice = Some(notice),
            Message::Resized => {}
            Message::Key(key) => match app.press(key) {
                Some(Wish::Quit) => return Ok(()),
                Some(wish) => drop(tokio::spawn(fulfil(client.clone(), wish, sender.clone()))),
                None => {}
            },
        }
    }
}

/// Sends a decision; what became of it is told on the screen.
async fn fulfil(client: Client, wish: Wish, sender: mpsc::Sender<Message>) {
    let notice = match send(&client, wish).await {
        Ok(notice) => notice,
        Err(error) => error.to_string(),
    };
    // Nobody reads it only if the screen is gone.
    drop(sender.send(Message::Notice(notice)).await);
}

async fn send(client: &Client, wish: Wish) -> Result<String, ClientError> {
    let (key, decision, body) = match wish {
        Wish::Quit => return Ok(String::new()),
        Wish::RetryAll { code, with } => {
            let retried = retry_all(client, json!({ "code": code, "with": with })).await?;
            let documents = counted(retried, "document");
            return Ok(format!("{documents} to be sent again"));
        }
        Wish::Resend {
            number,
            payload,
            reason,
        } => {
            let path = format!("/v1/rejected/{number}/resend");
            let resent: Resent = client
                .post(&path, &json!({ "payload": payload, "reason": reason }))
                .await?;
            return Ok(describe_resent(&resent));
        }
        Wish::Dismiss { number, reason } => {
            let path = format!("/v1/rejected/{number}/dismiss");
            let _: RejectedView = client.post(&path, &json!({ "reason": reason })).await?;
            return Ok(format!("Rejected reading {number} is dismissed"));
        }
        Wish::DismissAll { upto, code, reason } => {
            let body = json!({ "upto": upto, "code": code, "reason": reason });
            let dismissed = dismiss_many(client, &body).await?;
            return Ok(format!(
                "{} dismissed",
                counted(dismissed, "rejected reading")
            ));
        }
        Wish::Retry { key, with } => (key, "retry", json!({ "with": with })),
        Wish::Edit { key, body } => (key, "edit", body),
        Wish::Discard { key, reason } => (key, "discard", json!({ "reason": reason })),
    };
    let path = format!("/v1/parked/{}/{decision}", path_part(&key));
    let detail: DocumentDetail = client.post(&path, &body).await?;
    let (number, state) = (detail.document.number, detail.document.state);
    Ok(match detail.replaces.filter(|_| decision == "edit") {
        Some(old) => format!("Document {number} takes the place of {old}, and is {state} now"),
        None => format!("Document {number} is {state} now"),
    })
}

/// The thread that waits for keys; it ends soon after this goes.
struct Keys(Arc<AtomicBool>);

impl Keys {
    fn start(sender: mpsc::Sender<Message>) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        std::thread::spawn(move || {
            while !seen.load(Ordering::Relaxed) {
                let message = match event::poll(KEY_WAIT)
                    .and_then(|ready| ready.then(event::read).transpose())
                {
                    Ok(Some(Event::Key(key))) if key.is_press() => Message::Key(key),
                    Ok(Some(Event::Resize(..))) => Message::Resized,
                    Ok(_) => continue,
                    // The terminal is gone; SIGHUP ends the rest.
                    Err(_) => break,
                };
                if sender.blocking_send(message).is_err() {
                    break;
                }
            }
        });
        Self(over)
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

    async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
