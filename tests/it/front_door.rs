//! The front door against its clients: rumqttc, and a client made of bytes for what well-behaved ones do not do.

mod harness;
mod promise;

pub use harness::{Door, Hello, Mode, PATIENCE, PREFIX, Raw, anonymous, event};
