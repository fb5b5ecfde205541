pub mod copy;
pub mod machine;
pub mod odoo;
mod refresh;
mod resolve;
