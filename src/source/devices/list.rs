//! The present list of devices, for callers that read it often.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Device, DevicesError, KIND, Stamp, find_last, parse, read_and_keep, read_text, stamp};
use crate::board::Board;
use crate::clock;
use crate::decode::profiles::DeviceRule;
use crate::event::Name;
use crate::source::{Intake, LastLists};

/// The shortest time between two reads of the file.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub type Devices = Arc<BTreeMap<Name, Device>>;

/// The list of devices. Without a file it is empty.
#[derive(Debug)]
pub struct DeviceList {
    read: Mutex<Read>,
    board: Board,
    last_lists: LastLists,
}

#[derive(Debug)]
struct Read {
    file: Option<PathBuf>,
    devices: Devices,
    stamp: Option<Stamp>,
    looked: Instant,
}

/// A list without a fault that a reload is about to use.
#[derive(Debug, Default)]
pub struct ReadList {
    file: Option<PathBuf>,
    stamp: Option<Stamp>,
    text: String,
    devices: Devices,
}

impl ReadList {
    /// Reads the list and the profiles that it names. Without a file the list is empty.
    pub fn read(file: Option<&Path>) -> Result<Self, DevicesError> {
        let Some(file) = file else {
            return Ok(Self::default());
        };
        let stamp = stamp(file);
        let text = read_text(file)?;
        Ok(Self {
            devices: Arc::new(parse(&text, file)?),
            file: Some(file.to_owned()),
            stamp,
            text,
        })
    }

    #[must_use]
    pub fn devices(&self) -> &BTreeMap<Name, Device> {
        &self.devices
    }

    /// Keeps the list for a start at which it has a fault.
    pub fn keep(&self, last_lists: &LastLists) {
        if let Some(file) = &self.file {
            last_lists.keep(KIND, file, &self.text);
        }
    }
}

impl Read {
    fn of(list: &ReadList) -> Self {
        Self {
            file: list.file.clone(),
            devices: Arc::clone(&list.devices),
            stamp: list.stamp.clone(),
            looked: clock::instant(),
        }
    }
}

/// The version of the list that a receiver already has.
#[derive(Debug, Default)]
pub struct Told(Option<Devices>);

/// Raises the alarm of a list that has a fault.
fn raise(board: &Board, error: &DevicesError) {
    tracing::error!(%error, "the gateway uses the old list of devices");
    let sentence = format!("{error}: the gateway uses the old list of devices");
    board.alarm("devices-file", Some(sentence));
}

impl DeviceList {
    /// Reads the list. If it has a fault, the last good list is used, with an alarm. An error: no
    /// good list exists.
    pub fn open(
        file: Option<PathBuf>,
        last_lists: LastLists,
        board: Board,
    ) -> Result<Self, DevicesError> {
        let stamp = file.as_deref().and_then(stamp);
        let devices = match &file {
            None => BTreeMap::new(),
            Some(file) => match read_and_keep(file, &last_lists) {
                Ok(devices) => devices,
                Err(error) => {
                    let last = find_last(file, &last_lists).ok_or_else(|| error.clone())?;
                    raise(&board, &error);
                    last
                }
            },
        };
        let read = Read {
            file,
            devices: Arc::new(devices),
            stamp,
            looked: clock::instant(),
        };
        Ok(Self {
            read: Mutex::new(read),
            board,
            last_lists,
        })
    }

    /// Takes a list that was read already.
    #[must_use]
    pub fn of(list: &ReadList, last_lists: LastLists, board: Board) -> Self {
        Self {
            read: Mutex::new(Read::of(list)),
            board,
            last_lists,
        }
    }

    /// Replaces the list, and the file that is looked at for changes.
    pub fn replace(&self, list: &ReadList) {
        *self.lock() = Read::of(list);
        self.board.alarm("devices-file", None);
    }

    fn lock(&self) -> MutexGuard<'_, Read> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The list as the file has it now; the last good one while the file is broken.
    pub fn current(&self) -> Devices {
        let known = &mut *self.lock();
        let now = clock::instant();
        if let Some(file) = &known.file
            && now.saturating_duration_since(known.looked) >= LOOK_EVERY
        {
            known.looked = now;
            let stamp = stamp(file);
            if stamp != known.stamp {
                known.stamp = stamp;
                match read_and_keep(file, &self.last_lists) {
                    Ok(devices) => {
                        tracing::info!(devices = devices.len(), "read the list of devices again");
                        known.devices = Arc::new(devices);
                        self.board.alarm("devices-file", None);
                    }
                    Err(error) => raise(&self.board, &error),
                }
            }
        }
        Arc::clone(&known.devices)
    }

    /// Passes the settings of devices to the intake if they have changed. Without a file it does
    /// nothing: another source may have one.
    pub fn tell(&self, told: &mut Told, intake: &Intake) {
        if self.lock().file.is_none() {
            return;
        }
        let list = self.current();
        if told.0.as_ref().is_some_and(|told| Arc::ptr_eq(told, &list)) {
            return;
        }
        let rules = list.iter().filter_map(|(name, device)| {
            let profile = device.profile.clone()?;
            let operator = None;
            Some((name.clone(), DeviceRule { profile, operator }))
        });
        intake.profiles().set_devices(rules.collect());
        if let Some(capture) = intake.capture() {
            let settings = list
                .iter()
                .map(|(name, device)| (name.clone(), device.settings.clone()));
            capture.set_devices(settings.collect());
        }
        told.0 = Some(list);
    }
}
