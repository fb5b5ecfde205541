//! `stockrelay check`: finds faults of this gateway and says how to fix them. Changes nothing.
//!
//! Each [`Finding`] names what was checked, why a fault matters, and what to do. [`gateway()`] runs
//! all checks; [`CheckAnswer`] is what `check --json` prints.

mod api_key;
mod brokers;
mod certificates;
mod daemon;
mod devices;
mod disk;
mod finding;
mod gateway;
mod groups;
mod journal;
mod json_form;
mod network;
mod odoo;
mod opened;
mod ports;
mod scanner_ports;
mod service;
mod storage;
mod time;

use std::path::Path;

use jiff::Timestamp;

pub use brokers::{broker, centre};
pub use daemon::daemon;
pub use finding::{Finding, Level};
pub use gateway::{Report, gateway};
pub use groups::groups;
pub use journal::{Deep, journal};
pub use json_form::{CheckAnswer, Counts, Run};
pub use odoo::{odoo, odoo_with_key};
pub use opened::{otherwise, unreadable};
pub use ports::Firewall;
pub use service::{Credentials, become_service, running};
pub use time::CLOCK_REMEDY;

use crate::clock::service as service_of_clock;
use crate::config::Config;
use crate::opens::Opened;

/// What only root can read. Find it before [`become_service`].
#[derive(Debug, Clone, Default)]
pub struct OfRoot {
    pub credentials: Credentials,
    pub firewall: Firewall,
}

impl OfRoot {
    /// `directory` is that of the systemd credentials of this process.
    #[must_use]
    pub fn find(directory: Option<&Path>) -> Self {
        Self {
            credentials: Credentials::find(directory),
            firewall: Firewall::find(),
        }
    }
}

/// Checks the machine; [`daemon()`] and [`odoo()`] check the rest. `opened` is the list of
/// [`crate::opens`].
#[must_use]
pub fn machine(
    config: &Config,
    opened: Vec<Opened>,
    of_root: &OfRoot,
    now: Timestamp,
) -> Vec<Finding> {
    let mut findings: Vec<_> = opened.into_iter().map(opened::finding).collect();
    let space = disk::space(config);
    let has_room = space.as_ref().is_some_and(|it| it.level == Level::Ok);
    findings.extend(space);
    findings.extend(storage::storage(&config.data_dir, has_room));
    findings.push(time::clock(now));
    findings.push(time::source(service_of_clock::find(Path::new("/run"))));
    findings.extend(api_key::key(&config.odoo, &of_root.credentials));
    if let Some(listen) = &config.listen {
        findings.extend(devices::listen(listen));
        findings.extend(ports::ports(listen, &of_root.firewall));
    }
    findings.extend(certificates::certificates(config, now));
    findings.extend(scanner_ports::scanners(config));
    findings.extend(scanner_ports::unused_profiles(config));
    findings
}
