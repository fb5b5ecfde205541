//! The part of the configuration that the forwarder uses, and its change while the forwarder runs.
//!
//! Comes in: new [`Settings`]. Goes out: the forwarder works with them, without a restart.
//!
//! **Guarantees:** rules and limits change between two batches, never inside one. Another server,
//! database or warehouse is used only when the outcome of each document that was sent is known, so
//! no document is posted in both. The catalog is then created again. A key, certificate or time
//! limit also changes while the link is down or held, because it may be the remedy.

use std::time::Duration;

use tokio::sync::watch;

use super::Hands;
use super::queue::Queue;
use super::resolve::Rules;
use super::send::{Limits, Link, Machine};
use crate::catalog::Catalog;
use crate::catalog::refresh::Refresh;
use crate::config;

/// Alarm: another server, database or warehouse waits for the outcome of documents.
const ALARM_WAITS: &str = "odoo-change-waits";

/// The part of the loop's limit that is for work between two requests to Odoo.
const SILENT_MAX: Duration = Duration::from_mins(2);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub config: config::Odoo,
    pub rules: Rules,
    /// The hash of the file `odoo.ca`. `None`: the configuration names none, or it cannot be read.
    authorities: Option<blake3::Hash>,
}

impl Settings {
    /// Reads the file `odoo.ca`, so that a renewed certificate authority is a change.
    #[must_use]
    pub fn new(config: config::Odoo, rules: Rules) -> Self {
        let authorities = config.ca.as_ref().and_then(|ca| std::fs::read(ca).ok());
        Self {
            authorities: authorities.map(|bytes| blake3::hash(&bytes)),
            config,
            rules,
        }
    }

    /// A receiver of settings that never change.
    #[must_use]
    pub fn unchanging(self) -> watch::Receiver<Self> {
        watch::Sender::new(self).subscribe()
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            orders: self.rules.orders.clone(),
            batch_lines_max: self.config.batch_lines_max,
            refresh: Duration::from_secs(self.config.refresh_s),
        }
    }

    /// How long the loop may take to answer. The loop beats at each request to Odoo, and a request
    /// ends within `odoo.timeout_s`: an Odoo that is slow or away never uses up this limit.
    pub(super) fn silent_max(&self) -> Duration {
        SILENT_MAX + 2 * Duration::from_secs(self.config.timeout_s)
    }

    fn has_target_of(&self, other: &Self) -> bool {
        let target = |of: &Self| {
            let config = &of.config;
            let names = [&config.url, &config.database, &config.warehouse];
            names.map(String::clone)
        };
        target(self) == target(other)
    }

    /// Whether the client and what a probe found out stay valid.
    fn has_client_of(&self, other: &Self) -> bool {
        let client = |of: &Self| config::Odoo {
            batch_lines_max: 0,
            refresh_s: 0,
            late_commit_s: 0,
            ..of.config.clone()
        };
        client(self) == client(other)
            && self.authorities == other.authorities
            && self.rules.time_zone == other.rules.time_zone
    }
}

impl Hands {
    /// Applies new settings, as far as the machine's state allows it now.
    pub(super) fn apply_settings(&mut self, machine: &mut Machine) {
        if *self.new_settings.borrow() == self.settings {
            return self.board.alarm(ALARM_WAITS, None);
        }
        let new = self.new_settings.borrow().clone();
        let has_target = new.has_target_of(&self.settings);
        if machine.is_between_batches() && (has_target || self.is_each_outcome_known()) {
            let has_client = new.has_client_of(&self.settings);
            self.settings = new;
            self.meter.set_limit(self.settings.silent_max());
            if has_target {
                machine.set_limits(self.settings.limits());
            } else {
                self.leave_odoo();
                *machine = Machine::new(self.settings.limits());
            }
            if !has_client {
                self.reconnect(machine);
            }
            return self.board.alarm(ALARM_WAITS, None);
        }
        if has_target && *machine.link() != Link::Up {
            // The remedy for the link, without which the batch has no end.
            let login = Settings {
                config: config::Odoo {
                    batch_lines_max: self.settings.config.batch_lines_max,
                    refresh_s: self.settings.config.refresh_s,
                    ..new.config
                },
                rules: self.settings.rules.clone(),
                authorities: new.authorities,
            };
            if login != self.settings {
                self.settings = login;
                self.meter.set_limit(self.settings.silent_max());
                self.reconnect(machine);
            }
        }
        let sentence = "odoo.url, odoo.database or odoo.warehouse has changed, and the gateway still uses the old value, because it does not know yet whether the old Odoo has posted each document that was sent. Let the gateway reach the old Odoo; if that is impossible, restart the gateway, and look for documents that are posted twice.";
        // While the link is up, a batch ends within a minute.
        let waits = !has_target && (*machine.link() != Link::Up || machine.is_between_batches());
        self.board
            .alarm(ALARM_WAITS, waits.then(|| sentence.to_owned()));
    }

    fn is_each_outcome_known(&self) -> bool {
        self.journal.totals().sending.documents == 0 && self.queue.deferred.is_empty()
    }

    /// Has the next call made by a new client, after a probe.
    fn reconnect(&mut self, machine: &mut Machine) {
        self.client = None;
        self.has_rights = false;
        self.refresh.forget_keys();
        machine.probe_again();
    }

    /// Forgets everything about the present Odoo.
    fn leave_odoo(&mut self) {
        tracing::info!(
            "odoo.url, odoo.database or odoo.warehouse has changed: the copy of Odoo's data is created again"
        );
        self.site = None;
        self.refresh = Refresh::default();
        let copy = self.copy.send_replace(None);
        if let Some(Err(error)) = copy.map(Catalog::discard) {
            tracing::warn!(%error, "cannot delete the copy of Odoo's data");
        }
        let (outlets, cancel) = (self.queue.outlets.clone(), self.queue.cancel.clone());
        let levels = self.board.levels().clone();
        self.queue = Queue::new(self.journal.clone(), outlets, cancel).with_levels(levels);
        self.board.odoo(|view| {
            (view.version, view.api, view.copy_refreshed) = (None, None, None);
        });
    }
}
