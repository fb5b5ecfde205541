//! The view of the gateway for people and programs: commands, terminal UI, control socket and
//! metrics. The view only reads, except that it stores the decisions of people about parked
//! documents, rejected readings and unused scans.
//!
//! ```text
//! journal totals, board ─▶ snapshot::Status ─┬─▶ control (Unix socket) ─▶ client ─┬─▶ commands
//! journal reads ─▶ records ──────────────────┘                                    └─▶ tui
//!                          snapshot::Status ─────▶ metrics (TCP)
//! ```
//! The commands and the terminal UI ask the daemon over the control socket, and never open the
//! journal of a running daemon.

pub mod answer;
pub mod check;
pub mod cli;
pub mod client;
pub mod commands;
pub mod control;
mod gateway;
pub mod headline;
mod http;
pub mod log_line;
pub mod metrics;
pub mod pauses;
pub mod reasons;
pub mod recent_log;
pub mod records;
pub mod rights;
pub mod show;
pub mod snapshot;
pub mod support;
pub mod table;
pub mod tui;
pub mod words;
