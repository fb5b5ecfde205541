//! What central IT's broker has retained.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;

use super::{Central, describe, warn};
use crate::clock;
use crate::event::Name;
use crate::fleet::desk::{Desk, Message};
use crate::fleet::download::download;
use crate::fleet::heard::HeardSites;
use crate::fleet::topics::{
    Announced, BUNDLE_TOPIC, GROUP_BUNDLES, ONLINE, REPORTS, STOP_TOPIC, is_bundle_topic,
    online_topic, report_topic,
};
use crate::fleet::{self, Bundle, Trust};
use crate::view::commands::CommandError;
use crate::view::commands::config::{failed, refused};

/// The announced bundles by their topic, and the stop.
#[derive(Default)]
pub struct Published {
    bundles: BTreeMap<String, Announced>,
    /// `None`: there is none.
    pub stop: Option<Bytes>,
}

/// Maximum of topics with bundles.
const BUNDLES_MAX: usize = 100;

impl Published {
    /// Reads the bundles and the stop.
    pub async fn read(desk: &mut Desk) -> Result<Self, CommandError> {
        let mut published = Self::default();
        let mut hear = |message: Message| published.hear(message);
        let topics = [BUNDLE_TOPIC, GROUP_BUNDLES, STOP_TOPIC];
        desk.subscribe(&topics, &mut hear).await.map_err(describe)?;
        Ok(published)
    }

    /// Reads the stop alone.
    pub async fn read_stop(desk: &mut Desk) -> Result<Option<Bytes>, CommandError> {
        let mut published = Self::default();
        let mut hear = |message: Message| published.hear(message);
        let read = desk.subscribe(&[STOP_TOPIC], &mut hear).await;
        read.map_err(describe)?;
        Ok(published.stop)
    }

    fn hear(&mut self, message: Message) {
        let Message { topic, payload, .. } = message;
        if topic == STOP_TOPIC {
            self.stop = Some(payload).filter(|payload| !payload.is_empty());
        } else if is_bundle_topic(&topic) {
            self.bundles.remove(&topic);
            match Announced::parse(&payload) {
                Ok(announced) if self.bundles.len() < BUNDLES_MAX => {
                    self.bundles.insert(topic, announced);
                }
                Ok(_) => warn(&format!(
                    "more than {BUNDLES_MAX} bundles: {topic} is left out"
                )),
                Err(_) if payload.is_empty() => {}
                Err(error) => warn(&format!("{topic} has no bundle, and is left out: {error}")),
            }
        }
    }

    /// Reads the bundles with at least this serial. One that trusted keys did not sign is left out
    /// with a warning; without trusted keys every bundle counts.
    pub async fn bundles(
        &self,
        central: &Central,
        serial_min: u64,
        trust: Option<&Trust>,
    ) -> Vec<(&str, Bundle)> {
        let mut found = Vec::new();
        for (topic, announced) in &self.bundles {
            match open(announced, central, serial_min, trust).await {
                Ok(Some(bundle)) => found.push((topic.as_str(), bundle)),
                Ok(None) => {}
                Err(error) => warn(&format!("the bundle of {topic} is left out: {error}")),
            }
        }
        found
    }
}

/// `None`: the serial is too low.
async fn open(
    announced: &Announced,
    central: &Central,
    serial_min: u64,
    trust: Option<&Trust>,
) -> Result<Option<Bundle>, CommandError> {
    let bytes = match announced {
        Announced::Bundle(bytes) => bytes.clone(),
        Announced::Address(address) if address.serial < serial_min => return Ok(None),
        Announced::Address(address) => {
            let ca = central.broker.ca.as_deref();
            download(address, ca).await.map_err(failed)?
        }
    };
    let bundle = match trust {
        Some(trust) => fleet::verify(&bytes, trust).map(|verified| verified.bundle),
        None => Bundle::read(&bytes),
    };
    let bundle = bundle.map_err(refused)?;
    Ok((bundle.manifest.serial >= serial_min).then_some(bundle))
}

/// Reports and connections of all gateways, and the stop. Messages that are no report are counted.
#[derive(Default)]
pub struct Ear {
    pub sites: HeardSites,
    /// The newest stop. `None`: none has come, or it was taken.
    pub stop: Option<Bytes>,
    /// Messages that were dropped, and the first one's topic with the reason.
    dropped: u64,
    first: Option<String>,
}

impl Ear {
    pub const FILTERS: [&str; 2] = [REPORTS, ONLINE];

    /// Reads the reports and connections that the broker has retained.
    pub async fn listen(&mut self, desk: &mut Desk) -> Result<(), CommandError> {
        self.listen_to(desk, &Self::FILTERS).await
    }

    /// Reads the report and the connection of one site: invented sites have no effect.
    pub async fn listen_to_site(
        &mut self,
        desk: &mut Desk,
        site: &Name,
    ) -> Result<(), CommandError> {
        let (report, online) = (report_topic(site), online_topic(site));
        self.listen_to(desk, &[&report, &online]).await
    }

    async fn listen_to(&mut self, desk: &mut Desk, topics: &[&str]) -> Result<(), CommandError> {
        let mut hear = |message: Message| self.hear(&message, clock::now());
        let read = desk.subscribe(topics, &mut hear).await;
        read.map_err(describe)
    }

    pub fn hear(&mut self, message: &Message, now: Timestamp) {
        let Message {
            topic,
            payload,
            is_retained,
        } = message;
        if topic == STOP_TOPIC {
            self.stop = Some(payload.clone()).filter(|payload| !payload.is_empty());
            return;
        }
        if let Err(error) = self.sites.hear(topic, payload, *is_retained, now) {
            self.dropped += 1;
            let topic: String = topic.chars().take(100).collect();
            self.first
                .get_or_insert_with(|| format!("{topic:?}: {error}"));
        }
    }

    /// Warns about messages that were dropped since the last call.
    pub fn warn(&mut self) {
        if let Some(first) = self.first.take() {
            let dropped = std::mem::take(&mut self.dropped);
            let messages = if dropped == 1 { "message" } else { "messages" };
            warn(&format!(
                "{dropped} {messages} left out, the first one on {first}. Let each gateway write only its own topics (mosquitto: acl_file)"
            ));
        }
    }
}
