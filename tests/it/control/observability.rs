//! What `docs/observability` ships: Prometheus' rules and Grafana's dashboards.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use stockrelay::board::Link;
use stockrelay::clock;
use stockrelay::event::SourceKind;

use super::Served;
use super::metrics::show_levels;
use crate::free_address::free_address;

const SOON: Duration = Duration::from_mins(1);
const DASHBOARDS: [&str; 2] = ["site.json", "fleet.json"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/observability")
}

fn read(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

/// The names of the gateway's metrics in a text; not those that a rule records.
fn names(text: &str) -> BTreeSet<String> {
    let starts = text.match_indices("stockrelay_");
    let names = starts.filter(|(at, _)| !text[..*at].ends_with("site:"));
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let name = |(at, _): (usize, &str)| {
        let rest = &text[at..];
        let end = rest.find(|letter| !is_part(letter));
        let name = &rest[..end.unwrap_or(rest.len())];
        // The series of a histogram.
        let series = ["_bucket", "_count", "_sum"].iter();
        let mut family = series.filter_map(|suffix| name.strip_suffix(suffix));
        let family = family.find(|it| it.ends_with("_duration_seconds"));
        family.unwrap_or(name).to_owned()
    };
    names.map(name).collect()
}

/// The queries of a dashboard, with the panel's title.
fn queries(dashboard: &str) -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&read(dashboard)).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let of_panel = |panel: &Value| {
        let title = panel["title"].as_str().unwrap().to_owned();
        let targets = panel["targets"].as_array().unwrap().clone();
        let query =
            move |target: Value| (title.clone(), target["expr"].as_str().unwrap().to_owned());
        targets.into_iter().map(query)
    };
    panels.flat_map(of_panel).collect()
}

#[test]
fn rules_and_dashboards_name_metrics_that_exist() {
    let documented = fs::read_to_string(folder().join("../metrics.md")).unwrap();
    let exists = |name: &String| {
        documented.contains(&format!("`{name}`")) || documented.contains(&format!("`{name}{{"))
    };
    for file in ["rules.yml", "rules_test.yml", "site.json", "fleet.json"] {
        let names = names(&read(file));
        assert!(names.len() > 5, "{file}: {names:?}");
        let unknown: Vec<_> = names.iter().filter(|name| !exists(name)).collect();
        assert!(unknown.is_empty(), "{file}: {unknown:?}");
    }
    for dashboard in DASHBOARDS {
        assert!(queries(dashboard).len() > 8);
    }
}

#[test]
#[ignore = "needs promtool (Debian's package prometheus)"]
fn the_rules_pass_their_tests() {
    let done = Command::new("promtool")
        .args(["test", "rules"])
        .arg(folder().join("rules_test.yml"))
        .output()
        .expect("promtool is installed");
    assert!(done.status.success(), "{done:?}");
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What Prometheus answers; empty: no value. `Err`: it refuses the query.
fn ask(server: &str, query: &str) -> Result<String, String> {
    let done = Command::new("promtool")
        .args(["query", "instant", server, query])
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if done.status.success() {
        Ok(text(&done.stdout).trim().to_owned())
    } else {
        Err(text(&done.stderr))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs prometheus and promtool (Debian's package prometheus)"]
async fn each_query_of_the_dashboards_has_an_answer_from_a_real_prometheus() {
    let served = Served::start();
    served.fill().await;
    let now = clock::now();
    served.board.disk_free(Some(1 << 30));
    served.board.odoo(|odoo| {
        odoo.link = Link::Up;
        (odoo.last_success, odoo.copy_refreshed) = (Some(now), Some(now));
        odoo.latency_ms = Some(12);
    });
    served.board.source(SourceKind::Broker, |source| {
        source.state = "up".to_owned();
    });
    show_levels(&served.board);
    served.board.alarm("anonymous", Some("Look.".to_owned()));
    let dir = tempfile::tempdir().unwrap();
    let target = served.metrics;
    let config = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ['{}']
scrape_configs:
  - job_name: stockrelay
    static_configs: [{{targets: ['{target}']}}]
",
        folder().join("rules.yml").display()
    );
    let file = dir.path().join("prometheus.yml");
    fs::write(&file, config).unwrap();
    let address = free_address();
    let prometheus = Command::new("prometheus")
        .arg(format!("--config.file={}", file.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            dir.path().join("data").display()
        ))
        .arg(format!("--web.listen-address={address}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("prometheus is installed");
    let _prometheus = Killed(prometheus);
    let url = format!("http://{address}");
    // A rate needs two looks.
    let begun = clock::instant();
    let rate = "rate(stockrelay_events_stored_total[5m])";
    while !ask(&url, rate).is_ok_and(|answer| !answer.is_empty()) {
        assert!(begun.elapsed() < SOON, "{:?}", ask(&url, rate));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for dashboard in DASHBOARDS {
        for (title, query) in queries(dashboard) {
            let query = query.replace("$instance", &target.to_string());
            let answer = ask(&url, &query);
            let answer = answer.unwrap_or_else(|error| panic!("{title}: {query}: {error}"));
            assert!(!answer.is_empty(), "{title}: {query} has no answer");
        }
    }
    let alarm = ask(&url, "ALERTS{alertname=\"StockrelayAlarm\"}").unwrap();
    assert!(alarm.contains("anonymous"), "{alarm}");
}
