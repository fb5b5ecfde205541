//! A client of central IT's broker, for one command of a person or program.
//!
//! **In**: an account at the broker. **Out**: retained messages, then live ones; messages that are
//! published retained.
//!
//! **Guarantees**: [`Desk::publish`] returns only after the broker acknowledged the message **and**
//! handed it out again: MQTT 3.1.1 lets a broker acknowledge a message that it does not keep,
//! because the account may not write the topic or the message is too large. No queue grows without
//! limit: an unread message holds the broker back.
//!
//! MQTT does not mark the end of the retained messages. The client asks with QoS 0, so that the
//! broker sends them in one go, and then asks for a second subscription: what the broker sends
//! before that answer belongs to the first. For brokers that send retained messages later it then
//! waits until none came for `QUIET`.

use std::time::Duration;

use bytes::Bytes;
use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, Incoming, QoS, SubscribeFilter,
    SubscribeReasonCode,
};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::archive::BYTES_MAX;
use super::topics::STOP_TOPIC;
use crate::clock;
use crate::source::broker::{Account, BrokerError, CONNECT_TIMEOUT_S, SettingNames, describe};

/// The largest packet: a bundle, and its topic.
const PACKET_BYTES_MAX: usize = BYTES_MAX + 4_096;
/// Requests and events that wait. One command has few requests at once.
const QUEUE_MAX: usize = 256;
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// How long the broker may take for the answer to a subscription.
const ANSWER: Duration = Duration::from_secs(30);
/// How long the broker may take to acknowledge a bundle.
const ACKNOWLEDGE: Duration = Duration::from_mins(3);
/// No retained message for this time: there is no further one.
const QUIET: Duration = Duration::from_millis(300);
/// Live messages may come all the time: the wait for retained ones ends.
const QUIET_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long the broker may take to hand out a message that it acknowledged.
const READ_BACK: Duration = Duration::from_secs(10);

/// A message of the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub topic: String,
    pub payload: Bytes,
    /// The broker kept it from an earlier time.
    pub is_retained: bool,
}

#[derive(Debug, Error)]
pub enum DeskError {
    #[error("{0}")]
    Account(#[from] BrokerError),
    /// With what to do.
    #[error("{0}")]
    Connection(String),
    #[error(
        "the broker refuses to hand out {topics}: allow this account to read them, such as with `topic read stockrelay-fleet/#` in mosquitto's acl_file"
    )]
    Denied { topics: String },
    /// A broker that drops what a slow client has not read drops its answer, too.
    #[error(
        "the broker did not answer within {0} s: try again, and check its load, and that it queues enough messages for slow clients (mosquitto: max_queued_messages 0)"
    )]
    NoAnswer(u64),
    #[error(
        "the broker acknowledged the message to {topic} and does not hand it out: allow this account to write that topic (mosquitto: acl_file), and messages of {bytes} bytes (mosquitto: message_size_limit)"
    )]
    NotKept { topic: String, bytes: usize },
    #[error(
        "the connection ended while the message to {topic} was sent: {reason}. Some brokers end it if this account may not write that topic (mosquitto: acl_file), or if a message of {bytes} bytes is too large (mosquitto: message_size_limit)"
    )]
    Ended {
        topic: String,
        bytes: usize,
        reason: String,
    },
}

/// A connection to central IT's broker.
pub struct Desk {
    client: AsyncClient,
    events: mpsc::Receiver<Result<Event, ConnectionError>>,
    task: JoinHandle<()>,
    broker: String,
    names: &'static SettingNames,
}

impl Desk {
    /// Connects once.
    pub async fn connect(account: &Account<'_>) -> Result<Self, DeskError> {
        let mut options = account.options(client_id())?;
        options
            .set_clean_session(true)
            .set_keep_alive(KEEP_ALIVE)
            .set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
        let (host, port) = options.broker_address();
        let (client, mut eventloop) = AsyncClient::new(options, QUEUE_MAX);
        eventloop
            .network_options
            .set_connection_timeout(CONNECT_TIMEOUT_S);
        let (sender, events) = mpsc::channel(QUEUE_MAX);
        let mut desk = Self {
            client,
            events,
            task: tokio::spawn(poll(eventloop, sender)),
            broker: format!("{host}:{port}"),
            names: account.names,
        };
        while !matches!(desk.event().await?, Event::Incoming(Incoming::ConnAck(_))) {}
        Ok(desk)
    }

    /// Waits for the next event. Nothing is lost if the future is dropped.
    async fn event(&mut self) -> Result<Event, DeskError> {
        match self.events.recv().await {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let text = describe(&error, &self.broker, self.names);
                Err(DeskError::Connection(text))
            }
            None => Err(DeskError::Connection(format!(
                "the connection to the broker {} has ended: try again",
                self.broker
            ))),
        }
    }

    /// Subscribes to the filters, and calls `hear` for each message until all retained messages are
    /// through. Live messages follow from [`Self::next`].
    pub async fn subscribe(
        &mut self,
        filters: &[&str],
        hear: &mut (dyn FnMut(Message) + Send),
    ) -> Result<(), DeskError> {
        // The topic of the second subscription has one small message.
        for filters in [filters, &[STOP_TOPIC]] {
            self.request(filters)?;
            let answer = async {
                loop {
                    match self.event().await? {
                        Event::Incoming(Incoming::SubAck(answer)) => {
                            return Ok::<_, DeskError>(answer);
                        }
                        event => {
                            if let Some(message) = message(event) {
                                hear(message);
                            }
                        }
                    }
                }
            };
            let answer = timeout(ANSWER, answer).await;
            let answer = answer.map_err(|_| DeskError::NoAnswer(ANSWER.as_secs()))??;
            if answer.return_codes.contains(&SubscribeReasonCode::Failure) {
                let topics = filters.join(", ");
                return Err(DeskError::Denied { topics });
            }
        }
        let end = Instant::now() + QUIET_WAIT_MAX;
        while let Ok(event) = timeout_at(end.min(Instant::now() + QUIET), self.event()).await {
            if let Some(message) = message(event?) {
                hear(message);
            }
        }
        Ok(())
    }

    fn request(&self, filters: &[&str]) -> Result<(), DeskError> {
        let filter = |path: &&str| SubscribeFilter::new((*path).to_owned(), QoS::AtMostOnce);
        let filters: Vec<_> = filters.iter().map(filter).collect();
        let requested = self.client.try_subscribe_many(filters);
        requested.map_err(|error| DeskError::Connection(error.to_string()))
    }

    /// Waits for the next message. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Result<Message, DeskError> {
        loop {
            if let Some(message) = message(self.event().await?) {
                return Ok(message);
            }
        }
    }

    /// Publishes a message retained, and waits until the broker has it. Other messages that come
    /// meanwhile are dropped.
    pub async fn publish(&mut self, topic: &str, payload: &Bytes) -> Result<(), DeskError> {
        let published = self.publish_and_read(topic, payload).await;
        published.map_err(|error| match error {
            DeskError::Connection(reason) => DeskError::Ended {
                topic: topic.to_owned(),
                bytes: payload.len(),
                reason,
            },
            error => error,
        })
    }

    async fn publish_and_read(&mut self, topic: &str, payload: &Bytes) -> Result<(), DeskError> {
        let sent = self
            .client
            .try_publish(topic, QoS::AtLeastOnce, true, payload.clone());
        sent.map_err(|error| DeskError::Connection(error.to_string()))?;
        // Nothing else is published at the same time.
        let acknowledged = async {
            while !matches!(self.event().await?, Event::Incoming(Incoming::PubAck(_))) {}
            Ok::<_, DeskError>(())
        };
        let acknowledged = timeout(ACKNOWLEDGE, acknowledged).await;
        acknowledged.map_err(|_| DeskError::NoAnswer(ACKNOWLEDGE.as_secs()))??;
        self.request(&[topic])?;
        let is_kept = |message: Message| {
            message.is_retained && message.topic == topic && message.payload == *payload
        };
        let read_back = async {
            while !message(self.event().await?).is_some_and(is_kept) {}
            Ok::<_, DeskError>(())
        };
        timeout(READ_BACK, read_back).await.map_err(|_| {
            let bytes = payload.len();
            let topic = topic.to_owned();
            DeskError::NotKept { topic, bytes }
        })?
    }

    /// Disconnects, so that the broker does not report a lost client.
    pub async fn close(mut self) {
        drop(self.client.try_disconnect());
        let ended = async { while self.events.recv().await.is_some_and(|event| event.is_ok()) {} };
        drop(timeout(Duration::from_secs(1), ended).await);
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A client id that no other command uses: a broker ends a connection whose id comes again.
fn client_id() -> String {
    let time = clock::now().as_nanosecond();
    format!("stockrelay-fleet-{}-{time}", std::process::id())
}

async fn poll(mut eventloop: EventLoop, sender: mpsc::Sender<Result<Event, ConnectionError>>) {
    loop {
        let event = eventloop.poll().await;
        let has_ended = event.is_err();
        if sender.send(event).await.is_err() || has_ended {
            return;
        }
    }
}

fn message(event: Event) -> Option<Message> {
    match event {
        Event::Incoming(Incoming::Publish(publish)) => Some(Message {
            topic: publish.topic,
            payload: publish.payload,
            is_retained: publish.retain,
        }),
        _ => None,
    }
}
