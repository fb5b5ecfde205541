//! The front door against its clients: rumqttc, and a client made of bytes for what well-behaved
//! ones do not do.

pub mod access;
mod capture;
mod clauses;
mod clients;
mod desired;
mod harness;
mod hostile;
mod identity;
mod promise;
mod sessions;
mod shares;

use harness::{Door, Hello, Mode, PATIENCE, PREFIX, Raw, anonymous, event, framed};
