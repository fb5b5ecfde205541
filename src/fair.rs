//! Fair shares: work of many devices, served so that none of them waits for the backlog of another.
//!
//! Comes in: work with its [`Lane`] (the origin it came from, the device it belongs to) and its
//! cost. Goes out: the work, in the order of a two-level fair queue: origins take turns, and within
//! an origin its devices take turns. A turn is paid for by cost (stride scheduling: each served
//! member moves back by what it cost), so a device that sends arrays is served as many elements as
//! one that sends single events. A lane that was idle is served next.
//!
//! Pure: no clock, no socket.

mod gate;
mod queue;

use std::net::IpAddr;

use crate::event::{Name, SourceKind};

pub use gate::{Cost, Gate, Limits, Permit};
pub use queue::FairQueue;

/// Where work comes from: the outer level of fairness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// The gateway's own work: documents, decisions of people, flows.
    Gateway,
    /// Removal of what is past its time.
    Prune,
    /// Sessions and retained messages. One lane for all of them: their order matters across
    /// devices.
    Kept,
    /// A network address that connects to the front door.
    Address(IpAddr),
    /// The broker, or the gateway's own scanners.
    Source(SourceKind),
}

/// Whose work it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane {
    pub origin: Origin,
    /// `None`: all of the origin's work is one lane.
    pub device: Option<Name>,
}

impl Lane {
    #[must_use]
    pub fn of(origin: Origin) -> Self {
        Self {
            origin,
            device: None,
        }
    }

    #[must_use]
    pub fn device(origin: Origin, device: &Name) -> Self {
        Self {
            origin,
            device: Some(device.clone()),
        }
    }
}
