//! stockrelay stores every scan of a warehouse on disk and posts each stock movement to Odoo
//! exactly once.
//!
//! The modules follow the path of the data:
//!
//! 1. [`source`]: readings come in, over the gateway's own MQTT front door, through a broker, or
//!    from scanners on its own ports.
//! 2. [`decode`]: bytes become [`event`]s, or rejections with a reason. Pure.
//! 3. [`capture`]: checks each event against the [`catalog`] and answers the device at once; in
//!    strict mode it rejects faulty events.
//! 4. [`journal`]: stores events with a number, before any device gets an acknowledgement. From
//!    there [`flow`] reads the scans of devices that only beep, and stores the events that it
//!    creates.
//! 5. [`assemble`]: events become the lines of [`document`]s, which are sealed. Pure.
//! 6. [`forward`]: sends each sealed document to Odoo once, and reads it back.
//! 7. [`view`]: status, lists and screens for people and programs. It only reads, except for
//!    decisions of people, such as a [`correction`].
//!
//! [`reason`] has the tables of reason codes, rejection codes and flags.
//!
//! [`channel`] has the types between the sources and the rest, [`board`] the live state that all
//! parts write. [`odoo`] is the only module that talks to Odoo, and [`catalog`] the copy of its
//! master data.
//!
//! [`fleet`] has the signed configuration of central IT: bundles, trusted keys, rollouts.
//!
//! [`opens`] lists everything that the daemon opens; [`daemon`] builds and starts all parts, and
//! applies a new configuration ([`reload`]);
//! [`demo`] runs it with simulated devices and a stand-in Odoo.

pub mod assemble;
pub mod board;
pub mod book;
pub mod capture;
pub mod catalog;
pub mod channel;
pub mod choice;
pub mod clock;
pub mod config;
pub mod correction;
pub mod daemon;
pub mod decode;
#[cfg(feature = "demo")]
pub mod demo;
pub mod device_clock;
pub mod document;
pub mod event;
pub mod fair;
pub mod fence;
pub mod fleet;
pub mod flow;
pub mod forward;
pub mod journal;
pub mod listener;
pub mod odoo;
pub mod odoo_id;
pub mod opens;
pub mod outcome;
pub mod pause;
pub mod pulse;
pub mod reason;
pub mod reload;
pub mod source;
pub mod tls;
pub mod view;
