//! The thread that reads keys and the mouse: reading a terminal blocks. If the thread ends, the
//! screen ends, too: without keys nobody could leave it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, MouseButton, MouseEventKind};
use tokio::sync::mpsc;

use super::{Click, Message};

/// The time within which the thread notices that the screen has ended.
const KEY_WAIT: Duration = Duration::from_millis(100);

/// The thread; it ends soon after this value is dropped.
pub(super) struct Reader(Arc<AtomicBool>);

impl Reader {
    pub fn start(sender: mpsc::Sender<Message>) -> Self {
        Self::start_with(sender, || {
            event::poll(KEY_WAIT).and_then(|ready| ready.then(event::read).transpose())
        })
    }

    /// `next`: waits a short time for an event.
    fn start_with(
        sender: mpsc::Sender<Message>,
        next: impl FnMut() -> io::Result<Option<Event>> + Send + 'static,
    ) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        std::thread::spawn(move || {
            let read = AssertUnwindSafe(|| read(&sender, next, &stop));
            let why = match catch_unwind(read) {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "a fault of the program, which is printed above".to_owned(),
            };
            // The receiver is gone only when the screen has ended.
            drop(sender.blocking_send(Message::KeysEnded(why)));
        });
        Self(is_over)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends events until the screen has ended, or the terminal cannot be read.
fn read(
    sender: &mpsc::Sender<Message>,
    mut next: impl FnMut() -> io::Result<Option<Event>>,
    stop: &AtomicBool,
) -> io::Result<()> {
    while !stop.load(Ordering::Relaxed) {
        let message = next()?.as_ref().and_then(message_of);
        if let Some(message) = message
            && sender.blocking_send(message).is_err()
        {
            break;
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use ratatui::crossterm::event::{KeyCode, KeyEvent};

    use super::*;

    /// What the screen gets from a reader.
    async fn messages(
        next: impl FnMut() -> io::Result<Option<Event>> + Send + 'static,
    ) -> Vec<Message> {
        let (sender, mut receiver) = mpsc::channel(8);
        let _reader = Reader::start_with(sender, next);
        let mut messages = Vec::new();
        while let Some(message) = receiver.recv().await {
            messages.push(message);
        }
        messages
    }

    #[tokio::test]
    async fn an_error_of_the_terminal_is_sent_after_the_keys_before_it() {
        let key = Event::Key(KeyEvent::from(KeyCode::Char('j')));
        let mut events = vec![Ok(None), Ok(Some(key))].into_iter();
        let next = move || {
            let gone = || Err(io::Error::other("the terminal is gone"));
            events.next().unwrap_or_else(gone)
        };
        let messages = messages(next).await;
        let [Message::Key(_), Message::KeysEnded(why)] = &messages[..] else {
            panic!("{messages:?}")
        };
        assert_eq!(why, "the terminal is gone");
    }

    #[tokio::test]
    async fn a_panic_of_the_reader_is_sent() {
        let messages = messages(|| panic!("this test panics in the reader on purpose")).await;
        let [Message::KeysEnded(why)] = &messages[..] else {
            panic!("{messages:?}")
        };
        assert!(why.contains("fault of the program"), "{why}");
    }

    #[tokio::test]
    async fn a_screen_that_ends_stops_the_reader_without_a_message() {
        let (sender, mut receiver) = mpsc::channel(8);
        drop(Reader::start_with(sender, || {
            std::thread::sleep(Duration::from_millis(1));
            Ok(None)
        }));
        assert!(receiver.recv().await.is_none());
    }
}
