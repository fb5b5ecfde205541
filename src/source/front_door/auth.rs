//! Who a client is: by certificate, by password, or (where it is allowed) by its client id alone.
//!
//! Comes in: what CONNECT and TLS said. Goes out: the device's name, or a refusal that does not tell
//! an unknown device from a wrong password, neither by its code nor by the time it takes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use tokio::sync::Semaphore;

use super::answer::Refusal;
use super::connect::Connect;
use super::devices::{self, Device, DevicesError, Stamp};
use super::limits::Failures;
use crate::clock;
use crate::event::Name;
use crate::source::Intake;
use crate::source::profiles::Rule;
use crate::view::board::Board;

/// Passwords that are verified at once: each takes 7 MiB and a core.
const VERIFYING_MAX: usize = 1;
/// Clients that wait for that; more are told to come back.
const VERIFYING_QUEUE_MAX: usize = 1_024;
/// How often the file is looked at, at the most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Auth {
    file: Option<PathBuf>,
    anonymous: bool,
    list: Mutex<List>,
    failures: Failures,
    verifying: Arc<Semaphore>,
    queue: Semaphore,
    board: Board,
}

/// Which state of the list somebody has seen.
#[derive(Default)]
pub struct Known(Option<Arc<BTreeMap<Name, Device>>>);

struct List {
    devices: Arc<BTreeMap<Name, Device>>,
    stamp: Option<Stamp>,
    looked: Instant,
    /// Passwords that were right before, as keyed digests: a floor that reconnects at once must not wait for argon2.
    proved: BTreeMap<Name, [u8; 32]>,
}

impl std::fmt::Debug for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("List")
            .field("devices", &self.devices.len())
            .finish_non_exhaustive()
    }
}

impl Auth {
    pub fn new(file: Option<PathBuf>, anonymous: bool, board: Board) -> Result<Self, DevicesError> {
        let stamp = file.as_deref().and_then(devices::stamp);
        let list = match &file {
            Some(file) => devices::read(file)?,
            None => BTreeMap::new(),
        };
        Ok(Self {
            file,
            anonymous,
            list: Mutex::new(List {
                devices: Arc::new(list),
                stamp,
                looked: clock::instant(),
                proved: BTreeMap::new(),
            }),
            failures: Failures::default(),
            verifying: Arc::new(Semaphore::new(VERIFYING_MAX)),
            queue: Semaphore::new(VERIFYING_QUEUE_MAX),
            board,
        })
    }

    /// The device that the client is. `certified`: the name in the certificate that TLS has verified.
    pub async fn who(
        &self,
        connect: &Connect,
        certified: Option<&str>,
        address: IpAddr,
    ) -> Result<Name, Refusal> {
        let list = self.current();
        if let Some(certified) = certified {
            let name = Name::new(certified).map_err(|_| Refusal::NotAuthorized)?;
            let claims_another = connect
                .login
                .as_ref()
                .is_some_and(|login| !login.username.is_empty() && login.username != certified);
            let barred = list.get(&name).is_some_and(|device| !device.enabled);
            return if claims_another || barred {
                Err(Refusal::NotAuthorized)
            } else {
                Ok(name)
            };
        }
        let Some(login) = &connect.login else {
            return self.anonymous(connect, &list);
        };
        let claimed = if login.username.is_empty() {
            &connect.client_id
        } else {
            &login.username
        };
        let password = login.password.expose_secret();
        let name = Name::new(claimed).ok();
        let device = name.as_ref().and_then(|name| list.get(name));
        let hash = device.and_then(|device| device.hash.clone());

        if let (Some(name), Some(hash)) = (&name, &hash)
            && self.proved(name) == Some(digest(hash, password))
            && device.is_some_and(|device| device.enabled)
        {
            return Ok(name.clone());
        }
        if self.failures.too_many(address, clock::instant()) {
            return Err(Refusal::TooOften);
        }
        // Someone who is not in the list costs the same as someone whose password is wrong.
        let tried = hash
            .clone()
            .or_else(|| list.values().find_map(|device| device.hash.clone()));
        let right = self.verify(tried, password.to_owned()).await?;
        match (name, hash) {
            (Some(name), Some(hash)) if right && device.is_some_and(|device| device.enabled) => {
                let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
                list.proved.insert(name.clone(), digest(&hash, password));
                Ok(name)
            }
            _ => {
                self.failures.count(address, clock::instant());
                Err(Refusal::BadCredentials)
            }
        }
    }

    /// Tells what the list says of devices besides who they are, where it is not the same as the last time.
    pub fn tell(&self, known: &mut Known, intake: &Intake) {
        let list = self.current();
        if known
            .0
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, &list))
        {
            return;
        }
        let rules = list.iter().filter_map(|(name, device)| {
            let profile = device.profile.clone()?;
            let operator = None;
            Some((name.clone(), Rule { profile, operator }))
        });
        intake.profiles().know_devices(rules.collect());
        if let Some(capture) = intake.capture() {
            let settings = list
                .iter()
                .map(|(name, device)| (name.clone(), device.settings.clone()));
            capture.know_devices(settings.collect());
        }
        known.0 = Some(list);
    }

    /// A device that has a password cannot be had without it.
    fn anonymous(&self, connect: &Connect, list: &BTreeMap<Name, Device>) -> Result<Name, Refusal> {
        if !self.anonymous {
            return Err(Refusal::NotAuthorized);
        }
        let name = Name::new(&connect.client_id).map_err(|_| Refusal::ClientId)?;
        match list.get(&name) {
            Some(device) if !device.enabled || device.hash.is_some() => Err(Refusal::NotAuthorized),
            _ => Ok(name),
        }
    }

    fn proved(&self, name: &Name) -> Option<[u8; 32]> {
        let list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.proved.get(name).copied()
    }

    async fn verify(&self, hash: Option<String>, password: String) -> Result<bool, Refusal> {
        let _place = self.queue.try_acquire().map_err(|_| Refusal::Busy)?;
        let permit = Arc::clone(&self.verifying)
            .acquire_owned()
            .await
            .map_err(|_| Refusal::Busy)?;
        let password = secrecy::SecretString::from(password);
        tokio::task::spawn_blocking(move || {
            // Held by the work itself: a client that hangs up does not make room for a second hash beside it.
            let _permit = permit;
            let hash = hash.unwrap_or_else(decoy);
            devices::verify(&hash, password.expose_secret().as_bytes())
        })
        .await
        .map_err(|_| Refusal::Busy)
    }

    /// The list as the file has it now; the last good one while the file is broken.
    fn current(&self) -> Arc<BTreeMap<Name, Device>> {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock::instant();
        if let Some(file) = &self.file
            && now.saturating_duration_since(list.looked) >= LOOK_EVERY
        {
            list.looked = now;
            let stamp = devices::stamp(file);
            if stamp != list.stamp {
                list.stamp = stamp;
                match devices::read(file) {
                    Ok(devices) => {
                        tracing::info!(devices = devices.len(), "read the list of devices again");
                        list.proved.clear();
                        list.devices = Arc::new(devices);
                        self.board.alarm("devices-file", None);
                    }
                    Err(error) => {
                        tracing::error!(%error, "the old list of devices stays in force");
                        let sentence = format!("{error}: the old list of devices stays in force");
                        self.board.alarm("devices-file", Some(sentence));
                    }
                }
            }
        }
        Arc::clone(&list.devices)
    }
}

/// A hash that nobody knows the password of, where the list has none.
fn decoy() -> String {
    static DECOY: OnceLock<String> = OnceLock::new();
    DECOY
        .get_or_init(|| devices::hash_password("nobody"))
        .clone()
}

/// Keyed with a secret of this process: worth nothing outside of it.
fn digest(hash: &str, password: &str) -> [u8; 32] {
    static KEY: OnceLock<[u8; 32]> = OnceLock::new();
    let key = KEY.get_or_init(|| {
        let mut key = [0; 32];
        argon2::password_hash::rand_core::RngCore::fill_bytes(
            &mut argon2::password_hash::rand_core::OsRng,
            &mut key,
        );
        key
    });
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(&u64::try_from(hash.len()).unwrap_or(u64::MAX).to_be_bytes());
    hasher.update(hash.as_bytes());
    hasher.update(password.as_bytes());
    *hasher.finalize().as_bytes()
}
