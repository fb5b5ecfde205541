//! Scanners on the gateway's own ports. Each scanner has a task that opens its port, reads it, and
//! opens it again after the scanner was unplugged.
//!
//! **In**: bytes of serial ports (`serial`), keys of keyboard scanners (`hid`). **Out**: readings
//! to [`Intake`], and to a serial scanner the profile's commands for a good or bad read. The
//! good-read command is the only acknowledgement: a code without it may not be stored if the
//! gateway was killed.
//!
//! - `list`: `scanners.toml`; `find`: a USB device's file. `desk`: the common part of serial and
//!   keyboard scanners.

pub(super) mod desk;
pub(super) mod find;
mod hid;
pub mod list;
mod serial;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Intake;
use crate::board::Board;
use crate::channel::Outbound;
use crate::decode::profile::Connection;
use crate::decode::profiles::DeviceRule;
use crate::event::{Name, SourceKind};

use desk::Desk;
use find::Class;
use list::{Scanner, ScannersError};

/// Messages to scanners that wait, of all and of one.
const OUTBOUND_MAX: usize = 256;
const TOLD_MAX: usize = 4;

#[derive(Debug)]
pub struct Scanners {
    list: Vec<Scanner>,
    sender: mpsc::Sender<Outbound>,
    outbound: mpsc::Receiver<Outbound>,
    intake: Intake,
    board: Board,
}

impl Scanners {
    /// Reads the list, and has the intake know which profile belongs to which scanner. Ports are
    /// opened later: a scanner that is not there is no reason not to start.
    pub fn new(file: &Path, intake: Intake, board: Board) -> Result<Self, ScannersError> {
        let (list, fault) = list::read_or_last(file, intake.last_lists())?;
        if let Some(fault) = fault {
            tracing::error!(%fault, "the gateway uses the last good list of scanners");
            let sentence = format!(
                "{fault}: the gateway uses the last good list of scanners; correct the list and restart the gateway"
            );
            board.alarm("scanners-file", Some(sentence));
        }
        let rules = list.iter().map(|scanner| {
            let rule = DeviceRule {
                profile: Arc::clone(&scanner.profile),
                operator: scanner.operator.clone(),
            };
            (scanner.name.clone(), rule)
        });
        intake.profiles().set_scanners(rules.collect());
        let (sender, outbound) = mpsc::channel(OUTBOUND_MAX);
        Ok(Self {
            list,
            sender,
            outbound,
            intake,
            board,
        })
    }

    #[must_use]
    pub fn outbound(&self) -> mpsc::Sender<Outbound> {
        self.sender.clone()
    }

    /// Until it is cancelled, or the journal has stopped.
    pub async fn run(self, cancel: CancellationToken) {
        let mut outbound = self.outbound;
        let mut tasks = JoinSet::new();
        let mut told = BTreeMap::new();
        for scanner in self.list {
            let (sender, receiver) = mpsc::channel(TOLD_MAX);
            told.insert(scanner.name.clone(), sender);
            let (intake, board) = (self.intake.clone(), self.board.clone());
            let profile = Arc::clone(&scanner.profile);
            let desk = |kind| Desk::new(scanner, kind, intake, board, cancel.clone());
            match &profile.connection {
                Connection::Serial(serial) => {
                    tasks.spawn(serial::run(
                        desk(SourceKind::Serial),
                        serial.clone(),
                        receiver,
                    ));
                }
                Connection::Hid(keys) => {
                    tasks.spawn(hid::run(desk(SourceKind::Hid), keys.clone()));
                }
                Connection::Mqtt(_) => {}
            }
        }
        loop {
            tokio::select! {
                message = outbound.recv() => if let Some(message) = message {
                    tell(&told, &message);
                },
                // The journal has stopped, or a task has panicked, which is a bug: the daemon must
                // start again.
                Some(_) = tasks.join_next() => return,
                () = cancel.cancelled() => break,
            }
        }
        // Waits until the codes that were read are stored.
        while tasks.join_next().await.is_some() {}
    }
}

/// Finds the device file of a scanner. The error says why there is none.
pub fn find(scanner: &Scanner) -> Result<PathBuf, String> {
    let class = match &scanner.profile.connection {
        Connection::Hid(_) => Class::Input,
        _ => Class::Tty,
    };
    find::device(&scanner.place, class, Path::new("/"))
}

/// Opens a scanner's device file as its task does, and closes it again.
pub fn open(scanner: &Scanner, path: &Path) -> Result<(), String> {
    match &scanner.profile.connection {
        Connection::Serial(settings) => serial::check(settings, path),
        Connection::Hid(_) => hid::open(path).map(drop),
        Connection::Mqtt(_) => Ok(()),
    }
}

/// A display message; a scanner can only show whether it is good or bad.
#[derive(Deserialize)]
struct ScannerDisplay {
    ok: bool,
}

/// Whether a display message is a good one. `None`: it has no `ok`.
pub(super) fn is_good(payload: &Bytes) -> Option<bool> {
    let display: Option<ScannerDisplay> = serde_json::from_slice(payload).ok();
    display.map(|display| display.ok)
}

/// Passes displays to scanners; receipts and tasks have no meaning for a scanner. A scanner whose
/// queue is full gets no answer, because a late answer is wrong.
fn tell(told: &BTreeMap<Name, mpsc::Sender<bool>>, message: &Outbound) {
    if message.channel == "display"
        && let Some(good) = is_good(&message.payload)
        && let Some(sender) = told.get(&message.device)
    {
        sender.try_send(good).ok();
    }
}
