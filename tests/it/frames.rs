//! What `stockrelay top` shows: each panel, page and dialog, and what keys and clicks change.

mod answers;
mod cases;
mod fixtures;
mod languages;
mod reading;
