//! The configuration of the daemon that plays a scenario.

use super::super::script::Script;
use super::super::target::{Target, fresh};
use jiff::tz::TimeZone;
use std::net::SocketAddr;
use stockrelay::config::{self, Config};
use stockrelay::demo::link::Link;
use stockrelay::event::Name;
use tempfile::TempDir;

pub fn config(script: &Script, link: &Link, target: &Target, data: &TempDir) -> Config {
    let written = written(script, data);
    let listen = config::Listen {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        anonymous: true,
        ..config::Listen::default()
    };
    Config {
        // Keys of documents depend on the site: each run has its own on an Odoo that stays.
        site: Name::new(&fresh("s")).expect("a good name"),
        data_dir: data.path().join("data"),
        shifts: written.shifts,
        // The user's zone is another one on the stand-in than on the real Odoo.
        time_zone: written.time_zone.or(Some(TimeZone::UTC)),
        listen: Some(listen),
        broker: None,
        scanners: None,
        odoo: config::Odoo {
            api_key_file: Some(data.path().join("odoo.key")),
            refresh_s: script.refresh_s,
            // `/jsonrpc` wants it, which is all that 17 and 18 have.
            user: Some("gateway".to_owned()),
            ..config::Odoo::new(&link.url(), &target.database)
        },
        documents: config::Documents {
            idle_s: script.documents.idle_s,
            age_s: script.documents.age_s,
            lines_max: script.documents.lines_max,
            ..config::Documents::default()
        },
        orders: written.orders,
        stock: written.stock,
        capture: written.capture,
        journal: config::Journal::default(),
        control: config::Control {
            socket: data.path().join("control.sock"),
            metrics: None,
        },
        log: config::Log::default(),
        fleet: config::Fleet::default(),
    }
}

/// The sections of the scenario as a site's own file would have them.
pub fn written(script: &Script, data: &TempDir) -> Config {
    let needed = "site = 's'\n[mqtt.listen]\naddress = '127.0.0.1:0'\nanonymous = true\n[odoo]\nurl = 'http://127.0.0.1:1'\ndatabase = 'd'\n\
                  api_key_file = 'odoo.key'\n";
    let path = data.path().join("config.toml");
    let zone = script.time_zone.as_ref();
    let zone = zone.map_or_else(String::new, |zone| format!("time_zone = '{zone}'\n"));
    let sections = toml::to_string(&script.config).expect("TOML");
    let text = format!("{zone}{needed}{sections}");
    std::fs::write(&path, text).expect("a file");
    let loaded = config::load(&path, &[]);
    loaded.unwrap_or_else(|error| panic!("{error}")).config
}
