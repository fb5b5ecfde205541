//! stockrelay keeps every scan of a warehouse on disk and posts each stock movement to Odoo exactly
//! once.
//!
//! The modules are the path of the data:
//!
//! 1. [`source`]: readings come in, over the gateway's own MQTT front door or through a broker.
//! 2. [`decode`]: bytes become [`event`]s, or rejections with a reason. Pure.
//! 3. [`capture`]: what the person is told at once, by the [`catalog`]; what is turned away, where
//!    it is strict.
//! 4. [`journal`]: events are numbered and on disk before anyone is told so. What devices that only
//!    beep scan goes from there through [`flow`], which makes events of it, and back.
//! 5. [`assemble`]: events become the lines of [`document`]s, which are sealed. Pure.
//! 6. [`forward`]: sealed documents go to Odoo, each once, and are read back.
//! 7. [`view`]: what people and programs see of all that. It only reads, but for what people
//!    decide; a [`correction`] is one of it.
//!
//! [`channel`] is what passes between the sources and the rest, [`board`] the live state that all
//! parts write, [`odoo`] the only module that talks to Odoo, and [`catalog`] the copy of its master
//! data.
//!
//! [`opens`] lists all that the daemon opens; [`daemon`] puts them together; [`demo`] runs it with
//! made-up devices and a stand-in Odoo.

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
pub mod flow;
pub mod forward;
pub mod journal;
pub mod odoo;
pub mod opens;
pub mod outcome;
pub mod source;
pub mod tls;
pub mod view;
