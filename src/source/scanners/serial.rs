//! A serial scanner: opens its port, reads codes, sends answers, and opens the port again after the
//! scanner was unplugged.
//!
//! **Guarantee**: the gateway reads codes also while the scanner does not accept answers. No buffer
//! grows without a limit. A scanner that is plugged in again is found by its stable path or its USB
//! numbers.

use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio_serial::{
    ClearBuffer, DataBits, FlowControl, Parity, SerialPort as _, SerialPortBuilder, SerialStream,
    StopBits,
};

use super::desk::{Desk, Ended};
use crate::decode::profile::{self, End, Feedback, Frame, Framer, Message, Serial};

/// Bytes of one read; the codes in it share a commit.
const READ_BYTES: usize = 1_024;
/// Bytes of answers that the scanner has not read yet, at most. Further answers are dropped.
const ANSWER_BYTES_MAX: usize = 256;
/// Pause after which an incomplete code is dropped, if silence does not end a code: it must not be
/// joined to the next code.
const HALF_CODE: Duration = Duration::from_secs(2);

pub(super) async fn run(mut desk: Desk, serial: Serial, mut told: mpsc::Receiver<bool>) {
    loop {
        let Err(ended) = session(&mut desk, &serial, &mut told).await;
        if !desk.again(ended).await {
            return;
        }
    }
}

fn gone(heard: bool, why: impl Into<String>) -> Ended {
    Ended::Gone {
        heard,
        absent: false,
        why: why.into(),
    }
}

/// From opening the port to its end.
async fn session(
    desk: &mut Desk,
    serial: &Serial,
    told: &mut mpsc::Receiver<bool>,
) -> Result<Infallible, Ended> {
    let path = super::find(&desk.scanner).map_err(|why| Ended::Gone {
        heard: false,
        absent: true,
        why,
    })?;
    let place = path.display().to_string();
    let settings = serial.clone();
    // To set up an adapter takes some turns on its bus.
    let port = tokio::task::spawn_blocking(move || open(&settings, &path))
        .await
        .map_err(|error| gone(false, error.to_string()))?
        .map_err(|why| gone(false, why))?;
    desk.up(&place);
    // Answers from before the scanner came back are of no use.
    while told.try_recv().is_ok() {}
    let (mut reader, mut writer) = tokio::io::split(port);
    let Err(ended) = converse(desk, serial, told, &mut reader, &mut writer).await;
    // Closing a port waits up to 30 s for unsent bytes, so they are dropped first. An error: the
    // port is gone.
    drop(reader.unsplit(writer).clear(ClearBuffer::Output));
    Err(ended)
}

/// Reads and answers until the port goes.
async fn converse(
    desk: &mut Desk,
    serial: &Serial,
    told: &mut mpsc::Receiver<bool>,
    reader: &mut ReadHalf<SerialStream>,
    writer: &mut WriteHalf<SerialStream>,
) -> Result<Infallible, Ended> {
    let quiet = match serial.framing.end {
        End::Silence { ms } => Duration::from_millis(ms),
        _ => HALF_CODE,
    };
    let mut framer = Framer::new(serial.framing.clone());
    let mut answers = UnsentAnswers::new(&desk.scanner.profile.feedback);
    let mut buffer = [0; READ_BYTES];
    let mut heard = false;
    // Since the last whole code: what never ends is reported before it ends.
    let mut endless = 0;
    loop {
        let came = tokio::select! {
            () = desk.cancel.cancelled() => return Err(Ended::Stopped),
            read = reader.read(&mut buffer) => match read {
                // A port that was unplugged may read as empty for ever.
                Ok(0) => return Err(gone(heard, "unplugged: the port has ended")),
                Ok(count) => {
                    heard = true;
                    endless += count;
                    framer.push(&buffer[..count])
                }
                Err(error) => return Err(gone(heard, format!("unplugged, or broken: {error}"))),
            },
            () = tokio::time::sleep(quiet), if framer.is_inside() => {
                framer.silence().into_iter().collect()
            }
            Some(good) = told.recv() => {
                answers.say(good);
                continue;
            }
            // No flush: it would wait for the scanner to take the bytes, and block the thread
            // meanwhile.
            written = writer.write(&answers.pending), if !answers.pending.is_empty() => {
                match written {
                    Ok(count) => drop(answers.pending.drain(..count)),
                    Err(error) => return Err(gone(heard, format!("takes no answers: {error}"))),
                }
                continue;
            }
        };
        let mut codes = Vec::new();
        for frame in came {
            endless = 0;
            match frame {
                Frame::Whole(code) => codes.push(code),
                Frame::Dropped(count) => desk.threw_away(count),
                Frame::Unended(bytes) => {
                    let refused = desk.refuse_unended(bytes, &serial.framing).await;
                    refused.ok_or(Ended::Stopped)?;
                    answers.say(false);
                }
            }
        }
        if endless > serial.framing.max_bytes {
            desk.threw_away(endless);
            endless = 0;
        }
        let good = desk.take(codes).await.ok_or(Ended::Stopped)?;
        for good in good {
            answers.say(good);
        }
    }
}

/// The profile's commands, and the bytes that the scanner has not read yet.
struct UnsentAnswers {
    good: Vec<u8>,
    bad: Vec<u8>,
    pending: Vec<u8>,
}

impl UnsentAnswers {
    fn new(feedback: &Feedback) -> Self {
        let bytes = |messages: &[Message]| {
            let send = |message: &Message| match message {
                Message::Send { send } => send.0.clone(),
                Message::Publish { .. } => Vec::new(),
            };
            messages.iter().flat_map(send).collect()
        };
        Self {
            good: bytes(&feedback.good),
            bad: bytes(&feedback.bad),
            pending: Vec::new(),
        }
    }

    /// A command whole or not at all: half of one would be another.
    fn say(&mut self, good: bool) {
        let bytes = if good { &self.good } else { &self.bad };
        if self.pending.len() + bytes.len() <= ANSWER_BYTES_MAX {
            self.pending.extend_from_slice(bytes);
        }
    }
}

/// Call it inside the runtime that will read from the port.
fn open(serial: &Serial, path: &Path) -> Result<SerialStream, String> {
    let opened = SerialStream::open(&builder(serial, &path.display().to_string()));
    opened.map_err(|error| cannot_open(path, &error))
}

/// Opens the port as [`run`] does, and closes it again.
pub(super) fn check(serial: &Serial, path: &Path) -> Result<(), String> {
    let opened = builder(serial, &path.display().to_string()).open();
    opened.map(drop).map_err(|error| cannot_open(path, &error))
}

fn cannot_open(path: &Path, error: &tokio_serial::Error) -> String {
    format!(
        "cannot open {}: {error}; let the group stockrelay use it (99-stockrelay-scanners.rules), and no other program",
        path.display()
    )
}

fn builder(serial: &Serial, place: &str) -> SerialPortBuilder {
    tokio_serial::new(place, serial.baud)
        .data_bits(match serial.data_bits {
            7 => DataBits::Seven,
            _ => DataBits::Eight,
        })
        .parity(match serial.parity {
            profile::Parity::None => Parity::None,
            profile::Parity::Even => Parity::Even,
            profile::Parity::Odd => Parity::Odd,
        })
        .stop_bits(match serial.stop_bits {
            2 => StopBits::Two,
            _ => StopBits::One,
        })
        .flow_control(match serial.flow_control {
            profile::FlowControl::None => FlowControl::None,
            profile::FlowControl::Hardware => FlowControl::Hardware,
            profile::FlowControl::Software => FlowControl::Software,
        })
}
