//! The topics of a device: `stockrelay/v1/SITE/DEVICE/CHANNEL`, and nothing else.

use rumqttc::mqttbytes::{matches, valid_filter};

use crate::channel::Channel;
use crate::event::Name;

/// The longest topic filter that is taken, in bytes.
pub const FILTER_BYTES_MAX: usize = 512;

/// The topics to which a device may publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// `scan`, `event`: to the journal.
    Reading(Channel),
    /// `state`: retained, and shown.
    State,
    /// `config/reported`: retained.
    Reported,
}

impl Target {
    /// The last part of the topic.
    pub fn channel(self) -> &'static str {
        match self {
            Self::Reading(Channel::Scan) => "scan",
            Self::Reading(Channel::Event) => "event",
            Self::State => "state",
            Self::Reported => "config/reported",
        }
    }
}

/// Why a filter is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterFault {
    /// Not a filter by MQTT 4.7, or too long.
    Invalid,
    /// The filter matches topics of other devices.
    Foreign,
    /// `$share/...`: receipts are for one device, so a shared subscription has no use.
    Shared,
}

/// The topic of a mosquitto bridge's notifications: whether its connection is up. A stock bridge
/// publishes there, also as its last will, and asks for nothing but the acknowledgement.
pub fn is_bridge_notification(topic: &[u8]) -> bool {
    topic.starts_with(b"$SYS/broker/connection/") && topic.ends_with(b"/state")
}

/// The topics of one device.
#[derive(Debug, Clone)]
pub struct Topics {
    prefix: String,
}

impl Topics {
    pub fn new(site: &Name, device: &Name) -> Self {
        Self {
            prefix: format!("{}{device}/", Self::site_prefix(site)),
        }
    }

    /// The first part of the topics of all devices of a site.
    pub fn site_prefix(site: &Name) -> String {
        format!("stockrelay/v1/{site}/")
    }

    pub fn topic(&self, channel: &str) -> String {
        format!("{}{channel}", self.prefix)
    }

    /// The meaning of a publish to this topic. `None`: the device may not publish to it.
    ///
    /// The prefix and the channels are plain ASCII: whatever equals them is valid UTF-8 without
    /// wildcards.
    pub fn target(&self, topic: &[u8]) -> Option<Target> {
        match topic.strip_prefix(self.prefix.as_bytes())? {
            b"event" => Some(Target::Reading(Channel::Event)),
            b"scan" => Some(Target::Reading(Channel::Scan)),
            b"state" => Some(Target::State),
            b"config/reported" => Some(Target::Reported),
            _ => None,
        }
    }

    /// Whether the device may subscribe to this filter: it must lie below its own prefix.
    pub fn check_filter(&self, filter: &str) -> Result<(), FilterFault> {
        if filter.starts_with("$share/") {
            return Err(FilterFault::Shared);
        }
        if filter.len() > FILTER_BYTES_MAX || filter.contains('\0') || !valid_filter(filter) {
            return Err(FilterFault::Invalid);
        }
        if filter.starts_with(&self.prefix) {
            Ok(())
        } else {
            Err(FilterFault::Foreign)
        }
    }
}

/// Whether a topic matches a filter; both were checked before.
pub fn topic_matches(topic: &str, filter: &str) -> bool {
    matches(topic, filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics() -> Topics {
        Topics::new(&Name::new("ams1").unwrap(), &Name::new("pda-1").unwrap())
    }

    #[test]
    fn a_device_publishes_to_its_own_four_channels_alone() {
        let topics = topics();
        for (channel, target) in [
            ("scan", Target::Reading(Channel::Scan)),
            ("event", Target::Reading(Channel::Event)),
            ("state", Target::State),
            ("config/reported", Target::Reported),
        ] {
            let topic = topics.topic(channel);
            assert_eq!(topics.target(topic.as_bytes()), Some(target));
            assert_eq!(target.channel(), channel);
        }
        for foreign in [
            "stockrelay/v1/ams1/pda-1/receipt",
            "stockrelay/v1/ams1/pda-1/tasks",
            "stockrelay/v1/ams1/pda-1/event/x",
            "stockrelay/v1/ams1/pda-1/+",
            "stockrelay/v1/ams1/pda-2/event",
            "stockrelay/v1/ams1/pda-1",
            "stockrelay/v1/ams10/pda-1/event",
            "stockrelay/v1/ams1/pda-10/event",
            "",
        ] {
            assert_eq!(topics.target(foreign.as_bytes()), None, "{foreign}");
        }
        assert_eq!(topics.target(b"stockrelay/v1/ams1/pda-1/\xff"), None);
    }

    #[test]
    fn a_filter_lies_below_the_devices_own_topics() {
        let topics = topics();
        for good in ["receipt", "#", "+", "config/+", "config/#", "display"] {
            assert_eq!(topics.check_filter(&topics.topic(good)), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("#", FilterFault::Foreign),
            ("stockrelay/v1/ams1/+/receipt", FilterFault::Foreign),
            ("stockrelay/v1/ams1/#", FilterFault::Foreign),
            ("stockrelay/v1/ams1/pda-2/receipt", FilterFault::Foreign),
            ("+/v1/ams1/pda-1/receipt", FilterFault::Foreign),
            ("stockrelay/v1/ams1/pda-1/#/x", FilterFault::Invalid),
            ("stockrelay/v1/ams1/pda-1/a+", FilterFault::Invalid),
            ("", FilterFault::Invalid),
            (
                "$share/g/stockrelay/v1/ams1/pda-1/receipt",
                FilterFault::Shared,
            ),
        ] {
            assert_eq!(topics.check_filter(bad), Err(why), "{bad}");
        }
        let long = topics.topic(&"x".repeat(FILTER_BYTES_MAX));
        assert_eq!(topics.check_filter(&long), Err(FilterFault::Invalid));
    }
}
