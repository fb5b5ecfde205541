//! Why the forwarder did not perform a command.

use super::queue::Ended;
use crate::catalog::refresh::Trouble;

/// Why the gateway did not perform a command.
#[derive(Debug)]
pub(super) enum Interrupted {
    Trouble(Trouble),
    Ended(Ended),
}

impl<T: Into<Trouble>> From<T> for Interrupted {
    fn from(trouble: T) -> Self {
        Self::Trouble(trouble.into())
    }
}

impl From<Ended> for Interrupted {
    fn from(ended: Ended) -> Self {
        Self::Ended(ended)
    }
}
