//! Central IT's bundles: signed configuration for many gateways.
//!
//! ```text
//! DIR ─ build ▸ *.bundle ─ signing ▸ signed *.bundle ─▶ any way to the gateway
//!
//! bytes ─ bundle ▸ Verified ─ admit ▸ now, later or refused ─ site_set ▸ files of the site ▸ config
//! bytes ─ stop ▸ Stop
//!
//! central IT's broker ─ desk ─ topics ▸ report ▸ heard ─ rollout ▸ continue, stop, or ended
//! ```
//!
//! Pure, except for `build` (reads a directory), `trust` (reads trust.toml), `site_set` (writes the
//! files of a site), `desk` (a client of the broker) and `download` (a client of a web server).

pub mod admit;
pub mod archive;
pub mod build;
pub mod bundle;
mod chain;
mod content;
pub mod desk;
pub mod download;
mod error;
pub mod heard;
mod key_id;
mod keys;
pub mod layout;
pub mod manifest;
mod parts;
pub mod report;
pub mod rollout;
#[cfg(test)]
mod samples;
pub mod signing;
pub mod site_check;
pub mod site_set;
pub mod stop;
pub mod topics;
pub mod trust;

pub use bundle::{Bundle, Verified, verify};
pub use chain::{Link, follow};
pub use content::Cause;
pub use error::BundleError;
pub use key_id::KeyId;
pub use manifest::Manifest;
pub use report::Report;
pub use site_set::SiteSet;
pub use stop::Stop;
pub use trust::Trust;
