//! Scanners on the gateway's own ports. Each scanner has a task that opens its port, reads it, and
//! opens it again after the scanner was unplugged.
//!
//! **In**: bytes of serial ports (`serial`), keys of keyboard scanners (`hid`). **Out**: readings
//! to [`Intake`], and to a serial scanner the profile's commands for a good or bad read. The
//! good-read command is the only acknowledgement: a code without it may not be stored if the
//! gateway was killed.
//!
//! A reload restarts only the scanners whose entry or profile has changed.
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
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Intake;
use crate::board::Board;
use crate::channel::{DISPLAY, Outbound};
use crate::decode::profile::Connection;
use crate::decode::profiles::DeviceRule;
use crate::event::{Name, SourceKind};

use desk::Desk;
use find::Class;
use list::{Scanner, ScannerList, ScannersError};

/// Messages to scanners that wait, of all and of one.
const OUTBOUND_MAX: usize = 256;
const TOLD_MAX: usize = 4;

#[derive(Debug)]
pub struct Scanners {
    lists: watch::Sender<Vec<Scanner>>,
    sender: mpsc::Sender<Outbound>,
    outbound: mpsc::Receiver<Outbound>,
    intake: Intake,
    board: Board,
}

/// The running scanners, for a reload.
#[derive(Debug, Clone)]
pub struct ScannersHandle {
    lists: watch::Sender<Vec<Scanner>>,
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
                "{fault}: the gateway uses the last good list of scanners; correct the list, and run `stockrelay config reload`"
            );
            board.alarm("scanners-file", Some(sentence));
        }
        Ok(Self::of(list, intake, board))
    }

    /// Takes a list that was read already.
    #[must_use]
    pub fn of(list: Vec<Scanner>, intake: Intake, board: Board) -> Self {
        set_profiles(&list, &intake);
        let (sender, outbound) = mpsc::channel(OUTBOUND_MAX);
        Self {
            lists: watch::Sender::new(list),
            sender,
            outbound,
            intake,
            board,
        }
    }

    #[must_use]
    pub fn outbound(&self) -> mpsc::Sender<Outbound> {
        self.sender.clone()
    }

    #[must_use]
    pub fn handle(&self) -> ScannersHandle {
        ScannersHandle {
            lists: self.lists.clone(),
            intake: self.intake.clone(),
            board: self.board.clone(),
        }
    }

    /// Until it is cancelled, or the journal has stopped.
    pub async fn run(self, cancel: CancellationToken) {
        let mut outbound = self.outbound;
        let mut lists = self.lists.subscribe();
        let mut desks = Desks {
            intake: self.intake,
            board: self.board,
            cancel: cancel.clone(),
            tasks: JoinSet::new(),
            running: BTreeMap::new(),
        };
        desks.follow(&lists.borrow_and_update().clone());
        loop {
            tokio::select! {
                message = outbound.recv() => if let Some(message) = message {
                    desks.tell(&message);
                },
                Some(ended) = desks.tasks.join_next() => {
                    let is_stopped = ended.is_ok_and(|name| desks.remove_stopped(&name));
                    if !is_stopped {
                        // The journal has stopped, or a task has panicked, which is a bug: the
                        // daemon must start again.
                        return;
                    }
                    desks.follow(&lists.borrow_and_update().clone());
                }
                Ok(()) = lists.changed() => desks.follow(&lists.borrow_and_update().clone()),
                () = cancel.cancelled() => break,
            }
        }
        // Waits until the codes that were read are stored.
        while desks.tasks.join_next().await.is_some() {}
    }
}

impl ScannersHandle {
    /// Uses another list from now on. A scanner whose entry and profile are as before reads on.
    pub fn switch(&self, list: &ScannerList) {
        self.board.alarm("scanners-file", None);
        set_profiles(&list.scanners, &self.intake);
        self.lists.send_replace(list.scanners.clone());
    }
}

fn set_profiles(list: &[Scanner], intake: &Intake) {
    let rules = list.iter().map(|scanner| {
        let rule = DeviceRule {
            profile: Arc::clone(&scanner.profile),
            operator: scanner.operator.clone(),
        };
        (scanner.name.clone(), rule)
    });
    intake.profiles().set_scanners(rules.collect());
}

/// The tasks of the scanners.
struct Desks {
    intake: Intake,
    board: Board,
    cancel: CancellationToken,
    /// Each answers its scanner's name when it ends.
    tasks: JoinSet<Name>,
    running: BTreeMap<Name, Running>,
}

struct Running {
    scanner: Scanner,
    cancel: CancellationToken,
    told: mpsc::Sender<bool>,
}

impl Desks {
    /// Stops the scanners that the list does not have in this form, and starts the others. A new
    /// scanner waits until those are stopped, because it may have the same port.
    fn follow(&mut self, list: &[Scanner]) {
        let mut is_stopping = false;
        for running in self.running.values() {
            if !list.contains(&running.scanner) {
                running.cancel.cancel();
            }
            is_stopping |= running.cancel.is_cancelled();
        }
        if is_stopping {
            return;
        }
        for scanner in list {
            if !self.running.contains_key(&scanner.name) {
                self.start(scanner.clone());
            }
        }
    }

    fn start(&mut self, scanner: Scanner) {
        let (told, receiver) = mpsc::channel(TOLD_MAX);
        let running = Running {
            scanner: scanner.clone(),
            cancel: self.cancel.child_token(),
            told,
        };
        let (name, cancel) = (scanner.name.clone(), running.cancel.clone());
        let (intake, board) = (self.intake.clone(), self.board.clone());
        let profile = Arc::clone(&scanner.profile);
        let desk = |kind| Desk::new(scanner, kind, intake, board, cancel);
        match &profile.connection {
            Connection::Serial(serial) => {
                let (desk, serial) = (desk(SourceKind::Serial), serial.clone());
                self.tasks.spawn(async move {
                    serial::run(desk, serial, receiver).await;
                    name
                });
            }
            Connection::Hid(keys) => {
                let (desk, keys) = (desk(SourceKind::Hid), keys.clone());
                self.tasks.spawn(async move {
                    hid::run(desk, keys).await;
                    name
                });
            }
            Connection::Mqtt(_) => return,
        }
        self.running.insert(running.scanner.name.clone(), running);
    }

    /// Removes a scanner whose task has ended. `false`: its task should not have ended.
    fn remove_stopped(&mut self, name: &Name) -> bool {
        let is_stopped = (self.running.get(name)).is_some_and(|it| it.cancel.is_cancelled());
        self.running.remove(name);
        self.board.remove_scanner(name);
        is_stopped
    }

    /// Passes displays to scanners; receipts and tasks have no meaning for a scanner. A scanner
    /// whose queue is full gets no answer, because a late answer is wrong.
    fn tell(&self, message: &Outbound) {
        if message.channel == DISPLAY
            && let Some(good) = is_good(&message.payload)
            && let Some(running) = self.running.get(&message.device)
        {
            running.told.try_send(good).ok();
        }
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
