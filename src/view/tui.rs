//! `stockrelay top`: the gateway in a terminal. Each panel has a file of its own.
//!
//! ```text
//! feed (asks the control socket each second) ─┐
//! keys (a thread: reading a terminal blocks) ─┼─▶ App ─▶ draw
//! decisions that were sent                   ─┘    └─▶ requests: retry, edit, discard, quit
//! ```
//! [`App`] uses neither terminal nor socket nor clock, so that its frames can be tested. The
//! terminal is restored also after a panic, SIGTERM, SIGINT and SIGHUP.

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
mod request;
mod retry;
mod screen;
mod settle;
mod texts;
mod theme;
mod typing;
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

pub use app::{App, Panel, Snapshot, Update};
pub use keys::QUIT;
pub use request::Request;
pub use screen::draw;

use super::client::{Client, ClientError, encode_for_path};
use super::commands::{describe_resent, dismiss_many, retry_all};
use super::records::{DocumentDetail, RejectedView, Resent};
use super::table::counted;
use crate::clock;

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
    /// Draw again: the size has changed.
    Resized,
    /// The result of a request.
    Notice(String),
}

/// Shows the gateway that answers on this socket until `q`, or a signal to stop. `quit`: what `q`
/// does, for the help.
pub async fn run(socket: &Path, quit: &'static str) -> io::Result<()> {
    if !io::stdout().is_terminal() {
        let text =
            "standard output is not a terminal; use `stockrelay status` to print the state once";
        return Err(io::Error::other(text));
    }
    let mut stop = Stop::new()?;
    let mut terminal = ratatui::try_init()?;
    let result = tokio::select! {
        result = watch(&mut terminal, socket, quit) => result,
        () = stop.wait() => Ok(()),
    };
    ratatui::restore();
    result
}

async fn watch(
    terminal: &mut DefaultTerminal,
    socket: &Path,
    quit: &'static str,
) -> io::Result<()> {
    let client = Client::new(socket);
    let (sender, mut messages) = mpsc::channel(MESSAGES_MAX);
    let _keys = Keys::start(sender.clone());
    let feed = tokio::spawn(feed::feed(client.clone(), sender.clone()));
    let _feed = tokio_util::task::AbortOnDropHandle::new(feed);
    let mut app = App::new(socket, std::env::var_os("NO_COLOR").is_none());
    app.quit = quit;
    let mut redraw = tokio::time::interval(REDRAW_EACH);
    loop {
        app.tick(clock::now());
        terminal.draw(|frame| draw(frame, &mut app))?;
        let message = tokio::select! {
            Some(message) = messages.recv() => message,
            _ = redraw.tick() => continue,
        };
        match message {
            Message::Update(update) => app.update(update, clock::now()),
            Message::Notice(notice) => app.notice = Some(notice),
            Message::Resized => {}
            Message::Key(key) => match app.press(key) {
                Some(Request::Quit) => return Ok(()),
                Some(request) => drop(tokio::spawn(execute(
                    client.clone(),
                    request,
                    sender.clone(),
                ))),
                None => {}
            },
        }
    }
}

/// Sends a request and shows its result on the screen.
async fn execute(client: Client, request: Request, sender: mpsc::Sender<Message>) {
    let notice = match send(&client, request).await {
        Ok(notice) => notice,
        Err(error) => error.to_string(),
    };
    // The receiver is gone only when the screen has ended.
    drop(sender.send(Message::Notice(notice)).await);
}

async fn send(client: &Client, request: Request) -> Result<String, ClientError> {
    let (key, decision, body) = match request {
        Request::Quit => return Ok(String::new()),
        Request::RetryAll { code, with } => {
            let retried = retry_all(client, json!({ "code": code, "with": with })).await?;
            let documents = counted(retried, "document");
            return Ok(format!("{documents} will be sent again"));
        }
        Request::Resend {
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
        Request::Dismiss { number, reason } => {
            let path = format!("/v1/rejected/{number}/dismiss");
            let _: RejectedView = client.post(&path, &json!({ "reason": reason })).await?;
            return Ok(format!("Rejected reading {number} is dismissed"));
        }
        Request::DismissAll { upto, code, reason } => {
            let body = json!({ "upto": upto, "code": code, "reason": reason });
            let dismissed = dismiss_many(client, &body).await?;
            return Ok(format!(
                "{} dismissed",
                counted(dismissed, "rejected reading")
            ));
        }
        Request::Retry { key, with } => (key, "retry", json!({ "with": with })),
        Request::Edit { key, body } => (key, "edit", body),
        Request::Discard { key, reason } => (key, "discard", json!({ "reason": reason })),
    };
    let path = format!("/v1/parked/{}/{decision}", encode_for_path(&key));
    let detail: DocumentDetail = client.post(&path, &body).await?;
    let (number, state) = (detail.document.number, detail.document.state);
    Ok(match detail.replaces.filter(|_| decision == "edit") {
        Some(old) => format!("Document {number} replaces document {old} and is now {state}"),
        None => format!("Document {number} is now {state}"),
    })
}

/// The thread that waits for keys; it ends soon after this value is dropped.
struct Keys(Arc<AtomicBool>);

impl Keys {
    fn start(sender: mpsc::Sender<Message>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let message = match event::poll(KEY_WAIT)
                    .and_then(|ready| ready.then(event::read).transpose())
                {
                    Ok(Some(Event::Key(key))) if key.is_press() => Message::Key(key),
                    Ok(Some(Event::Resize(..))) => Message::Resized,
                    Ok(_) => continue,
                    // The terminal is gone; SIGHUP stops the rest.
                    Err(_) => break,
                };
                if sender.blocking_send(message).is_err() {
                    break;
                }
            }
        });
        Self(is_over)
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
