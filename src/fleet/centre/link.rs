//! The client of central IT's broker.
//!
//! **In**: the options, which are read again for each connection; reports. **Out**: the newest
//! message of each topic, and whether the gateway is connected, for others on the broker (retained;
//! the last will withdraws it) and for the gateway itself.
//!
//! The client id has a random part: a broker ends a connection whose id comes again, so with a
//! known id any account could cut the gateway off. After a power cut, the broker still has the
//! connection before, whose last will comes late: the gateway therefore publishes once more that it
//! is connected.
//!
//! Each connection has a client of its own: nothing of one connection goes over into the next. The
//! topics are subscribed one after the other, so that the topic of a message that is too large is
//! known: the topic is then left out for a while.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, Incoming, LastWill, MqttOptions, Publish, QoS,
    SubscribeReasonCode,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::intake::wait_until;
use super::{BuildOptions, CentreSite, Shared, Topic, Way, chance};
use crate::clock;
use crate::fleet::archive::BYTES_MAX;
use crate::fleet::report::online_json;
use crate::fleet::topics::{online_topic, report_topic};
use crate::source::broker::{
    Backoff, CONNECT_TIMEOUT_S, FLEET_KEYS, describe, find_oversize, random,
};

/// The largest packet: a bundle, and its topic.
const PACKET_BYTES_MAX: usize = BYTES_MAX + 4_096;
/// Requests that wait in the client.
const REQUESTS_MAX: usize = 16;
/// Publishes that the broker has not acknowledged, before the next report waits.
const UNACKNOWLEDGED_MAX: u32 = 4;
/// A lost connection is found after at most twice this time.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How long a retained message may begin to come after the answer to its subscription.
const SETTLE: Duration = Duration::from_millis(300);
/// A connection that lasted for this time was a good one.
const GOOD_CONNECTION: Duration = Duration::from_secs(10);
/// How long the goodbye may take.
const LEAVE_MAX: Duration = Duration::from_millis(1_500);
/// Messages that are read at once; the next ones wait at the broker.
const BURST: u32 = 8;
/// How often one further message is read.
const MESSAGE_EVERY: Duration = Duration::from_millis(500);

pub struct BrokerLink<'a, S> {
    shared: &'a Shared<S>,
    /// Topics whose retained message is wanted again.
    asked: mpsc::Receiver<Topic>,
    /// When each topic is subscribed again that has a message that is too large.
    left_out: [Option<Instant>; 3],
    client_id: String,
    /// The number of connections so far.
    connections: u64,
}

/// How a connection ended.
enum End {
    Stopped,
    Lost {
        why: String,
        is_file_fault: bool,
        is_good: bool,
    },
}

impl<'a, S: CentreSite> BrokerLink<'a, S> {
    pub fn new(shared: &'a Shared<S>, asked: mpsc::Receiver<Topic>) -> Self {
        let client_id = client_id(shared.options.site.as_str());
        Self {
            shared,
            asked,
            left_out: [None; 3],
            client_id,
            connections: 0,
        }
    }

    /// Runs until cancelled.
    pub async fn run(mut self, cancel: &CancellationToken) {
        let Some(build) = self.shared.options.broker.clone() else {
            return;
        };
        let mut backoff = Backoff::new();
        loop {
            let end = self.connect(&build, cancel).await;
            self.shared.connections.send_replace(0);
            let (why, is_file_fault, is_good) = match end {
                End::Stopped => return,
                End::Lost {
                    why,
                    is_file_fault,
                    is_good,
                } => (why, is_file_fault, is_good),
            };
            if is_good {
                backoff = Backoff::new();
            }
            let mut wait = backoff.next(random());
            if is_good {
                // The broker restarted: all gateways lost it in the same moment.
                wait += chance(self.shared.options.tempo.spread);
            }
            let was_up = self.set(false, Some(why.clone()), is_file_fault);
            if was_up {
                tracing::warn!(%why, wait_s = wait.as_secs_f32(), "no connection to central IT's broker");
            }
            tokio::select! {
                () = cancel.cancelled() => return,
                () = sleep(wait) => {}
            }
        }
    }

    /// Returns whether that is news.
    fn set(&self, is_up: bool, detail: Option<String>, is_file_fault: bool) -> bool {
        let mut is_news = false;
        self.shared.change(Way::Broker, |state| {
            is_news = state.is_up != Some(is_up) || state.detail != detail;
            state.set(is_up, detail, is_file_fault);
        });
        is_news
    }

    async fn build(&self, build: &BuildOptions) -> Result<MqttOptions, String> {
        let site = &self.shared.options.site;
        let (build, id) = (build.clone(), self.client_id.clone());
        let made = tokio::task::spawn_blocking(move || build(id)).await;
        let mut options = made.unwrap_or_else(|error| Err(error.to_string()))?;
        let will = LastWill::new(
            online_topic(site),
            online_json(false),
            QoS::AtLeastOnce,
            true,
        );
        options
            .set_clean_session(true)
            .set_keep_alive(KEEP_ALIVE)
            .set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX)
            .set_last_will(will);
        Ok(options)
    }

    async fn connect(&mut self, build: &BuildOptions, cancel: &CancellationToken) -> End {
        let options = match self.build(build).await {
            Ok(options) => options,
            Err(why) => {
                return End::Lost {
                    why,
                    is_file_fault: true,
                    is_good: false,
                };
            }
        };
        let (host, port) = options.broker_address();
        let (client, mut eventloop) = AsyncClient::new(options, REQUESTS_MAX);
        eventloop
            .network_options
            .set_connection_timeout(CONNECT_TIMEOUT_S);
        let mut session = Session::new(self, client);
        let error = loop {
            match session.next(&mut eventloop, cancel).await {
                SessionStep::Event(event) => session.handle(event),
                SessionStep::Lost(error) => break error,
                SessionStep::Cancelled => {
                    let client = session.connected.map(|_| session.client);
                    if let Some(client) = client {
                        self.leave(&client, &mut eventloop).await;
                    }
                    return End::Stopped;
                }
            }
        };
        let connected = session.connected;
        // Later than that, a message is of any topic.
        let last = session.asking.or(session.subscribed_last);
        let age = |since| clock::instant().duration_since(since);
        let why = match find_oversize(&error) {
            Some(bytes) => self.leave_out(last, bytes).await,
            None => describe(&error, &format!("{host}:{port}"), &FLEET_KEYS),
        };
        End::Lost {
            why,
            is_file_fault: false,
            is_good: connected.is_some_and(|since| age(since) >= GOOD_CONNECTION),
        }
    }

    /// Leaves a topic out whose message is too large. `None`: the topic is unknown, and the next
    /// connection finds it.
    async fn leave_out(&mut self, topic: Option<Topic>, bytes: usize) -> String {
        let name = topic.and_then(|topic| self.shared.topic(topic));
        let (Some(topic), Some(name)) = (topic, name) else {
            return format!(
                "the broker sent a message of {bytes} bytes; a bundle has at most {BYTES_MAX}"
            );
        };
        let oversize = self.shared.options.tempo.oversize;
        self.left_out[topic.index()] = Some(Instant::now() + oversize);
        let text = format!(
            "the message on {name} has {bytes} bytes, and a bundle has at most {BYTES_MAX}: the gateway leaves the topic out for {} s. Publish a bundle there",
            oversize.as_secs()
        );
        self.shared.reject(text.clone(), Way::Broker).await;
        text
    }

    /// Tells the others on the broker that the gateway leaves, and disconnects.
    async fn leave(&self, client: &AsyncClient, eventloop: &mut EventLoop) {
        let topic = online_topic(&self.shared.options.site);
        let qos = QoS::AtLeastOnce;
        if client
            .try_publish(topic, qos, true, online_json(false))
            .is_err()
        {
            return;
        }
        drop(client.try_disconnect());
        // The broker closes the connection when it has read all.
        let ended = async { while eventloop.poll().await.is_ok() {} };
        drop(timeout(LEAVE_MAX, ended).await);
    }
}

/// The id of this link at the broker. The standard library seeds the state with random bytes of the
/// system.
fn client_id(site: &str) -> String {
    let secret = RandomState::new().build_hasher().finish();
    format!("stockrelay-fleet-{site}-{secret:016x}")
}

enum SessionStep {
    Event(Event),
    Lost(ConnectionError),
    Cancelled,
}

/// One connection.
struct Session<'a, 'b, S> {
    link: &'a mut BrokerLink<'b, S>,
    client: AsyncClient,
    connected: Option<std::time::Instant>,
    /// Topics that are not subscribed yet.
    open: Vec<Topic>,
    /// When the next topic is subscribed. `None`: an answer is awaited, or there is none.
    next_topic: Option<Instant>,
    /// The topic whose subscription was answered last, and whose retained message may come.
    subscribed_last: Option<Topic>,
    asking: Option<Topic>,
    /// Topics that the broker refused.
    denied: Vec<String>,
    unacknowledged: u32,
    /// When the gateway publishes once more that it is connected.
    online_again: Option<Instant>,
    /// Messages that may be read at once, and when they were counted.
    allowance: (u32, Instant),
}

impl<'a, 'b, S: CentreSite> Session<'a, 'b, S> {
    fn new(link: &'a mut BrokerLink<'b, S>, client: AsyncClient) -> Self {
        let now = Instant::now();
        let is_open = |topic: &Topic| {
            let is_left_out = link.left_out[topic.index()].is_some_and(|until| until > now);
            !is_left_out && link.shared.topic(*topic).is_some()
        };
        let open = Topic::ALL.into_iter().filter(is_open).collect();
        Self {
            link,
            client,
            connected: None,
            open,
            next_topic: None,
            subscribed_last: None,
            asking: None,
            denied: Vec::new(),
            unacknowledged: 0,
            online_again: None,
            allowance: (BURST, now),
        }
    }

    /// Waits for the next event, and does what is due meanwhile. The client is polled to the end:
    /// no half of a packet is lost.
    async fn next(&mut self, eventloop: &mut EventLoop, cancel: &CancellationToken) -> SessionStep {
        if self.allowance.0 == 0 {
            tokio::select! {
                () = cancel.cancelled() => return SessionStep::Cancelled,
                () = sleep(MESSAGE_EVERY) => {}
            }
        }
        let shared = self.link.shared;
        let poll = eventloop.poll();
        tokio::pin!(poll);
        loop {
            let is_connected = self.connected.is_some();
            let may_report = is_connected && self.unacknowledged < UNACKNOWLEDGED_MAX;
            let (next_topic, left_out) = (self.next_topic, self.next_left_out());
            let online_again = self.online_again;
            tokio::select! {
                () = cancel.cancelled() => return SessionStep::Cancelled,
                event = &mut poll => return match event {
                    Ok(event) => SessionStep::Event(event),
                    Err(error) => SessionStep::Lost(error),
                },
                report = shared.reports.take(), if may_report => self.report(report),
                Some(topic) = self.link.asked.recv() => self.ask_again(topic),
                () = wait_until(next_topic), if is_connected => self.subscribe(),
                () = wait_until(left_out), if is_connected => self.end_left_out(),
                () = wait_until(online_again), if is_connected => {
                    self.online_again = None;
                    self.say_online();
                }
            }
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Incoming(Incoming::ConnAck(_)) => {
                tracing::info!("connected to central IT's broker");
                self.connected = Some(clock::instant());
                self.say_online();
                let shared = self.link.shared;
                self.online_again = Some(Instant::now() + shared.options.tempo.online_again);
                self.link.connections += 1;
                shared.connections.send_replace(self.link.connections);
                self.next_topic = Some(Instant::now());
            }
            Event::Incoming(Incoming::SubAck(answer)) => {
                let topic = self.asking.take();
                let refused = answer.return_codes.contains(&SubscribeReasonCode::Failure);
                let name = topic.and_then(|topic| self.link.shared.topic(topic));
                if let Some(name) = name.filter(|_| refused) {
                    self.denied.push(name);
                }
                self.subscribed_last = topic;
                // Its retained message comes now, if there is one.
                self.next_topic = Some(Instant::now() + SETTLE);
            }
            Event::Incoming(Incoming::PubAck(_)) => {
                self.unacknowledged = self.unacknowledged.saturating_sub(1);
            }
            Event::Incoming(Incoming::Publish(message)) => self.take(message),
            _ => {}
        }
    }

    fn take(&mut self, message: Publish) {
        let (left, counted) = &mut self.allowance;
        let passed = counted.elapsed().as_millis() / MESSAGE_EVERY.as_millis();
        let more = u32::try_from(passed).unwrap_or(BURST);
        if more > 0 {
            *left = left.saturating_add(more).min(BURST);
            *counted = Instant::now();
        }
        *left = left.saturating_sub(1);
        let shared = self.link.shared;
        let is_of = |topic: &Topic| shared.topic(*topic).as_ref() == Some(&message.topic);
        if let Some(topic) = Topic::ALL.into_iter().find(is_of) {
            shared.letters[topic.index()].put(message.payload);
        }
    }

    fn ask_again(&mut self, topic: Topic) {
        let is_left_out = self.link.left_out[topic.index()].is_some();
        if self.open.contains(&topic) || is_left_out {
            return;
        }
        self.open.push(topic);
        if self.asking.is_none() && self.next_topic.is_none() {
            self.next_topic = Some(Instant::now());
        }
    }

    /// Subscribes the next topic. After the last one, the link is up.
    fn subscribe(&mut self) {
        self.next_topic = None;
        if self.open.is_empty() {
            self.subscribed_last = None;
            return self.settle();
        }
        let topic = self.open.remove(0);
        let Some(name) = self.link.shared.topic(topic) else {
            self.next_topic = Some(Instant::now());
            return;
        };
        // Full: the broker does not read. The connection ends without an answer to the ping.
        if self.client.try_subscribe(name, QoS::AtLeastOnce).is_ok() {
            self.asking = Some(topic);
        }
    }

    fn settle(&mut self) {
        let link = &self.link;
        if !self.denied.is_empty() {
            let topics = self.denied.join(", ");
            let why = format!(
                "the broker refuses to hand out {topics}: allow this gateway to read it, such as with `pattern read stockrelay-fleet/v1/bundle/#` in mosquitto's acl_file"
            );
            if link.set(false, Some(why.clone()), false) {
                tracing::warn!("central IT: {why}");
            }
            return;
        }
        let names = Topic::ALL.into_iter();
        let names = names.filter(|topic| link.left_out[topic.index()].is_some());
        let names: Vec<_> = names.filter_map(|topic| link.shared.topic(topic)).collect();
        let detail = (!names.is_empty()).then(|| {
            let names = names.join(", ");
            format!("left out for now, because the message there is too large: {names}")
        });
        link.set(true, detail, false);
    }

    fn next_left_out(&self) -> Option<Instant> {
        self.link.left_out.iter().flatten().min().copied()
    }

    /// The time of a topic that was left out is over: it is subscribed again.
    fn end_left_out(&mut self) {
        let now = Instant::now();
        for topic in Topic::ALL {
            let left_out = &mut self.link.left_out[topic.index()];
            if left_out.take_if(|until| *until <= now).is_some() {
                self.ask_again(topic);
            }
        }
    }

    fn say_online(&mut self) {
        let topic = online_topic(&self.link.shared.options.site);
        self.publish(topic, online_json(true));
    }

    fn report(&mut self, report: String) {
        let topic = report_topic(&self.link.shared.options.site);
        self.publish(topic, report);
    }

    fn publish(&mut self, topic: String, text: String) {
        let qos = QoS::AtLeastOnce;
        // Full: the broker does not read. The connection ends without an answer to the ping, and
        // the next one begins with a new report.
        if self.client.try_publish(topic, qos, true, text).is_ok() {
            self.unacknowledged += 1;
        }
    }
}
