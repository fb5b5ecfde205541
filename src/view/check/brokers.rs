//! The site's MQTT broker and central IT's.

use super::opened::why;
use super::{Finding, Level};
use crate::config;
use crate::event::Name;
use crate::opens::Effect;
use crate::source::broker::{self, Account, FLEET_KEYS};

/// Checks whether the MQTT broker accepts the gateway.
pub async fn broker(config: &config::Broker, site: &Name) -> Finding {
    let logged_in = broker::log_in(config, site).await;
    let name = format!("the MQTT broker {}", config.url);
    judge("mqtt.broker", &name, logged_in)
}

/// Checks whether central IT's broker accepts the gateway.
pub async fn centre(config: &config::FleetBroker, site: &Name) -> Finding {
    let options = Account::of_fleet(config).options(format!("stockrelay-fleet-{site}"));
    let logged_in = match options {
        Ok(options) => broker::log_in_with(options, &FLEET_KEYS).await,
        Err(error) => Err(error.to_string()),
    };
    let name = format!("central IT's broker {}", config.url);
    judge("fleet.broker", &name, logged_in)
}

fn judge(about: &'static str, name: &str, logged_in: Result<(), String>) -> Finding {
    match logged_in {
        Ok(()) => Finding::ok(about, format!("{name} accepts the gateway")),
        Err(message) => Finding::of_message(
            Level::Warn,
            about,
            &message,
            why(Effect::Without),
            "check that the broker runs and that this machine can connect to it",
        ),
    }
}
