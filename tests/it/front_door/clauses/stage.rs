//! Plays one row: its clients, its gateway, its journal.

use std::collections::HashMap;
use std::time::Duration;

use argon2::password_hash::{PasswordHasher, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use stockrelay::config::Listen;

use super::super::harness::Packet;
use super::super::{Door, Mode, PATIENCE, Raw, anonymous};
use super::Level;
use super::bytes::Bytes;

pub struct Stage {
    config: Listen,
    level: Level,
    door: Door,
    clients: HashMap<char, Raw>,
}

/// Two devices: one with a password that is a text, one with one that is not.
pub fn config() -> (Listen, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("devices.toml");
    let (text, bytes) = (hash(b"pw"), hash(&[0xFF, 0, 0x80]));
    let devices = format!(
        "[devices.pda-1]\npassword = \"{text}\"\n[devices.bytes]\npassword = \"{bytes}\"\n"
    );
    std::fs::write(&file, devices).unwrap();
    let config = Listen {
        devices: Some(file),
        anonymous: false,
        ..anonymous()
    };
    (config, dir)
}

/// A weak hash: there are hundreds of rows, each with a front door that verifies passwords again.
fn hash(password: &[u8]) -> String {
    let params = Params::new(8, 1, 1, None).unwrap();
    let salt = SaltString::from_b64("c29tZXNhbHQ").unwrap();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password(password, &salt)
        .unwrap()
        .to_string()
}

impl Stage {
    pub async fn play(config: Listen, level: Level, lines: &[&str]) -> Result<(), String> {
        let mut stage = Self {
            door: Door::open(config.clone()).await,
            config,
            level,
            clients: HashMap::new(),
        };
        for line in lines {
            let mut line = *line;
            if let Some((digit, rest)) = line.split_once(": ").filter(|(digit, _)| digit.len() == 1)
            {
                if !digit.starts_with(level.digit()) {
                    continue;
                }
                line = rest;
            }
            // Sooner than the client gives up by itself, so that the row is named.
            let played = tokio::time::timeout(PATIENCE / 2, stage.line(line)).await;
            let played = played.unwrap_or_else(|_| Err("nothing came in time".to_owned()));
            played.map_err(|fault| format!("{line}\n    {fault}"))?;
        }
        Ok(())
    }

    async fn line(&mut self, line: &str) -> Result<(), String> {
        let mut characters = line.chars();
        match (characters.next(), characters.next()) {
            (Some(client), Some('>')) => self.send(client, &line[2..]).await,
            (Some(client), Some('<')) => self.expect(client, &line[2..]).await,
            (Some(client), Some(' ')) => self.client(client, &line[2..]).await,
            _ => self.gateway(line).await,
        }
    }

    fn raw(&mut self, client: char) -> &mut Raw {
        self.clients
            .get_mut(&client)
            .expect("a client that has connected")
    }

    async fn send(&mut self, client: char, text: &str) -> Result<(), String> {
        let (text, times) = match text.rsplit_once(" times ") {
            Some((text, times)) => (text, times.parse().unwrap()),
            None => (text, 1),
        };
        let bytes = Bytes::read(text, self.level).exact().repeat(times);
        if !self.clients.contains_key(&client) {
            let raw = Raw::plain(&self.door, self.level == Level::V5).await;
            self.clients.insert(client, raw);
        }
        self.raw(client).try_send(&bytes).await;
        Ok(())
    }

    async fn expect(&mut self, client: char, text: &str) -> Result<(), String> {
        let (text, without) = text.rsplit_once(" without ").unwrap_or((text, ""));
        let (text, with) = text.rsplit_once(" with ").unwrap_or((text, ""));
        let mut wanted = Bytes::read(text, self.level);
        let (with, without) = (
            Bytes::read(with, self.level),
            Bytes::read(without, self.level),
        );
        let (with, without) = (with.exact(), without.exact());
        wanted.open |= !with.is_empty() || !without.is_empty();
        let Some(Packet { first, body }) = self.raw(client).next().await else {
            return Err("the connection was closed".to_owned());
        };
        let holds = |part: &[u8]| body.windows(part.len()).any(|window| window == part);
        let mut packet = vec![first];
        packet.extend(&body);
        if !wanted.matches(&packet)
            || !(with.is_empty() || holds(&with))
            || (!without.is_empty() && holds(&without))
        {
            return Err(format!("{packet:02X?} came"));
        }
        Ok(())
    }

    async fn client(&mut self, client: char, what: &str) -> Result<(), String> {
        match what.split_once(' ').unwrap_or((what, "")) {
            ("connect", "") => {
                let hello = format!(r#"10 {{ "MQTT" L C2 003C ({{}}) "{client}" "pda-1" "pw" }}"#);
                self.send(client, &hello).await?;
                self.expect(client, "20 00 00 (..)").await
            }
            ("closed", "") => self.closed(client).await,
            ("ended", reason) => {
                if self.level == Level::V5 {
                    self.expect(client, &format!("E0 {reason} ..")).await?;
                }
                self.closed(client).await
            }
            ("quiet", "") => {
                self.send(client, "C0 00").await?;
                self.expect(client, "D0").await
            }
            ("cut", "") => {
                self.clients.remove(&client);
                Ok(())
            }
            _ => panic!("not a line of a row: {what}"),
        }
    }

    async fn closed(&mut self, client: char) -> Result<(), String> {
        match self.raw(client).next().await {
            None => Ok(()),
            Some(packet) => Err(format!("{packet:02X?} came")),
        }
    }

    async fn gateway(&mut self, line: &str) -> Result<(), String> {
        let words: Vec<_> = line.split(' ').collect();
        let log = |stage: &Self| stage.door.journal.log.lock().unwrap().clone();
        match words[..] {
            ["gateway", channel, payload, ..] => {
                let channel = Box::leak(channel.to_owned().into_boxed_str());
                let retain = words.get(3) == Some(&"retained");
                let payload = payload.trim_matches('\'');
                self.door.tell(channel, payload, retain).await;
            }
            ["away"] => self.door.until_connected(0).await,
            ["wait", ms] => tokio::time::sleep(Duration::from_millis(ms.parse().unwrap())).await,
            ["hold"] => self.door.journal.set(Mode::Hold),
            ["release"] => self.door.journal.set(Mode::Answer),
            ["restart"] => {
                self.clients.clear();
                let next = Door::open(self.config.clone()).await;
                let kept = std::mem::replace(&mut self.door, next).stop().await;
                self.door = Door::with(self.config.clone(), kept).await;
            }
            ["events", count] => {
                let events = log(self).events.len();
                if events.to_string() != count {
                    return Err(format!("{events} events are in the journal"));
                }
            }
            ["rejected", count] => {
                let rejected = log(self).rejected;
                if rejected.len().to_string() != count {
                    return Err(format!("{rejected:?} are in the journal"));
                }
            }
            _ => panic!("not a line of a row: {line}"),
        }
        Ok(())
    }
}
