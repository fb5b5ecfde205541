//! A device that only beeps makes movements by the order in which codes come.
//!
//! Comes in: the raw scans of devices whose profile names a flow, from the journal in `seq` order.
//! Goes out: structured events of the same device, into the journal, and a word for the person.
//! decode → journal → **flow** → journal → assemble.
//!
//! - `engine`: state, what was read, now → state, events, a word. Pure. `engine/commands`: what
//!   command barcodes do; `acts`: what other codes do; `state`: what is begun; `make`: products that
//!   are remembered become events, or their correction.
//! - `input`: what a device read. `reply`: the answer to a code, with what may come next.
//! - `builtin.toml`: the flows that every device has, written as profiles write theirs.
//! - `hear`, `looks`: what a code is by what the flow awaits, and what a text looks like that
//!   nobody knows. Pure.
//! - `lots`: which lot or serial number is awaited, and which new name is taken.
//! - `say`, `texts.toml`: what the person is told.
//! - `unfinished`: what a pause drops becomes rejected readings.
//! - `known`: what a code is by the copy of Odoo's data.
//! - `driver`: the task that runs it.
//!
//! **Promises:** a code that is wrong here changes nothing, and what is wanted is said. An event
//! names only what was scanned (and packages that were begun by command). Events are made when the
//! step that they belong to is complete, and never change: what is taken back later is an event of
//! its own. Whatever happens between two commits, each event is in the journal once: its id is
//! `flow-SEQ-N-TAG`, after the scan that it was made of.

mod acts;
mod driver;
mod engine;
pub mod hear;
mod input;
pub mod known;
pub mod looks;
mod lots;
mod make;
mod notes;
mod reply;
mod say;
mod state;
mod stored;
#[cfg(test)]
mod tests;
mod unfinished;

pub use driver::Driver;
pub use engine::{Engine, Made, Output};
pub use input::{Input, Read};
pub use say::{Key, Say, Want};
pub use state::{Coded, State, Tracking};
pub use unfinished::Unfinished;
