//! The rules of the machine, one test each. `rig` plays a gateway that does what the machine wants.

mod outcomes;
mod rig;
mod rules;
mod stops;
