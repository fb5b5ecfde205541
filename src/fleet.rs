//! Central IT's bundles: signed configuration for many gateways.
//!
//! ```text
//! verified bundle ─▶ agent ─ machine ▸ record, actions ─▶ disk, then check, load, watch
//! ```

pub mod agent;
pub mod disk;
pub mod machine;
pub mod orders;
pub mod record;
mod stored;
pub mod watch;

#[cfg(test)]
mod tests;
