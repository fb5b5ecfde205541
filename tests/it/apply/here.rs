//! `config show`, `diff` and `check` on a gateway: with its daemon, and without.

use std::process::Output;

use rustix::process::Signal;
use serde_json::Value;

use super::{Gateway, STRICT};

impl Gateway {
    /// Returns what the command printed. The exit code is `code`.
    #[track_caller]
    fn printed(&self, arguments: &[&str], code: i32) -> String {
        let Output {
            status,
            stdout,
            stderr,
        } = tokio::task::block_in_place(|| self.run(arguments));
        let text = String::from_utf8([stdout, stderr].concat()).unwrap();
        assert_eq!(status.code(), Some(code), "{arguments:?}: {text}");
        text
    }

    /// The line of a key in `config show`.
    #[track_caller]
    fn line(&self, key: &str) -> String {
        let shown = self.printed(&["config", "show"], 0);
        let start = format!("{key} = ");
        let line = shown.lines().find(|line| line.starts_with(&start));
        line.unwrap_or_else(|| panic!("{key}: {shown}")).to_owned()
    }
}

const TUNED: (&str, &str) = (
    "config.d/60-odoo.toml",
    "[odoo]\nrefresh_s = 61\n\n[journal]\ncache_bytes = \"32 MiB\"\n",
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_value_is_shown_with_its_origin_with_and_without_the_daemon() {
    let mut gateway = Gateway::start(1).await;
    let bundle = gateway.bundle(7, "ams1", &[STRICT, TUNED]);
    let (code, text) = gateway.apply(&bundle, &[]);
    assert_eq!(code, 0, "{text}");
    // The daemon has not read this yet.
    gateway
        .site
        .write("config.d/90.toml", "odoo.timeout_s = 33\n");
    let with = gateway.printed(&["config", "show"], 0);
    let first = with.lines().next().unwrap();
    let start = "# The daemon runs with bundle 7 and the local files since ";
    assert!(first.starts_with(start), "{first}");
    assert!(!gateway.line("timeout_s").contains("33"));
    let json: Value =
        serde_json::from_str(&gateway.printed(&["config", "show", "--json"], 0)).unwrap();
    let key = &json["keys"]["odoo.refresh_s"];
    assert_eq!(key["value"], 61);
    assert_eq!(key["origin"], "bundle 7, config.d/60-odoo.toml:2");
    let of_files = gateway.printed(&["config", "show", "--files"], 0);
    assert!(of_files.starts_with("# The next start of the daemon reads bundle 7"));
    assert!(of_files.contains("timeout_s = 33 "), "{of_files}");

    gateway.signal(Signal::TERM);
    gateway.child.wait().unwrap();
    let without = gateway.printed(&["config", "show"], 0);
    assert_eq!(without, of_files);
    let origin = |key: &str| {
        let line = gateway.line(key);
        line.split_once("  # ").unwrap().1.to_owned()
    };
    assert_eq!(origin("check"), "bundle 7, config.d/50-capture.toml:1");
    let file = origin("timeout_s");
    assert!(file.ends_with("/config.d/90.toml:1"), "{file}");
    assert_eq!(origin("batch_lines_max"), "default");
    // Nothing was counted as a start of the gateway.
    gateway.restart().await;
    assert_eq!(gateway.config().await["last"]["outcome"], "confirmed");
    // A variable of the shell counts without the daemon only.
    assert!(gateway.line("timeout_s").contains("33"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_is_compared_with_what_runs_here() {
    let mut gateway = Gateway::start(1).await;
    let list = ("devices.toml", "[devices.pda-1]\nflow = \"count\"\n");
    let bundle = gateway.bundle(7, "ams1", &[STRICT, list]);
    std::fs::write(gateway.site.path("7.bundle"), &bundle).unwrap();
    let diff = gateway.printed(&["config", "diff", "7.bundle"], 0);
    for line in [
        "from the local files to 7.bundle (serial 7), at site ams1",
        "config.d/50-capture.toml: new, 25 bytes",
        "devices.toml: replaces ",
        "devices.toml: devices.pda-1.flow: new, \"count\"",
        "capture.check: \"lenient\" ▸ \"strict\" (bundle 7, config.d/50-capture.toml:1)",
        "devices.toml of bundle 7 (bundle 7, devices.toml)",
    ] {
        assert!(diff.contains(line), "{line}\n{diff}");
    }
    let (code, text) = gateway.apply(&bundle, &[]);
    assert_eq!(code, 0, "{text}");
    let same = gateway.printed(&["config", "diff", "7.bundle"], 0);
    assert!(same.ends_with("\nno difference\n"), "{same}");

    let list = ("devices.toml", "[devices.pda-1]\nflow = \"pick\"\n");
    let other = ("config.d/70.toml", "odoo.database = \"another\"\n");
    let elsewhere = ("sites/ber1/config.d/80.toml", "odoo.timeout_s = 44\n");
    let next = gateway.bundle(8, "ams1", &[TUNED, list, other, elsewhere]);
    std::fs::write(gateway.site.path("8.bundle"), &next).unwrap();
    let with = gateway.printed(&["config", "diff", "8.bundle"], 0);
    for line in [
        "from bundle 7 and the local files to 8.bundle (serial 8), at site ams1",
        "config.d/50-capture.toml: removed",
        "devices.toml: devices.pda-1.flow: \"count\" ▸ \"pick\"",
        "capture.check: \"strict\" ▸ \"lenient\" (default)",
        "; takes effect when no document is being sent to Odoo",
        "; takes effect at the next start",
    ] {
        assert!(with.contains(line), "{line}\n{with}");
    }
    // The list is compared as a file, and what is for other sites does not matter here.
    assert!(
        !with.contains("mqtt.listen.devices") && !with.contains("timeout_s"),
        "{with}"
    );
    let odoo = with
        .lines()
        .find(|line| line.starts_with("odoo.database: "))
        .unwrap();
    assert!(odoo.ends_with("sent to Odoo"), "{odoo}");
    gateway.signal(Signal::TERM);
    gateway.child.wait().unwrap();
    assert_eq!(gateway.printed(&["config", "diff", "8.bundle"], 0), with);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_that_is_not_for_this_gateway_or_has_a_fault_here_is_not_compared() {
    let gateway = Gateway::start(1).await;
    let bad = ("config.d/70.toml", "capture.check = \"sometimes\"\n");
    std::fs::write(
        gateway.site.path("9.bundle"),
        gateway.bundle(9, "ams1", &[bad]),
    )
    .unwrap();
    let fault = gateway.printed(&["config", "diff", "9.bundle"], 64);
    assert!(
        fault.contains("fault: bundle 9, config.d/70.toml:1: capture.check"),
        "{fault}"
    );
    std::fs::write(
        gateway.site.path("o.bundle"),
        gateway.bundle(9, "ber1", &[STRICT]),
    )
    .unwrap();
    let other = gateway.printed(&["config", "diff", "o.bundle"], 1);
    assert!(other.contains("other-site: "), "{other}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_is_checked_as_the_site_and_group_of_the_gateway() {
    let gateway = Gateway::start_with(1, "group = \"nl\"\n").await;
    let of_group = (
        "groups/nl/config.d/1.toml",
        "capture.check = \"sometimes\"\n",
    );
    std::fs::write(
        gateway.site.path("7.bundle"),
        gateway.bundle(7, "ams1", &[of_group]),
    )
    .unwrap();
    let own = gateway.printed(&["config", "check", "7.bundle"], 64);
    assert!(
        own.contains("at site ams1, group nl, with config.toml"),
        "{own}"
    );
    assert!(
        own.contains("groups/nl/config.d/1.toml:1: capture.check"),
        "{own}"
    );
    let same = gateway.printed(&["config", "check", "7.bundle", "--as", "ams1"], 64);
    assert_eq!(same, own);
    let group = ["config", "check", "7.bundle", "--group", "be"];
    let other = gateway.printed(&group, 0);
    assert!(other.contains("at site ams1, group be,"), "{other}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_and_history_show_the_state_of_a_bundle_with_its_reason() {
    let gateway = Gateway::start(1).await;
    let later = "not_before = \"2095-01-01T00:00:00Z\"\nexpires = \"2096-01-01T00:00:00Z\"\n\
                 [targets]\nall = true\n";
    let bundle = super::make(7, later, &[STRICT], &[&gateway.key]);
    let (code, text) = gateway.apply(&bundle, &["--no-wait"]);
    assert_eq!(code, 0, "{text}");
    gateway.until_state("waiting").await;
    let waits = "bundle 7 is waiting: not before 2095-01-01T00:00:00Z";
    let status = gateway.printed(&["status"], 0);
    assert!(
        status.contains(&format!("\n           {waits}\n")),
        "{status}"
    );
    let history = gateway.printed(&["config", "history"], 0);
    assert!(
        history.contains(&format!("\npending: {waits}\n")),
        "{history}"
    );
    assert!(history.starts_with("runs: "), "{history}");
    let invalid = [("config.d/50.toml", "capture.check = \"sometimes\"\n")];
    let (code, text) = gateway.apply(&gateway.bundle(8, "ams1", &invalid), &[]);
    assert_eq!(code, 1, "{text}");
    let status = gateway.printed(&["status"], 0);
    let refused = "\n           bundle 8 is refused: this gateway cannot use it: ";
    assert!(status.contains(refused), "{status}");
    let history = gateway.printed(&["config", "history"], 0);
    for part in ["bundle 8  refused  ", "bundle 7  superseded  "] {
        assert!(history.contains(part), "{history}");
    }
    assert!(!history.contains("pending: "), "{history}");
}
