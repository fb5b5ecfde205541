//! The connected clients, each with the proof by which the gateway admitted it. After a change of
//! the list of devices or of the certificate authorities, a client stays connected only if that
//! proof still holds.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::pki_types::CertificateDer;
use tokio_util::sync::CancellationToken;

use crate::event::Name;

/// The origin of a connection.
#[derive(Debug)]
pub struct Origin {
    pub address: IpAddr,
    /// The name in the client's certificate, which TLS has verified.
    pub certified: Option<String>,
    /// The client's certificate, then those of its issuers. Empty: it has shown none.
    pub certificates: Arc<[CertificateDer<'static>]>,
}

/// The proof by which the gateway admitted a client.
#[derive(Clone)]
pub enum Access {
    /// By the password with this hash. The value is a digest of the hash.
    Password([u8; 32]),
    /// By its certificate, with those of its issuers.
    Certificate(Arc<[CertificateDer<'static>]>),
    /// By its client id alone.
    Anonymous,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password",
            Self::Certificate(_) => "Certificate",
            Self::Anonymous => "Anonymous",
        })
    }
}

/// All admitted clients.
#[derive(Debug, Default)]
pub struct Members(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    next: u64,
    members: HashMap<u64, Member>,
}

#[derive(Debug)]
struct Member {
    device: Name,
    access: Access,
    revoked: CancellationToken,
}

/// A client's entry, which is removed when this is dropped.
#[derive(Debug)]
pub struct Membership {
    members: Arc<Members>,
    number: u64,
    /// Cancelled when the client must leave, and when the gateway stops.
    pub revoked: CancellationToken,
}

impl Members {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a client. `revoked`: how its connection is ended.
    pub fn add(
        self: &Arc<Self>,
        device: Name,
        access: Access,
        revoked: CancellationToken,
    ) -> Membership {
        let mut known = self.lock();
        let number = known.next;
        known.next += 1;
        let member = Member {
            device,
            access,
            revoked: revoked.clone(),
        };
        known.members.insert(number, member);
        Membership {
            members: Arc::clone(self),
            number,
            revoked,
        }
    }

    /// Ends the connections of clients that are not allowed any more. Returns their devices.
    pub fn revoke(&self, is_allowed: impl Fn(&Name, &Access) -> bool) -> Vec<Name> {
        let known = self.lock();
        let all = known.members.values();
        let revoked = all.filter(|member| !is_allowed(&member.device, &member.access));
        revoked
            .map(|member| {
                member.revoked.cancel();
                member.device.clone()
            })
            .collect()
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.members.lock().members.remove(&self.number);
    }
}
