//! The state that all connections of the front door share: the intake, the list of devices, the
//! hub, and the storage.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::access::{Access, Members, Membership, Origin};
use super::auth::Auth;
use super::certificates::Tls;
use super::connect::Will;
use super::connection::End;
use super::device_configs;
use super::doorstep::Places;
use super::handshake::Client;
use super::hub::Hub;
use super::limits::Quiet;
use super::message::{Content, Expiry};
use super::refused::{RefusedClients, Why};
use super::retained::RetainedFull;
use super::room::Room;
use super::session::{PendingWill, Session};
use super::topics::Target;
use crate::board::Board;
use crate::board::shorten_state;
use crate::channel::Outbound;
use crate::clock;
use crate::config::Listen;
use crate::event::{Name, SourceKind};
use crate::journal::{AppendError, Inbox, SideChange};
use crate::source::Intake;

/// How long a client waits until a change of its session is on disk.
const STORE_MAX: Duration = Duration::from_secs(5);
/// How often the files of `mqtt.listen.device_config_dir` are looked at for faults.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// The state that all connections share.
#[derive(Debug)]
pub struct Shared {
    pub site: Name,
    config: RwLock<Arc<Listen>>,
    tls: RwLock<Option<Tls>>,
    pub intake: Intake,
    pub inbox: Inbox,
    pub board: Board,
    pub auth: Auth,
    pub hub: Hub,
    pub quiet: Quiet,
    pub places: Arc<Places>,
    pub room: Arc<Room>,
    members: Arc<Members>,
    /// Notified after a reload.
    pub configured: Notify,
    pub stop: CancellationToken,
    present: Mutex<HashMap<Name, u32>>,
    clients: AtomicU64,
    refused: Mutex<RefusedClients>,
}

impl Shared {
    pub fn new(
        site: Name,
        (config, tls): (Listen, Option<Tls>),
        intake: Intake,
        inbox: Inbox,
        board: Board,
        auth: Auth,
        hub: Hub,
    ) -> Self {
        Self {
            places: Arc::new(Places::new(config.connections_max)),
            room: Arc::new(Room::new(config.packet_bytes_max)),
            site,
            config: RwLock::new(Arc::new(config)),
            tls: RwLock::new(tls),
            intake,
            inbox,
            board,
            auth,
            hub,
            quiet: Quiet::default(),
            members: Arc::default(),
            configured: Notify::new(),
            stop: CancellationToken::new(),
            present: Mutex::default(),
            clients: AtomicU64::new(0),
            refused: Mutex::default(),
        }
    }

    pub fn config(&self) -> Arc<Listen> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn set_config(&self, config: Listen) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    /// The certificates for new connections. `None`: they are without TLS.
    pub fn tls(&self) -> Option<Tls> {
        self.tls
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub fn set_tls(&self, tls: Option<Tls>) {
        *self.tls.write().unwrap_or_else(PoisonError::into_inner) = tls;
    }

    /// Adds a client that has proved who it is. `None`: its access has changed meanwhile.
    pub fn admit(
        &self,
        device: &Name,
        access: &Access,
        revoked: CancellationToken,
    ) -> Option<Membership> {
        let members = &self.members;
        let membership = members.add(device.clone(), access.clone(), revoked);
        let tls = self.tls();
        let is_allowed = self.auth.allows(device, access, tls.as_ref());
        is_allowed.then_some(membership)
    }

    /// Ends the connections of clients whose own access has changed.
    pub fn end_revoked(&self) {
        let tls = self.tls();
        let is_allowed =
            |device: &Name, access: &Access| self.auth.allows(device, access, tls.as_ref());
        for device in self.members.revoke(is_allowed) {
            tracing::info!(%device, "disconnects the device, because its access has changed");
        }
    }

    /// Logs one line about a client that was refused or disconnected, within the limit of the log.
    pub fn say(&self, origin: &Origin, what: &str) {
        if self.quiet.allows(clock::instant()) {
            tracing::warn!(address = %origin.address, "{what}");
        }
    }

    /// Notes that a device was refused or cut off: the alarms tell of it.
    pub fn count_refused(&self, why: Why, device: &str, detail: &str) {
        self.board.levels().refused(why.code());
        self.lock_refused().note(why, device, detail, clock::now());
    }

    pub fn show_refused(&self) {
        let (mut away, now) = (self.lock_refused(), clock::now());
        for why in Why::ALL {
            self.board.alarm(why.code(), away.alarm(why, now));
        }
    }

    fn lock_refused(&self) -> MutexGuard<'_, RefusedClients> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn next_client_id(&self) -> String {
        let number = self.clients.fetch_add(1, Ordering::Relaxed);
        format!("stockrelay-{:x}-{number}", clock::now().as_millisecond())
    }

    /// Stores changes that no client waits for. If the journal is full, they live in memory until
    /// the next restart.
    pub async fn store_side_values(&self, changes: Vec<SideChange>) {
        if changes.is_empty() {
            return;
        }
        let changes = self.hub.update(changes);
        match tokio::time::timeout(STORE_MAX, self.inbox.store_side_values(changes)).await {
            Ok(Ok(())) => {}
            Ok(Err(AppendError::Stopped)) => {
                tracing::debug!("the journal has stopped: changes of MQTT sessions are not stored");
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "MQTT sessions and retained messages are not stored");
            }
            Err(_) => tracing::warn!(
                "the journal is slow: the gateway stores changes of MQTT sessions later"
            ),
        }
    }

    /// Retains a `state` or `config/reported`, shows it on the board, and sends it to the device's
    /// own subscribers.
    pub fn retain_state(
        &self,
        device: &Name,
        target: Target,
        content: Content,
        from: Option<&Arc<Session>>,
        received: Timestamp,
    ) -> Result<Vec<SideChange>, RetainedFull> {
        let mut changes = Vec::new();
        self.hub
            .retain(device, target.channel(), &content, &mut changes)?;
        if target == Target::Reported {
            self.note_reported(device, &content.payload);
        }
        if target == Target::State {
            let payload = &content.payload;
            if let Some(capture) = self.intake.capture() {
                capture.read_language(device, payload);
            }
            let state = match serde_json::from_slice(payload) {
                Ok(value) => Some(shorten_state(value)),
                Err(_) if payload.is_empty() => None,
                Err(_) => Some(shorten_state(
                    String::from_utf8_lossy(payload).into_owned().into(),
                )),
            };
            self.board.device(device, SourceKind::Listen, |view| {
                view.state = state;
                view.since = view.since.or(Some(received));
            });
        }
        self.hub
            .forward(device, target.channel(), content, from, &mut changes);
        Ok(changes)
    }

    pub fn will(&self, device: &Name, will: &Will, from: Option<&Arc<Session>>) -> Vec<SideChange> {
        let content = Content {
            payload: will.payload.clone(),
            qos: will.qos,
            retain: will.retain,
            properties: will.properties.clone(),
            // Its expiry starts now (MQTT 5, 3.1.3.2.4).
            expiry: will.message_expiry_s.and_then(Expiry::after),
        };
        self.retain_state(device, Target::State, content, from, clock::now())
            .unwrap_or_else(|RetainedFull| {
                if self.quiet.allows(clock::instant()) {
                    tracing::warn!(%device, "dropped a retained last will: the limit of retained messages is reached");
                }
                Vec::new()
            })
    }

    pub fn arrived(&self, device: &Name) {
        self.lock_refused().is_in(device.as_str());
        let mut present = self.present();
        *present.entry(device.clone()).or_insert(0) += 1;
        self.show(device, true, present.len());
    }

    pub fn departed(&self, device: &Name) {
        let mut present = self.present();
        let left = present.get_mut(device).map(|count| {
            *count -= 1;
            *count
        });
        if left == Some(0) {
            present.remove(device);
        }
        self.show(device, present.contains_key(device), present.len());
    }

    fn present(&self) -> MutexGuard<'_, HashMap<Name, u32>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, device: &Name, online: bool, devices: usize) {
        let now = clock::now();
        self.board.device(device, SourceKind::Listen, |view| {
            if view.online != online || view.since.is_none() {
                view.online = online;
                view.since = Some(now);
            }
        });
        self.board.source(SourceKind::Listen, |view| {
            view.devices = u64::try_from(devices).unwrap_or(u64::MAX);
        });
    }

    /// Ends a connection: publishes its will, and stores its session.
    pub async fn farewell(&self, client: &Client, end: &End) {
        let (with_will, expiry_s) = match end {
            End::Left {
                with_will,
                session_expiry_s,
            } => (*with_will, *session_expiry_s),
            _ => (true, None),
        };
        let mut changes = Vec::new();
        let mut delayed = None;
        if let Some(will) = client.will.as_ref().filter(|_| with_will) {
            let lives = expiry_s.unwrap_or(client.session_expiry_s) > 0;
            if will.delay_s > 0 && lives && !matches!(end, End::ShuttingDown) {
                let delay = Duration::from_secs(u64::from(will.delay_s));
                delayed = Some(PendingWill {
                    due: clock::instant() + delay,
                    will: will.clone(),
                });
            } else {
                let from = Some(&client.session);
                changes = self.will(&client.device.name, will, from);
            }
        }
        let over =
            client
                .session
                .detach(client.epoch, expiry_s, delayed, clock::now(), &mut changes);
        self.store_side_values(changes).await;
        if over {
            self.hub.close(&client.session);
        }
        self.departed(&client.device.name);
    }

    /// `DEVICE.json` of `mqtt.listen.device_config_dir`, or `default.json`, as the device's
    /// retained `config/desired`. A configuration from a bundle precedes the files.
    pub async fn publish_configuration(&self, device: &Name) {
        if self.intake.floor_devices().has(device) {
            return;
        }
        let config = self.config();
        let Some(dir) = &config.device_config_dir else {
            return;
        };
        for file in [dir.join(format!("{device}.json")), dir.join("default.json")] {
            let payload = match configuration(&file).await {
                Ok(Some(payload)) => payload,
                // The device keeps the configuration that it has; without one it gets the default.
                Err(()) if self.hub.has_retained(device, "config/desired") => return,
                Ok(None) | Err(()) => continue,
            };
            if !self.hub.is_retained(device, "config/desired", &payload) {
                let message = Outbound {
                    device: device.clone(),
                    channel: "config/desired".into(),
                    payload,
                    retain: true,
                };
                let mut changes = Vec::new();
                self.send(message, clock::instant(), &mut changes);
                self.store_side_values(changes).await;
            }
            return;
        }
    }

    /// Raises the alarm `device-config` while the directory or a file in it cannot be used. Runs
    /// until it is dropped.
    pub async fn watch_configurations(&self) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                _ = look.tick() => {}
                () = self.configured.notified() => {
                    self.publish_configurations().await;
                    let present = self.present().keys().cloned().collect::<Vec<_>>();
                    for device in present {
                        self.publish_configuration(&device).await;
                    }
                }
            }
            let Some(dir) = self.config().device_config_dir.clone() else {
                self.board.alarm("device-config", None);
                continue;
            };
            let checked = tokio::task::spawn_blocking(move || device_configs::check(&dir));
            if let Ok(checked) = checked.await {
                self.board.alarm("device-config", checked.err());
            }
        }
    }

    /// Publishes at the start, and after a reload, the configuration of every device that has its
    /// own file.
    pub async fn publish_configurations(&self) {
        let config = self.config();
        let Some(dir) = &config.device_config_dir else {
            return;
        };
        // The alarm says why: see `watch_configurations`.
        let Ok(mut entries) = tokio::fs::read_dir(dir).await else {
            return;
        };
        while let Ok(Some(entry)) = entries.next_entry().await {
            let name = entry.file_name();
            let device = name.to_str().and_then(|name| name.strip_suffix(".json"));
            if let Some(Ok(device)) = device.filter(|name| *name != "default").map(Name::new) {
                self.publish_configuration(&device).await;
            }
        }
    }
}

/// The content of a device's file. Of a file with a fault, the alarm of
/// [`Shared::watch_configurations`] tells, too.
async fn configuration(file: &Path) -> Result<Option<Bytes>, ()> {
    let file = file.to_owned();
    let read = tokio::task::spawn_blocking(move || device_configs::read(&file));
    let content = read.await.map_err(drop)?;
    content.map_err(|fault| tracing::error!("{fault}"))
}
