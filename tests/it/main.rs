//! One integration binary, a module a subject.

mod floor;
mod journal;
