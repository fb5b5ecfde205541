//! A configuration that is refused: the gateway continues with the one that it has, and says every
//! fault.

use super::site::{Device, Site, free_port, transfer};

const ALARM: &str = "configuration";

#[tokio::test]
async fn every_fault_is_named_and_the_old_configuration_stays() {
    let mut site = Site::start("", "").await;
    let mut device = Device::connect(site.address(), "pda-1").await;
    let before = site.daemon().board().snapshot().config;
    let error = site
        .try_reload(
            "# rules\ncapture.chek = \"strict\"\nodoo.timeout_s = 1\nstock.negative = \"allow\"\n",
        )
        .await
        .unwrap_err();
    let alarm = site.alarm(ALARM).expect("an alarm");
    for text in [error.to_string(), alarm] {
        for part in [
            "config.d/50.toml:2: capture.chek: found an unknown key; accepted is capture.check",
            "config.d/50.toml:3: odoo.timeout_s: found 1; accepted is a whole number from 5 to 600",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
    assert_eq!(site.daemon().board().snapshot().config, before);
    device.publish("event", &transfer("1")).await;
    // A good one clears the alarm.
    site.reload("").await;
    assert_eq!(site.alarm(ALARM), None);
    site.stop().await;
}

#[tokio::test]
async fn what_cannot_be_opened_is_named_with_its_line_and_nothing_is_switched() {
    let mut site = Site::start("", "").await;
    // RFC 5737: for documentation alone.
    let away = "192.0.2.77:9464";
    let (address, port) = (site.address(), free_port());
    site.write("devices.toml", "[devices.pda-1]\npassword = \"secret\"\n");
    let extra = format!(
        "mqtt.listen.address = \"127.0.0.1:{port}\"\ncontrol.metrics = \"{away}\"\nodoo.ca = \"gone.pem\"\ncapture.language = \"de\"\n"
    );
    let error = site.try_reload(&extra).await.unwrap_err();
    let faults = error.faults.clone();
    for parts in [
        [
            "config.d/50.toml:2: control.metrics",
            "this machine has no address 192.0.2.77",
        ],
        ["config.toml:5: ", "devices.pda-1.password"],
        ["config.d/50.toml:3: odoo.ca", "gone.pem"],
    ] {
        let has_all = |fault: &String| parts.iter().all(|part| fault.contains(part));
        assert!(faults.iter().any(has_all), "{parts:?} in {faults:#?}");
    }
    assert_eq!(faults.len(), 3, "{faults:#?}");
    assert!(!error.to_string().contains("secret"), "{error}");
    assert_eq!(site.address(), address);
    let old = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
    assert!(old.is_err(), "nothing listens at the new address");
    Device::connect(address, "pda-1").await;
    site.stop().await;
}

#[tokio::test]
async fn site_and_data_dir_change_only_at_a_restart() {
    let mut site = Site::start("", "").await;
    let error = site
        .try_reload("site = \"ams2\"\ndata_dir = \"elsewhere\"\nstock.negative = \"allow\"\n")
        .await
        .unwrap_err();
    let faults = error.faults.clone();
    assert_eq!(faults.len(), 2, "{faults:#?}");
    for (fault, part) in faults.iter().zip([
        "config.d/50.toml:1: site: found \"ams2\"; accepted is \"ams1\", with which the gateway runs",
        "config.d/50.toml:2: data_dir: found ",
    ]) {
        assert!(fault.contains(part), "{part} in {fault}");
        assert!(fault.contains("restart the gateway"), "{fault}");
    }
    assert!(!site.path("elsewhere").exists());
    let shown = site.daemon().board().snapshot().config;
    site.reload("").await;
    assert_eq!(site.daemon().board().snapshot().config, shown);
    site.stop().await;
}

#[tokio::test]
async fn a_missing_file_keeps_the_gateway_running() {
    let mut site = Site::start("", "").await;
    std::fs::remove_file(site.path("config.toml")).unwrap();
    let error = site.try_reload("").await.unwrap_err();
    assert!(error.to_string().contains("does not exist"), "{error}");
    let mut device = Device::connect(site.address(), "pda-1").await;
    device.publish("event", &transfer("1")).await;
    site.stop().await;
}
