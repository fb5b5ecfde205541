//! A bundle that expires while it runs, and a disk that is full.

use std::time::Duration;

use jiff::SignedDuration;
use stockrelay::clock;

use super::{Gateway, STRICT, key, make};
use crate::mounted::Mounted;
use crate::process::command;
use crate::reload::site::Site;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_that_expires_raises_an_alarm_and_runs_on() {
    let mut gateway = Gateway::start(1).await;
    let expires = clock::now() + SignedDuration::from_secs(8);
    let rest = format!("expires = \"{expires}\"\n[targets]\nall = true\n");
    let bundle = make(7, &rest, &[STRICT], &[&gateway.key]);
    let (code, text) = gateway.apply(&bundle, &[]);
    assert_eq!(code, 0, "{text}");
    let is_expired = |status: &serde_json::Value| status["alarms"]["bundle-expired"].is_string();
    let status = gateway.until("the alarm", is_expired).await;
    let alarm = status["alarms"]["bundle-expired"].as_str().unwrap();
    assert!(alarm.contains("Bundle 7"), "{alarm}");
    assert_eq!(gateway.value("capture.check").await["value"], "strict");
    gateway.stop_and_start().await;
    gateway.until("the alarm again", is_expired).await;
    assert_eq!(gateway.config().await["serial"], 7);
    assert_eq!(gateway.value("capture.check").await["value"], "strict");
    // It is not applied a second time.
    let output = gateway.run(&["config", "rollback"]);
    assert!(output.status.success(), "{output:?}");
    let (code, text) = gateway.apply(&bundle, &["--again"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("expired"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, which mounts a small file system: cargo test -- --ignored apply::limits"]
async fn a_full_disk_delays_a_bundle_and_the_gateway_runs_on() {
    let site = Site::build("", "[fleet]\nwatch_s = 1\nquiet_s = 0\n").await;
    let disk = Mounted::new(site.path("data/fleet"), "256k");
    let anna = key("anna");
    site.write("trust.toml", &format!("threshold = 1\n{}", anna.entry));
    let child = command(site.dir.path()).spawn().unwrap();
    let gateway = Gateway {
        site,
        child,
        key: anna,
    };
    let small = gateway.bundle(7, "ams1", &[STRICT]);
    gateway
        .until("it sends", |status| status["odoo"]["link"] == "up")
        .await;
    let (code, text) = gateway.apply(&small, &[]);
    assert_eq!(code, 0, "{text}");
    let devices: Vec<_> = (0..12_000)
        .map(|number| format!("[devices.pda-{number}]\n"))
        .collect();
    let devices = devices.concat();
    let off = ("config.d/50-capture.toml", "capture.check = \"off\"\n");
    let large = gateway.bundle(8, "ams1", &[off, ("devices.toml", &devices)]);
    let error = gateway.post(large).await.unwrap_err().to_string();
    assert!(error.contains("the disk is full"), "{error}");
    let status = gateway
        .until("the alarm", |status| {
            status["alarms"]["fleet-disk"].is_string()
        })
        .await;
    assert_eq!(status["config"]["serial"], 7);
    assert_eq!(status["config"]["pending"]["state"], "fetched");
    assert_eq!(gateway.value("capture.check").await["value"], "strict");
    disk.grow("16m");
    // The gateway tries again by itself, each 30 s.
    let begun = clock::instant();
    while gateway.config().await["serial"] != 8 {
        assert!(begun.elapsed() < Duration::from_mins(2));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(gateway.until_ended(8).await["outcome"], "confirmed");
    let status = gateway.until("it answers", |_| true).await;
    assert_eq!(status["alarms"]["fleet-disk"], serde_json::Value::Null);
    drop(gateway);
    drop(disk);
}
