//! `stockrelay parked`: what was refused, and a person's decision about it.

use std::io::Write;

use serde_json::json;

use super::lists::{document_pages, write_documents};
use super::trace::write_document;
use super::{Client, CommandError, Done, json_line};
use crate::view::cli::{PageArgs, ParkedCommand};
use crate::view::client::{ClientError, path_part};
use crate::view::records::DocumentDetail;
use crate::view::table::{counted, plain};

/// Documents that `retry --all` takes at most.
const ALL_MAX: u64 = 100_000;

pub async fn parked(client: &Client, command: &ParkedCommand, out: &mut dyn Write) -> Done {
    match command {
        ParkedCommand::List(page) => {
            let all = document_pages(client, "/v1/parked", page, ("code", None)).await?;
            write_documents(&all, page.json, out)?;
        }
        ParkedCommand::Show { id, json } => {
            let path = format!("/v1/parked/{}", path_part(id));
            if *json {
                let value: serde_json::Value = client.get(&path).await?;
                json_line(out, &value)?;
            } else {
                let detail: DocumentDetail = client.get(&path).await?;
                write_document(&detail.document, &detail.audit, out)?;
            }
        }
        ParkedCommand::Retry {
            id: Some(id),
            reason,
            ..
        } => {
            let detail = decide(client, id, "retry", reason.as_deref()).await?;
            writeln!(
                out,
                "document {} is waiting to be sent again",
                detail.document.number
            )?;
        }
        ParkedCommand::Retry { all, reason, .. } => {
            retry_all(client, all.as_deref(), reason.as_deref(), out).await?;
        }
        ParkedCommand::Discard { id, reason } => {
            let detail = decide(client, id, "discard", Some(reason)).await?;
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
    reason: Option<&str>,
) -> Result<DocumentDetail, ClientError> {
    let path = format!("/v1/parked/{}/{decision}", path_part(id));
    client.post(&path, &json!({ "reason": reason })).await
}

/// Each on its own: what another person decided meanwhile is named and holds back none of the others.
async fn retry_all(
    client: &Client,
    code: Option<&str>,
    reason: Option<&str>,
    out: &mut dyn Write,
) -> Done {
    let page = PageArgs {
        after: None,
        limit: ALL_MAX,
        json: false,
    };
    let filter = ("code", code.map(str::to_owned));
    let all = document_pages(client, "/v1/parked", &page, filter).await?;
    let mut failed = 0;
    for document in &all {
        match decide(client, &document.key, "retry", reason).await {
            Ok(_) => {}
            Err(error @ ClientError::Refused { .. }) => {
                failed += 1;
                writeln!(
                    out,
                    "document {}: {}",
                    document.number,
                    plain(&error.to_string())
                )?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    if failed > 0 {
        let all = all.len();
        return Err(CommandError::Partly { failed, all });
    }
    writeln!(
        out,
        "{} to be sent again",
        counted(all.len() as u64, "document")
    )?;
    Ok(())
}
