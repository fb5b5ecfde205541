//! The present list of devices, for callers that read it often.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Device, DevicesError, Stamp, find_last, read_and_keep, stamp};
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
    file: Option<PathBuf>,
    read: Mutex<Read>,
    board: Board,
    last_lists: LastLists,
}

#[derive(Debug)]
struct Read {
    devices: Devices,
    stamp: Option<Stamp>,
    looked: Instant,
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
            devices: Arc::new(devices),
            stamp,
            looked: clock::instant(),
        };
        Ok(Self {
            file,
            read: Mutex::new(read),
            board,
            last_lists,
        })
    }

    /// The list as the file has it now; the last good one while the file is broken.
    pub fn current(&self) -> Devices {
        let mut known = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock::instant();
        if let Some(file) = &self.file
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
        if self.file.is_none() {
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
