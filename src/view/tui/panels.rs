//! The panels, in the order of their digits, and the lists that a page or a search opens.

mod alarms;
mod device_events;
mod devices;
mod documents;
mod log_lines;
mod needs_you;
mod open_orders;
mod parked;
mod rejected_readings;
mod scanners;
mod search_results;
mod settings;
mod unused_scans;

pub use alarms::{LINK, raised};
pub use device_events::EVENTS;
pub use devices::{count as count_devices, state as state_of_device};
pub use needs_you::mood_of;
pub use open_orders::due;
pub use parked::count_decided;
pub use scanners::SCANNER;
pub use search_results::FOUND;
pub use unused_scans::UNUSED;

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
    &needs_you::OVERVIEW,
    &devices::DEVICES,
    &documents::DOCUMENTS,
    &parked::PARKED,
    &rejected_readings::REJECTED,
    &alarms::ALARMS,
    &open_orders::ORDERS,
    &scanners::SCANNERS,
    &settings::CONFIG,
    &log_lines::LOG,
];
