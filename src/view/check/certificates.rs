//! The gateway's own certificates: how long they are valid.

use jiff::Timestamp;

use super::Finding;
use crate::config::Config;
use crate::tls;
use crate::view::table::counted;

/// A certificate that is renewed by itself is renewed 30 days before its end: after that, nobody
/// renews it.
const DAYS_WARN: i64 = 21;

/// The certificates that the configuration names. The list of `opens` has a file that cannot be
/// read.
pub(super) fn certificates(config: &Config, now: Timestamp) -> Vec<Finding> {
    let listen = config.listen.as_ref();
    let broker = config.broker.as_ref();
    let fleet = config.fleet.tls.client_cert.as_ref();
    let files = [
        (
            "mqtt.listen.tls_cert",
            listen.and_then(|listen| listen.tls_cert.as_ref()),
            "devices then reject the gateway, and send no scan",
        ),
        (
            "mqtt.listen.client_ca",
            listen.and_then(|listen| listen.client_ca.as_ref()),
            "the gateway then rejects every device that logs in with a certificate",
        ),
        (
            "mqtt.broker.client_cert",
            broker.and_then(|broker| broker.client_cert.as_ref()),
            "the broker then rejects the gateway, which receives no scan from it",
        ),
        (
            "fleet.client_cert",
            fleet,
            "central IT's server then rejects the gateway, which receives no bundle",
        ),
    ];
    let files = files.into_iter();
    let found = files.filter_map(|(key, file, why)| {
        let file = file?;
        let expires = tls::read_expiry(file)?;
        let shown = file.display();
        let remedy =
            format!("write a new certificate into {shown}, then run `stockrelay config reload`");
        Some(judge_days(
            key,
            &format!("the certificate {shown}"),
            expires,
            now,
            why,
            &remedy,
        ))
    });
    found.collect()
}

/// The finding about something that is valid until `expires`. `why`: what happens after that.
pub(super) fn judge_days(
    about: &'static str,
    what: &str,
    expires: Timestamp,
    now: Timestamp,
    why: &str,
    remedy: &str,
) -> Finding {
    let days = expires.duration_since(now).as_hours() / 24;
    let date = expires.strftime("%Y-%m-%d");
    if expires <= now {
        return Finding::fail(about, format!("{what} expired on {date}"), why, remedy);
    }
    let left = match days {
        0 => "less than a day".to_owned(),
        days => counted(days.unsigned_abs(), "day"),
    };
    let what = format!("{what} is valid until {date}: {left} left");
    if days < DAYS_WARN {
        Finding::warn(about, what, why, remedy)
    } else {
        Finding::ok(about, what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::check::Level;

    #[test]
    fn days_are_counted_and_an_expired_certificate_fails() {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        let judge = |expires: &str| {
            let expires = expires.parse().unwrap();
            judge_days("odoo.url", "it", expires, now, "why", "remedy")
        };
        let fine = judge("2027-11-30T12:00:00Z");
        assert_eq!(fine.level, Level::Ok);
        assert_eq!(fine.what, "it is valid until 2027-11-30: 365 days left");
        let soon = judge("2026-12-02T11:00:00Z");
        assert_eq!(soon.level, Level::Warn);
        assert_eq!(soon.what, "it is valid until 2026-12-02: 1 day left");
        let gone = judge("2026-11-30T11:59:59Z");
        assert_eq!(
            (gone.level, gone.what.as_str()),
            (Level::Fail, "it expired on 2026-11-30")
        );
    }
}
