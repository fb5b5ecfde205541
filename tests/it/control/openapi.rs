//! docs/openapi.yaml: its paths are those of the router, and its schemas describe the answers.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use stockrelay::catalog::Catalog;
use stockrelay::odoo::Kind;
use stockrelay::view::client::{Client, ClientError};

use super::Served;
use super::floor::{order, row};
use crate::floor::rejection;
use crate::process::Process;
use crate::schema::Description;

const FILE: &str = "docs/openapi.yaml";

/// What no test here sends, each with the reason.
const UNSENT: [(&str, &str); 5] = [
    (
        "get /v1/stream",
        "the answer does not end; each event is a status",
    ),
    (
        "post /v1/journal/backup",
        "the answer is lines of JSON, which docs/backup.md describes",
    ),
    ("post /v1/journal/export", "as a backup"),
    (
        "post /v1/config/bundle",
        "it needs a signed bundle; tests/it/apply.rs sends one",
    ),
    ("post /v1/config/rollback", "it needs a confirmed bundle"),
];

/// Operations as `get /v1/status`.
type Operations = BTreeSet<String>;

/// The operations of the router, in its source: axum lists none.
fn routed() -> Operations {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/view/control.rs");
    let source = fs::read_to_string(path).unwrap();
    let router = source.split("\nfn router(").nth(1).unwrap();
    let router = router.split(".fallback(").next().unwrap();
    let mut found = BTreeSet::new();
    for route in router.split(".route(").skip(1) {
        let path = match route.split('"').nth(1) {
            Some(path) if route.trim_start().starts_with('"') => path.replace("{*", "{"),
            _ => "/v1/meaning".to_owned(),
        };
        for method in ["get", "post", "put", "delete", "patch", "any"] {
            let call = format!("{method}(");
            let is_call = |(at, _): (usize, &str)| {
                !route[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            };
            if route.match_indices(&call).any(is_call) {
                found.insert(format!("{method} {path}"));
            }
        }
    }
    found
}

fn described(description: &Description) -> Operations {
    let paths = description.root["paths"].as_object().unwrap().iter();
    let methods = |(path, item): (&String, &Value)| {
        let methods = item.as_object().unwrap().keys();
        let operation = |method| format!("{method} {path}");
        methods.map(operation).collect::<Vec<_>>()
    };
    paths.flat_map(methods).collect()
}

#[test]
fn the_description_has_the_routes_of_the_router_and_no_other() {
    let routed = routed();
    assert!(routed.len() > 30, "{routed:?}");
    assert_eq!(described(&Description::read(FILE)), routed);
}

/// Sends requests, and compares them and their answers with the description.
struct Comparison {
    description: Description,
    sent: Operations,
}

impl Comparison {
    /// `path`: as in the description. `real`: as it is sent.
    async fn send(&mut self, client: &Client, method: &str, path: &str, real: &str, body: Value) {
        let operation = &self.description.root["paths"][path][method];
        let answer: Result<Value, ClientError> = match method {
            "get" => client.get(real).await,
            _ => client.post(real, &body).await,
        };
        let answer = answer.unwrap_or_else(|error| panic!("{method} {real}: {error}"));
        let response = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        assert!(!response.is_null(), "{method} {path} has no answer");
        let faults = self.description.compare(response, &answer);
        assert!(
            faults.is_empty(),
            "{method} {real}: {faults:#?}\n{answer:#}"
        );
        if method == "post" && body != json!({}) {
            let request = &operation["requestBody"]["content"]["application/json"]["schema"];
            assert!(!request.is_null(), "{method} {path} takes no body");
            let faults = self.description.compare(request, &body);
            assert!(
                faults.is_empty(),
                "the body of {method} {path}: {faults:#?}"
            );
        }
        self.sent.insert(format!("{method} {path}"));
    }

    async fn get(&mut self, client: &Client, path: &str, real: &str) {
        self.send(client, "get", path, real, Value::Null).await;
    }

    async fn post(&mut self, client: &Client, path: &str, real: &str, body: Value) {
        self.send(client, "post", path, real, body).await;
    }

    async fn refuse(&self, client: &Client, path: &str) {
        let Err(ClientError::Refused { refusal, .. }) = client.get::<Value>(path).await else {
            panic!("{path} is not refused");
        };
        let refusal = serde_json::to_value(refusal).unwrap();
        let schema = &self.description.root["components"]["schemas"]["Refusal"];
        let faults = self.description.compare(schema, &refusal);
        assert!(faults.is_empty(), "{faults:#?}");
    }

    async fn read(&mut self, client: &Client) {
        for (path, real) in [
            ("/v1/status", "/v1/status"),
            ("/v1/status", "/v1/status?since=day"),
            ("/v1/events", "/v1/events"),
            ("/v1/events", "/v1/events?state=parked&limit=1"),
            ("/v1/search", "/v1/search?q=pda-1"),
            ("/v1/search", "/v1/search?q=e2"),
            ("/v1/rejected", "/v1/rejected"),
            ("/v1/rejected/{id}", "/v1/rejected/1"),
            ("/v1/documents", "/v1/documents"),
            ("/v1/parked", "/v1/parked"),
            ("/v1/parked/{id}", "/v1/parked/2"),
            ("/v1/trace/{id}", "/v1/trace/pda-1/e2"),
            ("/v1/orders", "/v1/orders"),
            ("/v1/names", "/v1/names?code=400&code=X"),
            ("/v1/log", "/v1/log"),
        ] {
            self.get(client, path, real).await;
        }
    }

    async fn decide(&mut self, client: &Client) {
        let why = || json!({"reason": "a test"});
        let many = || json!({"ids": ["2"], "reason": "a test"});
        let edit = json!({"reason": "a test", "lines": [{"line": 1, "quantity": 2, "lot": "L"}]});
        let event = r#"{"id": "e9", "type": "transfer", "product": "P", "from": "A", "to": "B"}"#;
        let resend = json!({"payload": event, "channel": "event", "reason": "a test"});
        let dismiss = json!({"upto": 2, "reason": "a test"});
        let code = json!({"text": "400", "means": [{"prefix": "P", "is": "product"}]});
        for (path, real, body) in [
            (
                "/v1/parked/{id}/retry",
                "/v1/parked/2/retry",
                json!({"by": "anna"}),
            ),
            ("/v1/parked/retry", "/v1/parked/retry", many()),
            ("/v1/parked/discard", "/v1/parked/discard", many()),
            ("/v1/parked/{id}/edit", "/v1/parked/3/edit", edit),
            ("/v1/parked/{id}/discard", "/v1/parked/4/discard", why()),
            (
                "/v1/documents/{id}/undiscard",
                "/v1/documents/4/undiscard",
                why(),
            ),
            ("/v1/rejected/{id}/resend", "/v1/rejected/1/resend", resend),
            ("/v1/rejected/{id}/dismiss", "/v1/rejected/2/dismiss", why()),
            ("/v1/rejected/dismiss", "/v1/rejected/dismiss", dismiss),
            ("/v1/meaning", "/v1/meaning", code),
        ] {
            self.post(client, path, real, body).await;
        }
    }
}

#[tokio::test]
async fn the_schemas_describe_each_answer_of_a_gateway() {
    let dir = tempfile::tempdir().unwrap();
    let copy = Catalog::open(dir.path(), "x").unwrap();
    copy.apply(Kind::Product, &[row(10, "Chair", "400")])
        .unwrap();
    copy.apply(Kind::Location, &[row(5, "WH/A", "A")]).unwrap();
    let scheduled = "2026-11-25 08:00:00";
    copy.put_orders(&[order(50, "WH/OUT/1", scheduled)])
        .unwrap();
    let served = Served::with_copy(Some(copy));
    served.fill().await;
    let another = rejection("pda-3", b"{more nonsense", 8);
    served
        .journal
        .inbox()
        .append(vec![Err(another)])
        .await
        .unwrap();
    served.park(4, "unknown-location").await;
    let mut comparison = Comparison {
        description: Description::read(FILE),
        sent: BTreeSet::new(),
    };
    let client = Client::new(&served.socket());
    comparison.read(&client).await;
    comparison.decide(&client).await;
    // Decisions add fields: who settled a reading, what replaces a document.
    comparison.read_after_decisions(&client).await;
    comparison.refuse(&client, "/v1/parked/999").await;
    served.stop().await;

    let mut process = Process::start_in(tempfile::tempdir().unwrap()).await;
    let client = Client::new(&process.socket());
    let pause = json!({"until": "2090-01-01T00:00:00Z", "by": "anna", "reason": "a test"});
    comparison
        .post(&client, "/v1/pause", "/v1/pause", pause)
        .await;
    for path in [
        "/v1/status",
        "/v1/pause",
        "/v1/log",
        "/v1/config",
        "/v1/config/effective",
        "/v1/config/history",
    ] {
        comparison.get(&client, path, path).await;
    }
    for path in ["/v1/resume", "/v1/config/reload"] {
        comparison.post(&client, path, path, json!({})).await;
    }
    process.child.kill().unwrap();
    process.child.wait().unwrap();

    let all = described(&comparison.description);
    let unsent: Vec<_> = all.difference(&comparison.sent).collect();
    let mut expected = UNSENT.map(|(operation, _)| operation);
    expected.sort_unstable();
    assert_eq!(unsent, expected);
}

impl Comparison {
    async fn read_after_decisions(&mut self, client: &Client) {
        for (path, real) in [
            ("/v1/rejected", "/v1/rejected"),
            ("/v1/documents", "/v1/documents"),
            ("/v1/events", "/v1/events"),
            ("/v1/trace/{id}", "/v1/trace/pda-1/e3"),
            ("/v1/trace/{id}", "/v1/trace/e9"),
        ] {
            self.get(client, path, real).await;
        }
    }
}
