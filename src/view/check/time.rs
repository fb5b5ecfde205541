//! The clock of the gateway.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Finding;
use crate::clock::service::TimeService;
use crate::view::table::time;

/// The names of these findings.
const CLOCK: &str = "clock";
const SOURCE: &str = "clock.source";
/// What to do about a clock that was never set.
pub const CLOCK_REMEDY: &str = "set it with `timedatectl set-time 'YYYY-MM-DD hh:mm:ss'`, or turn on a time server with `timedatectl set-ntp true`";
/// A clock that shows an earlier year was never set: this version is from this year.
const YEAR_MIN: i16 = 2026;

/// Checks that the clock was set.
pub(super) fn clock(now: Timestamp) -> Finding {
    let year = now.to_zoned(TimeZone::UTC).year();
    if year < YEAR_MIN {
        Finding::fail(
            CLOCK,
            format!("the clock of this gateway shows {now}, which is wrong"),
            "movements have the time of this clock, TLS rejects every certificate, and the gateway prunes nothing",
            CLOCK_REMEDY,
        )
    } else {
        Finding::ok(
            CLOCK,
            format!("the clock of this gateway shows {}", time(now)),
        )
    }
}

/// Names the service that keeps the clock right.
pub(super) fn source(found: Option<TimeService>) -> Finding {
    let why = "a clock without a time server drifts: movements get wrong times, and the order of a count and a movement may change";
    match found {
        None => Finding::warn(
            SOURCE,
            "no service that synchronises the clock runs on this machine",
            why,
            "run `timedatectl set-ntp true`, unless the host of this virtual machine sets the clock",
        ),
        Some(TimeService {
            name,
            is_synchronised: Some(false),
        }) => Finding::warn(
            SOURCE,
            format!("{name} has not synchronised the clock since the machine started"),
            why,
            "run `timedatectl timesync-status`, and let UDP port 123 of a time server through the firewall",
        ),
        Some(TimeService {
            name,
            is_synchronised: Some(true),
        }) => Finding::ok(SOURCE, format!("{name} has synchronised the clock")),
        Some(TimeService { name, .. }) => {
            Finding::ok(SOURCE, format!("{name} keeps the clock right"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::check::Level;

    #[test]
    fn a_clock_that_was_never_set_is_a_failure() {
        let level = |text: &str| clock(text.parse().unwrap()).level;
        assert_eq!(level("1970-01-01T00:02:00Z"), Level::Fail);
        assert_eq!(level("2026-11-23T08:00:00Z"), Level::Ok);
    }
    #[test]
    fn a_clock_that_nothing_keeps_right_is_warned_about() {
        let level = |name, is_synchronised| {
            source(Some(TimeService {
                name,
                is_synchronised,
            }))
            .level
        };
        assert_eq!(source(None).level, Level::Warn);
        assert_eq!(level("systemd-timesyncd", Some(false)), Level::Warn);
        assert_eq!(level("systemd-timesyncd", Some(true)), Level::Ok);
        assert_eq!(level("chrony", None), Level::Ok);
    }
}
