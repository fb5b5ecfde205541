//! Takes the messages of one topic, one after the other.
//!
//! **In**: the newest message of the topic. **Out**: bundles and stops to the gateway, addresses to
//! `fetch`, and the question for the same message later, if it was refused.

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::seen::{Seen, hash};
use super::{CentreSite, DoublingPause, Shared, Topic, Way};
use crate::fleet::machine::Answer;
use crate::fleet::topics::{Announced, BundleAddress};

/// The outcome of a message.
enum Outcome {
    /// The same message has no further effect.
    Accepted,
    Refused,
    /// It was not judged.
    Failed,
}

/// Takes messages for ever. `again` asks the broker for the retained message of a topic.
pub async fn take_messages<S: CentreSite>(
    shared: &Shared<S>,
    topic: Topic,
    again: mpsc::Sender<Topic>,
) {
    let tempo = &shared.options.tempo;
    let mut seen = Seen::new(tempo);
    let mut pace = DoublingPause::new(tempo.retry_min, tempo.refused_max);
    loop {
        let payload = tokio::select! {
            payload = shared.letters[topic.index()].take() => payload,
            () = wait_until(seen.until()) => {
                seen.forget();
                // Full: the broker is asked anyway.
                let _ = again.try_send(topic);
                continue;
            }
        };
        // An empty message removes a retained one, and changes nothing here.
        if payload.is_empty() {
            continue;
        }
        let hash = hash(&payload).await;
        if seen.has(hash) {
            continue;
        }
        match take(shared, topic, payload).await {
            Outcome::Accepted => {
                seen.accept(hash);
                pace.reset();
            }
            Outcome::Refused => {
                seen.refuse(hash);
                // Whoever floods the topic costs little: the newest message waits meanwhile.
                sleep(pace.next()).await;
            }
            Outcome::Failed => {
                seen.forget();
                sleep(pace.next()).await;
                let _ = again.try_send(topic);
            }
        }
    }
}

async fn take<S: CentreSite>(shared: &Shared<S>, topic: Topic, payload: Bytes) -> Outcome {
    let answer = if topic == Topic::Stop {
        shared.take_stop(payload).await
    } else {
        let announced = Announced::parse(&payload);
        let address = match &announced {
            Ok(Announced::Address(address)) => Some(address.clone()),
            _ => None,
        };
        // A newer message ends the download of the address before it.
        if address.is_none() {
            shared.addresses[topic.index()].put(None);
        }
        match announced {
            Ok(Announced::Bundle(bytes)) => shared.take_bundle(bytes, Way::Broker).await,
            Ok(Announced::Address(address)) => return take_address(shared, topic, address).await,
            Err(error) => {
                shared.reject(error.to_string(), Way::Broker).await;
                return Outcome::Refused;
            }
        }
    };
    match answer {
        Ok(Answer::Done | Answer::Known(_)) => Outcome::Accepted,
        Ok(Answer::Refused(_)) => Outcome::Refused,
        Err(_) => Outcome::Failed,
    }
}

/// Has the bundle downloaded, unless its serial shows that the gateway does not need it.
async fn take_address<S: CentreSite>(
    shared: &Shared<S>,
    topic: Topic,
    address: BundleAddress,
) -> Outcome {
    let serial = address.serial;
    let place = &shared.addresses[topic.index()];
    match shared.site.highest() {
        Some(highest) if serial < highest => {
            place.put(None);
            let reason = format!(
                "the broker announces the address of bundle {serial}, which is below {highest}, the highest serial that was verified here"
            );
            shared.reject(reason, Way::Broker).await;
            Outcome::Refused
        }
        Some(highest) if serial == highest => {
            place.put(None);
            let text = format!("the gateway has bundle {serial} already");
            shared.change(Way::Broker, |state| state.last = Some(text));
            Outcome::Accepted
        }
        _ => {
            let text = format!("the address of bundle {serial} came");
            shared.change(Way::Broker, |state| state.last = Some(text));
            place.put(Some(address));
            Outcome::Accepted
        }
    }
}

/// Waits until a time. `None`: for ever.
pub async fn wait_until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
