//! What a 403 is about: the rights of the key's user, which hold the link, or one record.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{any, get};
use axum::{Router, routing::IntoMakeService};
use serde_json::{Value, json};
use stockrelay::config;
use stockrelay::odoo::Client;
use stockrelay::odoo_id::PickingId;
use stockrelay::outcome::Failure;
use tokio::net::TcpListener;

/// Odoo's data of the key's user.
#[derive(Debug, Clone, Copy)]
struct User {
    /// Of the rights that sending needs.
    has_rights: bool,
    /// Of the warehouse's company.
    is_member: bool,
    /// A proxy turns everything away.
    is_barred: bool,
}

fn denied() -> Response {
    let body =
        json!({"name": "odoo.exceptions.AccessError", "message": "Kein Zugriff", "debug": ""});
    (StatusCode::FORBIDDEN, Json(body)).into_response()
}

async fn answer(
    State(user): State<User>,
    Path((model, method)): Path<(String, String)>,
) -> Response {
    let answer: Value = match (model.as_str(), method.as_str()) {
        _ if user.is_barred => return denied(),
        ("stock.warehouse", "search_read") => json!([
            {"id": 1, "company_id": 3, "int_type_id": 1, "in_type_id": false, "out_type_id": false},
        ]),
        ("stock.picking.type", _) => json!([
            {"id": 1, "active": true, "default_location_src_id": 8, "default_location_dest_id": 8},
        ]),
        (_, "has_access") => json!(user.has_rights),
        ("stock.warehouse", "search_count") => json!(u8::from(user.is_member)),
        _ => return denied(),
    };
    Json(answer).into_response()
}

fn router(user: User) -> IntoMakeService<Router> {
    Router::new()
        .route(
            "/web/version",
            get(|| async { Json(json!({"version": "19.0"})) }),
        )
        .route("/json/2/{model}/{method}", any(answer))
        .with_state(user)
        .into_make_service()
}

/// The outcome of a forbidden call.
async fn forbidden(user: User) -> Failure {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, router(user)).await });
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("key"), "the-key").unwrap();
    let config = config::Odoo {
        api_key_file: Some(dir.path().join("key")),
        ..config::Odoo::new(&url, "db")
    };
    let mut client = Client::new(&config).unwrap();
    if !user.is_barred {
        client.warehouse("WH").await.unwrap();
    }
    let failure = client.pickings(&[PickingId::new(5)]).await.unwrap_err();
    server.abort();
    failure
}

const GOOD: User = User {
    has_rights: true,
    is_member: true,
    is_barred: false,
};

#[tokio::test]
async fn a_record_that_is_kept_from_a_good_user_is_for_a_person() {
    assert_eq!(
        forbidden(GOOD).await,
        Failure::person("Odoo forbids the call: Kein Zugriff")
    );
}

#[tokio::test]
async fn a_user_without_rights_company_or_access_holds_the_link() {
    for user in [
        User {
            has_rights: false,
            ..GOOD
        },
        User {
            is_member: false,
            ..GOOD
        },
        User {
            is_barred: true,
            ..GOOD
        },
    ] {
        let failure = forbidden(user).await;
        assert!(
            matches!(failure, Failure::Stop { .. }),
            "{user:?}: {failure:?}"
        );
    }
}
