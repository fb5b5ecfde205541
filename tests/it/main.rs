//! One integration binary, a module a subject.

mod control;
mod crash;
mod floor;
mod frames;
mod journal;
mod model;
mod moves;
mod shipped;
