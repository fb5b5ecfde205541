//! A pause by a person, as the forwarder sees it.
//!
//! **In**: the pause that is on. **Out**: the machine takes no documents while it is on, and the
//! forwarder tells when it makes no more calls that may change anything in Odoo.

use std::time::Duration;

use tokio::sync::watch;

use super::send::Machine;
use crate::clock;
use crate::pause::Pause;

/// How long the forwarder sleeps at most in a pause with an end: the wall clock may jump.
const LOOK_MAX: Duration = Duration::from_mins(1);

/// The orders to pause, and the forwarder's answer.
#[derive(Debug)]
pub struct Pausing {
    orders: watch::Receiver<Option<Pause>>,
    /// Whether a pause is on and no document is being sent.
    quiet: watch::Sender<bool>,
    was_on: bool,
    /// A refresh in the pause changed the catalog: parked documents may be healed after it.
    has_news: bool,
}

impl Pausing {
    #[must_use]
    pub fn new(orders: watch::Receiver<Option<Pause>>, quiet: watch::Sender<bool>) -> Self {
        Self {
            orders,
            quiet,
            was_on: false,
            has_news: false,
        }
    }

    /// Nobody pauses the sending.
    #[must_use]
    pub fn never() -> Self {
        let orders = watch::Sender::new(None).subscribe();
        Self::new(orders, watch::Sender::new(false))
    }

    pub(super) fn orders(&self) -> watch::Receiver<Option<Pause>> {
        self.orders.clone()
    }

    /// Whether a pause is on now.
    pub(super) fn is_on(&self) -> bool {
        let now = clock::now();
        let pause = self.orders.borrow();
        pause.as_ref().is_some_and(|pause| pause.is_on(now))
    }

    /// Whether the catalog has changed, also in a pause before. `None` in a pause: the work after a
    /// refresh, which may change pickings in Odoo, waits for its end.
    pub(super) fn defer_news(&mut self, news: bool) -> Option<bool> {
        self.has_news |= news;
        (!self.is_on()).then(|| std::mem::take(&mut self.has_news))
    }

    /// Starts or ends the pause of the machine.
    pub(super) fn apply(&mut self, machine: &mut Machine) {
        let is_on = self.is_on();
        machine.set_paused(is_on);
        if self.was_on && !is_on {
            tracing::info!("the pause has ended: the gateway sends to Odoo again");
        }
        self.was_on = is_on;
        let is_quiet = machine.is_quiet();
        self.quiet.send_if_modified(|quiet| {
            let before = std::mem::replace(quiet, is_quiet);
            before != is_quiet
        });
    }

    /// When the forwarder looks at the pause again. Without an end, only an order ends it.
    pub(super) fn end(&self, now: Duration) -> Duration {
        let pause = self.orders.borrow();
        let until = pause.as_ref().and_then(|pause| pause.until);
        let Some(until) = until.filter(|_| self.was_on) else {
            return Duration::MAX;
        };
        let left = until.duration_since(clock::now());
        let left = Duration::try_from(left).unwrap_or_default();
        now + left.min(LOOK_MAX)
    }
}
