//! Finds the profile of a device, and decodes its scans by it.
//!
//! Input: readings of the channel `scan`, from scanners of `scanners.toml` and devices of
//! `devices.toml` that name a profile. Output: events and rejections, as from `decode`. If an equal
//! code comes within the profile's `[repeats]` time, it gets the id of the first code: the journal
//! then finds a duplicate, which names its original.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::channel::{Channel, Reading, Word};
use crate::clock;
use crate::config::overlay;
use crate::decode;
use crate::decode::profile::{Fault, Message, Profile, SHIPPED, Values};
use crate::event::{Action, Event, EventFlag, Name, Rejection, SourceKind};

/// Size of a profile's file, at most: a longer file is not a profile.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The profile of a device, and its operator.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceRule {
    pub profile: Arc<Profile>,
    /// The operator, if the scan names none.
    pub operator: Option<String>,
}

/// The profiles of all devices, shared by all sources. Its size is that of the lists of devices.
#[derive(Debug, Clone, Default)]
pub struct Profiles(Arc<Mutex<KnownDevices>>);

#[derive(Debug, Default)]
struct KnownDevices {
    scanners: BTreeMap<Name, DeviceRule>,
    mqtt: BTreeMap<Name, DeviceRule>,
    firsts: BTreeMap<Name, First>,
    /// The numbers of scanners, from their payloads.
    numbers: BTreeMap<Name, String>,
}

/// The last code of a device, which may be repeated.
#[derive(Debug)]
struct First {
    code: String,
    /// The time by the device's own clock, if the message has one: scans that were sent late arrive
    /// together.
    at: Timestamp,
    received: Timestamp,
    id: String,
    id_derived: bool,
}

impl Profiles {
    fn lock(&self) -> MutexGuard<'_, KnownDevices> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the profiles of the gateway's own scanners.
    pub fn set_scanners(&self, rules: BTreeMap<Name, DeviceRule>) {
        self.lock().scanners = rules;
    }

    /// Sets the profiles of the devices of `devices.toml`, after each change of the file.
    pub fn set_devices(&self, rules: BTreeMap<Name, DeviceRule>) {
        let known = &mut *self.lock();
        known.mqtt = rules;
        let (mqtt, scanners) = (&known.mqtt, &known.scanners);
        let is_listed = |name: &Name| mqtt.contains_key(name) || scanners.contains_key(name);
        known.firsts.retain(|name, _| is_listed(name));
        known.numbers.retain(|name, _| is_listed(name));
    }

    /// Finds the profile of a device. `None`: the device has no profile.
    #[must_use]
    pub fn rule(&self, device: &Name) -> Option<DeviceRule> {
        let known = self.lock();
        let rule = known.scanners.get(device).or(known.mqtt.get(device));
        rule.cloned()
    }

    /// Whether the device has a flow.
    #[must_use]
    pub fn has_flow(&self, device: &Name) -> bool {
        self.rule(device)
            .is_some_and(|rule| rule.profile.flow.start.is_some())
    }

    /// The number of a scanner in its last payload.
    #[must_use]
    pub fn number(&self, device: &Name) -> Option<String> {
        self.lock().numbers.get(device).cloned()
    }

    /// Whether the profile of an MQTT device has its own feedback messages.
    #[must_use]
    pub fn has_feedback(&self, device: &Name) -> bool {
        let is_published = |message: &Message| matches!(message, Message::Publish { .. });
        self.rule(device).is_some_and(|rule| {
            let feedback = &rule.profile.feedback;
            feedback.good.iter().chain(&feedback.bad).any(is_published)
        })
    }

    /// Builds the feedback messages about an event, in the form of its MQTT device's profile.
    /// Empty: the profile has none, or the event came from another source than MQTT.
    #[must_use]
    pub fn build_feedback(&self, event: &Event, (ok, text): (bool, &str)) -> Vec<Word> {
        let Some(rule) = self
            .rule(&event.device)
            .filter(|_| matches!(event.source, SourceKind::Listen | SourceKind::Broker))
        else {
            return Vec::new();
        };
        let feedback = &rule.profile.feedback;
        let messages = if ok { &feedback.good } else { &feedback.bad };
        let number = self.number(&event.device);
        let number = number.as_deref().unwrap_or(event.device.as_str());
        let templates = messages.iter().filter_map(|message| match message {
            Message::Publish { topic, template } => Some((topic, template)),
            Message::Send { .. } => None,
        });
        templates
            .enumerate()
            .map(|(place, (topic, template))| {
                let values = Values {
                    text,
                    id: &uuid(event, place),
                    now_ms: clock::now().as_millisecond(),
                    device: number,
                };
                let payload = values.fill(template.trim());
                (topic.clone().into(), payload.into())
            })
            .collect()
    }

    /// As [`Self::decode`], for a reading that a person sends again: it is not a repeat, and does
    /// not change the device's repeats.
    #[must_use]
    pub fn decode_again(&self, reading: &Reading) -> Vec<Result<Event, Rejection>> {
        match self.rule(&reading.device) {
            Some(rule) if reading.channel == Channel::Scan => {
                let scanned = decode::decode_scans(reading, &rule.profile).into_iter();
                let take = |(mut event, _): (Event, _)| {
                    event.operator = event.operator.take().or_else(|| rule.operator.clone());
                    event
                };
                scanned.map(|scanned| scanned.map(take)).collect()
            }
            _ => decode::decode(reading),
        }
    }

    /// As [`decode::decode`], by the device's profile if it has one.
    pub fn decode(&self, reading: &Reading) -> Vec<Result<Event, Rejection>> {
        match self.rule(&reading.device) {
            Some(rule) if reading.channel == Channel::Scan => {
                let take = |(mut event, number): (Event, Option<String>)| {
                    event.operator = event.operator.take().or_else(|| rule.operator.clone());
                    // A person judges a message that was sent again: see `possible-repeat`.
                    if !event.flags.contains(&EventFlag::PossibleRepeat) {
                        self.reuse_id(&mut event, &rule.profile);
                    }
                    if let Some(number) = number {
                        self.lock().numbers.insert(event.device.clone(), number);
                    }
                    event
                };
                let scanned = decode::decode_scans(reading, &rule.profile).into_iter();
                scanned.map(|scanned| scanned.map(take)).collect()
            }
            _ => decode::decode(reading),
        }
    }

    fn reuse_id(&self, event: &mut Event, profile: &Profile) {
        let Action::Scan { code, .. } = &event.action else {
            return;
        };
        let mut known = self.lock();
        if let Some(first) = known.firsts.get(&event.device)
            && first.code == *code
            && profile.repeats.is_repeat(first.received, event.received)
            && profile.repeats.is_repeat(first.at, event.at)
        {
            event.id.clone_from(&first.id);
            event.id_derived = first.id_derived;
        } else if profile.repeats.within_ms > 0 {
            let first = First {
                code: code.clone(),
                at: event.at,
                received: event.received,
                id: event.id.clone(),
                id_derived: event.id_derived,
            };
            known.firsts.insert(event.device.clone(), first);
        }
    }
}

/// Builds a UUID of version 8 (RFC 9562). The same message has the same UUID.
fn uuid(event: &Event, place: usize) -> String {
    let name = format!("{} {} {place}", event.device, event.id);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&blake3::hash(name.as_bytes()).as_bytes()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}

/// What is found if a profile of this name is nowhere.
pub const NOT_FOUND: &str = "which is no shipped profile and cannot be read as a file";

/// Loads a shipped profile by its name, or a profile from a file. A relative path starts at
/// `directory`. In the directory of a bundle's files, a profile of the bundle replaces the shipped
/// profile or the file of the same name, and other relative paths start at the directory of the
/// local configuration. The error has every fault.
pub fn load(name: &str, directory: &Path) -> Result<Profile, Vec<Fault>> {
    let local = directory.join(overlay::LOCAL);
    let is_bundle = local.is_symlink();
    let brought = is_bundle.then(|| find_brought(name, directory)).flatten();
    let shipped = SHIPPED.iter().find(|(shipped, _)| *shipped == name);
    if let (None, Some((_, text))) = (&brought, shipped) {
        return Profile::parse(text);
    }
    let own = directory.join(name);
    let is_local = is_bundle && !own.exists();
    let path = brought.unwrap_or(if is_local { local.join(name) } else { own });
    let mut text = String::new();
    let read =
        File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
    read.map_err(|error| {
        let shipped: Vec<_> = SHIPPED.iter().map(|(name, _)| *name).collect();
        vec![Fault {
            key: String::new(),
            found: format!("{name:?}, {NOT_FOUND}: {error}"),
            accepted: format!("the path of a profile, or one of {}", shipped.join(", ")),
        }]
    })?;
    Profile::parse(&text)
}

/// Finds the bundle's profile of the same name: `zebra-serial` and `own/zebra-serial.toml` are both
/// the profile `zebra-serial`.
fn find_brought(name: &str, directory: &Path) -> Option<PathBuf> {
    let file = Path::new(name).file_name()?.to_str()?;
    let stem = file.strip_suffix(".toml").unwrap_or(file);
    let path = directory
        .join(overlay::PROFILES)
        .join(format!("{stem}.toml"));
    path.is_file().then_some(path)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::channel::identity::ReadingId;

    fn profiles(text: &str) -> Profiles {
        let rule = DeviceRule {
            profile: Arc::new(Profile::parse(text).unwrap()),
            operator: Some("anna".to_owned()),
        };
        let profiles = Profiles::default();
        profiles.set_scanners([(Name::new("dock").unwrap(), rule)].into());
        profiles
    }

    fn read(profiles: &Profiles, payload: &'static [u8], ms: i64) -> Result<Event, Rejection> {
        read_as(profiles, payload, ms, false)
    }

    fn read_as(
        profiles: &Profiles,
        payload: &'static [u8],
        ms: i64,
        redelivered: bool,
    ) -> Result<Event, Rejection> {
        let reading = Reading {
            id: ReadingId::next(),
            redelivered,
            source: SourceKind::Serial,
            device: Name::new("dock").unwrap(),
            channel: Channel::Scan,
            payload: Bytes::from_static(payload),
            received: Timestamp::from_millisecond(1_795_000_000_000 + ms).unwrap(),
        };
        let mut entries = profiles.decode(&reading);
        assert_eq!(entries.len(), 1);
        entries.remove(0)
    }

    fn shipped(name: &str) -> &'static str {
        SHIPPED.iter().find(|(own, _)| *own == name).unwrap().1
    }

    #[test]
    fn a_code_is_read_by_the_profile_of_its_device() {
        let profiles = profiles(shipped("generic-serial"));
        let event = read(&profiles, b"]E04006381333931\r", 0).unwrap();
        assert_eq!(
            event.action,
            Action::Scan {
                code: "4006381333931".to_owned(),
                symbology: Some("ean13".to_owned()),
            }
        );
        assert_eq!(event.operator.as_deref(), Some("anna"));
        let refused = read(&profiles, b"\xff\xfe\x00", 10).unwrap_err();
        assert_eq!(refused.payload, b"\xff\xfe\x00");
    }

    #[test]
    fn a_repeat_has_the_id_of_its_first_for_as_long_as_the_profile_says() {
        let profiles = profiles(shipped("generic-serial"));
        let id = |payload, ms| read(&profiles, payload, ms).unwrap().id;
        let first = id(b"A", 0);
        assert_eq!(id(b"A", 299), first);
        assert_ne!(id(b"A", 300), first, "300 ms after the first");
        let other = id(b"B", 310);
        assert_ne!(other, first);
        assert_ne!(id(b"A", 320), first, "another code was between them");

        // The device says that it may have sent it before: for a person to judge.
        let repeat = read_as(&profiles, b"A", 630, false).unwrap();
        let again = read_as(&profiles, b"A", 640, true).unwrap();
        assert_eq!(again.flags, [EventFlag::PossibleRepeat]);
        assert_ne!(again.id, repeat.id);

        let each = shipped("generic-serial").replace("within_ms = 300", "within_ms = 0");
        let profiles = self::profiles(&each);
        let id = |payload, ms| read(&profiles, payload, ms).unwrap().id;
        assert_ne!(id(b"A", 0), id(b"A", 1));
        assert_ne!(id(b"A", 2), id(b"A", 2), "one moment");
    }

    #[test]
    fn reads_that_were_minutes_apart_and_arrive_together_are_no_repeats() {
        let profiles = profiles(
            "[profile]\nname = \"own\"\nfamily = \"own\"\nabout = \"own\"\nbuilt_from = [\"own\"]\n[connection]\nkind = \"mqtt\"\n\
             [payload]\ncode = \"/code\"\ntime = \"/at\"\n[repeats]\nwithin_ms = 5000\n",
        );
        let id = |payload| read(&profiles, payload, 0).unwrap().id;
        let first = id(br#"{"code": "A", "at": "2026-11-23T08:15:30Z"}"#);
        assert_eq!(id(br#"{"code": "A", "at": "2026-11-23T08:15:31Z"}"#), first);
        assert_ne!(id(br#"{"code": "A", "at": "2026-11-23T08:20:00Z"}"#), first);
    }
}
