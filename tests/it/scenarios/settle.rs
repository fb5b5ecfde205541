//! Steps about the first screen: its sentence, and a person's decisions about rejected readings.

use std::time::Duration;

use serde_json::{Value, json};
use stockrelay::clock;
use stockrelay::view::client::Client;
use stockrelay::view::headline::headline;
use stockrelay::view::snapshot::Status;

use super::runner::{DEADLINE, Stage};
use super::script::Rejected;

impl Stage {
    pub async fn settle(&self, rejected: &Rejected, place: &str) {
        let client = Client::new(&self.config.control.socket);
        let (verb, body) = match (&rejected.dismiss, &rejected.resend) {
            (Some(reason), None) => ("dismiss", json!({"reason": reason, "by": "anna"})),
            (None, Some(event)) if event.is_empty() => ("resend", json!({"by": "anna"})),
            (None, Some(event)) => {
                let payload = self.world.event(&self.target, event).await.to_string();
                ("resend", json!({"payload": payload, "by": "anna"}))
            }
            _ => panic!("{place}: one decision at a time"),
        };
        let path = format!("/v1/rejected/{}/{verb}", rejected.number);
        let answer: Result<Value, _> = client.post(&path, &body).await;
        answer.unwrap_or_else(|error| panic!("{place}: {path} {body}: {error}"));
    }

    pub async fn wait_for_headline(&self, wanted: &str, place: &str) {
        let client = Client::new(&self.config.control.socket);
        let begun = clock::instant();
        loop {
            let status: Status = client.get("/v1/status").await.expect("a status");
            let (_, found) = headline(&status, clock::now());
            if found == wanted {
                return;
            }
            let elapsed = clock::instant().duration_since(begun);
            assert!(
                elapsed < DEADLINE,
                "{place}: waited for {wanted:?}: {found}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
