//! Odoo is not there, hangs, or another server answers at its address: how long the gateway waits,
//! and what a person reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::{Method, StatusCode};
use axum::routing::get;
use stockrelay::config::{self, Api};
use stockrelay::odoo::Client;
use stockrelay::outcome::Failure;
use stockrelay::view::check;
use tokio::net::TcpListener;
use tokio::time::Instant;

/// Serves `router`; the address is the URL of an Odoo.
async fn serve(router: Router) -> config::Odoo {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    config::Odoo::new(&url, "prod")
}

/// A server that takes connections and never answers, as long as it is held.
async fn hang() -> (TcpListener, config::Odoo) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, config::Odoo::new(&url, "prod"))
}

#[tokio::test(start_paused = true)]
async fn a_ping_that_hangs_ends_long_before_a_call_would() {
    let (_held, config) = hang().await;
    let mut client = Client::new(&config).unwrap();
    let begun = Instant::now();
    let failure = client.ping(Duration::from_secs(8)).await.unwrap_err();
    assert!(begun.elapsed() <= Duration::from_secs(9));
    assert!(
        matches!(failure, Failure::Wait { after: None, .. }),
        "{failure:?}"
    );
    assert!(failure.to_string().contains(&config.url), "{failure}");
}

#[tokio::test]
async fn a_probe_whose_first_question_hangs_is_answered_when_odoo_is_back() {
    let asked = Arc::new(AtomicU32::new(0));
    let version = async move || {
        // The first two hang, as those do that reached an Odoo which then died.
        if asked.fetch_add(1, Ordering::Relaxed) < 2 {
            std::future::pending::<()>().await;
        }
        r#"{"version": "19.0"}"#
    };
    let config = serve(Router::new().route("/web/version", get(version))).await;
    let mut client = Client::new(&config).unwrap();
    let answer = client.version_with_pings(Duration::from_millis(200)).await;
    assert_eq!(answer.unwrap(), "19.0");
    // What the answer told is known to the client.
    assert_eq!(client.api(), Some("JSON-2"));
}

#[tokio::test(start_paused = true)]
async fn check_waits_10_s_for_an_odoo_that_does_not_answer() {
    let (_held, config) = hang().await;
    let begun = Instant::now();
    let findings = check::odoo(&config, &config::Orders::default()).await;
    assert!(begun.elapsed() <= Duration::from_secs(11));
    let told = format!("Odoo at {} did not answer in time", config.url);
    assert!(
        findings.last().unwrap().what.contains(&told),
        "{findings:?}"
    );
}

#[tokio::test]
async fn check_tells_once_what_to_do_about_an_odoo_that_is_away() {
    let (held, config) = hang().await;
    drop(held);
    let findings = check::odoo(&config, &config::Orders::default()).await;
    let text = findings.last().unwrap().to_string();
    for part in ["check that Odoo runs", "can connect to it", "odoo.url"] {
        assert_eq!(text.matches(part).count(), 1, "{part} in {text}");
    }
}

#[tokio::test]
async fn another_server_at_the_address_is_told_with_the_address_and_the_key_to_correct() {
    // Python's http.server, nginx, a firewall, a captive portal, something that answers all in
    // JSON.
    let servers = [
        (404, 501, "<html>"),
        (404, 405, "<html>"),
        (404, 404, "<html>"),
        (403, 403, "<html>"),
        (200, 200, "<html>"),
        (302, 302, ""),
        (503, 503, "<html>"),
        (200, 200, "{}"),
    ];
    for (get, post, body) in servers {
        let answer = async move |method: Method| {
            let status = if method == Method::GET { get } else { post };
            (StatusCode::from_u16(status).unwrap(), body)
        };
        let config = serve(Router::new().fallback(answer)).await;
        for api in [Api::Auto, Api::Json2, Api::JsonRpc] {
            let config = config::Odoo {
                api,
                ..config.clone()
            };
            let mut client = Client::new(&config).unwrap();
            let text = client.version().await.unwrap_err().to_string();
            let case = format!("{get} {post} {body} {api:?}: {text}");
            assert!(text.contains(&config.url), "{case}");
            let is_told = ["correct odoo.url", "connect to Odoo at odoo.url"]
                .iter()
                .any(|remedy| text.contains(remedy));
            assert!(is_told, "{case}");
        }
    }
}

#[tokio::test]
async fn http_to_a_port_that_hangs_up_suggests_https() {
    let (listener, config) = hang().await;
    tokio::spawn(async move {
        // Unread bytes make the kernel reset the connection.
        while let Ok((stream, _)) = listener.accept().await {
            stream.readable().await.unwrap();
            drop(stream);
        }
    });
    let mut client = Client::new(&config).unwrap();
    let text = client.version().await.unwrap_err().to_string();
    for part in [&*config.url, "broke", "set odoo.url to https://"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}
