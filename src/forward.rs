pub mod copy;
pub mod odoo;
