//! A configuration with a fault does not stop the site: the daemon uses the last good
//! configuration, and log, alarm and `check` report it.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use stockrelay::clock;
use stockrelay::view::client::Client;

use crate::process::command;

const SOON: Duration = Duration::from_secs(20);

struct Site {
    dir: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let site = Self { dir };
        site.write(
            "config.toml",
            "site = \"ams1\"\ndata_dir = \"data\"\n\
             [mqtt.listen]\naddress = \"127.0.0.1:0\"\nanonymous = true\n\
             [odoo]\nurl = \"http://127.0.0.1:9\"\ndatabase = \"none\"\napi_key_file = \"odoo.key\"\n\
             [control]\nsocket = \"control.sock\"\n",
        );
        site.write("odoo.key", "0123456789abcdef-the-key");
        fs::create_dir(site.path("config.d")).unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    /// Starts the daemon, asks for its status and stops it; also what it wrote to its log.
    async fn run(&self) -> (Value, String) {
        let mut child = command(self.dir.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let status = self.status(&mut child).await;
        // People see it by the commands, which read the same configuration.
        let shown = Command::new(env!("CARGO_BIN_EXE_stockrelay"))
            .args(["--config", "config.toml", "status"])
            .current_dir(self.dir.path())
            .output()
            .unwrap();
        assert!(shown.status.success(), "{shown:?}");
        // It keeps the configuration as soon as it runs.
        let kept = self.path("data/last-config.toml");
        let begun = clock::instant();
        while !kept.exists() {
            assert!(begun.elapsed() < SOON, "no {}", kept.display());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        let ended = tokio::task::block_in_place(|| child.wait_with_output()).unwrap();
        let log = String::from_utf8(ended.stderr).unwrap();
        assert!(ended.status.success(), "{log}");
        (status, log)
    }

    async fn status(&self, child: &mut Child) -> Value {
        let client = Client::new(&self.path("control.sock"));
        let begun = clock::instant();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("it has ended: {status}");
            }
            if let Ok(status) = client.get::<Value>("/v1/status").await {
                return status;
            }
            assert!(begun.elapsed() < SOON, "no status");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The alarm of the daemon, as soon as it is on.
    async fn alarm(&self, code: &str) -> String {
        let mut child = command(self.dir.path()).spawn().unwrap();
        let begun = clock::instant();
        let alarm = loop {
            let status = self.status(&mut child).await;
            if let Some(alarm) = status["alarms"][code].as_str() {
                break alarm.to_owned();
            }
            assert!(begun.elapsed() < SOON, "no alarm {code}: {status}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        tokio::task::block_in_place(|| child.wait()).unwrap();
        alarm
    }

    fn ends(&self) -> Output {
        command(self.dir.path())
            .stderr(Stdio::piped())
            .output()
            .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_file_in_config_d_does_not_stop_the_site_at_the_next_restart() {
    let site = Site::new();
    site.write("config.d/10-orders.toml", "orders.blind_receipts = true\n");
    let (status, _) = site.run().await;
    assert!(status["alarms"]["configuration"].is_null(), "{status}");
    let kept = fs::read_to_string(site.path("data/last-config.toml")).unwrap();
    assert!(!kept.contains("0123456789abcdef"), "{kept}");

    // A typo, a wrong value, broken syntax, a file that nobody can read as text.
    let faults: [(&[u8], &str, &str); 4] = [
        (
            b"# rules\norders.blind_recepts = true\n",
            ":2: ",
            "orders.blind_recepts",
        ),
        (b"site = 12\n", ":1: ", "in quotes: site = \"12\""),
        (
            b"[orders]\nblind_receipts = yes\n",
            ":2:18: ",
            "a syntax error",
        ),
        (b"site = \"\xff\"\n", ": ", "UTF-8"),
    ];
    for (content, line, fault) in faults {
        fs::write(site.path("config.d/10-orders.toml"), content).unwrap();
        let (status, log) = site.run().await;
        assert_eq!(status["site"], "ams1");
        let alarm = status["alarms"]["configuration"].as_str();
        let alarm = alarm.unwrap_or_else(|| panic!("no alarm: {status}"));
        for text in [alarm, &log] {
            let place = format!("config.d/10-orders.toml{line}");
            assert!(text.contains(&place), "{place} in {text}");
            assert!(text.contains(fault), "{text}");
            assert!(text.contains("last-config.toml"), "{text}");
        }
    }

    site.write("config.d/10-orders.toml", "orders.blind_receipts = false\n");
    let (status, _) = site.run().await;
    assert!(status["alarms"]["configuration"].is_null(), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_main_file_does_not_stop_the_site_either() {
    let site = Site::new();
    site.run().await;
    let main = fs::read_to_string(site.path("config.toml")).unwrap();
    site.write("config.toml", &main.replace("[odoo]", "[odoo"));
    let (status, _) = site.run().await;
    let alarm = status["alarms"]["configuration"].as_str().unwrap();
    assert!(alarm.contains("config.toml:6:6: "), "{alarm}");
}

/// Files and addresses that a new configuration names and the daemon cannot open.
const UNUSABLE: [(&str, &str); 4] = [
    ("mqtt.listen.devices = \"gone.toml\"\n", "gone.toml"),
    (
        "mqtt.listen.tls_cert = \"gone.pem\"\nmqtt.listen.tls_key = \"gone.key\"\n",
        "gone.pem",
    ),
    ("scanners = \"gone.toml\"\n", "gone.toml"),
    ("mqtt.listen.address = \"TAKEN\"\n", "cannot listen on"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_file_in_config_d_with_which_the_gateway_cannot_start_does_not_stop_the_site() {
    let site = Site::new();
    site.run().await;
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap().to_string();
    for (content, fault) in UNUSABLE {
        site.write("config.d/10-new.toml", &content.replace("TAKEN", &taken));
        let (status, log) = site.run().await;
        let alarm = status["alarms"]["configuration"].as_str();
        let alarm = alarm.unwrap_or_else(|| panic!("no alarm: {status}"));
        for text in [alarm, &log] {
            assert!(text.contains(fault), "{text}");
            assert!(text.contains("last-config.toml"), "{text}");
            assert!(text.contains("correct the fault"), "{text}");
        }
    }
    // What is mended is used.
    site.write("gone.toml", "");
    site.write("config.d/10-new.toml", UNUSABLE[0].0);
    let (status, _) = site.run().await;
    assert!(status["alarms"]["configuration"].is_null(), "{status}");
    let kept = fs::read_to_string(site.path("data/last-config.toml")).unwrap();
    assert!(kept.contains("gone.toml"), "{kept}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_in_a_list_of_devices_or_scanners_does_not_stop_a_gateway_that_has_run() {
    let entry = "[devices.pda-07]\nenabled = false\n";
    for (key, file, right, wrong, alarm) in [
        (
            "mqtt.listen.devices",
            "devices.toml",
            entry,
            [entry, entry].concat(),
            "devices-file",
        ),
        (
            "scanners",
            "scanners.toml",
            "",
            "[[".into(),
            "scanners-file",
        ),
    ] {
        let site = Site::new();
        site.write("config.d/10.toml", &format!("{key} = \"{file}\"\n"));
        site.write(file, right);
        let (status, _) = site.run().await;
        assert!(status["alarms"][alarm].is_null(), "{status}");
        site.write(file, &wrong);
        let (status, log) = site.run().await;
        let told = status["alarms"][alarm].as_str();
        let told = told.unwrap_or_else(|| panic!("no alarm {alarm}: {status}"));
        assert!(told.contains(file) && log.contains(file), "{told} {log}");
        if file == "devices.toml" {
            let twice = "pda-07 is there twice, in lines 1 and 3";
            assert!(told.contains(twice), "{told}");
        }
        fs::remove_file(site.path(file)).unwrap();
        let (status, _) = site.run().await;
        assert!(!status["alarms"][alarm].is_null(), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_ask_the_daemon_that_runs_with_the_last_configuration() {
    let site = Site::new();
    site.run().await;
    let new = format!("{}control.socket = \"other.sock\"\n", UNUSABLE[0].0);
    site.write("config.d/10-new.toml", &new);
    // It asks for the status by the command.
    let (status, _) = site.run().await;
    assert!(!status["alarms"]["configuration"].is_null(), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_run_before_is_tried_again_and_what_never_ran_waits_for_a_person() {
    let site = Site::new();
    site.write(
        "config.d/10-new.toml",
        "[mqtt.broker]\nurl = \"mqtt://127.0.0.1:9\"\nusername = \"u\"\npassword_file = \"gone.txt\"\n",
    );
    let ended = site.ends();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(64), "{said}");
    assert!(said.contains("gone.txt"), "{said}");

    site.write("gone.txt", "secret");
    site.run().await;
    // As while the file system with the password is not mounted.
    fs::remove_file(site.path("gone.txt")).unwrap();
    let ended = site.ends();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("gone.txt"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_in_use_is_tried_again_also_at_the_first_start() {
    let site = Site::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    site.write(
        "config.d/10-new.toml",
        &format!("mqtt.listen.address = \"{address}\"\n"),
    );
    let ended = site.ends();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot listen on"), "{said}");
}

#[test]
fn a_fault_at_the_first_start_ends_with_64() {
    let site = Site::new();
    site.write("config.d/10.toml", "odoo.urll = 1\n");
    let ended = site.ends();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(64), "{said}");
    assert!(said.contains("config.d/10.toml:1: odoo.urll"), "{said}");
}

#[test]
fn systemd_does_not_start_it_for_ever_when_only_a_person_can_help() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let unit = fs::read_to_string(root.join("systemd/stockrelay.service")).unwrap();
    assert!(
        unit.lines()
            .any(|line| line == "RestartPreventExitStatus=64 65"),
        "{unit}"
    );
    let help = Command::new(env!("CARGO_BIN_EXE_stockrelay"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.contains("65 the journal is damaged"), "{help}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_is_gone_or_empty_where_the_gateway_ran_before_is_an_alarm() {
    let site = Site::new();
    let (status, _) = site.run().await;
    assert!(status["alarms"]["journal-new"].is_null(), "{status}");
    let journal = site.path("data/journal.redb");
    for is_empty in [false, true] {
        if is_empty {
            fs::write(&journal, "").unwrap();
        } else {
            fs::remove_file(&journal).unwrap();
        }
        // It is still told at the next start.
        for _ in 0..2 {
            let alarm = site.alarm("journal-new").await;
            assert!(alarm.contains("are parked as maybe-posted"), "{alarm}");
        }
    }
}
