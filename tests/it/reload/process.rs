//! The daemon as a process: SIGHUP, the command, several requests at once, and the log.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use stockrelay::clock;
use stockrelay::view::client::Client;

use super::site::{Device, PATIENCE, Site};
use crate::process::command;

struct Process {
    site: Site,
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
}

impl Process {
    async fn start(extra: &str) -> Self {
        let site = Site::build("", extra).await;
        let command = command(site.dir.path());
        Self::spawn(site, command).await
    }

    async fn spawn(site: Site, mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                shared.lock().unwrap().push(line);
            }
        });
        let process = Self { site, child, log };
        process.until("it answers", |_| true).await;
        // As soon as it takes signals, it has stored its configuration.
        process
            .until_file("data/last-config.toml", "documents.idle_s")
            .await;
        process
    }

    fn client(&self) -> Client {
        Client::new(&self.site.path("control.sock"))
    }

    fn hang_up(&self) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::HUP).unwrap();
    }

    async fn until(&self, what: &str, so: impl Fn(&Value) -> bool) -> Value {
        let begun = clock::instant();
        loop {
            let answer = self.client().get::<Value>("/v1/status").await;
            match answer {
                Ok(status) if so(&status) => return status,
                answer => assert!(begun.elapsed() < PATIENCE, "never: {what}: {answer:?}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn until_file(&self, name: &str, part: &str) {
        let begun = clock::instant();
        let has = |path: &Path| std::fs::read_to_string(path).is_ok_and(|text| text.contains(part));
        while !has(&self.site.path(name)) {
            assert!(begun.elapsed() < PATIENCE, "never in {name}: {part}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_stockrelay"))
            .args(["--config", "config.toml"])
            .args(arguments)
            .current_dir(self.site.dir.path())
            .output()
            .unwrap()
    }

    fn count_lines(&self, part: &str) -> usize {
        let log = self.log.lock().unwrap();
        log.iter().filter(|line| line.contains(part)).count()
    }

    /// The address of `config.toml`.
    fn address(&self) -> std::net::SocketAddr {
        let main = std::fs::read_to_string(self.site.path("config.toml")).unwrap();
        let main: toml::Table = main.parse().unwrap();
        main["mqtt"]["listen"]["address"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sighup_reloads_and_the_next_start_can_use_the_new_configuration() {
    let process = Process::start("").await;
    let before = process.until("it runs", |_| true).await["config"]["hash"].clone();
    process.site.write(
        "config.d/50.toml",
        "log.level = \"debug\"\nstock.negative = \"allow\"\n",
    );
    process.hang_up();
    let status = process
        .until("another hash", |status| status["config"]["hash"] != before)
        .await;
    assert_eq!(status["config"]["origin"], "files");
    process.until_file("data/last-config.toml", "allow").await;
    // The new level, and back; then JSON.
    let debug = |process: &Process| process.count_lines("DEBUG");
    let mut device = Device::connect(process.address(), "pda-1").await;
    device.publish("state", "{}").await;
    let begun = clock::instant();
    while debug(&process) == 0 {
        assert!(begun.elapsed() < PATIENCE, "no line of the level debug");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    process.site.write(
        "config.d/50.toml",
        "log.json = true\nstock.negative = \"warn\"\n",
    );
    let reloaded = process.run(&["config", "reload"]);
    assert!(reloaded.status.success(), "{reloaded:?}");
    let told = String::from_utf8(reloaded.stdout).unwrap();
    let expected = "The gateway runs with new values of: log.json, log.level, stock.negative\n";
    assert_eq!(told, expected);
    process.site.write(
        "config.d/50.toml",
        "log.json = true\nstock.negative = \"refuse\"\n",
    );
    process.hang_up();
    let begun = clock::instant();
    while process.count_lines("{\"timestamp\"") == 0 {
        assert!(begun.elapsed() < PATIENCE, "no line of JSON");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_prints_every_fault_and_status_has_them() {
    let process = Process::start("").await;
    process
        .site
        .write("config.d/50.toml", "capture.chek = 1\nodoo.timeout_s = 0\n");
    let refused = process.run(&["config", "reload"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let told = String::from_utf8(refused.stderr).unwrap();
    let shown = process.run(&["status"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    for text in [&told, &shown] {
        for part in ["50.toml:1: capture.chek", "50.toml:2: odoo.timeout_s"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
    assert!(shown.contains("config     "), "{shown}");
    assert!(shown.contains(" from files since 20"), "{shown}");
    // The answer of the API has the faults one by one.
    let error = process
        .client()
        .post::<Value>("/v1/config/reload", &json!({}))
        .await;
    let error = error.unwrap_err();
    let stockrelay::view::client::ClientError::Refused { status, refusal } = error else {
        panic!("{error}")
    };
    assert_eq!((status.as_u16(), refusal.faults.len()), (422, 2));
    process.site.write("config.d/50.toml", "");
    assert!(process.run(&["config", "reload"]).status.success());
    let status = process.until("it runs", |_| true).await;
    assert_eq!(status["alarms"]["configuration"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_reloads_at_once_end_with_the_last_files() {
    let process = Process::start("").await;
    let device = Device::connect(process.address(), "pda-1").await;
    let publishing = tokio::spawn(device.publish_all(100, Duration::from_millis(20)));
    let mut requests = tokio::task::JoinSet::new();
    for number in 0..40_u32 {
        let extra = format!("documents.lines_max = {}\n", 10 + number);
        process.site.write("config.d/50.toml", &extra);
        for _ in 0..20 {
            process.hang_up();
        }
        let client = process.client();
        requests.spawn(async move { client.post::<Value>("/v1/config/reload", &json!({})).await });
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    while let Some(answer) = requests.join_next().await {
        answer.unwrap().unwrap();
    }
    let longest = publishing.await.unwrap();
    assert!(longest < Duration::from_secs(1), "{longest:?}");
    let effective: Value = process.client().get("/v1/config/effective").await.unwrap();
    assert_eq!(effective["keys"]["documents.lines_max"]["value"], 49);
    process
        .until("all events are stored", |status| {
            status["events"]["stored"] == 100
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn systemd_learns_when_a_reload_begins_and_ends() {
    let site = Site::build("", "").await;
    let path = site.path("notify.sock");
    let socket = tokio::net::UnixDatagram::bind(&path).unwrap();
    let mut command = command(site.dir.path());
    command.env("NOTIFY_SOCKET", &path);
    let process = Process::spawn(site, command).await;
    let next = async || {
        let mut buffer = [0; 256];
        let received = socket.recv(&mut buffer);
        let count = tokio::time::timeout(PATIENCE, received)
            .await
            .unwrap()
            .unwrap();
        String::from_utf8_lossy(&buffer[..count]).into_owned()
    };
    assert_eq!(next().await.trim_end(), "READY=1");
    process.hang_up();
    // sd_notify(3): both in one message, in microseconds of CLOCK_MONOTONIC.
    let begin = next().await;
    let (reloading, at) = begin.trim_end().split_once('\n').unwrap();
    assert_eq!(reloading, "RELOADING=1");
    let at: u64 = at.strip_prefix("MONOTONIC_USEC=").unwrap().parse().unwrap();
    assert!(at > 0);
    assert_eq!(next().await.trim_end(), "READY=1");
}
