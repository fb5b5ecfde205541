//! The commands for rejected readings and unused scans.

use super::{done, on, run};
use crate::control::Served;
use crate::floor::{at, name, rejection, scan};
use std::sync::Arc;
use stockrelay::decode::profile::{Profile, SHIPPED};
use stockrelay::decode::profiles::{DeviceRule, Profiles};
use stockrelay::event::{Action, Rejection, Seq};
use stockrelay::reason::RejectionCode;

/// A serial scanner with a profile, and a rejected reading of it.
pub async fn with_a_rejected_scan() -> Served {
    let (_, text) = (SHIPPED.iter())
        .find(|(name, _)| *name == "generic-serial")
        .expect("it is shipped");
    let rule = DeviceRule {
        profile: Arc::new(Profile::parse(text).unwrap()),
        operator: Some("ben".to_owned()),
    };
    let profiles = Profiles::default();
    profiles.set_scanners([(name("dock"), rule)].into());
    let served = Served::with_profiles(profiles);
    let rejected = Rejection {
        code: RejectionCode::BadEncoding,
        channel: Some(stockrelay::event::Channel::Scan),
        ..rejection("dock", b"]E0400638\xff333931", 1)
    };
    let batch = vec![Err(rejected), Err(rejection("pda-3", b"{nonsense", 2))];
    served.journal.inbox().append(batch).await.unwrap();
    served
}

#[tokio::test]
async fn a_rejected_reading_is_sent_again_by_the_profile_of_its_device() {
    let served = with_a_rejected_scan().await;
    let socket = served.socket();
    let (code, _, stderr) = run(on(&socket, &["rejected", "resend", "1"])).await;
    assert_eq!(code, 1, "as it was it is refused again: {stderr}");
    assert!(stderr.contains("nothing was changed"), "{stderr}");
    assert!(
        stderr.contains("correct the payload with --payload, or choose"),
        "{stderr}"
    );
    let (code, _, stderr) = run(on(
        &socket,
        &["rejected", "resend", "1", "--channel", "event"],
    ))
    .await;
    assert_eq!(code, 2, "an argument is wrong: {stderr}");
    let shown = done(&socket, &["rejected", "show", "1"]).await;
    assert!(shown.contains("open: "), "{shown}");

    let right = ["rejected", "resend", "1", "--payload", "]E04006381333931"];
    let said = done(&socket, &right).await;
    assert_eq!(said, "rejected reading 1 is now event 1\n");
    let event = served.journal.event(Seq::new(1)).unwrap().unwrap().event;
    let scan = Action::Scan {
        code: "4006381333931".to_owned(),
        symbology: Some("ean13".to_owned()),
    };
    assert_eq!(event.action, scan, "without the AIM identifier");
    assert_eq!(event.operator.as_deref(), Some("ben"));
    assert_eq!(event.at, at(1), "when it was scanned");
    let shown = done(&socket, &["rejected", "show", "1"]).await;
    assert!(shown.contains("  settled as resent: "), "{shown}");
    assert!(shown.contains("sent again, corrected: event 1"), "{shown}");
    let traced = done(&socket, &["trace", "seq:1"]).await;
    let made_of = "created from rejected reading 1 (bad-encoding) by user:";
    assert!(traced.contains(made_of), "{traced}");
    let (code, _, stderr) = run(on(&socket, &right)).await;
    assert_eq!(code, 1, "twice: {stderr}");

    // An event instead of nonsense.
    let event = r#"{"id":"7","type":"count","product":"P","quantity":2,"from":"A"}"#;
    let arguments = [
        "rejected",
        "resend",
        "2",
        "--payload",
        event,
        "--reason",
        "read again",
    ];
    let said = done(&socket, &arguments).await;
    assert_eq!(said, "rejected reading 2 is now event 2\n");
    let shown = done(&socket, &["rejected", "show", "2"]).await;
    assert!(shown.contains("read again"), "{shown}");
    assert_eq!(served.journal.totals().rejected_open, 0);
    served.stop().await;
}

#[tokio::test]
async fn scans_of_devices_without_a_flow_are_on_the_first_screen_until_they_are_dismissed() {
    let served = Served::start();
    let socket = served.socket();
    let inbox = served.journal.inbox();
    let scans = (1..=5).map(|n| Ok(scan("ring", &n.to_string(), "X", n)));
    inbox.append(scans.collect()).await.unwrap();
    let sealed = inbox.seal_and_store(
        Vec::new(),
        (1..=5).map(Seq::new).collect(),
        (1..=5).map(Seq::new).collect(),
        Seq::new(5),
        Vec::new(),
    );
    sealed.await.unwrap();
    let status = done(&socket, &["status"]).await;
    assert!(status.contains("rejected dismiss --scans"), "{status}");
    assert_eq!(served.journal.totals().unused_scans, 5);
    let dismiss = ["rejected", "dismiss", "--scans", "--reason", "a test"];
    assert_eq!(done(&socket, &dismiss).await, "5 scans dismissed\n");
    assert_eq!(done(&socket, &dismiss).await, "0 scans dismissed\n");
    let both = [
        "rejected", "dismiss", "--scans", "--upto", "1", "--reason", "x",
    ];
    assert_eq!(run(on(&socket, &both)).await.0, 2);
    let status = done(&socket, &["status"]).await;
    assert!(!status.contains("without a flow"), "{status}");
    served.stop().await;
}
