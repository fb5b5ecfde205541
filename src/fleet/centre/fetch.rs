//! Downloads bundles: from addresses that the broker announced, and from the polled address. One
//! download at a time.
//!
//! **In**: the newest address of each topic, and the time. **Out**: complete answers, to the
//! gateway. What failed is tried again, with waits that double.

use std::cmp::Reverse;

use tokio::time::Instant;

use super::intake::wait_until;
use super::seen::{Seen, hash};
use super::{CentreSite, DoublingPause, Shared, Topic, Way, chance};
use crate::fleet::download::{DownloadError, Fetched, Web, WebFiles};
use crate::fleet::machine::Answer;
use crate::fleet::topics::BundleAddress;

/// The topics that announce addresses.
const TOPICS: [Topic; 2] = [Topic::Group, Topic::Bundle];

/// An address that was announced.
struct Job {
    address: BundleAddress,
    due: Instant,
    wait: DoublingPause,
    /// The failure that the gateway knows.
    failure: Option<String>,
}

/// The polled address.
struct Poll {
    url: String,
    due: Instant,
    wait: DoublingPause,
    /// Of the last answer that was complete and judged.
    etag: Option<String>,
    downloaded: Option<Instant>,
    seen: Seen,
    failure: Option<String>,
}

/// Downloads for ever.
pub async fn run<S: CentreSite>(shared: &Shared<S>) {
    let mut fetcher = Fetcher {
        shared,
        jobs: [None, None],
        poll: shared.options.url.clone().map(|url| Poll::new(url, shared)),
        web: None,
    };
    let [group, bundle] = TOPICS.map(|topic| &shared.addresses[topic.index()]);
    loop {
        tokio::select! {
            address = group.take() => fetcher.replace(0, address),
            address = bundle.take() => fetcher.replace(1, address),
            () = wait_until(fetcher.next()) => fetcher.work().await,
        }
    }
}

struct Fetcher<'a, S> {
    shared: &'a Shared<S>,
    jobs: [Option<Job>; 2],
    poll: Option<Poll>,
    /// `None`: the files of `[fleet]` are read before the next download.
    web: Option<Web>,
}

impl Poll {
    fn new<S>(url: String, shared: &Shared<S>) -> Self {
        let (tempo, poll) = (&shared.options.tempo, shared.options.poll);
        let min = poll.min(tempo.retry_min * 60);
        Self {
            url,
            due: Instant::now() + chance(poll.min(tempo.spread)),
            wait: DoublingPause::new(min, poll.max(tempo.retry_max)),
            etag: None,
            downloaded: None,
            seen: Seen::new(tempo),
            failure: None,
        }
    }
}

impl<S: CentreSite> Fetcher<'_, S> {
    fn replace(&mut self, place: usize, address: Option<BundleAddress>) {
        let tempo = &self.shared.options.tempo;
        self.jobs[place] = address.map(|address| Job {
            address,
            due: Instant::now() + chance(tempo.spread),
            wait: DoublingPause::new(tempo.retry_min, tempo.retry_max),
            failure: None,
        });
    }

    fn next(&self) -> Option<Instant> {
        let jobs = self.jobs.iter().flatten().map(|job| job.due);
        let poll = self.poll.as_ref().map(|poll| poll.due);
        jobs.chain(poll).min()
    }

    /// Carries out what is due: of two addresses, the one with the higher serial.
    async fn work(&mut self) {
        let now = Instant::now();
        let due = self.jobs.iter().enumerate();
        let due = due.filter_map(|(place, job)| {
            let job = job.as_ref().filter(|job| job.due <= now)?;
            Some((Reverse(job.address.serial), place))
        });
        if let Some((_, place)) = due.min() {
            self.download(place).await;
        } else if self.poll.as_ref().is_some_and(|poll| poll.due <= now) {
            self.poll().await;
        }
    }

    async fn web(&mut self) -> Result<Web, DownloadError> {
        if let Some(web) = &self.web {
            return Ok(web.clone());
        }
        let options = self.shared.options.clone();
        let read = move || {
            Web::new(WebFiles {
                ca: options.ca.as_deref(),
                client_cert: options.client_cert.as_deref(),
                client_key: options.client_key.as_deref(),
            })
        };
        let read = tokio::task::spawn_blocking(read).await;
        let web = read.unwrap_or_else(|error| {
            Err(DownloadError::Failed {
                host: "the web client".to_owned(),
                reason: error.to_string(),
            })
        })?;
        self.web = Some(web.clone());
        Ok(web)
    }

    async fn download(&mut self, place: usize) {
        let Some(address) = self.jobs[place].as_ref().map(|job| job.address.clone()) else {
            return;
        };
        if self.shared.site.highest() >= Some(address.serial) {
            self.jobs[place] = None;
            return;
        }
        let newer = &self.shared.addresses[TOPICS[place].index()];
        let download = async {
            let bytes = self.web().await?.download(&address).await?;
            Ok::<_, DownloadError>(bytes)
        };
        let result = tokio::select! {
            result = download => result,
            address = newer.take() => return self.replace(place, address),
        };
        let (failure, told) = match result {
            Ok(bytes) => match self.shared.take_bundle(bytes, Way::Broker).await {
                Ok(_) => {
                    self.jobs[place] = None;
                    return;
                }
                Err(error) => (error.to_string(), error.to_string()),
            },
            Err(error) => {
                // A renewed file of `[fleet]` is read.
                self.web = None;
                (error.to_string(), error.neutral())
            }
        };
        let Some(job) = &mut self.jobs[place] else {
            return;
        };
        job.due = Instant::now() + job.wait.next();
        if job.failure.as_ref() == Some(&failure) {
            return;
        }
        let serial = address.serial;
        let describe =
            |why| format!("cannot download bundle {serial}: {why}. The gateway tries again");
        let (reason, told) = (describe(&failure), describe(&told));
        job.failure = Some(failure);
        self.shared.reject_as(&reason, told, Way::Broker).await;
    }

    async fn poll(&mut self) {
        let Some(mut poll) = self.poll.take() else {
            return;
        };
        // Without the ETag, a server that repeats an old one is found out once in a while.
        let is_old = |at: Instant| at.elapsed() >= self.shared.options.tempo.etag_max;
        let is_refused_again = poll
            .seen
            .until()
            .is_some_and(|until| until <= Instant::now());
        if poll.downloaded.is_none_or(is_old) || is_refused_again {
            poll.etag = None;
        }
        let fetched = match self.web().await {
            Ok(web) => web.poll(&poll.url, poll.etag.as_deref()).await,
            Err(error) => Err(error),
        };
        match fetched {
            Ok(fetched) => self.take_fetched(&mut poll, fetched).await,
            Err(error) => self.note_failure(&mut poll, &error).await,
        }
        self.poll = Some(poll);
    }

    async fn take_fetched(&self, poll: &mut Poll, fetched: Fetched) {
        let every = self.shared.options.poll;
        poll.failure = None;
        poll.wait.reset();
        poll.due = Instant::now() + every * 9 / 10 + chance(every / 5);
        self.shared
            .change(Way::Url, |state| state.set(true, None, false));
        let Fetched::Body { bytes, etag } = fetched else {
            return;
        };
        poll.downloaded = Some(Instant::now());
        let hash = hash(&bytes).await;
        if poll.seen.has(hash) {
            poll.etag = etag;
            return;
        }
        poll.etag = None;
        match self.shared.take_bundle(bytes, Way::Url).await {
            Ok(Answer::Done | Answer::Known(_)) => poll.seen.accept(hash),
            Ok(Answer::Refused(_)) => poll.seen.refuse(hash),
            // The next answer is taken again.
            Err(_) => return poll.seen.forget(),
        }
        poll.etag = etag;
    }

    async fn note_failure(&mut self, poll: &mut Poll, error: &DownloadError) {
        self.web = None;
        let wait = poll.wait.next();
        poll.due = Instant::now() + wait;
        let text = error.to_string();
        let is_file_fault = error.is_file_fault();
        let detail = format!("{text}; the next attempt is in {} s", wait.as_secs().max(1));
        self.shared.change(Way::Url, |state| {
            state.set(false, Some(detail), is_file_fault);
        });
        if poll.failure.as_ref() == Some(&text) {
            return;
        }
        poll.failure = Some(text.clone());
        if error.is_outage() || is_file_fault {
            tracing::warn!("central IT, {}: {text}", Way::Url.name());
        } else {
            self.shared.reject(text, Way::Url).await;
        }
    }
}
