//! An older Odoo that answers as a test says.

use std::fs;
use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::post;
use axum::{Router, body};
use serde_json::{Value, json};
use stockrelay::config;
use stockrelay::odoo::Client;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const KEY: &str = "the-key";

/// What a method answers.
pub type Answers = fn(model: &str, method: &str) -> Value;

pub struct Script {
    version: &'static str,
    answers: Answers,
    /// `[service.method]`, or `[model, method, args, kwargs]`.
    calls: Mutex<Vec<Value>>,
    pub key: Mutex<String>,
}

pub struct Older {
    pub script: Arc<Script>,
    pub config: config::Odoo,
    pub dir: tempfile::TempDir,
    server: JoinHandle<()>,
}

impl Older {
    pub async fn start(version: &'static str, answers: Answers) -> Self {
        let script = Arc::new(Script {
            version,
            answers,
            calls: Mutex::default(),
            key: Mutex::new(KEY.to_owned()),
        });
        // It has no `/web/version`: what is not known is answered with a page.
        let router = Router::new()
            .route("/jsonrpc", post(serve))
            .fallback(|| async { (StatusCode::NOT_FOUND, "<!DOCTYPE html>Not Found") })
            .with_state(script.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("key"), KEY).unwrap();
        let config = config::Odoo {
            api_key_file: Some(dir.path().join("key")),
            user: Some("gateway".to_owned()),
            ..config::Odoo::new(&format!("http://{address}"), "db")
        };
        Self {
            script,
            config,
            dir,
            server,
        }
    }

    pub fn client(&self) -> Client {
        Client::new(&self.config).unwrap()
    }

    pub fn calls(&self) -> Vec<Value> {
        std::mem::take(&mut self.script.calls.lock().unwrap())
    }
}

impl Drop for Older {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// An answer by which Odoo refuses a call.
pub fn refused(name: &str, message: &str) -> Value {
    json!({"name": name, "message": message, "debug": "Traceback"})
}

fn answered(answer: Value) -> Result<Value, Value> {
    if answer["debug"].is_string() {
        return Err(answer);
    }
    Ok(answer)
}

async fn serve(State(script): State<Arc<Script>>, request: Request) -> Response {
    let body = body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let asked: Value = serde_json::from_slice(&body).unwrap();
    let (service, method) = (&asked["params"]["service"], &asked["params"]["method"]);
    let args = &asked["params"]["args"];
    let key = script.key.lock().unwrap().clone();
    let (call, answer) = match (service.as_str().unwrap(), method.as_str().unwrap()) {
        ("common", "version") => (
            json!(["version"]),
            Ok(json!({"server_version": script.version})),
        ),
        ("common", "authenticate") => {
            let good = args[0] == "db" && args[1] == "gateway" && args[2] == key;
            let uid = if good { json!(7) } else { json!(false) };
            (json!(["authenticate"]), Ok(uid))
        }
        ("object", "execute_kw") => {
            let (model, method) = (args[3].as_str().unwrap(), args[4].as_str().unwrap());
            let call = json!([model, method, args[5], args[6]]);
            // Without them Odoo reads all fields, which an ordinary user may not.
            if matches!(method, "read" | "search_read") {
                let fields = args[6]["fields"].as_array();
                assert!(fields.is_some_and(|named| !named.is_empty()), "{call}");
            }
            let answer = if args[1] == 7 && args[2] == key {
                answered((script.answers)(model, method))
            } else {
                Err(refused("odoo.exceptions.AccessDenied", "Access Denied"))
            };
            (call, answer)
        }
        other => panic!("{other:?}"),
    };
    script.calls.lock().unwrap().push(call);
    let mut response = json!({"jsonrpc": "2.0", "id": asked["id"]});
    match answer {
        Ok(result) => response["result"] = result,
        Err(data) => {
            response["error"] = json!({"code": 200, "message": "Odoo Server Error", "data": data});
        }
    }
    Json(response).into_response()
}
