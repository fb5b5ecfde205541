//! `stockrelay parked`: lists parked documents, and sends a person's decision about them.

use std::io::Write;

use serde_json::{Map, Value, json};

use super::lists::{fetch_documents, write_documents};
use super::write::{write_decided, write_detail};
use super::{Client, CommandError, Done, check_code, json_line};
use crate::reason::ReasonCode;
use crate::view::cli::{EditWord, ParkedCommand};
use crate::view::client::{ClientError, encode_for_path};
use crate::view::records::{DiscardedMany, DocumentDetail, Retried, Undecided};
use crate::view::table::{counted, plain};

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
            ids,
            code,
            with,
            reason,
            json,
        } => {
            let body = json!({ "reason": reason, "with": with });
            retry(client, (ids, code.as_deref()), body, *json, out).await?;
        }
        ParkedCommand::Edit {
            id,
            reason,
            lines,
            order,
            json,
        } => {
            let body = build_correction(reason, lines, order.as_deref())?;
            let detail = decide(client, id, "edit", &body).await?;
            write_decided(&detail, *json, out, |detail| {
                format!(
                    "document {} replaces document {} and waits to be sent",
                    detail.document.number,
                    detail.replaces.unwrap_or_default()
                )
            })?;
        }
        ParkedCommand::Discard { ids, reason, json } => {
            discard(client, ids, reason, *json, out).await?;
        }
        ParkedCommand::Undiscard { id, reason, json } => {
            let path = format!("/v1/documents/{}/undiscard", encode_for_path(id));
            let detail: DocumentDetail = client.post(&path, &json!({ "reason": reason })).await?;
            write_decided(&detail, *json, out, |detail| {
                format!(
                    "document {} replaces the discarded document {} and waits to be sent",
                    detail.document.number,
                    detail.replaces.unwrap_or_default()
                )
            })?;
        }
    }
    Ok(())
}

/// Retries the documents with these ids, or all with a reason code.
async fn retry(
    client: &Client,
    (ids, code): (&[String], Option<&str>),
    mut body: Value,
    json: bool,
    out: &mut dyn Write,
) -> Done {
    let sent_again =
        |done: &Retried| format!("{} will be sent again", counted(done.retried, "document"));
    match (ids, code) {
        ([], None) => Err(CommandError::Usage(
            "parked retry: name documents (`stockrelay parked retry 17`) or a reason code (`stockrelay parked retry --code CODE`)".to_owned(),
        )),
        ([], Some(code)) => {
            body["code"] = code.into();
            let done = retry_all(client, body).await?;
            check_code::<ReasonCode>(Some(code), done.retried, PARKED, "parked")?;
            write_decided(&done, json, out, sent_again)?;
            Ok(())
        }
        ([id], _) => {
            let detail = decide(client, id, "retry", &body).await?;
            write_decided(&detail, json, out, |detail| {
                format!("document {} waits to be sent again", detail.document.number)
            })?;
            Ok(())
        }
        (ids, _) => {
            body["ids"] = ids.into();
            let done: Retried = client.post("/v1/parked/retry", &body).await?;
            write_decided(&done, json, out, sent_again)?;
            report(&done.undecided)
        }
    }
}

async fn discard(
    client: &Client,
    ids: &[String],
    reason: &str,
    json: bool,
    out: &mut dyn Write,
) -> Done {
    if let [id] = ids {
        let detail = decide(client, id, "discard", &json!({ "reason": reason })).await?;
        write_decided(&detail, json, out, |detail| {
            let number = detail.document.number;
            format!("document {number} is discarded and will never be posted")
        })?;
        return Ok(());
    }
    let body = json!({ "ids": ids, "reason": reason });
    let done: DiscardedMany = client.post("/v1/parked/discard", &body).await?;
    write_decided(&done, json, out, |done| {
        let documents = counted(done.discarded, "document");
        let be = if done.discarded == 1 { "is" } else { "are" };
        format!("{documents} {be} discarded and will never be posted")
    })?;
    report(&done.undecided)
}

/// Fails with the documents that could not take the decision.
fn report(undecided: &[Undecided]) -> Done {
    if undecided.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = (undecided.iter())
        .map(|one| plain(&format!("{}: {}", one.id, one.error)))
        .collect();
    Err(CommandError::Failed(lines.join("\n")))
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
) -> Result<Retried, ClientError> {
    let mut retried = 0;
    loop {
        let done: Retried = client.post("/v1/parked/retry", &body).await?;
        retried += done.retried;
        if !done.more {
            return Ok(Retried { retried, ..done });
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
