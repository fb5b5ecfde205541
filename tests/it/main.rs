//! One integration binary, a module a subject.

mod control;
mod crash;
mod floor;
mod journal;
mod model;
mod moves;
mod scenarios;
mod shipped;
