//! Reads side storage.

use super::super::damage::JournalError;
use super::super::namespace::{Namespace, SideValue};
use super::super::{stored, tables};
use super::Journal;
use crate::device_clock::DeviceClock;
use crate::event::Name;
use crate::pause::Pause;

impl Journal {
    /// The values of a namespace by name, in the order of their names.
    pub fn read_namespace(
        &self,
        namespace: Namespace,
    ) -> Result<Vec<(String, Vec<u8>)>, JournalError> {
        let prefix = namespace.prefix();
        self.alarm.look(|| {
            let table = self.read()?.open_table(tables::SIDE_VALUES)?;
            let mut values = Vec::new();
            for entry in table.range(prefix..)? {
                let (key, value) = entry?;
                let Some(name) = key.value().strip_prefix(prefix) else {
                    break;
                };
                values.push((name.to_owned(), value.value().to_vec()));
            }
            Ok(values)
        })
    }

    /// The values of several namespaces with their keys.
    pub fn read_namespaces(
        &self,
        namespaces: &[Namespace],
    ) -> Result<Vec<SideValue>, JournalError> {
        let mut values = Vec::new();
        for namespace in namespaces {
            let read = self.read_namespace(*namespace)?.into_iter();
            values.extend(read.map(|(name, value)| (namespace.key(name), value)));
        }
        Ok(values)
    }

    /// The stored state of a device's clock. `None`: the clock was never wrong or in doubt.
    pub fn device_clock(&self, device: &Name) -> Result<Option<DeviceClock>, JournalError> {
        self.alarm.look(|| {
            let table = self.read()?.open_table(tables::SIDE_VALUES)?;
            let key = Namespace::DeviceClocks.key(device.to_string()).to_string();
            let value = table.get(key.as_str())?;
            let clock = value.map(|bytes| stored::device_clock_out(bytes.value()));
            Ok(clock.transpose()?)
        })
    }

    /// The stored pauses with their numbers, the oldest first.
    pub fn pauses(&self) -> Result<Vec<(u64, Pause)>, JournalError> {
        self.alarm.look(|| {
            let mut pauses = Vec::new();
            for (name, bytes) in self.read_namespace(Namespace::Pauses)? {
                if let Ok(number) = name.parse() {
                    pauses.push((number, stored::pause_out(&bytes)?));
                }
            }
            Ok(pauses)
        })
    }

    /// The stored states of clocks, by device. A clock that was never wrong or in doubt has none.
    pub fn device_clocks(&self) -> Result<Vec<(Name, DeviceClock)>, JournalError> {
        self.alarm.look(|| {
            let mut clocks = Vec::new();
            for (name, bytes) in self.read_namespace(Namespace::DeviceClocks)? {
                if let Ok(device) = Name::new(&name) {
                    clocks.push((device, stored::device_clock_out(&bytes)?));
                }
            }
            Ok(clocks)
        })
    }
}
