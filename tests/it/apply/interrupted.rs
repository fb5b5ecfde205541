//! Two bundles at once, and clean stops at any moment.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::{Gateway, make};

const REST: &str = "expires = \"2096-01-01T00:00:00Z\"\n[targets]\nall = true\n";

fn numbered(gateway: &Gateway, serial: u64) -> bytes::Bytes {
    let value = format!("odoo.timeout_s = {serial}\n");
    make(
        serial,
        REST,
        &[("config.d/60.toml", &value)],
        &[&gateway.key],
    )
}

impl Gateway {
    /// The outcomes of a bundle, the newest first.
    async fn outcomes(&self, serial: u64) -> Vec<String> {
        let history: Value = self.client().get("/v1/config/history").await.unwrap();
        let entries = history["history"].as_array().unwrap().iter();
        let of_serial = entries.filter(|entry| entry["serial"] == serial);
        let outcome = |entry: &Value| entry["outcome"].as_str().unwrap().to_owned();
        of_serial.map(outcome).collect()
    }

    async fn assert_runs(&self, serial: u64) {
        assert_eq!(self.config().await["serial"], serial);
        assert_eq!(self.value("odoo.timeout_s").await["value"], serial);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_bundles_at_once_the_higher_serial_runs_and_both_have_an_outcome() {
    let gateway = Gateway::start(1).await;
    for (low, high) in [(21, 22), (23, 24), (25, 26)] {
        let start = |serial: u64| {
            let name = format!("{serial}.bundle");
            std::fs::write(gateway.site.path(&name), numbered(&gateway, serial)).unwrap();
            let mut command = Command::new(env!("CARGO_BIN_EXE_stockrelay"));
            command.args(["--config", "config.toml", "config", "apply", &name]);
            command.current_dir(gateway.site.dir.path());
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        };
        let both = [start(low), start(high)];
        let [lower, higher] =
            both.map(|child| tokio::task::block_in_place(|| child.wait_with_output().unwrap()));
        assert!(higher.status.success(), "{higher:?}");
        gateway.assert_runs(high).await;
        assert_eq!(gateway.outcomes(high).await, ["confirmed"]);
        let outcomes = gateway.outcomes(low).await;
        // Without an entry, the lower one came after the higher one.
        let is_confirmed = outcomes == ["confirmed"];
        assert!(is_confirmed || outcomes == ["superseded"] || outcomes.is_empty());
        assert_eq!(
            lower.status.success(),
            is_confirmed,
            "{outcomes:?}: {lower:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_bundle_waits_while_another_one_is_watched() {
    let gateway = Gateway::start(4).await;
    let (code, text) = gateway.apply(&numbered(&gateway, 21), &["--no-wait"]);
    assert_eq!(code, 0, "{text}");
    gateway.until_state("watching").await;
    for serial in [22, 23] {
        gateway.post(numbered(&gateway, serial)).await.unwrap();
    }
    let config = gateway.config().await;
    let pending = &config["pending"];
    assert_eq!(
        (&pending["serial"], &pending["state"]),
        (&21.into(), &"watching".into())
    );
    gateway.assert_runs(21).await;
    gateway.until_ended(23).await;
    gateway.assert_runs(23).await;
    for (serial, outcome) in [(21, "confirmed"), (22, "superseded"), (23, "confirmed")] {
        assert_eq!(gateway.outcomes(serial).await, [outcome], "{serial}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clean_stops_continue_the_watch_and_do_not_roll_back() {
    let mut gateway = Gateway::start(4).await;
    let (code, text) = gateway.apply(&numbered(&gateway, 21), &["--no-wait"]);
    assert_eq!(code, 0, "{text}");
    for _ in 0..3 {
        gateway.until_state("watching").await;
        gateway.stop_and_start().await;
        gateway.assert_runs(21).await;
    }
    assert_eq!(gateway.until_ended(21).await["outcome"], "confirmed");
    gateway.assert_runs(21).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clean_stops_around_the_load_end_confirmed() {
    let mut gateway = Gateway::start(1).await;
    // The agent applies a bundle about a second after it came.
    for (serial, delay) in (21..).zip([300, 900, 1_050, 1_200]) {
        gateway.post(numbered(&gateway, serial)).await.unwrap();
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(delay)).await;
            gateway.stop_and_start().await;
        }
        assert_eq!(gateway.until_ended(serial).await["outcome"], "confirmed");
        gateway.assert_runs(serial).await;
        assert_eq!(gateway.outcomes(serial).await, ["confirmed"]);
    }
}
