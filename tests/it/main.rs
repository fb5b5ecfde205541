//! One integration binary, a module a subject.

mod broker;
mod commands;
mod control;
mod crash;
mod damage;
mod floor;
mod flows;
mod forbidden;
mod frames;
mod front_door;
mod hid;
mod histories;
mod journal;
mod last_config;
mod model;
mod moves;
mod odoo_tls;
mod older_odoo;
mod opens;
mod process;
mod real_odoo;
mod scenarios;
mod serial;
mod shares;
mod shipped;
mod trial;
