//! A confirmed or watched bundle outlives faults of the local files, a changed group, damage on the
//! disk, and a port that is in use for a moment.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::{Gateway, STRICT};
use crate::process::command;

/// The bundle in `config` that runs.
fn runs(config: &serde_json::Value) -> (&str, Option<u64>, Option<&str>) {
    let origin = config["origin"].as_str().unwrap();
    (origin, config["serial"].as_u64(), config["name"].as_str())
}

impl Gateway {
    fn end(&mut self) {
        self.signal(Signal::TERM);
        self.child.wait().unwrap();
    }

    /// The folder of bundle 7.
    fn set(&self) -> std::path::PathBuf {
        let sets = std::fs::read_dir(self.site.path("data/fleet/sets")).unwrap();
        let mut sets = sets.map(|entry| entry.unwrap().path());
        sets.find(|path| {
            path.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("7-")
        })
        .unwrap()
    }

    /// Takes the port of the front door.
    fn take_port(&self) -> TcpListener {
        let main = std::fs::read_to_string(self.site.path("config.toml")).unwrap();
        let line = main
            .lines()
            .find_map(|line| line.strip_prefix("mqtt.listen.address = "));
        TcpListener::bind(line.unwrap().trim_matches('"')).unwrap()
    }

    /// Starts the process, which must end with exit code 1.
    fn fail_to_start(&mut self) {
        self.child = command(self.site.dir.path()).spawn().unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(1));
    }
}

const BUNDLE_7: (&str, Option<u64>, Option<&str>) = ("bundle", Some(7), Some("bundle 7"));

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_after_a_corrected_local_fault_runs_the_confirmed_bundle() {
    let mut gateway = Gateway::start(1).await;
    let bundle = gateway.bundle(7, "ams1", &[STRICT]);
    assert_eq!(gateway.apply(&bundle, &[]).0, 0);
    gateway.end();
    gateway
        .site
        .write("config.d/90.toml", "odoo.timeout_s = \"many\"\n");
    gateway.restart().await;
    // The last good configuration has the values of the bundle.
    assert_eq!(gateway.value("capture.check").await["value"], "strict");
    assert_eq!(runs(&gateway.config().await), BUNDLE_7);
    let reload = gateway.run(&["config", "reload"]);
    assert!(!reload.status.success(), "{reload:?}");
    assert_eq!(gateway.value("capture.check").await["value"], "strict");

    gateway
        .site
        .write("config.d/90.toml", "odoo.timeout_s = 33\n");
    let reload = gateway.run(&["config", "reload"]);
    assert!(reload.status.success(), "{reload:?}");
    assert_eq!(gateway.value("odoo.timeout_s").await["value"], 33);
    let check = gateway.value("capture.check").await;
    assert_eq!(check["value"], "strict");
    assert!(
        check["origin"].as_str().unwrap().contains("bundle 7"),
        "{check}"
    );
    assert_eq!(runs(&gateway.config().await), BUNDLE_7);
    gateway
        .until("no alarm", |status| {
            let alarms = &status["alarms"];
            alarms["configuration"].is_null() && alarms["bundle-not-loaded"].is_null()
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_with_the_last_good_configuration_of_local_files_shows_no_bundle() {
    let mut gateway = Gateway::start(1).await;
    gateway.end();
    gateway
        .site
        .write("config.d/90.toml", "odoo.timeout_s = \"many\"\n");
    gateway.restart().await;
    assert_eq!(runs(&gateway.config().await), ("files", None, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirmed_bundle_outlives_another_group_and_damaged_files() {
    let mut gateway = Gateway::start_with(1, "group = \"nl\"\n").await;
    let of_nl = ("groups/nl/config.d/60.toml", "odoo.timeout_s = 21\n");
    let of_be = ("groups/be/config.d/60.toml", "odoo.timeout_s = 22\n");
    let bundle = gateway.bundle(7, "ams1", &[STRICT, of_nl, of_be]);
    assert_eq!(gateway.apply(&bundle, &[]).0, 0);
    assert_eq!(gateway.value("odoo.timeout_s").await["value"], 21);
    gateway.end();
    let extra = "[fleet]\nwatch_s = 1\nquiet_s = 0\ngroup = \"be\"\n";
    gateway.site.write("config.d/50.toml", extra);
    gateway.restart().await;
    assert_eq!(runs(&gateway.config().await), BUNDLE_7);
    assert_eq!(gateway.value("odoo.timeout_s").await["value"], 22);

    gateway.end();
    std::fs::write(gateway.set().join(STRICT.0), "damaged").unwrap();
    gateway.restart().await;
    assert_eq!(runs(&gateway.config().await), BUNDLE_7);
    assert_eq!(gateway.value("capture.check").await["value"], "strict");

    // Damage to the stored bundle, too, is repaired when the bundle comes again.
    gateway.end();
    let stored = gateway
        .set()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    gateway
        .site
        .write(&format!("data/fleet/bundles/{stored}.bundle"), "damaged");
    gateway.restart().await;
    assert_eq!(runs(&gateway.config().await), ("files", None, None));
    let (code, text) = gateway.apply(&bundle, &[]);
    assert_eq!(code, 0, "{text}");
    gateway
        .until("bundle 7", |status| status["config"]["serial"] == 7)
        .await;
    assert_eq!(gateway.value("capture.check").await["value"], "strict");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_is_in_use_for_a_moment_ends_no_bundle() {
    let mut gateway = Gateway::start(3).await;
    let bundle = gateway.bundle(7, "ams1", &[STRICT]);
    gateway.apply(&bundle, &["--no-wait"]);
    gateway.until_state("watching").await;
    gateway.end();
    let port = gateway.take_port();
    for _ in 0..3 {
        gateway.fail_to_start();
    }
    drop(port);
    gateway.restart().await;
    assert_eq!(gateway.until_ended(7).await["outcome"], "confirmed");
    assert_eq!(gateway.value("capture.check").await["value"], "strict");

    // The same with a confirmed one.
    gateway.end();
    let port = gateway.take_port();
    gateway.fail_to_start();
    drop(port);
    gateway.restart().await;
    assert_eq!(runs(&gateway.config().await), BUNDLE_7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watched_bundle_whose_own_port_is_in_use_at_a_start_is_rolled_back() {
    let mut gateway = Gateway::start(20).await;
    let address = crate::free_address::free_address();
    let door = format!("mqtt.listen.address = \"{address}\"\n");
    let bundle = gateway.bundle(7, "ams1", &[("config.d/50.toml", &door)]);
    gateway.apply(&bundle, &["--no-wait"]);
    gateway.until_state("watching").await;
    gateway.end();
    let _port = TcpListener::bind(address).unwrap();
    gateway.restart().await;
    let last = gateway.until_ended(7).await;
    assert_eq!(last["outcome"], "rolled-back", "{last}");
    assert_eq!(gateway.config().await["origin"], "files");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_command_says_that_the_gateway_continues() {
    let gateway = Gateway::start(2).await;
    let bundle = gateway.bundle(7, "ams1", &[STRICT]);
    std::fs::write(gateway.site.path("7.bundle"), bundle).unwrap();
    let mut apply = Command::new(env!("CARGO_BIN_EXE_stockrelay"));
    apply.args(["--config", "config.toml", "config", "apply", "7.bundle"]);
    apply.current_dir(gateway.site.dir.path());
    let apply = apply.stdout(Stdio::piped()).spawn().unwrap();
    gateway.until_state("watching").await;
    let pid = Pid::from_raw(i32::try_from(apply.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let output = tokio::task::block_in_place(|| apply.wait_with_output().unwrap());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(130), "{text}");
    assert!(
        text.contains("The gateway continues with bundle 7: "),
        "{text}"
    );
    assert_eq!(gateway.until_ended(7).await["outcome"], "confirmed");
}
