//! How often the link to Odoo went down, as far as this screen has seen it.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::board::Link;
use crate::view::snapshot::Status;

/// The limit of times that the screen keeps; it forgets the oldest.
const TIMES_MAX: usize = 1_000;

/// When the link went down.
#[derive(Debug, Clone, Default)]
pub struct Flaps {
    /// The first time at which the screen had a state of the link. `None`: it had none yet.
    begun: Option<Timestamp>,
    /// The oldest first.
    times: VecDeque<Timestamp>,
    last: Option<LinkSeen>,
}

#[derive(Debug, Clone)]
struct LinkSeen {
    link: Link,
    since: Option<Timestamp>,
    uptime_s: u64,
}

impl LinkSeen {
    /// Whether the link went down after another state was seen.
    fn has_gone_down(&self, last: &Self) -> bool {
        // A daemon that has restarted knows nothing about the link before.
        if self.uptime_s < last.uptime_s {
            return false;
        }
        match (&last.link, &self.link) {
            (Link::Up, Link::Down | Link::Held) => true,
            (Link::Up, Link::Up) | (Link::Down, Link::Down) => last.since != self.since,
            _ => false,
        }
    }
}

impl Flaps {
    /// Takes over the state of the link. Between two states the link may have changed twice: then
    /// the time of its state is another one.
    pub fn add(&mut self, status: &Status, now: Timestamp) {
        let seen = LinkSeen {
            link: status.odoo.link.clone(),
            since: status.odoo.since,
            uptime_s: status.uptime_s,
        };
        if self.begun.is_none_or(|begun| begun > now) {
            self.begun = Some(now);
        }
        if self
            .last
            .as_ref()
            .is_some_and(|last| seen.has_gone_down(last))
        {
            if self.times.len() == TIMES_MAX {
                self.begun = self.times.pop_front();
            }
            self.times.push_back(seen.since.unwrap_or(now));
        }
        self.last = Some(seen);
    }

    /// How often the link went down since this time, or since the screen had the first state of the
    /// link if that is later; and this later time.
    #[must_use]
    pub fn count_since(&self, since: Option<Timestamp>) -> (u64, Option<Timestamp>) {
        let since = since.max(self.begun);
        let is_counted = |time: &&Timestamp| since.is_some_and(|since| **time >= since);
        (self.times.iter().filter(is_counted).count() as u64, since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Adds states: the second, the state and the second of its beginning.
    fn flaps(seen: &[(i64, Link, i64)]) -> Flaps {
        let mut flaps = Flaps::default();
        for (second, link, since) in seen {
            let mut status = Status {
                uptime_s: u64::try_from(*second).unwrap(),
                ..Status::default()
            };
            (status.odoo.link, status.odoo.since) = (link.clone(), Some(at(*since)));
            flaps.add(&status, at(*second));
        }
        flaps
    }

    #[test]
    fn each_time_that_the_link_went_down_is_counted_once() {
        let flaps = flaps(&[
            (10, Link::Up, 5),
            (11, Link::Down, 11),
            (12, Link::Down, 11),
            // It came back.
            (13, Link::Up, 13),
            // It was down and up again between two states.
            (14, Link::Up, 14),
            (20, Link::Down, 20),
            (22, Link::Down, 22),
        ]);
        assert_eq!(flaps.count_since(None), (4, Some(at(10))));
        assert_eq!(flaps.count_since(Some(at(14))), (3, Some(at(14))));
        // Before the screen was opened, nothing was seen.
        assert_eq!(flaps.count_since(Some(at(1))).1, Some(at(10)));
    }

    #[test]
    fn a_restart_of_the_daemon_and_the_first_connection_count_as_nothing() {
        let mut flaps = flaps(&[(10, Link::Up, 5), (11, Link::Up, 5)]);
        let mut restarted = Status::default();
        (restarted.odoo.link, restarted.odoo.since) = (Link::Starting, Some(at(12)));
        flaps.add(&restarted, at(12));
        restarted.uptime_s = 1;
        (restarted.odoo.link, restarted.odoo.since) = (Link::Up, Some(at(13)));
        flaps.add(&restarted, at(13));
        assert_eq!(flaps.count_since(None).0, 0);
    }
}
