//! The metrics in both forms, and the health.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use stockrelay::board::levels::Call;
use stockrelay::board::{Board, Link};
use stockrelay::event::SourceKind;
use stockrelay::journal::Accepted;
use stockrelay::reason::RejectionCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Served;

#[tokio::test]
async fn metrics_add_up_and_health_is_about_taking_what_is_scanned() {
    let served = Served::start();
    served.fill().await;
    served.board.disk_free(Some(4_096));
    served.board.odoo(|odoo| odoo.link = Link::Down);
    show_levels(&served.board);
    served.board.source(SourceKind::Broker, |source| {
        source.state = "down".to_owned();
    });
    let metrics = http(served.metrics, "/metrics").await;
    assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
    assert!(
        metrics.contains("content-type: text/plain; version=0.0.4"),
        "{metrics}"
    );
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
    let open = http_as(served.metrics, "/metrics", accept).await;
    assert!(
        open.contains("content-type: application/openmetrics-text; version=1.0.0"),
        "{open}"
    );
    assert!(open.ends_with("# EOF\n"), "{open}");
    // Each family has its help in both forms; a counter's is of its full name in the older one.
    assert!(open.contains("# HELP stockrelay_events_stored "), "{open}");
    assert!(
        metrics.contains("# HELP stockrelay_events_stored_total "),
        "{metrics}"
    );
    for text in [&metrics, &open] {
        for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
            let name = line.split(' ').next().unwrap();
            assert!(
                text.contains(&format!("# HELP {name} ")),
                "{name} in {text}"
            );
        }
    }
    for line in [
        "stockrelay_events_stored_total 6",
        "stockrelay_events{state=\"parked\"} 2",
        "stockrelay_documents{state=\"posted\"} 1",
        "stockrelay_odoo_link{state=\"down\"} 1",
        "stockrelay_source_up{source=\"mqtt.broker\"} 0",
        "stockrelay_journal_budget_bytes 1073741824",
        "stockrelay_journal_disk_free_bytes 4096",
        "stockrelay_clock_trusted 1",
        "stockrelay_puback_duration_seconds_count 1",
        "stockrelay_movement_duration_seconds_bucket{le=\"60.0\"} 1",
        "stockrelay_movement_duration_seconds_bucket{le=\"900.0\"} 2",
        "stockrelay_movement_duration_seconds_bucket{le=\"+Inf\"} 2",
        "stockrelay_odoo_call_duration_seconds_count{kind=\"validate\"} 1",
        "stockrelay_documents_parked_total{code=\"barcode-unknown\"} 1",
        "stockrelay_devices_refused_total{reason=\"log-in\"} 1",
        "stockrelay_expiry_timestamp_seconds{what=\"odoo_key\"} 1893456000",
        "stockrelay_odoo_clock_offset_seconds -1.5",
        "stockrelay_config_serial 43",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line} in\n{metrics}"
        );
    }
    let documented =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md"))
            .unwrap();
    for name in metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
    {
        assert!(
            documented.contains(name),
            "{name} is not in docs/metrics.md"
        );
    }
    let health = http(served.metrics, "/healthz").await;
    assert!(
        health.starts_with("HTTP/1.1 200") && health.ends_with(r#"{"ok":true}"#),
        "{health}"
    );

    served.journal.inbox().close().await.unwrap();
    let mut watch = served.journal.watch();
    while watch.changed().await.is_ok() {}
    let health = http(served.metrics, "/healthz").await;
    assert!(
        health.starts_with("HTTP/1.1 503") && health.contains("writer has stopped"),
        "{health}"
    );
}

/// Fills the service levels, the counts by reason, and what ends when.
pub(super) fn show_levels(board: &Board) {
    let (levels, now) = (board.levels(), stockrelay::clock::now());
    levels.acknowledged(Duration::from_millis(2));
    levels.posted(now, now);
    levels.posted(now - jiff::SignedDuration::from_secs(120), now);
    levels.called(Call::Validate, Duration::from_millis(800));
    levels.parked("barcode-unknown");
    levels.refused("log-in");
    let code = RejectionCode::ALL[0];
    let message = String::new();
    levels.accepted(&Accepted::Rejected { code, message });
    let key = "2030-01-01T00:00:00Z".parse().unwrap();
    board.expires([("odoo_key".to_owned(), key)].into());
    board.odoo(|odoo| odoo.clock_ahead_ms = Some(-1_500));
    board.config(|config| config.serial = Some(43));
    board.note_size(now - jiff::SignedDuration::from_hours(1), 0);
}

/// Runs Prometheus' own checker on the older format, which is the one that it reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs promtool (Debian's package prometheus)"]
async fn promtool_finds_nothing_wrong_with_the_metrics() {
    let served = Served::start();
    served.fill().await;
    let now = stockrelay::clock::now();
    served.board.odoo(|odoo| {
        odoo.link = Link::Up;
        (odoo.last_success, odoo.copy_refreshed) = (Some(now), Some(now));
        odoo.latency_ms = Some(12);
    });
    show_levels(&served.board);
    served.board.alarm("anonymous", Some("Look.".to_owned()));
    let answer = http(served.metrics, "/metrics").await;
    let (_, metrics) = answer.split_once("\r\n\r\n").unwrap();
    let mut promtool = std::process::Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("promtool is installed");
    let mut stdin = promtool.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, metrics.as_bytes()).unwrap();
    drop(stdin);
    let said = promtool.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&said.stdout), text(&said.stderr));
    assert!(said.status.success(), "{out}{err}");
    assert_eq!((out.as_str(), err.as_str()), ("", ""), "{metrics}");
}

pub(super) async fn http(address: SocketAddr, path: &str) -> String {
    http_as(address, path, "*/*").await
}

async fn http_as(address: SocketAddr, path: &str, accept: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: x\r\naccept: {accept}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
