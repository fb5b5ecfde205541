//! The configuration that a device on the floor should use, as its retained `config/desired`.
//!
//! `fleet::floor` builds it from a bundle, `source::floor_devices` has the present one of each
//! device.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::event::Name;

/// The channel of the configuration.
pub const DESIRED: &str = "config/desired";
/// The largest configuration of a device, in bytes of its message.
pub const DESIRED_BYTES_MAX: usize = 64 << 10;
/// The largest total of the configurations from one bundle, in bytes: half of the memory for
/// retained messages.
pub const DESIRED_TOTAL_BYTES_MAX: usize = 8 << 20;

/// The configuration of one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredConfig {
    /// Changes only when the content changes.
    pub version: String,
    /// The message: `{"version": "...", "config": {...}}`.
    pub payload: Bytes,
}

/// The configurations of all devices that have one.
pub type DesiredConfigs = Arc<BTreeMap<Name, DesiredConfig>>;
