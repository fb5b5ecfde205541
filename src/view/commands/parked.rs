//! `stockrelay parked`: lists parked documents, and sends a person's decision about them.

use std::io::Write;

use serde_json::{Map, Value, json};

use super::lists::{fetch_documents, write_documents};
use super::write::write_detail;
use super::{Client, CommandError, Done, check_code, json_line};
use crate::reason::ReasonCode;
use crate::view::cli::{EditWord, ParkedCommand};
use crate::view::client::{ClientError, encode_for_path};
use crate::view::records::{DocumentDetail, Retried};
use crate::view::table::counted;

const PARKED: &str = "parked document";

pub async fn parked(client: &Client, command: &ParkedCommand, out: &mut dyn Write) -> Done {
    match command {
        ParkedCommand::List { page, code } => {
            let filter = ("code", code.clone());
            let fetched = fetch_documents(client, "/v1/parked", page, filter).await?;
            let found = fetched.documents.len() as u64;
            let is_whole = page.after.is_none() && fetched.interrupted.is_none();
            let code = code.as_deref().filter(|_| is_whole);
            check_code::<ReasonCode>(code, found, PARKED, "parked")?;
            write_documents(&fetched.documents, page.json, out)?;
            fetched.end()?;
        }
        ParkedCommand::Show { id, json } => {
            let path = format!("/v1/parked/{}", encode_for_path(id));
            if *json {
                let value: Value = client.get(&path).await?;
                json_line(out, &value)?;
            } else {
                let detail: DocumentDetail = client.get(&path).await?;
                write_detail(&detail, out)?;
            }
        }
        ParkedCommand::Retry {
            id: Some(id),
            with,
            reason,
            ..
        } => {
            let body = json!({ "reason": reason, "with": with });
            let detail = decide(client, id, "retry", &body).await?;
            writeln!(
                out,
                "document {} waits to be sent again",
                detail.document.number
            )?;
        }
        ParkedCommand::Retry { code: None, .. } => {
            return Err(CommandError::Usage(
                "parked retry: name a document (`stockrelay parked retry 17`) or a reason code (`stockrelay parked retry --code CODE`)".to_owned(),
            ));
        }
        ParkedCommand::Retry {
            code, with, reason, ..
        } => {
            let body = json!({ "code": code, "reason": reason, "with": with });
            let retried = retry_all(client, body).await?;
            check_code::<ReasonCode>(code.as_deref(), retried, PARKED, "parked")?;
            writeln!(out, "{} will be sent again", counted(retried, "document"))?;
        }
        ParkedCommand::Edit {
            id,
            reason,
            lines,
            order,
        } => {
            let body = build_correction(reason, lines, order.as_deref())?;
            let detail = decide(client, id, "edit", &body).await?;
            writeln!(
                out,
                "document {} replaces document {} and waits to be sent",
                detail.document.number,
                detail.replaces.unwrap_or_default()
            )?;
        }
        ParkedCommand::Discard { id, reason } => {
            let detail = decide(client, id, "discard", &json!({ "reason": reason })).await?;
            writeln!(
                out,
                "document {} is discarded and will never be posted",
                detail.document.number
            )?;
        }
    }
    Ok(())
}

async fn decide(
    client: &Client,
    id: &str,
    decision: &str,
    body: &Value,
) -> Result<DocumentDetail, ClientError> {
    let path = format!("/v1/parked/{}/{decision}", encode_for_path(id));
    client.post(&path, body).await
}

/// Retries all documents with one reason code, a bounded number per request. Each document is
/// retried once, even if it is parked again meanwhile.
pub(in crate::view) async fn retry_all(
    client: &Client,
    mut body: Value,
) -> Result<u64, ClientError> {
    let mut retried = 0;
    loop {
        let done: Retried = client.post("/v1/parked/retry", &body).await?;
        retried += done.retried;
        if !done.more {
            return Ok(retried);
        }
        body["after"] = done.next.get().into();
    }
}

/// Builds the request from the values after `--line`, line by line. The daemon checks fields and
/// values.
fn build_correction(
    reason: &str,
    words: &[EditWord],
    order: Option<&str>,
) -> Result<Value, CommandError> {
    let mut lines: Vec<Map<String, Value>> = Vec::new();
    for word in words {
        match (word, lines.last_mut()) {
            (EditWord::Line(number), _) => {
                lines.push(Map::from_iter([("line".to_owned(), json!(number))]));
            }
            (EditWord::Field(field, value), Some(line)) => {
                let value = match value.as_str() {
                    "" => Value::Null,
                    text => text.into(),
                };
                line.insert(field.clone(), value);
            }
            (EditWord::Field(field, _), None) => {
                return Err(CommandError::Usage(format!(
                    "{field} has no line number: write --line N {field}=VALUE"
                )));
            }
        }
    }
    let mut body = json!({ "reason": reason, "lines": lines });
    if let Some(order) = order {
        body["order"] = match order {
            "" => Value::Null,
            name => name.into(),
        };
    }
    Ok(body)
}
