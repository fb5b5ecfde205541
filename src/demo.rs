//! Everything at once, with made-up devices and a stand-in Odoo.

pub mod odoo;
