//! The words between the agent and the rest of the daemon: orders, their answers, and the status.
//!
//! **In**: bundles and stops that are verified, and what people want. **Out**: an answer to each
//! order, and a [`FleetStatus`] for views and reports.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::chain::Link;
use super::disk::DiskError;
use super::machine::{Answer, Machine, OfferedBundle, RejectedOffer};
use super::record::{
    BundleId, ConfigSet, ConfirmedBundle, HistoryEntry, LastOutcome, PendingBundle, SignedStop,
    StopOrder,
};

/// Orders that wait, at most.
const ORDERS_MAX: usize = 16;

/// A bundle whose signatures and hashes are verified, and its files for this site.
#[derive(Clone, PartialEq, Eq)]
pub struct OfferedFiles {
    pub offered: OfferedBundle,
    /// The bytes of the bundle, as received.
    pub bundle: Bytes,
    /// Path and content; some are secrets.
    pub files: Vec<(String, Bytes)>,
    /// The change of trusted keys. `None`: the bundle does not change them.
    pub link: Option<Link>,
}

impl fmt::Debug for OfferedFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfferedFiles")
            .field("offered", &self.offered)
            .finish_non_exhaustive()
    }
}

/// What views and reports show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetStatus {
    /// What the process runs with.
    pub running: ConfigSet,
    /// What the process must run with. It differs from `running` while that cannot be loaded.
    pub wanted: ConfigSet,
    pub confirmed: Option<ConfirmedBundle>,
    pub pending: Option<PendingBundle>,
    /// The bundle that waits for the watch of the pending one.
    pub next: Option<PendingBundle>,
    pub last: Option<LastOutcome>,
    pub stop: Option<StopOrder>,
    pub highest: Option<BundleId>,
    pub rejected: Option<RejectedOffer>,
    pub history: VecDeque<HistoryEntry>,
    pub alarms: BTreeMap<&'static str, String>,
}

impl Default for FleetStatus {
    /// The local files run, and no bundle is known.
    fn default() -> Self {
        Self {
            running: ConfigSet::Files,
            wanted: ConfigSet::Files,
            confirmed: None,
            pending: None,
            next: None,
            last: None,
            stop: None,
            highest: None,
            rejected: None,
            history: VecDeque::new(),
            alarms: BTreeMap::new(),
        }
    }
}

impl FleetStatus {
    /// The status without alarms.
    pub(super) fn of(machine: &Machine) -> Self {
        let record = machine.record();
        Self {
            running: machine.loaded().unwrap_or_else(|| record.running()),
            wanted: record.running(),
            confirmed: record.confirmed.clone(),
            pending: record.pending.clone(),
            next: record.next.clone(),
            last: record.last.clone(),
            stop: record.stop().cloned(),
            highest: record.highest,
            rejected: machine.rejected().cloned(),
            history: record.history.clone(),
            alarms: BTreeMap::new(),
        }
    }
}

/// What others want from the agent.
#[derive(Debug)]
pub enum FleetOrder {
    Offer(Box<OfferedFiles>),
    Stop(SignedStop),
    RollBack {
        by: String,
    },
    Rejected {
        reason: String,
        by: String,
    },
    /// A reload has loaded what the process must run with.
    Loaded(ConfigSet),
}

/// Why an order has no answer.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    #[error("{0}")]
    Disk(#[from] DiskError),
    #[error(
        "the gateway has done it, and cannot record it: {0}. Until the gateway has recorded it, a restart undoes it"
    )]
    NotRecorded(DiskError),
    #[error("the gateway is stopping: repeat the command when it runs")]
    Stopping,
}

pub(super) type Reply = oneshot::Sender<Result<Answer, OrderError>>;

/// Sends orders to the agent; cheap to clone.
#[derive(Debug, Clone)]
pub struct FleetOrders(mpsc::Sender<(FleetOrder, Reply)>);

/// The receiver of orders, for the agent.
pub type ReceivedOrders = mpsc::Receiver<(FleetOrder, Reply)>;

impl FleetOrders {
    #[must_use]
    pub fn new() -> (Self, ReceivedOrders) {
        let (sender, receiver) = mpsc::channel(ORDERS_MAX);
        (Self(sender), receiver)
    }

    /// Has an order carried out. The answer to an offer comes when the bundle is on disk.
    pub async fn send(&self, order: FleetOrder) -> Result<Answer, OrderError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.0.send((order, reply)).await;
        sent.map_err(|_| OrderError::Stopping)?;
        answer.await.unwrap_or(Err(OrderError::Stopping))
    }
}
