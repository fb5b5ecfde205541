//! A person pauses the sending to Odoo.

use serde_json::json;
use stockrelay::clock;
use stockrelay::view::rights::user_name;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Installed;

fn documents(state: &'static str, count: u64) -> impl Fn(&serde_json::Value) -> bool {
    move |status| status["documents"][state] == count
}

async fn metrics(installed: &Installed) -> String {
    let mut stream = TcpStream::connect(installed.metrics).await.unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_stops_the_sending_and_not_the_collecting_also_after_a_kill() {
    let mut gateway = Installed::start().await;
    gateway.scan("before").await;
    gateway.until("posted", documents("posted", 1)).await;
    let pickings = gateway.odoo.pickings();
    let me = user_name(Some(rustix::process::geteuid().as_raw()));
    let said = gateway.done(&["pause", "--reason", "stocktake"]).await;
    assert!(said.contains("until `stockrelay resume`"), "{said}");
    assert!(said.contains("No document is being sent."), "{said}");

    gateway.scan("meanwhile").await;
    gateway.until("sealed", documents("waiting", 1)).await;
    gateway.kill();
    gateway.run().await;
    // The forwarder of the new process has answered to the pause, with the link up.
    let begun = clock::instant();
    while gateway.get("/v1/pause").await["quiet"] != true {
        assert!(begun.elapsed() < super::SOON, "the pause is not obeyed");
    }
    let status = gateway
        .until("the link is up", |status| {
            status["odoo"]["link"] == "up" && !status["odoo"]["copy_refreshed"].is_null()
        })
        .await;
    assert_eq!(status["documents"]["waiting"], 1, "{status}");
    assert_eq!(status["pause"]["reason"], "stocktake");
    assert_eq!(status["pause"]["by"], format!("user:{me}"));
    // All that Odoo has is from before.
    assert_eq!(gateway.odoo.pickings(), pickings);

    let shown = gateway.done(&["status"]).await;
    let sentence = format!("{me} has paused the sending to Odoo. ");
    assert!(shown.contains(&sentence), "{shown}");
    assert!(shown.contains("(`stockrelay resume`)"), "{shown}");
    assert!(
        shown.contains("until `stockrelay resume`: stocktake"),
        "{shown}"
    );
    assert!(shown.contains(", because the sending is paused"), "{shown}");
    let checked = gateway.output(&["check"]).await.1;
    assert!(
        checked.contains("has paused the sending to Odoo: documents wait"),
        "{checked}"
    );
    assert!(metrics(&gateway).await.contains("\nstockrelay_paused 1\n"));

    let said = gateway.done(&["resume", "--reason", "counted"]).await;
    assert!(said.contains("sends to Odoo again"), "{said}");
    gateway.until("posted", documents("posted", 2)).await;
    let again = gateway.done(&["resume"]).await;
    assert!(again.contains("was not paused"), "{again}");
    assert!(gateway.get("/v1/status").await["pause"].is_null());
    assert!(metrics(&gateway).await.contains("\nstockrelay_paused 0\n"));
    let history = gateway.done(&["pause", "--history"]).await;
    let row = history.lines().nth(1).unwrap();
    assert!(
        row.contains("stocktake") && row.contains("counted"),
        "{history}"
    );
    assert!(row.contains(&me), "{history}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_with_an_end_ends_by_itself() {
    let gateway = Installed::start().await;
    gateway
        .until("the link is up and quiet", |status| {
            status["odoo"]["link"] == "up" && !status["odoo"]["copy_refreshed"].is_null()
        })
        .await;
    let answer = gateway.done(&["pause", "--until", "3s", "--json"]).await;
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["quiet"], true, "{answer}");
    let until: jiff::Timestamp = answer["pause"]["until"].as_str().unwrap().parse().unwrap();
    gateway.scan("e1").await;
    gateway
        .until("posted", |status| status["documents"]["posted"] == 1)
        .await;
    let trace = gateway.get("/v1/trace/pda-1%2Fe1").await;
    let sent = trace["audit"].as_array().unwrap();
    let sent = sent.iter().find(|step| step["state"] == "sending").unwrap();
    let sent: jiff::Timestamp = sent["at"].as_str().unwrap().parse().unwrap();
    assert!(sent >= until, "sent at {sent}, before {until}");
    assert!(gateway.get("/v1/status").await["pause"].is_null());
    let history = gateway.done(&["pause", "--history"]).await;
    assert!(history.contains("the end of its time"), "{history}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_in_the_past_is_refused_and_changes_nothing() {
    let gateway = Installed::start().await;
    let (code, stdout, stderr) = gateway
        .output(&["pause", "--until", "2020-01-01 06:00"])
        .await;
    assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
    assert!(stderr.contains("in the past"), "{stderr}");
    // The daemon does not trust the command.
    let body = json!({"until": "2020-01-01T06:00:00Z"});
    let client = gateway.client();
    let refused = client.post::<serde_json::Value>("/v1/pause", &body);
    let refused = refused.await.unwrap_err().to_string();
    assert!(refused.contains("in the past"), "{refused}");
    let shown = gateway.get("/v1/pause").await;
    assert_eq!(
        (&shown["pause"], &shown["quiet"]),
        (&json!(null), &json!(false))
    );
    let history = gateway.done(&["pause", "--history"]).await;
    assert!(history.starts_with("Nobody has paused"), "{history}");
}
