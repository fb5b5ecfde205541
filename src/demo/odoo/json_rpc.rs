//! `/jsonrpc`: the same models and methods for clients of older versions. It answers 200 to
//! everything.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::dialect::{Call, answer_older};
use super::params::Params;
use super::refusal::Refusal;
use super::version::Version;
use super::{
    ADMIN_API_KEY, API_KEY, Caller, DATABASE, NO_RIGHTS_API_KEY, Server, answer, version_info,
};

pub async fn call(State(shared): State<Arc<Server>>, body: Bytes) -> Response {
    let version = shared.version;
    let work = tokio::spawn(async move {
        let request: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let id = request["id"].clone();
        let result = serve(&shared, &request["params"]).await;
        let mut out = json!({"jsonrpc": "2.0", "id": id});
        match result {
            Ok(result) => out["result"] = result,
            Err(refusal) => out["error"] = refusal.for_json_rpc(version),
        }
        out
    });
    let failed = || Refusal::Type("the stand-in failed".to_owned()).for_json_rpc(version);
    super::json(
        &work
            .await
            .unwrap_or_else(|_| json!({"jsonrpc": "2.0", "id": null, "error": failed()})),
    )
}

async fn serve(shared: &Server, params: &Value) -> Result<Value, Refusal> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let args = &params["args"];
    match (params["service"].as_str(), params["method"].as_str()) {
        (Some("common"), Some("version")) => {
            let mut version = version_info(shared.version);
            version["protocol_version"] = json!(1);
            version["server_version"] = version["version"].clone();
            version["server_version_info"] = version["version_info"].clone();
            Ok(version)
        }
        (Some("common"), Some("authenticate" | "login")) => {
            database(&args[0])?;
            Ok(caller(&args[2]).map_or(json!(false), |caller| json!(caller.uid())))
        }
        (Some("object"), Some("execute_kw" | "execute")) => {
            database(&args[0])?;
            let caller = caller(&args[2]).filter(|caller| args[1] == caller.uid());
            let caller = caller.ok_or(Refusal::Key("Access Denied"))?;
            let (model, method) = (text(&args[3]), text(&args[4]));
            let body = name_arguments(&method, &args[5], &args[6])?;
            if shared.version == Version::V19 {
                return answer(shared, caller, &model, &method, Params::new(body)).await;
            }
            let (model, method) = (model.as_str(), method.as_str());
            let call = Call {
                model,
                method,
                body,
            };
            answer_older(shared, caller, call).await
        }
        (service, method) => Err(Refusal::Call(format!("no {service:?}.{method:?}"))),
    }
}

fn database(name: &Value) -> Result<(), Refusal> {
    if name == DATABASE {
        Ok(())
    } else {
        Err(Refusal::Database)
    }
}

fn caller(key: &Value) -> Option<Caller> {
    match key.as_str() {
        Some(API_KEY) => Some(Caller::User),
        Some(ADMIN_API_KEY) => Some(Caller::Admin),
        Some(NO_RIGHTS_API_KEY) => Some(Caller::Reader),
        _ => None,
    }
}

/// Arguments in their places get the names that JSON-2 calls them by.
fn name_arguments(
    method: &str,
    args: &Value,
    keywords: &Value,
) -> Result<Map<String, Value>, Refusal> {
    let names: &[&str] = match method {
        "load" => &["fields", "data"],
        "search_read" => &["domain", "fields", "offset", "limit", "order"],
        "search" => &["domain", "offset", "limit", "order"],
        "search_count" => &["domain", "limit"],
        "web_search_read" => &["domain", "specification", "offset", "limit", "order"],
        "create" => &["vals_list"],
        "fields_get" => &["allfields", "attributes"],
        "context_get" => &[],
        "read" => &["ids", "fields", "load"],
        "web_read" => &["ids", "specification"],
        "write" => &["ids", "vals"],
        "web_save_multi" => &["ids", "vals_list", "specification"],
        "has_access" => &["ids", "operation"],
        "web_save" => &["ids", "vals", "specification"],
        "check_access_rights" => &["operation", "raise_exception"],
        "has_group" => &["ids", "group_ext_id"],
        _ => &["ids"],
    };
    let args = args.as_array().map_or(&[][..], Vec::as_slice);
    if args.len() > names.len() {
        let text = format!(
            "{method}() takes {} positional arguments but {} were given",
            names.len(),
            args.len()
        );
        return Err(Refusal::Call(text));
    }
    let mut body: Map<String, Value> = names
        .iter()
        .zip(args)
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    body.extend(keywords.as_object().cloned().unwrap_or_default());
    Ok(body)
}
