//! The commands as central IT uses them: in a terminal, and with a client certificate.

use super::*;
use crate::broker::write_certificates;

/// A terminal with 80 columns and 24 rows, made by tmux.
struct Screen {
    /// Its server is its own: an earlier one may still be ending.
    dir: TempDir,
}

impl Screen {
    /// Runs a command, then prints its exit code.
    fn run(office: &Office, arguments: &[&str]) -> Self {
        let screen = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        let program = env!("CARGO_BIN_EXE_stockrelay");
        let line = format!(
            "{program} {} --config config.toml; echo \"code $?\"; read end",
            arguments.join(" ")
        );
        let size = ["-x", "80", "-y", "24", "-c"];
        let new = [&["new-session", "-d"][..], &size].concat();
        let mut command = screen.tmux(&new);
        let started = command.arg(office.dir.path()).arg(line).status().unwrap();
        assert!(started.success(), "{started}");
        screen
    }

    fn tmux(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(self.dir.path().join("server"));
        command.args(["-f", "/dev/null"]);
        command.args(arguments);
        command
    }

    /// What the screen shows, with what has left it at the top.
    fn text(&self) -> String {
        let output = self.tmux(&["capture-pane", "-p", "-S", "-"]).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    }

    async fn until(&self, part: &str) -> String {
        until(part, || self.text().contains(part)).await;
        self.text()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        drop(self.tmux(&["kill-server"]).status());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto and tmux: apt-get install mosquitto tmux, then cargo test -- --ignored fleet_commands"]
async fn a_watch_in_a_terminal_is_drawn_over_its_last_frame() {
    let mut mosquitto = Mosquitto::plain().await;
    let office = Office::plain(&mosquitto);
    let mut gateways = Gateways::new(&mosquitto).await;
    office.bundle("autumn", 42, CAPTURE);
    office.ends(&["fleet", "push", "autumn.bundle"], 0);
    for site in ["a1", "a2", "a3", "b1"] {
        gateways.state(site, 42, "waiting").await;
    }
    let watch = [
        "fleet",
        "watch",
        "42",
        "--max-failed",
        "0.5",
        "--sign",
        "anna.key",
    ];
    let screen = Screen::run(&office, &watch);
    screen.until("\nring  due").await;
    let reason = "the link to Odoo is held";
    gateways.ended("a1", 42, "rolled-back", reason).await;
    gateways.state("a2", 42, "watching").await;
    let text = screen
        .until("a1 (ring 1) rolled-back: the link to Odoo is held")
        .await;
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 5, "one frame: {text}");
    assert!(lines[0].starts_with("bundle 42 (autumn), "), "{text}");
    assert_eq!(
        lines[1],
        "ring  due          sites  waiting  applied  confirmed  failed  away  newer"
    );
    let counts = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        counts(lines[2]),
        ["1", "now", "4", "2", "1", "0", "1", "0", "0"],
        "{text}"
    );
    assert_eq!(counts(lines[3])[..2], ["2", "in"], "{text}");
    // A note about the connection replaces the frame, and the next frame follows it.
    mosquitto.restart().await;
    screen.until("connected again").await;
    let mut gateways = Gateways::new(&mosquitto).await;
    for site in ["a2", "a3", "b1"] {
        gateways.ended(site, 42, "confirmed", "").await;
    }
    let text = screen.until("code ").await;
    assert!(
        text.contains("all gateways have ended, and 1 failed; "),
        "{text}"
    );
    assert!(text.contains("\ncode 3\n"), "{text}");
    assert_eq!(text.matches("\nring  due").count(), 1, "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto and tmux: apt-get install mosquitto tmux, then cargo test -- --ignored fleet_commands"]
async fn a_watch_in_a_terminal_ends_with_the_code_of_the_rollout() {
    let mosquitto = Mosquitto::plain().await;
    let office = Office::plain(&mosquitto);
    let mut gateways = Gateways::new(&mosquitto).await;
    office.bundle("autumn", 42, CAPTURE);
    office.ends(&["fleet", "push", "autumn.bundle"], 0);
    let watch = ["fleet", "watch", "42", "--sign", "anna.key"];
    let code = |arguments: Vec<&'static str>, text: &'static str, code: u8| {
        let office = &office;
        async move {
            let screen = Screen::run(office, &arguments);
            let shown = screen.until("\ncode ").await;
            assert!(shown.contains(&format!("\ncode {code}\n")), "{shown}");
            assert!(shown.contains(text), "{shown}");
        }
    };
    for site in ["a1", "a2"] {
        gateways.ended(site, 42, "confirmed", "").await;
    }
    code(watch.to_vec(), "has confirmed the bundle", 0).await;
    gateways
        .ended("a1", 42, "refused", "no such credential")
        .await;
    code(watch.to_vec(), "is stopped (count ", 1).await;
    let other = ["fleet", "watch", "43", "--sign", "anna.key"];
    code(other.to_vec(), "no bundle with serial 43", 2).await;
    let nowhere = [&watch[..], &["--broker", "mqtt://127.0.0.1:1"]].concat();
    code(nowhere, "--broker", 69).await;
    office.write("config.toml", "[fleet]\nbrokr = \"mqtts://it.example\"\n");
    code(watch.to_vec(), "fleet.broker", 64).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: apt-get install mosquitto, then cargo test -- --ignored fleet_commands"]
async fn the_commands_show_a_client_certificate_to_a_broker_that_asks() {
    let settings = "cafile DIR/ca.pem\ncertfile DIR/server.pem\nkeyfile DIR/server.key\n\
                    require_certificate true\nallow_anonymous true";
    let mosquitto = Mosquitto::start(settings, write_certificates).await;
    let file = |name: &str| mosquitto.dir.path().join(name).display().to_string();
    let url = format!("mqtts://localhost:{}", mosquitto.port);
    let (ca, cert, key) = (file("ca.pem"), file("client.pem"), file("client.key"));
    let office = Office::new(&format!(
        "broker = \"{url}\"\nca = \"{ca}\"\nclient_cert = \"{cert}\"\nclient_key = \"{key}\""
    ));
    office.bundle("autumn", 42, CAPTURE);
    office.ends(&["fleet", "push", "autumn.bundle"], 0);
    let stop = [
        "fleet", "stop", "42", "--reason", "a test", "--sign", "anna.key",
    ];
    office.ends(&stop, 0);
    office.ends(&["fleet", "status"], 0);
    let watch = ["fleet", "watch", "42", "--sign", "anna.key"];
    let out = office.ends(&watch, 1);
    assert!(out.contains("is stopped (count "), "{out}");
    let resume = [
        "fleet", "resume", "42", "--sign", "anna.key", "--sign", "ben.key",
    ];
    office.ends(&resume, 0);
    // The same by arguments, then without the certificate, and without the authority.
    office.write("config.toml", "");
    let named = ["fleet", "status", "--broker", &url, "--ca", &ca];
    let all = [&named[..], &["--cert", &cert, "--key-file", &key]].concat();
    office.ends(&all, 0);
    let out = office.ends(&named, 69);
    assert!(out.contains("--cert"), "{out}");
    let foreign = [
        "fleet",
        "status",
        "--broker",
        &url,
        "--cert",
        &cert,
        "--key-file",
        &key,
    ];
    let out = office.ends(&foreign, 69);
    assert!(out.contains("--ca"), "{out}");
}
