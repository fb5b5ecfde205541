//! An existing MQTT broker: the gateway is one of its clients.
//!
//! **In**: messages of the site's devices, over a persistent session with QoS 1. **Out**: one
//! acknowledgement for each message with QoS 1, in order; for a scan or an event only after the
//! journal has answered. Then the receipts, and the messages from [`Broker::outbound`].
//!
//! **Guarantee**: the gateway acknowledges a scan or an event only when it is on disk, as events or
//! as rejected readings (**invariant 1**), so none with QoS 1 is lost whenever either end is
//! killed. If the broker then sends the message again, its id shows that it is a duplicate. An
//! event without an id is stored again, flagged as `possible-repeat`.
//!
//! - `options`: builds rumqttc's options from the configuration.
//! - `retained`: scans and events that the broker has retained.
//! - `topic`: the topics of `docs/mqtt.md`.
//! - `worker`: stores deliveries, then sends acknowledgements and receipts.
//! - `link`, `outbox`: outgoing messages, and the connection that carries them.
//!
//! rumqttc 0.25 carries state over a reconnect that does not belong to the new connection; see
//! `Driver::handle_loss`.

mod backoff;
mod desired_messages;
mod error;
mod ignored;
mod link;
mod options;
mod outbox;
mod retained;
mod topic;
mod worker;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, Incoming, MqttOptions, Outgoing, Publish,
    SubscribeReasonCode,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use backoff::{Backoff, random};
pub use error::{describe, find_oversize, is_malformed};
pub use options::{
    Account, BROKER_KEYS, BrokerError, FLEET_KEYS, SettingNames, client_tls, hash_files,
};

use super::Intake;
use super::devices::{DeviceList, Told};
use super::floor_devices::moment;
use crate::board::Board;
use crate::channel::identity::ReadingId;
use crate::channel::{Outbound, Reading};
use crate::event::{Channel, Name, Rejection, SourceKind, astray_code};
use crate::{clock, config};
use ignored::Ignored;
use link::Link;
use topic::Topic;
use worker::{BrokerDelivery, Presence};

/// Messages that wait to be put into the outbox.
const OUTBOUND_MAX: usize = 256;
/// Requests that wait in the client: more than what can be under way both ways.
const REQUESTS_MAX: usize = 1_024;
pub const CONNECT_TIMEOUT_S: u64 = 10;
/// How long acknowledgements may take when the daemon stops.
const DRAIN: Duration = Duration::from_secs(3);
/// How often the list of devices is looked at for changes.
const LIST_EVERY: Duration = Duration::from_secs(1);
/// A connection that lasted for this time was a good one.
const GOOD_CONNECTION: Duration = Duration::from_secs(10);

/// Whether the daemon can read the password and the certificates.
pub fn check(config: &config::Broker, site: &Name) -> Result<(), BrokerError> {
    options::options(config, site).map(drop)
}

/// Hashes the files with the password and the certificates: a renewed one needs a new link.
#[must_use]
pub fn hash_credentials(config: &config::Broker) -> blake3::Hash {
    hash_files([
        config.password_file.as_deref(),
        config.ca.as_deref(),
        config.client_cert.as_deref(),
        config.client_key.as_deref(),
    ])
}

/// Logs in at the broker once, with a client id of its own: the session of a gateway that runs
/// stays as it is. The error is in the words of the source's status.
pub async fn log_in(config: &config::Broker, site: &Name) -> Result<(), String> {
    let options = options::options(config, site).map_err(|error| error.to_string())?;
    log_in_with(options, &BROKER_KEYS).await
}

/// Logs in once with these options, and a client id of its own.
pub async fn log_in_with(mut options: MqttOptions, names: &SettingNames) -> Result<(), String> {
    options
        .set_client_id(format!("{}-check", options.client_id()))
        .set_clean_session(true);
    let (host, port) = options.broker_address();
    let (client, mut eventloop) = AsyncClient::new(options, 1);
    eventloop
        .network_options
        .set_connection_timeout(CONNECT_TIMEOUT_S);
    loop {
        match eventloop.poll().await {
            Ok(Event::Incoming(Incoming::ConnAck(_))) => break,
            Ok(_) => {}
            Err(error) => return Err(describe(&error, &format!("{host}:{port}"), names)),
        }
    }
    // Disconnects, if the broker is still connected.
    drop(client.try_disconnect());
    drop(eventloop.poll().await);
    Ok(())
}

/// The client, before it runs.
pub struct Broker {
    driver: Driver,
    intake: Intake,
    list: Arc<DeviceList>,
    sender: mpsc::Sender<Outbound>,
    outbound: mpsc::Receiver<Outbound>,
}

impl Broker {
    /// Reads the password and the certificates; connects only in [`Self::run`].
    pub fn new(
        config: &config::Broker,
        site: Name,
        intake: Intake,
        board: Board,
    ) -> Result<Self, BrokerError> {
        // Before anybody reads on in the journal: scans that wait there are read by these profiles,
        // too.
        let list = DeviceList::open(
            config.devices.clone(),
            intake.last_lists().clone(),
            board.clone(),
        )?;
        list.tell(&mut Told::default(), &intake);
        let broker = Self::with_list(config, site, Arc::new(list), intake, board)?;
        broker.driver.update_board("starting", None);
        Ok(broker)
    }

    /// As [`Self::new`], with a list of devices that was read already.
    pub fn with_list(
        config: &config::Broker,
        site: Name,
        list: Arc<DeviceList>,
        intake: Intake,
        board: Board,
    ) -> Result<Self, BrokerError> {
        let options = options::options(config, &site)?;
        let (client, mut eventloop) = AsyncClient::new(options, REQUESTS_MAX);
        eventloop
            .network_options
            .set_connection_timeout(CONNECT_TIMEOUT_S);
        let (sender, outbound) = mpsc::channel(OUTBOUND_MAX);
        let link = Link::new(client, site.clone(), config.packet_bytes_max);
        Ok(Self {
            driver: Driver {
                link: Arc::new(link),
                site,
                board,
                eventloop,
                presence: Presence::default(),
                intake: intake.clone(),
                connected: None,
                had_session: false,
                progress: false,
                backoff: Backoff::new(),
                ignored: Ignored::default(),
            },
            intake,
            list,
            sender,
            outbound,
        })
    }

    /// The queue of messages to devices behind the broker. Without a connection it holds the newest
    /// ones, up to a limit.
    #[must_use]
    pub fn outbound(&self) -> mpsc::Sender<Outbound> {
        self.sender.clone()
    }

    /// The list of devices, for a reload.
    #[must_use]
    pub fn list(&self) -> Arc<DeviceList> {
        Arc::clone(&self.list)
    }

    /// Runs until cancelled, or until the journal has stopped. Returns the messages to devices that
    /// the broker has not acknowledged.
    ///
    /// Dropping the future loses nothing: the broker sends unacknowledged messages again.
    pub async fn run(mut self, cancel: CancellationToken) -> Vec<Outbound> {
        let link = Arc::clone(&self.driver.link);
        let board = self.driver.board.clone();
        self.driver.update_board("starting", None);
        let (deliveries, taken) = mpsc::channel(1);
        let worked = CancellationToken::new();
        let work = async {
            worker::work(taken, &self.intake, &link, &board).await;
            worked.cancel();
        };
        let send = async {
            while let Some(message) = self.outbound.recv().await {
                link.send(message).await;
            }
        };
        let tell = async {
            let mut told = Told::default();
            let mut look = tokio::time::interval(LIST_EVERY);
            loop {
                look.tick().await;
                self.list.tell(&mut told, &self.intake);
                self.intake.floor_devices().show(&board, moment());
            }
        };
        let publish = desired_messages::publish(self.intake.floor_devices(), &link);
        let drive = self.driver.drive(deliveries, &cancel, &worked);
        tokio::pin!(drive);
        tokio::select! {
            () = &mut drive => {}
            () = tell => {}
            () = publish => {}
            ((), ()) = async { tokio::join!(work, send) } => drive.await,
        }
        board.source(SourceKind::Broker, |view| {
            "down".clone_into(&mut view.state);
            view.detail = Some("the gateway is shutting down".to_owned());
        });
        let mut left = link.take_messages();
        self.outbound.close();
        left.extend(std::iter::from_fn(|| self.outbound.try_recv().ok()));
        left
    }
}

/// Polls rumqttc. No other task polls it.
struct Driver {
    link: Arc<Link>,
    site: Name,
    board: Board,
    eventloop: EventLoop,
    presence: Presence,
    intake: Intake,
    /// The start of the present connection.
    connected: Option<Instant>,
    /// There was a connection before, so the broker should know the session.
    had_session: bool,
    /// The present connection has brought something to its end.
    progress: bool,
    backoff: Backoff,
    ignored: Ignored,
}

impl Driver {
    async fn drive(
        mut self,
        deliveries: mpsc::Sender<BrokerDelivery>,
        cancel: &CancellationToken,
        worked: &CancellationToken,
    ) {
        loop {
            let event = tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                () = worked.cancelled() => break,
                event = self.eventloop.poll() => event,
            };
            match event {
                Ok(Event::Incoming(Incoming::Publish(publish))) => {
                    let delivery = self.build_delivery(publish);
                    // While the worker is full nothing more is read: that holds the broker back.
                    tokio::select! {
                        biased;
                        () = cancel.cancelled() => break,
                        () = worked.cancelled() => break,
                        sent = deliveries.send(delivery) => if sent.is_err() { break },
                    }
                }
                Ok(event) => self.handle(&event),
                Err(error) => {
                    let wait = self.handle_loss(&error);
                    tokio::select! {
                        () = cancel.cancelled() => break,
                        () = worked.cancelled() => break,
                        () = tokio::time::sleep(wait) => {}
                    }
                }
            }
        }
        drop(deliveries);
        if self.connected.is_some() {
            // The broker sends again what is not acknowledged by then, and the journal finds that
            // it is a duplicate.
            drop(tokio::time::timeout(DRAIN, self.drain(worked)).await);
        }
    }

    /// Acknowledges the worker's remaining messages, then disconnects, so that the broker keeps the
    /// session.
    async fn drain(&mut self, worked: &CancellationToken) {
        loop {
            tokio::select! {
                () = worked.cancelled() => break,
                event = self.eventloop.poll() => match event {
                    Ok(event) => self.handle(&event),
                    Err(_) => return,
                },
            }
        }
        self.link.disconnect();
        // The broker closes the connection when it has read all: until then, a gateway that starts
        // again at once would take over the session before its acknowledgements count.
        while let Ok(event) = self.eventloop.poll().await {
            self.handle(&event);
        }
    }

    /// Handles all events of rumqttc except messages.
    fn handle(&mut self, event: &Event) {
        match event {
            Event::Incoming(Incoming::ConnAck(connack)) => {
                if self.had_session && !connack.session_present {
                    tracing::warn!(
                        "the MQTT broker has lost the gateway's session and its messages: turn the broker's persistence on"
                    );
                } else {
                    tracing::info!("connected to the MQTT broker");
                }
                self.had_session = true;
                self.connected = Some(clock::instant());
                self.progress = false;
                // The gateway subscribes in an existing session, too: it may be of an older
                // version, or of another site.
                self.link.mark_connected();
            }
            Event::Incoming(Incoming::SubAck(suback)) => {
                let mut needed = suback.return_codes.iter().take(topic::NEEDED);
                let refused = needed.any(|code| *code == SubscribeReasonCode::Failure);
                if refused {
                    let why = format!(
                        "the broker refuses the subscription: allow the gateway to read stockrelay/v1/{}/#",
                        self.site
                    );
                    tracing::error!("{why}");
                    self.update_board("down", Some(why));
                } else {
                    self.update_board("up", None);
                }
            }
            Event::Incoming(Incoming::PubAck(puback)) => {
                self.progress = true;
                self.link.remove_acknowledged(puback.pkid);
            }
            Event::Outgoing(Outgoing::Publish(packet_id)) => self.link.set_packet_id(*packet_id),
            Event::Outgoing(Outgoing::PubAck(_)) => self.progress = true,
            _ => {}
        }
    }

    /// Builds the delivery of a message: the reading or rejections for the journal.
    fn build_delivery(&mut self, publish: Publish) -> BrokerDelivery {
        let mut rejections = Vec::new();
        let reading = match Topic::parse(&self.site, &publish.topic) {
            Some(Topic::Reading(device, channel)) if !publish.retain => {
                self.presence.mark_online(&self.board, &device);
                Some(Reading {
                    id: ReadingId::next(),
                    redelivered: publish.dup,
                    source: SourceKind::Broker,
                    device,
                    channel,
                    payload: publish.payload.clone(),
                    received: clock::now(),
                })
            }
            // A broker hands out a retained message at every subscription: each would be a new
            // event.
            Some(Topic::Reading(device, channel)) => {
                self.ignored.log(
                    device.as_str(),
                    "a retained scan or event is kept as a rejected reading: its device must publish without retain",
                );
                let now = clock::now();
                rejections = retained::reject(&device, Some(channel), &publish, now);
                None
            }
            Some(Topic::State(device)) => {
                self.presence.state(&self.board, &device, &publish.payload);
                if let Some(capture) = self.intake.capture() {
                    capture.read_language(&device, &publish.payload);
                }
                // A retained message has the time of an earlier moment.
                if !publish.retain {
                    let received = clock::now();
                    self.intake.read_clock(&device, &publish.payload, received);
                }
                None
            }
            Some(Topic::ConfigReported(device)) => {
                self.presence.mark_online(&self.board, &device);
                let floor = self.intake.floor_devices();
                floor.report(&device, &publish.payload, moment());
                None
            }
            None => {
                self.ignored.log(&publish.topic, "a message whose topic is not stockrelay/v1/SITE/DEVICE/scan, event, state or config/reported: it is kept as a rejected reading");
                None
            }
        };
        if let Some((device, channel)) = topic::find_astray(&self.site, &publish.topic) {
            if publish.retain {
                let now = clock::now();
                rejections = retained::reject(&device, channel, &publish, now);
            } else {
                rejections.push(reject_astray(device, channel, &publish));
            }
        }
        BrokerDelivery {
            generation: self.link.generation(),
            publish,
            reading,
            rejections,
        }
    }

    /// Handles a lost connection, or one that could not be opened: removes its state, and returns
    /// the pause before the next attempt.
    fn handle_loss(&mut self, error: &ConnectionError) -> Duration {
        let dropped = self.link.mark_lost();
        // From here on nothing is added to the client's queue. The state in rumqttc is removed:
        // - acknowledgements that were put in since it cleaned up itself belong to the old
        //   connection;
        self.eventloop.clean();
        // - publishes: the outbox sends them again. rumqttc would send some twice, and drop all of
        //   them if the broker has no session;
        self.eventloop.pending.clear();
        // - one whose packet id was still in use would block the queue for ever;
        self.eventloop.state.collision = None;
        // - messages that were read but not handed out would surface in the next connection, whose
        //   session never sent them under these packet ids.
        self.eventloop.state.events.clear();

        let (host, port) = self.eventloop.mqtt_options.broker_address();
        let why = describe(error, &format!("{host}:{port}"), &BROKER_KEYS);
        let held = self
            .connected
            .take()
            .map(|since| clock::instant().duration_since(since));
        let good = self.progress || held.is_some_and(|held| held >= GOOD_CONNECTION);
        // A message that cannot be read comes first again and again: that is no progress.
        if good && !is_malformed(error) {
            self.backoff = Backoff::new();
        }
        let wait = self.backoff.next(random());
        tracing::warn!(%why, wait_s = wait.as_secs_f32(), dropped, "no connection to the MQTT broker");
        self.update_board("down", Some(why));
        wait
    }

    fn update_board(&self, state: &str, detail: Option<String>) {
        self.board.source(SourceKind::Broker, |view| {
            state.clone_into(&mut view.state);
            view.detail = detail;
        });
    }
}

/// Rejects a message whose topic is not a topic of a device.
fn reject_astray(device: Name, channel: Option<Channel>, publish: &Publish) -> Rejection {
    let topic: String = publish.topic.chars().take(256).collect();
    Rejection {
        device,
        source: SourceKind::Broker,
        channel,
        received: clock::now(),
        id: None,
        code: astray_code(&topic, &publish.payload),
        message: format!(
            "{topic:?} is not a topic of a device: use stockrelay/v1/SITE/DEVICE/scan or /event, with a DEVICE of 1 to 64 characters of A-Z a-z 0-9 _ . -"
        ),
        payload: publish.payload.to_vec(),
        cut: false,
    }
}
