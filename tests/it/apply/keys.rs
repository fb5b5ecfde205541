//! The trusted keys change by a bundle that the old and the new threshold signed.

use bytes::Bytes;
use serde_json::Value;

use super::{Gateway, Key, STRICT, key, make};

const REST: &str = "expires = \"2096-01-01T00:00:00Z\"\n[targets]\nall = true\n";

impl Gateway {
    #[track_caller]
    fn confirm(&self, bundle: &Bytes) {
        let (code, text) = self.apply(bundle, &[]);
        assert_eq!(code, 0, "{text}");
    }

    /// The gateway refuses the bundle before anything else, and runs as before.
    async fn refuse(&self, bundle: Bytes, reason: &str) {
        let before = self.config().await;
        let error = self.post(bundle).await.unwrap_err().to_string();
        assert!(error.contains(reason), "{reason}: {error}");
        self.until(reason, |status| {
            let alarm = status["alarms"]["bundle-rejected"].as_str();
            alarm.is_some_and(|alarm| alarm.contains(reason))
        })
        .await;
        let after = self.config().await;
        let of = |config: &Value| (config["hash"].clone(), config["serial"].clone());
        assert_eq!(of(&after), of(&before));
    }
}

fn signed(serial: u64, keys: &[&Key]) -> Bytes {
    let value = format!("odoo.timeout_s = {serial}\n");
    make(serial, REST, &[STRICT, ("config.d/60.toml", &value)], keys)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_change_of_keys_only_the_new_key_counts_also_after_a_restart() {
    let mut gateway = Gateway::start(1).await;
    let (ben, anna) = (key("ben"), &gateway.key);
    let trust = format!("version = 2\nthreshold = 1\n{}", ben.entry);
    let files = [STRICT, ("trust.toml", trust.as_str())];
    // Neither threshold alone suffices.
    gateway
        .refuse(make(31, REST, &files, &[anna]), "trust.toml")
        .await;
    gateway
        .refuse(make(31, REST, &files, &[&ben]), "unknown-key")
        .await;
    gateway.confirm(&make(31, REST, &files, &[anna, &ben]));
    gateway.refuse(signed(32, &[anna]), "unknown-key").await;
    gateway.confirm(&signed(33, &[&ben]));
    assert_eq!(gateway.value("odoo.timeout_s").await["value"], 33);

    gateway.stop_and_start().await;
    let anna = &gateway.key;
    gateway.refuse(signed(34, &[anna]), "unknown-key").await;
    gateway.confirm(&signed(35, &[&ben]));
    // A trust.toml of a lower version does not bring the old key back.
    let old = format!("version = 1\nthreshold = 1\n{}{}", ben.entry, anna.entry);
    let files = [STRICT, ("trust.toml", old.as_str())];
    gateway
        .refuse(make(36, REST, &files, &[&ben]), "version")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_change_of_keys_leaves_the_installed_keys_and_the_running_bundle() {
    let mut gateway = Gateway::start(1).await;
    let ben = key("ben");
    let trust = format!("version = 2\nthreshold = 1\n{}", ben.entry);
    let files = [STRICT, ("trust.toml", trust.as_str())];
    gateway.confirm(&make(31, REST, &files, &[&gateway.key, &ben]));
    gateway.signal(rustix::process::Signal::TERM);
    gateway.child.wait().unwrap();
    let link = gateway.site.path("data/fleet/trust/2");
    let mut bytes = std::fs::read(&link).unwrap();
    let half = bytes.len() / 2;
    bytes[half] ^= 1;
    bytes.truncate(half + 1);
    std::fs::write(&link, bytes).unwrap();
    gateway.restart().await;
    assert_eq!(gateway.config().await["serial"], 31);
    assert_eq!(gateway.value("capture.check").await["value"], "strict");
    gateway.refuse(signed(32, &[&ben]), "unknown-key").await;
    let remark = "A change of trusted keys in data_dir is damaged";
    gateway.refuse(signed(32, &[&ben]), remark).await;
    // The way out: a bundle with the keys, signed by the old threshold and the new one.
    gateway.confirm(&make(33, REST, &files, &[&gateway.key, &ben]));
    gateway.confirm(&signed(34, &[&ben]));
}
