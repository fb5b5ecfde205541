//! One integration binary, a module a subject.

mod control;
mod floor;
mod frames;
mod journal;
