//! The panels, in the order of their digits, and the lists that a page or a search opens.

mod alarms;
mod config;
mod devices;
mod documents;
mod events;
mod found;
mod log;
mod orders;
mod overview;
mod parked;
mod rejected;
mod scanners;

pub use devices::{count as count_devices, state as state_of_device};
pub use events::EVENTS;
pub use found::FOUND;
pub use overview::mood_of;
pub use scanners::SCANNER;

use super::list::Spec;

pub const OVERVIEW: usize = 0;
pub const DEVICES: usize = 1;
pub const DOCUMENTS: usize = 2;
pub const PARKED: usize = 3;
pub const REJECTED: usize = 4;
pub const ALARMS: usize = 5;
pub const SCANNERS: usize = 7;

/// The first has the digit 1, the last the digit 0.
pub static PANELS: [&Spec; 10] = [
    &overview::OVERVIEW,
    &devices::DEVICES,
    &documents::DOCUMENTS,
    &parked::PARKED,
    &rejected::REJECTED,
    &alarms::ALARMS,
    &orders::ORDERS,
    &scanners::SCANNERS,
    &config::CONFIG,
    &log::LOG,
];
