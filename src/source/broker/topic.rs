//! The topics of `docs/mqtt.md`, as the gateway subscribes to them at a broker.

use rumqttc::{QoS, SubscribeFilter};

use crate::channel::{Channel, FROM_DEVICES};
use crate::event::Name;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Topic {
    Reading(Name, Channel),
    State(Name),
    ConfigReported(Name),
}

impl Topic {
    /// Parses a topic. `None`: another site, an unknown channel, or a device without a valid name.
    pub fn parse(site: &Name, topic: &str) -> Option<Self> {
        let rest = topic.strip_prefix("stockrelay/v1/")?;
        let (found, rest) = rest.split_once('/')?;
        let (device, channel) = rest.split_once('/')?;
        let device = Name::new(device).ok().filter(|_| found == site.as_str())?;
        match channel {
            "scan" => Some(Self::Reading(device, Channel::Scan)),
            "event" => Some(Self::Reading(device, Channel::Event)),
            "state" => Some(Self::State(device)),
            "config/reported" => Some(Self::ConfigReported(device)),
            _ => None,
        }
    }
}

/// Returns device name and channel for the rejected reading of a message below the site that
/// [`Topic::parse`] does not understand. The channel is the last level, also if misspelt. If the
/// device's level is not a valid name, the name comes from [`build_name`].
pub fn find_astray(site: &Name, topic: &str) -> Option<(Name, Option<Channel>)> {
    let rest = topic.strip_prefix("stockrelay/v1/")?;
    let rest = rest.strip_prefix(site.as_str())?.strip_prefix('/')?;
    if Topic::parse(site, topic).is_some() {
        return None;
    }
    let last = rest.rsplit('/').next().unwrap_or(rest);
    let channel = Channel::named(last.to_ascii_lowercase().trim_end_matches('s'));
    let device = rest.split_once('/').map_or("", |(device, _)| device);
    let name = Name::new(device).ok().or_else(|| build_name(device))?;
    Some((name, channel))
}

/// The substitute for a name that no device can have: its characters as far as names have them, and
/// its hash, so that it is not another device's name.
fn build_name(device: &str) -> Option<Name> {
    let fits = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let made: String = (device.chars().take(40))
        .map(|c| if fits(&c) { c } else { '_' })
        .collect();
    let hash = blake3::hash(device.as_bytes()).to_hex();
    Name::new(&format!("unnamed-{made}-{}", &hash[..12])).ok()
}

/// Topics, below the site, where scans and events arrive by mistake. The gateway subscribes to them
/// in addition to [`FROM_DEVICES`]. No topic matches both lists, so no message arrives twice.
const ASTRAY: [&str; 12] = [
    "scan",
    "event",
    "+/scans",
    "+/events",
    "+/Scan",
    "+/Event",
    "+/SCAN",
    "+/EVENT",
    "+/+/scan",
    "+/+/event",
    "+/scan/+",
    "+/event/+",
];

/// How many of the [`filters`] the gateway cannot do without: the first ones.
pub(super) const NEEDED: usize = FROM_DEVICES.len();

/// The gateway's subscriptions: the topics of every device of its site.
pub(super) fn filters(site: &Name) -> Vec<SubscribeFilter> {
    let own = FROM_DEVICES.iter().map(|channel| format!("+/{channel}"));
    own.chain(ASTRAY.iter().map(|filter| (*filter).to_owned()))
        .map(|filter| {
            let filter = format!("stockrelay/v1/{site}/{filter}");
            SubscribeFilter::new(filter, QoS::AtLeastOnce)
        })
        .collect()
}

pub(super) fn outgoing(site: &Name, device: &Name, channel: &str) -> String {
    format!("stockrelay/v1/{site}/{device}/{channel}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_topics_of_the_site_with_a_valid_device_are_understood() {
        let site = Name::new("ams1").unwrap();
        let device = || Name::new("pda.1").unwrap();
        let parse = |topic: &str| Topic::parse(&site, topic);
        assert_eq!(
            parse("stockrelay/v1/ams1/pda.1/scan"),
            Some(Topic::Reading(device(), Channel::Scan))
        );
        assert_eq!(
            parse("stockrelay/v1/ams1/pda.1/event"),
            Some(Topic::Reading(device(), Channel::Event))
        );
        assert_eq!(
            parse("stockrelay/v1/ams1/pda.1/state"),
            Some(Topic::State(device()))
        );
        assert_eq!(
            parse("stockrelay/v1/ams1/pda.1/config/reported"),
            Some(Topic::ConfigReported(device()))
        );
        for other in [
            "",
            "stockrelay/v1/ams2/pda.1/scan",
            "stockrelay/v2/ams1/pda.1/scan",
            "stockrelay/v1/ams1/pda 1/scan",
            "stockrelay/v1/ams1//scan",
            "stockrelay/v1/ams1/pda.1/receipt",
            "stockrelay/v1/ams1/pda.1",
            "stockrelay/v1/ams1/pda.1/scan/x",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
        for other in [
            "stockrelay/v1/ams2/pda 1/scan",
            "stockrelay/v1/ams1/pda.1/scan",
            "x",
        ] {
            assert_eq!(find_astray(&site, other), None, "{other}");
        }
        let astray = |rest: &str| {
            let (name, channel) =
                find_astray(&site, &format!("stockrelay/v1/ams1/{rest}")).unwrap();
            (name.to_string(), channel)
        };
        for (rest, channel) in [
            ("pda.1/events", Some(Channel::Event)),
            ("pda.1/Scan", Some(Channel::Scan)),
            ("pda.1/x/event", Some(Channel::Event)),
            ("pda.1/scan/x", None),
        ] {
            assert_eq!(astray(rest), ("pda.1".to_owned(), channel), "{rest}");
        }
        // No device has the name that is made of a wrong one, and two wrong ones have two.
        let (spaced, channel) = astray("pda 1/scan");
        assert_eq!(channel, Some(Channel::Scan));
        assert!(spaced.starts_with("unnamed-pda_1-"), "{spaced}");
        assert_ne!(spaced, astray("pda+1/scan").0);
        let long = astray(&format!("{}/scan", "x".repeat(300))).0;
        assert_eq!(long.len(), 61, "{long}");
        assert_eq!(astray("scan").1, Some(Channel::Scan));
    }
}
