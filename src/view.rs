//! What people and programs see. It only reads.

pub mod board;
