//! The way from central IT to a gateway, and back: bundles and stops come, reports go.
//!
//! **In**: retained messages of central IT's broker, and a web address that is polled. **Out**:
//! each bundle and stop to [`CentreSite`], reports to the broker, and a [`CentreState`] for views.
//!
//! **Guarantees**: nothing here decides about a bundle, so the sender may be anybody. At most three
//! messages wait (a newer one on a topic replaces the one before), one is verified and one is
//! downloaded at a time, and messages beyond a rate wait at the broker. What was taken already is
//! recognised by its hash, and costs no verification.
//!
//! - `link`: the client of the broker.
//! - `intake`: messages to the gateway; `seen` recognises what was taken already.
//! - `fetch`: downloads of announced addresses, and the polled address.
//! - `reporter`: when a report is published.
//! - `latest`: a place for the newest value.

mod fetch;
mod intake;
mod latest;
mod link;
mod reporter;
mod seen;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use rumqttc::MqttOptions;
use tokio::sync::{Mutex, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::machine::Answer;
use super::orders::OrderError;
use super::record::{BY_BROKER, BY_URL};
use super::report::Report;
use super::topics::{STOP_TOPIC, bundle_topic};
use crate::clock;
use crate::event::Name;
use crate::source::broker::random;
use latest::Latest;

/// The gateway to which bundles and stops come.
pub trait CentreSite: Send + Sync + 'static {
    fn take_bundle(
        &self,
        bytes: Bytes,
        by: &str,
    ) -> impl Future<Output = Result<Answer, OrderError>> + Send;
    fn take_stop(
        &self,
        bytes: Bytes,
        by: &str,
    ) -> impl Future<Output = Result<Answer, OrderError>> + Send;
    /// Notes something that cannot be used.
    fn reject(
        &self,
        reason: String,
        by: &str,
    ) -> impl Future<Output = Result<Answer, OrderError>> + Send;
    /// The highest serial that was verified here.
    fn highest(&self) -> Option<u64>;
    /// What the gateway reports, without the values of [`Measures`]. Called each second.
    fn report(&self) -> Report;
    /// Reads what takes longer. Called before a report is published.
    fn measure(&self) -> impl Future<Output = Measures> + Send;
}

/// What changes all the time, or is read from files: a change of it alone publishes no report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Measures {
    /// The time by which the clock is ahead, in milliseconds. `None`: unknown.
    pub clock_offset_ms: Option<i64>,
    pub disk_free_bytes: Option<u64>,
    pub oldest_waiting_s: u64,
    pub expires: BTreeMap<String, Timestamp>,
}

/// Builds the client's options from the client id. It reads files, and its error is a text for
/// people.
pub type BuildOptions = Arc<dyn Fn(String) -> Result<MqttOptions, String> + Send + Sync>;

/// The settings of the link.
#[derive(Clone)]
pub struct CentreOptions {
    pub site: Name,
    pub group: Option<Name>,
    /// `None`: there is no broker.
    pub broker: Option<BuildOptions>,
    /// The address that is polled.
    pub url: Option<String>,
    pub poll: Duration,
    /// PEM of the authorities that web servers may have, in addition to the system's.
    pub ca: Option<PathBuf>,
    pub client_cert: Option<PathBuf>,
    pub client_key: Option<PathBuf>,
    pub tempo: Tempo,
}

impl fmt::Debug for CentreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CentreOptions").finish_non_exhaustive()
    }
}

/// The times of the link.
#[derive(Debug, Clone, Copy)]
pub struct Tempo {
    /// How often the report is compared with the published one.
    pub report: Duration,
    /// A report is published at the latest after this time, with up to a fifth more by chance.
    pub report_max: Duration,
    /// The longest wait by chance before a download, and before the first attempt to connect after
    /// a good connection was lost: not all gateways ask in the same moment.
    pub spread: Duration,
    /// The first wait after something that failed; it doubles.
    pub retry_min: Duration,
    /// The longest wait after a failed download, unless `poll` is longer.
    pub retry_max: Duration,
    /// The longest wait after something that was refused, before the next thing is verified.
    pub refused_max: Duration,
    /// When something that was refused is tried again first, because trust.toml may be corrected
    /// by then; the time doubles up to `again_max`.
    pub again_min: Duration,
    pub again_max: Duration,
    /// How often the polled address is downloaded although its `ETag` is the same.
    pub etag_max: Duration,
    /// How long a topic with a message that is too large is left out.
    pub oversize: Duration,
    /// When the gateway publishes once more, after it connected, that it is connected. A broker
    /// notices after 1.5 times the keep-alive time that a connection before is lost.
    pub online_again: Duration,
}

impl Default for Tempo {
    fn default() -> Self {
        Self {
            report: Duration::from_secs(1),
            report_max: Duration::from_mins(5),
            spread: Duration::from_secs(3),
            retry_min: Duration::from_secs(1),
            retry_max: Duration::from_hours(1),
            refused_max: Duration::from_mins(1),
            again_min: Duration::from_mins(15),
            again_max: Duration::from_hours(6),
            etag_max: Duration::from_hours(24),
            oversize: Duration::from_mins(10),
            online_again: Duration::from_mins(1),
        }
    }
}

/// The state of one way to central IT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayState {
    /// `None`: the first attempt is in progress.
    pub is_up: Option<bool>,
    /// When `is_up` became what it is.
    pub since: Timestamp,
    /// Why it is down, or what does not work while it is up.
    pub detail: Option<String>,
    /// Whether a file of `[fleet]` has a fault: a person must act.
    pub is_file_fault: bool,
    /// What the gateway answered to the newest message.
    pub last: Option<String>,
}

impl WayState {
    fn new() -> Self {
        Self {
            is_up: None,
            since: clock::now(),
            detail: None,
            is_file_fault: false,
            last: None,
        }
    }

    fn set(&mut self, is_up: bool, detail: Option<String>, is_file_fault: bool) {
        if self.is_up != Some(is_up) {
            self.is_up = Some(is_up);
            self.since = clock::now();
        }
        self.detail = detail;
        self.is_file_fault = is_file_fault;
    }
}

/// The state of both ways. `None`: the configuration does not have it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CentreState {
    pub broker: Option<WayState>,
    pub url: Option<WayState>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Broker,
    Url,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Broker => BY_BROKER,
            Self::Url => BY_URL,
        }
    }
}

/// A topic of the centre. The order is that of the subscriptions: a stop must be known before the
/// bundle that it stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Topic {
    Stop,
    Group,
    Bundle,
}

impl Topic {
    const ALL: [Self; 3] = [Self::Stop, Self::Group, Self::Bundle];

    fn index(self) -> usize {
        match self {
            Self::Stop => 0,
            Self::Group => 1,
            Self::Bundle => 2,
        }
    }
}

/// What the parts share.
struct Shared<S> {
    options: CentreOptions,
    site: Arc<S>,
    states: watch::Sender<CentreState>,
    /// The newest message of each topic.
    letters: [Latest<Bytes>; 3],
    /// The announced address of each topic of a bundle. `None`: the topic has none any more.
    addresses: [Latest<Option<super::topics::BundleAddress>>; 3],
    /// Held while something is verified.
    verifying: Mutex<()>,
    reports: Latest<String>,
    /// Counts connections. 0: there is none.
    connections: watch::Sender<u64>,
}

impl<S: CentreSite> Shared<S> {
    fn topic(&self, topic: Topic) -> Option<String> {
        match topic {
            Topic::Stop => Some(STOP_TOPIC.to_owned()),
            Topic::Group => self.options.group.as_ref().map(|it| bundle_topic(Some(it))),
            Topic::Bundle => Some(bundle_topic(None)),
        }
    }

    fn change(&self, way: Way, change: impl FnOnce(&mut WayState)) {
        self.states.send_if_modified(|state| {
            let of_way = match way {
                Way::Broker => &mut state.broker,
                Way::Url => &mut state.url,
            };
            let Some(of_way) = of_way else { return false };
            let before = of_way.clone();
            change(of_way);
            *of_way != before
        });
    }

    /// Hands a bundle to the gateway. One at a time.
    async fn take_bundle(&self, bytes: Bytes, way: Way) -> Result<Answer, OrderError> {
        let verifying = self.verifying.lock().await;
        let answer = self.site.take_bundle(bytes, way.name()).await;
        drop(verifying);
        self.note_answer(way, "the bundle", &answer);
        answer
    }

    async fn take_stop(&self, bytes: Bytes) -> Result<Answer, OrderError> {
        let verifying = self.verifying.lock().await;
        let answer = self.site.take_stop(bytes, BY_BROKER).await;
        drop(verifying);
        self.note_answer(Way::Broker, "the stop", &answer);
        answer
    }

    async fn reject(&self, reason: String, way: Way) {
        self.reject_as(&reason.clone(), reason, way).await;
    }

    /// The report has `told`, and the log and the status of the gateway have the whole reason.
    async fn reject_as(&self, reason: &str, told: String, way: Way) {
        tracing::warn!("central IT, {}: {reason}", way.name());
        self.change(way, |state| state.last = Some(reason.to_owned()));
        // The gateway is stopping.
        drop(self.site.reject(told, way.name()).await);
    }

    fn note_answer(&self, way: Way, what: &str, answer: &Result<Answer, OrderError>) {
        let name = way.name();
        let text = match answer {
            Ok(Answer::Done) => format!("received {what}"),
            Ok(Answer::Known(text)) => text.clone(),
            Ok(Answer::Refused(reason)) => format!("refused {what}: {reason}"),
            Err(error) => format!("could not take {what}: {error}"),
        };
        match answer {
            Ok(Answer::Refused(_)) | Err(_) => tracing::warn!("central IT, {name}: {text}"),
            Ok(_) => tracing::info!("central IT, {name}: {text}"),
        }
        self.change(way, |state| state.last = Some(text));
    }
}

/// Runs the link until cancelled. At the end it publishes that the gateway is not connected.
pub async fn run<S: CentreSite>(
    options: CentreOptions,
    site: Arc<S>,
    states: watch::Sender<CentreState>,
    cancel: CancellationToken,
) {
    let (has_broker, has_url) = (options.broker.is_some(), options.url.is_some());
    states.send_replace(CentreState {
        broker: has_broker.then(WayState::new),
        url: has_url.then(WayState::new),
    });
    let shared = Shared {
        options,
        site,
        states,
        letters: Default::default(),
        addresses: Default::default(),
        verifying: Mutex::new(()),
        reports: Latest::default(),
        connections: watch::Sender::new(0),
    };
    let (again, asked) = mpsc::channel(Topic::ALL.len());
    let link = async {
        if has_broker {
            link::BrokerLink::new(&shared, asked).run(&cancel).await;
        } else {
            cancel.cancelled().await;
        }
    };
    let take = |topic| intake::take_messages(&shared, topic, again.clone());
    tokio::select! {
        () = link => {}
        () = take(Topic::Stop) => {}
        () = take(Topic::Group) => {}
        () = take(Topic::Bundle) => {}
        () = fetch::run(&shared) => {}
        () = reporter::run(&shared) => {}
    }
}

/// Returns a share of a time, by chance.
fn chance(longest: Duration) -> Duration {
    longest * u32::from(random()) / u32::from(u16::MAX)
}

/// Doubles a wait up to a limit, and shortens what is waited by up to a half, by chance.
#[derive(Debug, Clone, Copy)]
struct DoublingPause {
    next: Duration,
    min: Duration,
    max: Duration,
}

impl DoublingPause {
    fn new(min: Duration, max: Duration) -> Self {
        let max = max.max(min);
        Self {
            next: min,
            min,
            max,
        }
    }

    fn next(&mut self) -> Duration {
        let wait = self.next / 2 + chance(self.next / 2);
        self.next = (self.next * 2).min(self.max);
        wait
    }

    fn reset(&mut self) {
        self.next = self.min;
    }
}
