//! Requests to seal all open documents now, before a backup.

use tokio::sync::{mpsc, oneshot};

/// Sends requests to the part that assembles documents. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sealer(mpsc::Sender<oneshot::Sender<()>>);

/// The requests. The receiver answers each after the documents are in the journal.
pub type SealRequests = mpsc::Receiver<oneshot::Sender<()>>;

impl Sealer {
    #[must_use]
    pub fn new() -> (Self, SealRequests) {
        let (sender, receiver) = mpsc::channel(1);
        (Self(sender), receiver)
    }

    /// Seals every event that the journal has now. `false`: documents are not assembled any more.
    pub async fn seal(&self) -> bool {
        let (reply, answer) = oneshot::channel();
        self.0.send(reply).await.is_ok() && answer.await.is_ok()
    }
}
