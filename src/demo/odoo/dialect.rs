//! Odoo 17 and 18: converts a call of an older version into the names of 19, which the store has,
//! and converts the answer back.
//!
//! The differences were measured on 17.0 and 18.0 (`docs/odoo.md`, "Odoo 17 and 18"). A model, a
//! method or a field that the version does not have is refused as Odoo refuses it.

mod french;
mod reply;
mod request;
mod words;

use serde_json::{Map, Value, json};

use super::methods::rights;
use super::params::Params;
use super::refusal::Refusal;
use super::store::Store;
use super::version::Version;
use super::{Caller, Server, answer};

/// A call in the words of the version.
#[derive(Debug)]
pub struct Call<'a> {
    pub model: &'a str,
    pub method: &'a str,
    pub body: Map<String, Value>,
}

/// Answers a call to a version before 19. Refusals are in French, so that a gateway that decides by
/// their text fails its tests.
pub async fn answer_older(
    shared: &Server,
    caller: Caller,
    call: Call<'_>,
) -> Result<Value, Refusal> {
    serve(shared, caller, call)
        .await
        .map(french::loaded)
        .map_err(french::refusal)
}

async fn serve(shared: &Server, caller: Caller, call: Call<'_>) -> Result<Value, Refusal> {
    let Call {
        model,
        method,
        body,
    } = call;
    let version = shared.version;
    let known = words::model(model).ok_or_else(|| Refusal::Model(model.to_owned()))?;
    if !words::has_method(version, method) {
        return Err(Refusal::Method(model.to_owned(), method.to_owned()));
    }
    if method == "check_access_rights" {
        return may(caller, known, &body);
    }
    if method == "context_get" && known == "res.users" {
        let mut context = answer(shared, caller, known, method, Params::new(body)).await?;
        context["lang"] = json!("fr_FR");
        return Ok(context);
    }
    let translated = {
        let store = shared.store();
        let door = Door {
            store: &store,
            version,
        };
        door.request(known, method, &body)?
    };
    if method == "web_save" {
        save(shared, caller, known, &translated).await?;
        return read_back(shared, caller, known, &body).await;
    }
    let answered = answer(shared, caller, known, method, Params::new(translated)).await?;
    let store = shared.store();
    let door = Door {
        store: &store,
        version,
    };
    Ok(door.reply(known, method, &body, answered))
}

/// The tables for the conversion.
#[derive(Debug, Clone, Copy)]
struct Door<'s> {
    store: &'s Store,
    version: Version,
}

fn may(caller: Caller, model: &str, body: &Map<String, Value>) -> Result<Value, Refusal> {
    let operation = body.get("operation").and_then(Value::as_str);
    let Some(method @ ("create" | "write" | "unlink" | "read")) = operation else {
        return Err(Refusal::Value(format!("Invalid operation {operation:?}")));
    };
    let allowed = rights(caller, model, method);
    match body.get("raise_exception") {
        Some(Value::Bool(false)) => Ok(json!(allowed.is_ok())),
        _ => allowed.map(|()| json!(true)),
    }
}

/// `web_save`: writes one record, or makes it.
async fn save(
    shared: &Server,
    caller: Caller,
    model: &'static str,
    body: &Map<String, Value>,
) -> Result<(), Refusal> {
    let mut written = Map::new();
    for name in ["ids", "vals", "context"] {
        if let Some(value) = body.get(name) {
            written.insert(name.to_owned(), value.clone());
        }
    }
    answer(shared, caller, model, "write", Params::new(written)).await?;
    Ok(())
}

async fn read_back(
    shared: &Server,
    caller: Caller,
    model: &'static str,
    body: &Map<String, Value>,
) -> Result<Value, Refusal> {
    let mut wanted = body.clone();
    wanted.remove("vals");
    let call = Call {
        model: words::older_name(model),
        method: "web_read",
        body: wanted,
    };
    Box::pin(serve(shared, caller, call)).await
}
