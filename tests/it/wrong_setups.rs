//! Wrong set-ups: `check` and `run` name the same fault and the same remedy. A snapshot for each
//! has what a person reads.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use regex_lite::Regex;
use serde_json::Value;
use stockrelay::clock;
use stockrelay::demo::odoo::{API_KEY, DATABASE, Seed, StandIn};
use stockrelay::source::devices::hash_password;
use stockrelay::view::client::Client;

use crate::commands;
use crate::free_address::free_address;

mod cases;
mod shim;

const SOON: Duration = Duration::from_secs(30);
/// What depends on the machine that runs the tests, not on the set-up.
const OF_THE_MACHINE: [&str; 5] = ["user", "groups", "clock.source", "disk", "daemon"];

/// A gateway that is in order, until a case breaks it.
pub struct Site {
    dir: tempfile::TempDir,
    pub odoo: StandIn,
    /// The user that the commands run as. `None`: the one that runs this test.
    user: Option<u32>,
    /// The environment of the commands.
    pub environment: Vec<(&'static str, String)>,
    /// The findings about the disk count.
    pub shows_disk: bool,
}

impl Site {
    pub async fn new() -> Self {
        let seed = Seed {
            bins: 2,
            products: 2,
        };
        let odoo = StandIn::start(seed, Duration::ZERO).await.unwrap();
        let site = Self {
            dir: tempfile::tempdir().unwrap(),
            odoo,
            user: None,
            environment: Vec::new(),
            shows_disk: false,
        };
        let config = format!(
            "site = \"ams1\"\ndata_dir = \"data\"\n\
             [mqtt.listen]\naddress = \"{}\"\ndevices = \"devices.toml\"\n\
             [odoo]\nurl = \"{}\"\ndatabase = \"{DATABASE}\"\nwarehouse = \"WH\"\napi_key_file = \"odoo.key\"\n\
             [control]\nsocket = \"control.sock\"\n",
            free_address(),
            site.odoo.url(),
        );
        site.write("config.toml", &config);
        let hash = hash_password(b"secret");
        let devices = format!("[devices.pda-07]\npassword = \"{hash}\"\n");
        site.write("devices.toml", &devices);
        site.write("odoo.key", API_KEY);
        site.set_mode("odoo.key", 0o600);
        site
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), PermissionsExt::from_mode(mode)).unwrap();
    }

    /// Replaces a part of the configuration.
    pub fn configure(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.path("config.toml")).unwrap();
        assert!(text.contains(from), "{from}");
        self.write("config.toml", &text.replace(from, to));
    }

    /// Gives all files to a user without root's rights, who the commands run as from now on.
    /// Without them, this test's own user does.
    pub fn give_to_nobody(&mut self) {
        self.user = commands::give_to_nobody([self.dir.path()]);
    }

    pub fn command(&self, config: &str, arguments: &[&str]) -> Command {
        let mut command = commands::stockrelay_as(self.user);
        command
            .args(["--config", config])
            .args(arguments)
            .envs(self.environment.iter().cloned())
            .current_dir(self.dir.path());
        command
    }

    async fn check(&self, config: &str) -> Checked {
        let user = commands::login_name(self.user);
        let run = |json: &'static [&'static str]| {
            let arguments = [&["check", "--user", user][..], json].concat();
            commands::run(self.command(config, &arguments))
        };
        let (code, text, _) = run(&[]).await;
        let (_, answer, stderr) = run(&["--json"]).await;
        let answer: Value = serde_json::from_str(&answer)
            .unwrap_or_else(|error| panic!("{error}: {answer}{stderr}"));
        assert_eq!(answer["exit_code"], code, "{text}");
        let hidden = |finding: &Value| {
            let about = finding["about"].as_str().unwrap();
            let is_shown = about == "disk" && self.shows_disk;
            finding["level"] == "ok" || (OF_THE_MACHINE.contains(&about) && !is_shown)
        };
        let findings = answer["findings"].as_array().unwrap().clone();
        let blocks = blocks(&text);
        assert_eq!(blocks.len(), findings.len(), "{text}\n{answer}");
        let shown = blocks.into_iter().zip(findings);
        let shown = shown.filter(|(_, finding)| !hidden(finding));
        Checked {
            code,
            run: answer["run"].as_str().unwrap().to_owned(),
            shown: shown.collect(),
        }
    }

    /// Runs the daemon until it has ended or reports all `messages` at `place`: an alarm, Odoo's
    /// link in the status, or the log.
    async fn run(&self, config: &str, messages: &[(String, String)], place: &str) -> Ran {
        let log = self.path("run.log");
        let mut command = self.command(config, &["run"]);
        command.stdout(Stdio::null());
        command.stderr(fs::File::create(&log).unwrap());
        let mut child = Ended(command.spawn().unwrap());
        let client = Client::new(&self.path("control.sock"));
        let begun = clock::instant();
        loop {
            let ended = child.0.try_wait().unwrap();
            let log = fs::read_to_string(&log).unwrap();
            if let Some(status) = ended {
                let code = status.code().expect("it ended by itself");
                return Ran {
                    how: format!("ends with exit code {code}"),
                    said: (log.lines().filter(|line| !line.contains(" INFO ")))
                        .map(without_head)
                        .collect(),
                };
            }
            let status: Option<Value> = client.get("/v1/status").await.ok();
            let reported = status.as_ref().map(reported).unwrap_or_default();
            let said: Vec<_> = reported
                .into_iter()
                .chain(log.lines().map(without_head))
                .filter(|line| line.starts_with(place))
                .filter(|line| messages.iter().any(|message| is_told(line, message)))
                .collect();
            let is_complete =
                |message: &(String, String)| said.iter().any(|line| is_told(line, message));
            if !place.is_empty() && messages.iter().all(is_complete) {
                let how = "runs, and reports".to_owned();
                return Ran { how, said };
            }
            assert!(
                begun.elapsed() < SOON,
                "`run` does not report {messages:?} at {place:?}: {status:?}\n{log}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// What a person reads, without what differs from run to run.
pub fn normalise(dir: &Path, text: &str) -> String {
    let mut text = text.replace(&dir.display().to_string(), "DIR");
    for (pattern, with) in [
        (r"127\.0\.0\.1:\d\d+", "127.0.0.1:PORT"),
        (r"0\.0\.0\.0:\d+", "0.0.0.0:PORT"),
        (r"process \d+", "process PID"),
        (r"/dev/pts/\d+", "/dev/pts/N"),
        (r"1970-01-01T00:\d\d:\d\d(\.\d+)?Z", "1970-01-01T00:02:00Z"),
        (r"[\d,]+ days( \d+ hours?)?", "N days"),
        (r"has [\d.]+ [KM]?i?B free", "has N KiB free"),
        (
            r"(Name or service not known|Temporary failure in name resolution)",
            "REASON",
        ),
    ] {
        let pattern = Regex::new(pattern).unwrap();
        text = pattern.replace_all(&text, with).into_owned();
    }
    text
}

/// A process that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The findings that depend on the set-up: the text of each, and its JSON.
struct Checked {
    code: i32,
    run: String,
    shown: Vec<(String, Value)>,
}

impl Checked {
    /// Fault and remedy of each finding that failed, as `run` must report them.
    fn failures(&self) -> Vec<(String, String)> {
        let failed = self.shown.iter().map(|(_, finding)| finding);
        let failed = failed.filter(|finding| {
            // What `run` does with the faults, which `run` itself shows.
            finding["level"] == "failed" && finding["about"] != "run"
        });
        let text = |finding: &Value, part: &str| finding[part].as_str().unwrap().to_owned();
        failed
            .map(|finding| {
                let what = text(finding, "what");
                let what = what.strip_prefix("Odoo: ").unwrap_or(&what).to_owned();
                (what, text(finding, "remedy"))
            })
            .collect()
    }
}

struct Ran {
    how: String,
    said: Vec<String>,
}

/// Divides the text of `check` into its findings.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    for line in text.lines().take_while(|line| !line.is_empty()) {
        match blocks.last_mut() {
            Some(last) if line.starts_with("      ") => {
                last.push('\n');
                last.push_str(line);
            }
            _ => blocks.push(line.to_owned()),
        }
    }
    blocks
}

/// What the status reports: alarms, sources that are down, and Odoo.
fn reported(status: &Value) -> Vec<String> {
    let alarms = status["alarms"].as_object().into_iter().flatten();
    let alarms =
        alarms.filter_map(|(code, text)| Some(format!("alarm {code}: {}", text.as_str()?)));
    let odoo = status["odoo"]["detail"].as_str();
    alarms
        .chain(odoo.map(|text| format!("odoo: {text}")))
        .collect()
}

/// A line of the log without its time, level and place.
fn without_head(line: &str) -> String {
    let head = Regex::new(r"^\S+Z +(ERROR|WARN|INFO) [a-z_:]+: ").unwrap();
    head.replace(line, "log: ").into_owned()
}

/// Whether a text of the daemon has the fault and the remedy of a finding. The remedy for a value
/// begins with its key, which the daemon has before the fault.
fn is_told(said: &str, (what, remedy): &(String, String)) -> bool {
    let plain = |text: &str| {
        let digits = Regex::new(r"\d+").unwrap();
        digits.replace_all(text, "0").to_lowercase()
    };
    let remedy = remedy
        .find("accepted is")
        .map_or(remedy.as_str(), |at| &remedy[at..]);
    plain(said).contains(&plain(&format!("{what}; {remedy}")))
}

/// Compares texts with the snapshot `name`.
pub fn assert_texts(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("wrong_setups/snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// Compares `check` with `run`, and both with the snapshot `name`. While
/// the daemon runs, it reports the fault at `place`.
async fn compare(name: &str, site: &Site, config: &str, place: &str) {
    let checked = site.check(config).await;
    let failures = checked.failures();
    assert!(!failures.is_empty(), "{name}: nothing failed");
    for (text, finding) in &checked.shown {
        for part in ["why", "remedy"] {
            assert_ne!(finding[part], "", "{name}: {text}");
        }
    }
    let ran = site.run(config, &failures, place).await;
    let said = ran.said.join("\n");
    for failure in &failures {
        assert!(is_told(&said, failure), "{name}: {failure:?} in {said}");
    }
    let shown: Vec<_> = checked
        .shown
        .iter()
        .map(|(text, _)| text.as_str())
        .collect();
    let text = format!(
        "check: exit code {}, run {}\n{}\n\nrun: {}\n{said}\n",
        checked.code,
        checked.run,
        shown.join("\n"),
        ran.how
    );
    assert_texts(name, &normalise(site.dir.path(), &text));
}

#[test]
fn the_lines_of_a_finding_are_one_block() {
    let text = "ok    one\nFAIL  two\n      why: a\n      do:  b\n\n1 failed, 0 warnings, 1 ok\n";
    let expected = ["ok    one", "FAIL  two\n      why: a\n      do:  b"];
    assert_eq!(blocks(text), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_json_answer_has_the_documented_fields() {
    let site = Site::new().await;
    let command = site.command("config.toml", &["check", "--json", "--user", "root"]);
    let (code, stdout, _) = commands::run(command).await;
    let answer: Value = serde_json::from_str(&stdout).unwrap();
    let fields = |value: &Value| -> Vec<String> {
        let mut names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    let of_answer = fields(&answer);
    assert_eq!(
        of_answer,
        [
            "at",
            "config",
            "counts",
            "exit_code",
            "findings",
            "run",
            "site",
            "version"
        ]
    );
    let of_finding = fields(&answer["findings"][0]);
    assert_eq!(of_finding, ["about", "level", "remedy", "what", "why"]);
    assert_eq!((code, &answer["run"]), (0, &"starts".into()), "{answer}");
    assert_eq!(answer["counts"]["failed"], 0, "{answer}");
    assert_eq!(answer["site"], "ams1");
    // The document names each field and each checked part that is not a key.
    let page = include_str!("../../docs/operations.md");
    let (_, page) = page.split_once("## Check the gateway").unwrap();
    let abouts = answer["findings"].as_array().unwrap().iter();
    let abouts = abouts.map(|finding| finding["about"].as_str().unwrap().to_owned());
    let keys = stockrelay::config::known_places();
    for name in of_answer.into_iter().chain(of_finding).chain(abouts) {
        let is_key = keys.contains(&name.as_str());
        assert!(is_key || page.contains(&format!("`{name}`")), "{name}");
    }
}
