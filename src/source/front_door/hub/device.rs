//! A device that has at least one session at the front door.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::channel::{DISPLAY, RECEIPT};
use crate::event::Name;
use crate::source::front_door::message::Content;
use crate::source::front_door::session::{Offer, Session};
use crate::source::front_door::topics::Topics;

/// A device that has at least one session.
#[derive(Debug)]
pub struct FrontDoorDevice {
    pub name: Name,
    pub topics: Topics,
    pub(super) receipts: AnswersOf,
    pub(super) displays: AnswersOf,
    sessions: Mutex<Vec<Arc<Session>>>,
}

/// A channel on which the gateway answers.
#[derive(Debug)]
pub(super) struct AnswersOf {
    pub(super) topic: Arc<str>,
    /// Whether a client has subscribed: otherwise no message is built.
    wanted: AtomicBool,
}

impl FrontDoorDevice {
    pub(super) fn new(site: &Name, name: Name) -> Self {
        let topics = Topics::new(site, &name);
        Self {
            receipts: AnswersOf::new(&topics, RECEIPT),
            displays: AnswersOf::new(&topics, DISPLAY),
            topics,
            name,
            sessions: Mutex::default(),
        }
    }

    pub(super) fn offer(
        &self,
        channel: &str,
        content: Content,
        supersedes: bool,
        now: Instant,
    ) -> Offer {
        Offer {
            topic: if channel == RECEIPT {
                Arc::clone(&self.receipts.topic)
            } else {
                self.topics.topic(channel).into()
            },
            content,
            supersedes,
            now,
        }
    }

    pub(super) fn sessions(&self) -> MutexGuard<'_, Vec<Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn wants_receipts(&self) -> bool {
        self.receipts.wanted.load(Ordering::Relaxed)
    }

    pub fn wants_displays(&self) -> bool {
        self.displays.wanted.load(Ordering::Relaxed)
    }

    /// To be called after subscriptions changed.
    pub fn note_wanted(&self) {
        let sessions = self.sessions();
        for answers in [&self.receipts, &self.displays] {
            let wanted = sessions.iter().any(|session| session.wants(&answers.topic));
            answers.wanted.store(wanted, Ordering::Relaxed);
        }
    }
}

impl AnswersOf {
    fn new(topics: &Topics, channel: &str) -> Self {
        Self {
            topic: topics.topic(channel).into(),
            wanted: AtomicBool::new(false),
        }
    }
}
