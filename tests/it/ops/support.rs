//! `stockrelay support-bundle`: what is in it, and what is not.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::Value;

use super::Installed;
use crate::reload::site::Device;

const ODOO_KEY: &str = "3f9a1c77e0b24d5586aa10c9d4e7b2f81c0d9e63";
const BROKER_PASSWORD: &str = "broker-tiger-4711";
const DEVICE_PASSWORD: &str = "device-lion-0815";
const URL_PASSWORD: &str = "url-bear-2222";
const PEM_LINE: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7";
const OPERATOR: &str = "Wilhelmina-Operator";
const PERSON: &str = "Bartholomew-Person";
const PRODUCT: &str = "9999000011112222";

fn unpack(file: &Path) -> BTreeMap<String, String> {
    let bytes = std::fs::read(file).unwrap();
    let mut tar = tar::Archive::new(GzDecoder::new(bytes.as_slice()));
    let mut files = BTreeMap::new();
    for entry in tar.entries().unwrap() {
        let mut entry = entry.unwrap();
        assert_eq!(entry.header().mode().unwrap(), 0o600);
        let path = entry.path().unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        files.insert(name, text);
    }
    files
}

/// A gateway with a secret in each place that can have one, and with people's names.
async fn with_secrets() -> (Installed, String) {
    let mut gateway = Installed::prepare().await;
    gateway.write("odoo.key", ODOO_KEY);
    gateway.write("broker.password", BROKER_PASSWORD);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{PEM_LINE}\n-----END PRIVATE KEY-----\n");
    gateway.write("fleet.pem", &pem);
    let config = gateway.read("config.toml");
    let broker = crate::free_address::free_address();
    gateway.write(
        "config.toml",
        &format!(
            "{config}[mqtt.broker]\nurl = \"mqtt://{broker}\"\nusername = \"gateway\"\npassword_file = \"broker.password\"\n"
        ),
    );
    gateway.run().await;
    let sheet = gateway.done(&["devices", "add", "pda-07", "--json"]).await;
    let sheet: Value = serde_json::from_str(&sheet).unwrap();
    let password = sheet["password"].as_str().unwrap().to_owned();

    // Devices and people put secrets into payloads, names and reasons.
    let mut device = Device::connect(gateway.address, "pda-1").await;
    let event = format!(
        r#"{{"id":"e1","type":"transfer","product":"{PRODUCT}","from":"LOC-A","to":"LOC-B","quantity":1,"operator":"{OPERATOR}"}}"#
    );
    device.publish("event", &event).await;
    let wrong = format!(
        "{{nonsense password={DEVICE_PASSWORD} https://x:{URL_PASSWORD}@odoo.example {pem}"
    );
    device.publish("event", &wrong).await;
    let state = format!(
        r#"{{"battery":50,"note":"https://x:{URL_PASSWORD}@h","password":"{DEVICE_PASSWORD}"}}"#
    );
    device.publish("state", &state).await;
    let body = serde_json::json!({"by": PERSON, "reason": format!("token={URL_PASSWORD}")});
    let paused: Value = gateway.client().post("/v1/pause", &body).await.unwrap();
    assert_eq!(paused["pause"]["named"], PERSON);
    gateway
        .until("the reading is rejected", |status| {
            status["events"]["rejected"] == 1
        })
        .await;
    (gateway, password)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_support_bundle_has_no_secret_and_no_person() {
    let (gateway, password) = with_secrets().await;
    let hash = gateway.read("devices.toml");
    let hash = hash.split('"').nth(1).unwrap();
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    // The daemon's own answers do have the people, or the test would show nothing.
    let pauses = gateway.get("/v1/pause").await.to_string();
    assert!(pauses.contains(PERSON) && pauses.contains(URL_PASSWORD));
    let log = gateway.get("/v1/log").await.to_string();
    assert!(log.contains(PERSON), "{log}");

    let said = gateway.done(&["support-bundle", "bundle.tar.gz"]).await;
    let file = gateway.path("bundle.tar.gz");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let files = unpack(&file);
    for (name, text) in &files {
        assert!(said.contains(name.as_str()), "{name} is not listed: {said}");
        for secret in [
            ODOO_KEY,
            BROKER_PASSWORD,
            DEVICE_PASSWORD,
            URL_PASSWORD,
            PEM_LINE,
            OPERATOR,
            PERSON,
            PRODUCT,
            hash,
            password.as_str(),
            "PRIVATE KEY",
        ] {
            assert!(!text.contains(secret), "{secret} in {name}: {text}");
        }
    }
    // And it helps.
    let json = |name: &str| -> Value { serde_json::from_str(&files[name]).unwrap() };
    assert_eq!(json("status.json")["site"], "ams1");
    assert_eq!(
        json("versions.json")["stockrelay"],
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(json("config.json")["keys"]["site"]["value"], "ams1");
    assert_eq!(json("devices.json")[0]["name"], "pda-07");
    let findings = json("check.json");
    let findings = findings.as_array().unwrap();
    assert!(
        findings.iter().any(|finding| finding["level"] == "ok"),
        "{findings:?}"
    );
    assert!(json("log.json")["lines"].as_array().unwrap().len() > 1);
    assert!(files["metrics.txt"].contains("\nstockrelay_paused 1\n"));
    let names = files["journal.json"].as_str();
    assert!(names.contains("journal.redb"), "{names}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_support_bundle_is_listed_first_and_overwrites_nothing() {
    // Without a daemon, and with a wrong configuration: when it is needed most.
    let gateway = Installed::prepare().await;
    let listed = gateway.done(&["support-bundle", "--list"]).await;
    assert!(
        listed.contains("status.json") && listed.contains("parked.json"),
        "{listed}"
    );
    gateway.write("precious.tar.gz", "precious");
    let (code, _, stderr) = gateway.output(&["support-bundle", "precious.tar.gz"]).await;
    assert_eq!(code, 1);
    assert!(stderr.contains("exists"), "{stderr}");
    assert_eq!(gateway.read("precious.tar.gz"), "precious");

    gateway.write("config.toml", "site = \"a b\"\n");
    let answer = gateway.done(&["support-bundle", "--json"]).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let file = answer["file"].as_str().unwrap();
    assert!(file.starts_with("stockrelay-gateway-"), "{file}");
    let files = unpack(&gateway.path(file));
    assert_eq!(files.len(), answer["contents"].as_array().unwrap().len());
    assert!(
        files["check.json"].contains("site"),
        "{}",
        files["check.json"]
    );
    assert!(
        files["status.json"].contains("no daemon answers"),
        "{}",
        files["status.json"]
    );
}
