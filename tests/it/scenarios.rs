//! What must come out of which readings and faults, and how Odoo behaves: the same on the stand-in and on a real Odoo.

mod protocol;
mod target;
