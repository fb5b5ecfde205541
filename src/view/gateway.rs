//! The parts of the daemon from which the control API and the metrics answer.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};

use super::snapshot::Status;
use crate::board::Board;
use crate::catalog::Catalog;
use crate::decode::profiles::Profiles;
use crate::event::Name;
use crate::journal::{Journal, JournalError};

/// Limits on answers in progress: each holds a thread and a page of records. A status does not wait
/// for pages.
const STATUSES_MAX: usize = 2;
const PAGES_MAX: usize = 4;
/// Limit on open streams: the other connections stay free for requests.
pub const STREAMS_MAX: usize = 16;

/// The sources of all answers; cheap to clone.
#[derive(Debug, Clone)]
pub struct Gateway {
    pub site: Name,
    pub journal: Journal,
    pub board: Board,
    /// The profiles for scans that people send again.
    pub(super) profiles: Profiles,
    /// The copy of Odoo's data; `None` until the first refresh.
    pub(super) copies: Option<watch::Receiver<Option<Catalog>>>,
    /// One permit for each open stream.
    pub(super) streams: Arc<Semaphore>,
    /// One permit for each status that is being read.
    statuses: Arc<Semaphore>,
    pub(super) pages: Arc<Semaphore>,
}

impl Gateway {
    #[must_use]
    pub fn new(site: Name, journal: Journal, board: Board) -> Self {
        Self {
            site,
            journal,
            board,
            profiles: Profiles::default(),
            copies: None,
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            statuses: Arc::new(Semaphore::new(STATUSES_MAX)),
            pages: Arc::new(Semaphore::new(PAGES_MAX)),
        }
    }

    /// Reads the current status. `None`: the runtime is shutting down.
    pub(super) async fn status(&self) -> Option<Result<Status, JournalError>> {
        let (gateway, statuses) = (self.clone(), Arc::clone(&self.statuses));
        let take = move || Status::take(&gateway.site, &gateway.journal, &gateway.board);
        blocking(statuses, take).await
    }
}

/// Runs blocking work on a thread of its own, as soon as a permit is free.
pub(super) async fn blocking<T, F>(permits: Arc<Semaphore>, work: F) -> Option<T>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let permit = permits.acquire_owned().await.ok()?;
    let working = move || {
        let done = work();
        // The work holds the permit: a client that hangs up does not free it before the work ends.
        drop(permit);
        done
    };
    tokio::task::spawn_blocking(working).await.ok()
}
