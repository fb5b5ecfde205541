//! Fair shares: serves the work of many devices so that no device waits for the backlog of another.
//!
//! **In**: work with its [`Lane`] (the origin it came from, the device it belongs to) and its cost.
//! **Out**: the work, in the order of a two-level fair queue: origins take turns, and within an
//! origin its devices take turns. A turn costs what the work costs (stride scheduling: each served
//! member moves back by its cost). So a device that sends arrays is served as many elements as a
//! device that sends single events. A lane that was idle is next.
//!
//! Pure: no clock, no socket.

mod gate;
mod queue;

use std::net::IpAddr;

use crate::event::{Name, SourceKind};

pub use gate::{Cost, Gate, Limits, Permit};
pub use queue::FairQueue;

/// The origin of work: the outer level of fairness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// The gateway's own work: documents, decisions of people, flows.
    Gateway,
    /// Removal of what is past its time.
    Prune,
    /// The search index.
    Index,
    /// Changes in side storage, such as sessions and retained messages. One lane for all of them:
    /// their order matters across devices.
    SideStorage,
    /// A network address that connects to the front door.
    Address(IpAddr),
    /// The broker, or the gateway's own scanners.
    Source(SourceKind),
}

/// The lane of a piece of work.
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
