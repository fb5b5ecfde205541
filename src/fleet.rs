//! Central IT's bundles: signed configuration for many gateways.
//!
//! ```text
//! DIR ─ build ▸ *.bundle ─ signing ▸ signed *.bundle ─▶ any way to the gateway
//!
//! bytes ─ bundle ▸ Verified ─ site_set ▸ files of the site ▸ config
//!                             floor ▸ configurations of devices
//! bytes ─ stop ▸ Stop
//! Verified ─▶ agent ─ machine ▸ record, actions ─▶ disk, then check, load, watch
//!
//! central IT's broker, web server ─ centre ▸ reception ▸ bundle, stop
//! FleetStatus ─ own_report ▸ report ─ centre ▸ central IT's broker
//!
//! central IT's broker ─ desk ─ topics ▸ report ▸ heard ─ rollout ▸ continue, stop, or ended
//! ```
//!
//! Pure, except for `build` (reads a directory), `trust` (reads trust.toml), `site_set` (writes the
//! files of a site), `every_site` (a temporary directory), `disk` (writes the record and the
//! bundles), `identity` (the gateway's key), `secrets` (writes what it decrypts), `agent` (the task
//! that runs all of it on a gateway), `centre` (the gateway's client of the broker and the web
//! server), `desk` (a client of the broker) and `download` (a client of a web server).

pub mod agent;
pub mod archive;
pub mod build;
pub mod bundle;
pub mod centre;
mod chain;
mod content;
pub mod desk;
pub mod disk;
pub mod download;
mod error;
pub mod every_site;
pub mod floor;
pub mod heard;
pub mod identity;
pub mod key_change;
mod key_id;
mod keys;
pub mod layout;
pub mod local;
pub mod machine;
pub mod manifest;
pub mod orders;
pub mod own_report;
mod parts;
pub mod reception;
pub mod record;
pub mod report;
pub mod rollout;
#[cfg(test)]
mod samples;
pub mod secrets;
pub mod signing;
pub mod site_check;
pub mod site_set;
pub mod stop;
mod stored;
pub mod topics;
pub mod trust;
pub mod watch;

#[cfg(test)]
mod tests;

pub use bundle::{Bundle, Verified, verify};
pub use chain::{Link, follow};
pub use content::Cause;
pub use error::BundleError;
pub use key_id::KeyId;
pub use manifest::Manifest;
pub use report::Report;
pub use site_set::SiteSet;
pub use stop::Stop;
pub use trust::{Trust, open_regular};
