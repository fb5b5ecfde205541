//! One integration binary, a module a subject.

mod broker;
mod shipped;
