//! What the tests of the fleet share: sample bundles, and a disk whose power can be cut.

pub(super) mod power;
pub(super) mod samples;
