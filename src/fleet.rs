//! Central IT's bundles: signed configuration for many gateways.
//!
//! ```text
//! DIR ─ build ▸ *.bundle ─ signing ▸ signed *.bundle ─▶ any way to the gateway
//!
//! bytes ─ bundle ▸ Verified ─ admit ▸ now, later or refused ─ site_set ▸ files of the site ▸ config
//!                                                         floor ▸ configurations of devices
//! bytes ─ stop ▸ Stop
//! ```
//!
//! Pure, except for `build` (reads a directory), `trust` (reads trust.toml) and `site_set` (writes
//! the files of a site).

pub mod admit;
pub mod archive;
pub mod build;
pub mod bundle;
mod chain;
mod content;
mod error;
pub mod floor;
mod key_id;
mod keys;
pub mod layout;
pub mod manifest;
mod parts;
#[cfg(test)]
mod samples;
pub mod signing;
pub mod site_check;
pub mod site_set;
pub mod stop;
pub mod trust;

pub use bundle::{Bundle, Verified, verify};
pub use chain::{Link, follow};
pub use content::Cause;
pub use error::BundleError;
pub use key_id::KeyId;
pub use manifest::Manifest;
pub use site_set::SiteSet;
pub use stop::Stop;
pub use trust::Trust;
