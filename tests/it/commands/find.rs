//! `stockrelay find`, and names in `stockrelay trace`.

use super::{done, on, run};
use crate::control::Served;
use crate::floor::transfer;
use serde_json::Value;

async fn served() -> Served {
    let served = Served::start();
    let event = |n| {
        Ok(transfer(
            "pda-07",
            &format!("e-{n}"),
            "4006381333931",
            "LOC-A",
            "LOC-B",
            n,
        ))
    };
    served
        .journal
        .inbox()
        .append((1..=5).map(event).collect())
        .await
        .unwrap();
    served
}

#[tokio::test]
async fn find_shows_names_then_events_and_how_to_continue() {
    let served = served().await;
    let socket = served.socket();
    let (code, stdout, stderr) = run(on(&socket, &["find", "LOC-A"])).await;
    assert_eq!((code, stderr.as_str()), (0, "6 results\n"));
    let lines: Vec<_> = stdout.lines().collect();
    assert!(lines[0].starts_with("KIND      ID"), "{stdout}");
    assert!(lines[1].starts_with("location  LOC-A"), "{stdout}");
    assert!(
        lines[2].contains("pda-07/e-5") && lines[6].contains("pda-07/e-1"),
        "{stdout}"
    );

    let (_, stdout, stderr) = run(on(&socket, &["find", "loc-a", "--limit", "4"])).await;
    assert_eq!(stdout.lines().count(), 5);
    let (_, cursor) = stderr.trim().split_once("--after ").unwrap();
    assert!(stderr.starts_with("6 results; continue with"), "{stderr}");
    let (_, stdout, stderr) = run(on(&socket, &["find", "loc-a", "--after", cursor])).await;
    assert_eq!(
        (stdout.lines().count(), stderr.as_str()),
        (3, "6 results\n")
    );
    assert!(
        stdout.contains("pda-07/e-2") && stdout.contains("pda-07/e-1"),
        "{stdout}"
    );

    let json = done(&socket, &["find", "pda-07", "--kind", "device", "--json"]).await;
    let hit: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&hit["kind"], &hit["id"]),
        (&"device".into(), &"pda-07".into())
    );
    served.stop().await;
}

#[tokio::test]
async fn find_reports_that_nothing_matches_and_wrong_arguments() {
    let served = served().await;
    let socket = served.socket();
    let (code, stdout, stderr) = run(on(&socket, &["find", "LOC-Z"])).await;
    assert_eq!((code, stdout.as_str()), (0, ""));
    assert!(stderr.starts_with("nothing in the journal"), "{stderr}");
    for (arguments, word) in [
        (["find", "x", "--kind", "bins"], "location"),
        (["find", "x", "--since", "today"], "2026-11-23T06:00:00Z"),
        (["find", "x", "--after", "7"], "page before"),
    ] {
        let (code, _, stderr) = run(on(&socket, &arguments)).await;
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains(word) && !stderr.contains("/v1"), "{stderr}");
    }
    served.stop().await;
}

#[tokio::test]
async fn a_name_is_traced_to_its_newest_event() {
    let served = served().await;
    let socket = served.socket();
    let stdout = done(&socket, &["trace", "loc-b"]).await;
    assert!(
        stdout.starts_with("the newest entry with the location LOC-B:"),
        "{stdout}"
    );
    assert!(stdout.contains("event 5 pda-07/e-5: transfer"), "{stdout}");
    assert!(stdout.contains("seq:4, seq:3, seq:2, seq:1"), "{stdout}");
    assert!(stdout.contains("stockrelay find 'LOC-B'"), "{stdout}");
    let (code, _, stderr) = run(on(&socket, &["trace", "loc"])).await;
    assert_eq!(code, 1);
    assert!(stderr.contains("`stockrelay find TEXT`"), "{stderr}");
    served.stop().await;
}
