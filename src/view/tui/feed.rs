//! Polls the control socket each second, also while no daemon answers.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::Message;
use super::app::{Snapshot, Update};
use crate::view::client::{Client, ClientError};
use crate::view::records::{DocumentPage, RejectedPage};
use crate::view::snapshot::Status;

const EACH: Duration = Duration::from_secs(1);
/// How many of the newest documents, and of the oldest parked ones, are shown.
const DOCUMENTS: u64 = 50;
const PARKED: u64 = 100;
/// How many of the oldest open rejected readings are shown.
const REJECTED: u64 = 100;

pub(super) async fn feed(client: Client, sender: mpsc::Sender<Message>) {
    let mut tick = tokio::time::interval(EACH);
    // After a slow answer, missed polls are not made up for.
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let update = match fetch(&client).await {
            Ok(snapshot) => Update::Gateway(Box::new(snapshot)),
            Err(error) => Update::NoAnswer(error.to_string()),
        };
        if sender.send(Message::Update(update)).await.is_err() {
            return;
        }
    }
}

async fn fetch(client: &Client) -> Result<Snapshot, ClientError> {
    let status: Status = client.get("/v1/status").await?;
    // Documents are numbered without gaps.
    let after = status.documents.newest.back_by(DOCUMENTS);
    let mut documents: DocumentPage = client
        .get(&format!("/v1/documents?after={after}&limit={DOCUMENTS}"))
        .await?;
    documents.documents.reverse();
    let parked: DocumentPage = client.get(&format!("/v1/parked?limit={PARKED}")).await?;
    let rejected: RejectedPage = client
        .get(&format!("/v1/rejected?state=open&limit={REJECTED}"))
        .await?;
    Ok(Snapshot {
        status,
        documents: documents.documents,
        parked: parked.documents,
        rejected: rejected.rejected,
    })
}
