//! Flows: a device that only beeps creates movements by the order of its scans.
//!
//! Input: the scans of devices with a flow, from the journal in `seq` order. Output: events of the
//! same device, into the journal, and an answer for the operator.
//! decode → journal → **flow** → journal → assemble.
//!
//! - `engine`: state, code and time become a new state, events and an answer. Pure.
//!   `engine/commands`: command barcodes. `collect`: other codes. `state`: the unfinished movement.
//!   `create`: products become events, or the code that is missing.
//! - `input`: one scan with its meaning. `reply`: the answer, with the codes that may come next.
//! - `builtin.toml`: the flows that every device has, in the form of a profile's own flows.
//! - `interpret`: the meaning of a code, also while the flow expects a lot. `resemblance`: what an
//!   unknown text looks like. Pure.
//! - `lots`: which new lots and serial numbers the flow accepts. `label_notes`: dates on labels.
//! - `display_text`, `texts.toml`: the texts for the operator.
//! - `expired`: a movement that a pause ended becomes rejected readings.
//! - `catalog_lookup`: products and lots in the copy of Odoo's data.
//! - `driver`: the task that runs the flows.
//!
//! **Promises:** a wrong code changes nothing, and the answer names the expected codes. An event
//! names only what was scanned, and packages that a command started. Events are created when their
//! step is complete, and never change: an undo is an event of its own. Each event is in the journal
//! once, whenever the process stops: its id is `flow-SEQ-N-TAG`, after the scan that created it.

pub mod catalog_lookup;
mod collect;
mod create;
mod display_text;
mod driver;
mod engine;
mod expired;
mod input;
pub mod interpret;
mod label_notes;
mod lots;
mod reply;
pub mod resemblance;
mod state;
mod stored;
#[cfg(test)]
mod tests;

pub use display_text::{DisplayText, ExpectedCode, TextKey};
pub use driver::Driver;
pub use engine::{CreatedEvent, Engine, Output};
pub use expired::Expired;
pub use input::{Input, Read};
pub use state::{CodedProduct, State, Tracking};
