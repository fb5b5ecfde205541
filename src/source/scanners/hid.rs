//! A scanner that types like a keyboard. The gateway grabs its device, so that no code reaches a
//! console, and turns keys into codes.
//!
//! - `keys`: from key events to codes, pure; `layout`: the characters of the keys.

mod keys;
mod layout;

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::time::Duration;

use evdev::raw_stream::{EventStream, RawDevice};
use evdev::{EventSummary, InputEvent, KeyCode, SynchronizationCode};

use super::desk::{Desk, Ended};
use crate::decode::profile::{Frame, Hid};

use keys::Keyboard;

/// The source of key events: a grabbed device.
trait Typing {
    /// Returns the next key event. An error: the keyboard is gone. Cancelling the future loses no
    /// event.
    async fn next(&mut self) -> io::Result<InputEvent>;
}

impl Typing for EventStream {
    async fn next(&mut self) -> io::Result<InputEvent> {
        self.next_event().await
    }
}

pub(super) async fn run(mut desk: Desk, hid: Hid) {
    loop {
        let Err(ended) = session(&mut desk, &hid).await;
        if !desk.again(ended).await {
            return;
        }
    }
}

/// From grabbing the device to its end.
async fn session(desk: &mut Desk, hid: &Hid) -> Result<Infallible, Ended> {
    let path = super::find(&desk.scanner).map_err(|why| Ended::Gone {
        heard: false,
        absent: true,
        why,
    })?;
    let place = path.display().to_string();
    let opened = move || open(&path).and_then(|device| stream(device, &path));
    let events = tokio::task::spawn_blocking(opened)
        .await
        .map_err(|error| gone(false, error.to_string()))?
        .map_err(|why| gone(false, why))?;
    desk.up(&place);
    read(desk, hid, events).await
}

fn gone(heard: bool, why: String) -> Ended {
    Ended::Gone {
        heard,
        absent: false,
        why,
    }
}

/// Reads the typed codes until the keyboard is gone.
async fn read(desk: &mut Desk, hid: &Hid, mut typing: impl Typing) -> Result<Infallible, Ended> {
    let mut keyboard = Keyboard::new(hid.layout, hid.terminator, hid.max_bytes);
    let mut heard = false;
    loop {
        let silence = Duration::from_millis(hid.silence_ms);
        let frame = tokio::select! {
            biased;
            event = typing.next() => {
                let event = event.map_err(|error| gone(heard, format!("unplugged, or broken: {error}")))?;
                heard = true;
                match event.destructure() {
                    EventSummary::Key(_, key, value) => keyboard.key(key.code(), value),
                    // The kernel's buffer ran over: keys are missing.
                    EventSummary::Synchronization(_, SynchronizationCode::SYN_DROPPED, _) => {
                        keyboard.lost();
                        None
                    }
                    _ => None,
                }
            }
            () = tokio::time::sleep(silence), if hid.silence_ms > 0 && keyboard.is_inside() => keyboard.silence(),
            () = desk.stopped(keyboard.is_inside()) => return Err(Ended::Stopped),
        };
        match frame {
            // Silence ends a code of keys as its terminator does, so none is unended.
            None | Some(Frame::Unended(_)) => {}
            Some(Frame::Dropped(count)) => desk.threw_away(count),
            // A keyboard takes no answer.
            Some(Frame::Whole(code)) => drop(desk.take(vec![code]).await.ok_or(Ended::Stopped)?),
        }
    }
}

/// The device, grabbed until it is closed.
pub(super) fn open(path: &Path) -> Result<RawDevice, String> {
    let grab = || {
        let mut device = RawDevice::open(path)?;
        let is_keyboard =
            (device.supported_keys()).is_some_and(|keys| keys.contains(KeyCode::KEY_ENTER));
        if !is_keyboard {
            return Err(io::Error::other(
                "it has no Enter key, so it is no keyboard",
            ));
        }
        device.grab()?;
        Ok(device)
    };
    grab().map_err(|error| cannot_grab(path, &error))
}

/// Call it inside the runtime that will read from the device.
fn stream(device: RawDevice, path: &Path) -> Result<EventStream, String> {
    let stream = device.into_event_stream();
    stream.map_err(|error| cannot_grab(path, &error))
}

fn cannot_grab(path: &Path, error: &io::Error) -> String {
    format!(
        "cannot grab {}: {error}; let the group stockrelay read it (99-stockrelay-scanners.rules), and no other program grab it",
        path.display()
    )
}

#[cfg(test)]
mod tests;
