//! Requests that no handler understands: each answer names the fault in plain words, as JSON.

use super::{Served, refused};
use serde_json::{Value, json};
use stockrelay::view::client::Client;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

/// Words that only a reader of the code knows.
const INTERNALS: [&str; 10] = [
    "struct",
    "variant",
    "invalid type",
    "serde",
    "Body",
    "untagged",
    "axum",
    "hyper",
    "Failed",
    "expected",
];

/// Sends these bytes, and returns the status, the body and the whole head of the answer.
async fn send(served: &Served, request: &[u8]) -> (u16, Value, String) {
    let mut stream = UnixStream::connect(served.socket()).await.unwrap();
    // The gateway may answer before it has read everything.
    let (mut read, mut write) = stream.split();
    let mut answer = Vec::new();
    let (_, read) = tokio::join!(write.write_all(request), read.read_to_end(&mut answer));
    drop(read);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.split(' ').nth(1).unwrap_or_default();
    let body = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
    (status.parse().unwrap(), body, head.to_ascii_lowercase())
}

#[tokio::test]
async fn what_cannot_be_read_as_a_request_has_an_answer_of_the_same_form() {
    let served = Served::start();
    let long = "x".repeat(80_000);
    let uri = format!(
        "GET /v1/search?q={} HTTP/1.1\r\nhost: x\r\n\r\n",
        &long[..66_000]
    );
    let uri_and_more = format!("GET /v1/search?q={long} HTTP/1.1\r\nhost: x\r\n\r\n");
    // Longer than any buffer.
    let longer = long.repeat(5);
    let header = format!("GET /v1/status HTTP/1.1\r\nhost: x\r\nx-long: {longer}\r\n\r\n");
    for (request, status) in [
        (uri.as_str(), 414),
        (&uri_and_more, 414),
        (&header, 431),
        ("GET /v1/status HTTP/9\r\n\r\n", 400),
        ("nonsense\r\n\r\n", 400),
    ] {
        let (found, body, head) = send(&served, request.as_bytes()).await;
        let request: String = request.chars().take(40).collect();
        assert_eq!(found, status, "{request}: {body}");
        assert!(head.contains("content-type: application/json"), "{head}");
        for part in ["error", "remedy"] {
            assert!(
                !body[part].as_str().unwrap().is_empty(),
                "{request}: {body}"
            );
        }
    }
    // An answer of the gateway itself stays as it is.
    let (status, body, _) = send(&served, b"GET /v1/x HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(
        (status, &body["error"]),
        (404, &json!("unknown path \"/v1/x\""))
    );
    served.stop().await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_in_plain_words() {
    let served = Served::start();
    served.fill().await;
    let body = json!({"reason": "x".repeat(100_000)});
    for path in ["2/retry", "2/discard", "2/edit", "retry", "discard"] {
        let path = format!("/v1/parked/{path}");
        let (status, refusal) = refused(served.post(&path, body.clone()).await);
        assert_eq!(status, 413, "{path}");
        assert_eq!(
            refusal["error"], "the body has more than 16384 bytes",
            "{path}"
        );
    }
    let (status, refusal) = refused(served.post("/v1/meaning", json!("x".repeat(3 << 20))).await);
    assert_eq!(
        (status, refusal["error"].as_str()),
        (413, Some("the body has more than 2097152 bytes"))
    );
    served.stop().await;
}

#[tokio::test]
async fn a_malformed_escape_is_refused_with_its_parameter() {
    let served = Served::start();
    for (path, named) in [
        ("/v1/events?device=%zz", "device has \"%zz\""),
        ("/v1/events?type=%", "type has \"%\""),
        ("/v1/search?q=100%", "q has \"%\""),
        ("/v1/search?q=%ff", "q is not UTF-8"),
        ("/v1/names?code=%c3", "code is not UTF-8"),
        ("/v1/status?since=%2", "since has \"%2\""),
        ("/v1/orders?%zz=1", "the name of a parameter"),
        ("/v1/trace/%zz", "the id in the path has \"%zz\""),
        ("/v1/parked/%ff", "the id in the path is not UTF-8"),
    ] {
        let (status, refusal) = served.refused(path).await;
        assert_eq!(status, 400, "{path}");
        let error = refusal["error"].as_str().unwrap();
        assert!(error.contains(named), "{path}: {error}");
    }
    served.stop().await;
}

/// Each request that takes a body.
const POSTS: [&str; 10] = [
    "/v1/parked/2/retry",
    "/v1/parked/2/discard",
    "/v1/parked/2/edit",
    "/v1/parked/retry",
    "/v1/parked/discard",
    "/v1/documents/2/undiscard",
    "/v1/rejected/1/dismiss",
    "/v1/rejected/1/resend",
    "/v1/rejected/dismiss",
    "/v1/meaning",
];

#[tokio::test]
async fn each_request_refuses_a_body_that_it_does_not_understand() {
    let served = Served::start();
    served.fill().await;
    let client = Client::new(&served.socket());
    for path in POSTS {
        for (body, named) in [
            (
                r#"["anna", "why", null, null, null, null]"#,
                "not a JSON object",
            ),
            (r#""anna""#, "not a JSON object"),
            (r#"{"reason": "x""#, ""),
            (r#"{"colour": "red", "reason": "x"}"#, "colour"),
            (r#"{"by": 7}"#, "by"),
            (r#"{"by": ["anna"]}"#, "by"),
            (r#"{"text": {"a": 1}, "by": {"a": 1}}"#, ""),
        ] {
            let answer = client
                .post_bytes::<Value>(path, body.as_bytes().to_vec().into())
                .await;
            let (status, refusal) = refused(answer);
            assert_eq!(status, 400, "{path} {body}");
            let error = refusal["error"].as_str().unwrap();
            assert!(error.contains(named), "{path} {body}: {error}");
            let leak = INTERNALS.iter().find(|word| error.contains(**word));
            let leak = leak.filter(|_| !path.ends_with("edit"));
            assert_eq!(leak, None, "{path} {body}: {error}");
            assert_ne!(refusal["remedy"], "", "{path} {body}");
        }
    }
    // Nothing was changed.
    assert_eq!(
        served.get("/v1/parked/2").await["document"]["state"],
        "parked"
    );
    assert_eq!(served.get("/v1/rejected/1").await["state"], "open");
    served.stop().await;
}

#[tokio::test]
async fn a_wrong_field_is_named_with_what_it_takes() {
    let served = Served::start();
    served.fill().await;
    for (path, body, named) in [
        (
            "parked/retry",
            json!({"ids": [2, 1.5]}),
            "entry 2 of \"ids\"",
        ),
        ("parked/retry", json!({"ids": [[2]]}), "entry 1 of \"ids\""),
        (
            "parked/retry",
            json!({"ids": "2"}),
            "\"ids\" is the text \"2\"",
        ),
        (
            "parked/retry",
            json!({"ids": [2], "with": "maybe"}),
            "accepted are allow, backorder, no-backorder",
        ),
        (
            "parked/retry",
            json!({"ids": [2], "with": {"allow": 1}}),
            "\"with\" is an object",
        ),
        (
            "parked/retry",
            json!({"code": "x", "after": "5"}),
            "\"after\" is the text \"5\"",
        ),
        (
            "parked/retry",
            json!({"ids": [2], "after": 5}),
            "\"after\" continues only",
        ),
        ("parked/2/retry", json!({"with": "maybe"}), "\"with\""),
        (
            "parked/discard",
            json!({"ids": [2], "reason": "x", "with": "allow"}),
            "unknown field \"with\"",
        ),
        (
            "rejected/dismiss",
            json!({"upto": -1, "reason": "x"}),
            "\"upto\" is the number -1",
        ),
        (
            "rejected/dismiss",
            json!({"scans": "yes", "reason": "x"}),
            "\"scans\" is the text \"yes\"",
        ),
        (
            "rejected/dismiss",
            json!({"scans": true, "upto": 1, "reason": "x"}),
            "\"scans\" excludes",
        ),
        (
            "rejected/1/resend",
            json!({"payload": {"type": "count"}}),
            "\"payload\" is an object",
        ),
        ("meaning", json!({}), "\"text\" is missing"),
        (
            "meaning",
            json!({"text": "x", "means": [["P", "product"]]}),
            "an entry of \"means\" is an array",
        ),
        (
            "meaning",
            json!({"text": "x", "means": [{"prefix": "P", "is": "thing"}]}),
            "accepted are product",
        ),
        (
            "meaning",
            json!({"text": "x", "means": [{"is": "product"}]}),
            "\"prefix\"",
        ),
        (
            "meaning",
            json!({"text": "x", "means": [{"prefix": "P", "is": "lot", "cut": true}]}),
            "unknown field \"cut\"",
        ),
    ] {
        let (status, refusal) = refused(served.post(&format!("/v1/{path}"), body.clone()).await);
        assert_eq!(status, 400, "{path} {body}: {refusal}");
        let error = refusal["error"].as_str().unwrap();
        assert!(error.contains(named), "{path} {body}: {error}");
    }
    assert_eq!(
        served.get("/v1/parked/2").await["document"]["state"],
        "parked"
    );
    served.stop().await;
}

#[tokio::test]
async fn a_gateway_without_configuration_file_says_so() {
    let served = Served::start();
    let client = Client::new(&served.socket());
    for path in [
        "/v1/config/reload",
        "/v1/config/bundle",
        "/v1/config/rollback",
    ] {
        let (status, refusal) = refused(client.post::<Value>(path, &json!({})).await);
        assert_eq!(status, 409, "{path}: {refusal}");
        let error = refusal["error"].as_str().unwrap();
        assert!(
            error.contains("the demonstration has no configuration file"),
            "{error}"
        );
    }
    served.stop().await;
}
