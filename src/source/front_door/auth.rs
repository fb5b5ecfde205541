//! Identifies a client: by certificate, by password, or (if the configuration allows it) by its
//! client id alone.
//!
//! **In**: the credentials from CONNECT and TLS. **Out**: the device's name, or a refusal. Neither
//! the code nor the time of a refusal shows whether the device is unknown or the password wrong.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use secrecy::ExposeSecret;

use super::answer::Refusal;
use super::connect::Connect;
use super::password_queue::{Turns, Verifier};
use crate::event::Name;
use crate::source::devices::{Device, DeviceList};

pub struct Auth {
    list: DeviceList,
    anonymous: bool,
    /// Passwords that were right before, as digests with their hashes: a floor that reconnects at
    /// once must not wait for argon2.
    proved: Mutex<BTreeMap<Name, [u8; 32]>>,
    turns: Turns,
    verifier: Verifier,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth")
            .field("list", &self.list)
            .finish_non_exhaustive()
    }
}

impl Auth {
    pub fn new(list: DeviceList, anonymous: bool) -> Self {
        Self {
            list,
            anonymous,
            proved: Mutex::default(),
            turns: Turns::default(),
            verifier: Verifier::start(),
        }
    }

    /// The list of devices that this module uses.
    pub fn list(&self) -> &DeviceList {
        &self.list
    }

    /// The device that the client is. `certified`: the name in the certificate that TLS has
    /// verified.
    pub async fn who(
        &self,
        connect: &Connect,
        certified: Option<&str>,
        address: IpAddr,
    ) -> Result<Name, Refusal> {
        let list = self.list.current();
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
            && self.proved().get(name) == Some(&digest(hash, password))
            && device.is_some_and(|device| device.enabled)
        {
            return Ok(name.clone());
        }
        let turn = self.turns.wait(address).await?;
        // An unknown device takes the same time as a device with a wrong password.
        let tried = hash
            .clone()
            .or_else(|| list.values().find_map(|device| device.hash.clone()));
        let secret = password.to_vec().into();
        let (right, turn) = self.verifier.verify(turn, tried, secret).await?;
        match (name, hash) {
            (Some(name), Some(hash)) if right && device.is_some_and(|device| device.enabled) => {
                turn.forgive();
                let mut proved = self.proved();
                proved.retain(|name, _| list.contains_key(name));
                proved.insert(name.clone(), digest(&hash, password));
                drop(proved);
                Ok(name)
            }
            _ => Err(Refusal::BadCredentials),
        }
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

    fn proved(&self) -> MutexGuard<'_, BTreeMap<Name, [u8; 32]>> {
        self.proved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keyed with a secret of this process: worth nothing outside of it.
fn digest(hash: &str, password: &[u8]) -> [u8; 32] {
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
    hasher.update(password);
    *hasher.finalize().as_bytes()
}
