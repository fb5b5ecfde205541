//! The retained messages of all devices: the last message of each topic, for clients that subscribe
//! later.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;

use super::message::{Content, Expiry};
use super::stored::{self, RestoredProperties};
use super::wire::Qos;
use crate::channel::TASKS;
use crate::event::Name;
use crate::journal::{Namespace, SideChange};

/// Retained messages, and their bytes, over all devices.
const RETAINED_MAX: usize = 40_000;
const RETAINED_BYTES_MAX: usize = 16 << 20;

#[derive(Debug, Default)]
pub struct Retained {
    messages: BTreeMap<String, Content>,
    bytes: usize,
    /// No message expires before that.
    next_expiry: Option<Instant>,
}

/// There is no room for another retained message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetainedFull;

impl Retained {
    /// Restores the messages that were stored before the last restart.
    pub fn restore(
        stored: Vec<(String, Vec<u8>)>,
        properties: Vec<(String, RestoredProperties)>,
    ) -> Self {
        let mut retained = Self::default();
        for (topic, payload) in stored {
            retained.set(topic, Content::plain(payload.into(), true));
        }
        for (topic, stored) in properties {
            let content = retained.messages.get(&topic).cloned();
            if let Some(mut content) = content.filter(|content| stored.belong_to(&content.payload))
            {
                let stored = stored.properties;
                content.qos = match stored.qos {
                    0 => Qos::AtMostOnce,
                    1 => Qos::AtLeastOnce,
                    _ => Qos::ExactlyOnce,
                };
                content.properties = stored.properties.into();
                content.expiry = stored.expires_s.and_then(Expiry::restore);
                retained.set(topic, content);
            }
        }
        retained
    }

    /// Makes a message the retained one of its topic; an empty payload removes it (MQTT 3.1.1,
    /// 3.3.1.3).
    pub fn replace(
        &mut self,
        topic: String,
        content: &Content,
        changes: &mut Vec<SideChange>,
    ) -> Result<(), RetainedFull> {
        if !self.fits(&topic, content) {
            return Err(RetainedFull);
        }
        // The gateway calculates tasks again after a restart, and they change too often for a disk.
        if !is_tasks(&topic) {
            let stored = Some(content).filter(|content| !content.payload.is_empty());
            // Empty properties are written, too: the disk may have those of an earlier message.
            let properties = stored.and_then(stored::properties_value);
            changes.push((stored::properties_key(&topic), properties));
            let payload = stored.map(|content| content.payload.to_vec());
            changes.push((stored::retained_key(&topic), payload));
        }
        self.set(topic, content.clone());
        Ok(())
    }

    /// Updates waiting changes to the messages that are retained now: a newer message may have gone
    /// to disk.
    pub fn update(&self, changes: &mut [SideChange]) {
        for (key, value) in changes {
            let content = || self.messages.get(key.name());
            match key.namespace() {
                Namespace::Retained => {
                    *value = content().map(|content| content.payload.to_vec());
                }
                Namespace::Properties => *value = content().and_then(stored::properties_value),
                _ => {}
            }
        }
    }

    /// The payload that is retained for a topic.
    pub fn payload(&self, topic: &str) -> Option<&Bytes> {
        self.messages.get(topic).map(|content| &content.payload)
    }

    /// The messages of all topics that begin with `prefix`, without those that have expired.
    pub fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Content)> {
        self.messages
            .range(prefix.to_owned()..)
            .take_while(move |(topic, _)| topic.starts_with(prefix))
            .filter(|(_, content)| !content.is_expired())
            .map(|(topic, content)| (topic.as_str(), content))
    }

    /// The payloads on a channel, by device. `prefix`: the first part of the topics of all devices.
    pub fn on_channel(&self, prefix: &str, channel: &str) -> Vec<(Name, Bytes)> {
        let payloads = self.below(prefix).filter_map(|(topic, content)| {
            let (device, found) = topic.strip_prefix(prefix)?.split_once('/')?;
            let device = Name::new(device).ok().filter(|_| found == channel)?;
            Some((device, content.payload.clone()))
        });
        payloads.collect()
    }

    /// Removes the messages that have expired (MQTT 5, 3.3.2.3.3).
    pub fn expire(&mut self, now: Instant, changes: &mut Vec<SideChange>) {
        if self.next_expiry.is_none_or(|next| now < next) {
            return;
        }
        let over: Vec<_> = (self.messages.iter())
            .filter(|(_, content)| content.is_expired())
            .map(|(topic, _)| topic.clone())
            .collect();
        for topic in over {
            changes.push((stored::properties_key(&topic), None));
            changes.push((stored::retained_key(&topic), None));
            self.remove(&topic);
        }
        let expiries = self.messages.values().filter_map(|content| content.expiry);
        self.next_expiry = expiries.map(Expiry::at).min();
    }

    fn fits(&self, topic: &str, content: &Content) -> bool {
        let new = weight(topic, content);
        let known = self.messages.get(topic).map(|known| weight(topic, known));
        match known {
            _ if content.payload.is_empty() => true,
            Some(known) if new <= known => true,
            Some(known) => self.bytes - known + new <= RETAINED_BYTES_MAX,
            None => {
                self.messages.len() < RETAINED_MAX
                    && self.bytes + topic.len() + new <= RETAINED_BYTES_MAX
            }
        }
    }

    fn remove(&mut self, topic: &str) {
        if let Some(known) = self.messages.remove(topic) {
            let weight = topic.len() + weight(topic, &known);
            self.bytes = self.bytes.saturating_sub(weight);
        }
    }

    fn set(&mut self, topic: String, mut content: Content) {
        self.remove(&topic);
        if content.payload.is_empty() {
            return;
        }
        self.bytes += topic.len() + weight(&topic, &content);
        // A copy of its own: a slice would hold on to the whole buffer that it was read in.
        if !is_tasks(&topic) {
            content.payload = Bytes::copy_from_slice(&content.payload);
        }
        if let Some(expiry) = content.expiry {
            let next = self.next_expiry.unwrap_or(expiry.at());
            self.next_expiry = Some(next.min(expiry.at()));
        }
        self.messages.insert(topic, content);
    }
}

/// The memory of a retained message. Lists of tasks are few, and many devices share one.
fn weight(topic: &str, content: &Content) -> usize {
    if is_tasks(topic) { 0 } else { content.bytes() }
}

fn is_tasks(topic: &str) -> bool {
    topic.rsplit('/').next() == Some(TASKS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::front_door::stored::Restored;

    #[test]
    fn properties_of_a_payload_that_an_older_version_replaced_are_ignored() {
        let content = Content {
            qos: Qos::AtMostOnce,
            properties: vec![1, 1].into(),
            ..Content::plain("first".into(), true)
        };
        let value = stored::properties_value(&content).unwrap();
        for (payload, properties) in [("first", &[1, 1][..]), ("second", &[])] {
            let Some(Restored::Properties(topic, stored)) =
                stored::read(&Namespace::Properties.key("a"), &value)
            else {
                panic!("no properties");
            };
            let payloads = vec![("a".to_owned(), payload.as_bytes().to_vec())];
            let retained = Retained::restore(payloads, vec![(topic, stored)]);
            let (_, found) = retained.below("a").next().unwrap();
            assert_eq!(&found.payload, payload.as_bytes());
            assert_eq!(&found.properties, properties);
            let is_plain = found.qos == Qos::AtLeastOnce;
            assert_eq!(is_plain, properties.is_empty());
        }
    }
}
