//! The topics of `docs/mqtt.md`, as the gateway subscribes to them.

use rumqttc::{QoS, SubscribeFilter};

use crate::channel::Channel;
use crate::event::Name;

const CHANNELS: [&str; 4] = ["scan", "event", "state", "config/reported"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Topic {
    Reading(Name, Channel),
    State(Name),
    ConfigReported(Name),
}

impl Topic {
    /// `None` for a topic of another site, of an unknown channel, or whose device has no valid name.
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

/// For a scan or an event of this site whose device has no valid name: a name made of the topic's,
/// with `_` in the place of what names cannot have.
pub fn unnamed(site: &Name, topic: &str) -> Option<(Name, Channel)> {
    let rest = topic.strip_prefix("stockrelay/v1/")?;
    let (found, rest) = rest.split_once('/')?;
    let (device, channel) = rest.split_once('/')?;
    let channel = match channel {
        "scan" => Channel::Scan,
        "event" => Channel::Event,
        _ => return None,
    };
    if found != site.as_str() || Name::new(device).is_ok() {
        return None;
    }
    let fits = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let made: String = (device.chars().take(64))
        .map(|c| if fits(&c) { c } else { '_' })
        .collect();
    let name = Name::new(if made.is_empty() { "_" } else { &made }).ok()?;
    Some((name, channel))
}

/// What the gateway listens to: every device of its site.
pub(super) fn filters(site: &Name) -> Vec<SubscribeFilter> {
    CHANNELS
        .iter()
        .map(|channel| {
            SubscribeFilter::new(
                format!("stockrelay/v1/{site}/+/{channel}"),
                QoS::AtLeastOnce,
            )
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
        for (topic, made) in [
            (
                "stockrelay/v1/ams1/pda 1/scan",
                Some(("pda_1", Channel::Scan)),
            ),
            ("stockrelay/v1/ams1//event", Some(("_", Channel::Event))),
            ("stockrelay/v1/ams1/pda 1/state", None),
            ("stockrelay/v1/ams1/pda.1/scan", None),
            ("stockrelay/v1/ams2/pda 1/scan", None),
        ] {
            let made = made.map(|(name, channel)| (Name::new(name).unwrap(), channel));
            assert_eq!(unnamed(&site, topic), made, "{topic}");
        }
    }
}
