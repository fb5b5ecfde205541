//! `stockrelay rejected`: lists rejected readings, and sends a person's decision about them.

use std::io::Write;
use std::path::Path;

use serde_json::json;

use super::write::{write_decided, write_rejected};
use super::{Client, CommandError, Done, PAGE, borrow, check_code, json_line, path};
use crate::event::RejectedNumber;
use crate::reason::RejectionCode;
use crate::view::cli::{PageArgs, RejectedCommand};
use crate::view::client::ClientError;
use crate::view::records::{Dismissed, RejectedPage, RejectedView, Resent};
use crate::view::snapshot::Status;
use crate::view::table::{Table, counted, time};

pub async fn rejected(client: &Client, command: &RejectedCommand, out: &mut dyn Write) -> Done {
    match command {
        RejectedCommand::List { page, all } => list_rejected(client, page, *all, out).await?,
        RejectedCommand::Show { number, json } => {
            let found: RejectedView = client.get(&format!("/v1/rejected/{number}")).await?;
            if *json {
                json_line(out, &found)?;
            } else {
                write_rejected(&found, out)?;
            }
        }
        RejectedCommand::Resend {
            number,
            payload,
            payload_file,
            channel,
            reason,
            json,
        } => {
            let payload = match payload_file {
                Some(file) => Some(read_payload(file)?),
                None => payload.clone(),
            };
            let is_as_stored = payload.is_none() && channel.is_none();
            let body = json!({ "payload": payload, "channel": channel, "reason": reason });
            let path = format!("/v1/rejected/{number}/resend");
            let resent = client.post(&path, &body).await;
            let resent: Resent = resent.map_err(|error| refuse_resend(error, is_as_stored))?;
            write_decided(&resent, *json, out, describe_resent)?;
        }
        RejectedCommand::Dismiss {
            number: Some(number),
            reason,
            json,
            ..
        } => {
            let path = format!("/v1/rejected/{number}/dismiss");
            let reading: RejectedView = client.post(&path, &json!({ "reason": reason })).await?;
            write_decided(&reading, *json, out, |_| {
                format!("rejected reading {number} is dismissed")
            })?;
        }
        RejectedCommand::Dismiss {
            scans: true,
            reason,
            json,
            ..
        } => {
            let body = json!({ "scans": true, "reason": reason });
            let dismissed = dismiss_many(client, &body).await?;
            let done = all_dismissed(dismissed);
            write_decided(&done, *json, out, |_| {
                format!("{} dismissed", counted(dismissed, "scan"))
            })?;
        }
        RejectedCommand::Dismiss {
            upto,
            code,
            device,
            reason,
            json,
            ..
        } => {
            let body = json!({ "upto": upto, "code": code, "device": device, "reason": reason });
            let dismissed = dismiss_many(client, &body).await?;
            let readings = "open rejected reading";
            check_code::<RejectionCode>(code.as_deref(), dismissed, readings, "rejected")?;
            let done = all_dismissed(dismissed);
            write_decided(&done, *json, out, |_| {
                format!("{} dismissed", counted(dismissed, "rejected reading"))
            })?;
        }
    }
    Ok(())
}

/// The answer to all requests together.
fn all_dismissed(dismissed: u64) -> Dismissed {
    let more = false;
    Dismissed { dismissed, more }
}

/// A stored payload that is rejected again is no fault of the arguments.
fn refuse_resend(error: ClientError, is_as_stored: bool) -> CommandError {
    match CommandError::from(error) {
        CommandError::Client(refused @ ClientError::Refused { status, .. })
            if is_as_stored && status.as_u16() == 400 =>
        {
            CommandError::Content(refused)
        }
        other => other,
    }
}

/// A payload from a file, or from standard input.
fn read_payload(file: &Path) -> Result<String, CommandError> {
    let text = if file == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(file)
    };
    text.map_err(|error| {
        CommandError::Usage(format!(
            "cannot read --payload-file {}: {error}; give a readable file of UTF-8 text, or - for standard input",
            file.display()
        ))
    })
}

/// Describes the result of sending a rejected reading again.
pub(in crate::view) fn describe_resent(resent: &Resent) -> String {
    let number = resent.number;
    match (resent.events.as_slice(), resent.duplicates.as_slice()) {
        ([seq], []) => format!("rejected reading {number} is now event {seq}"),
        ([], [seq]) => format!(
            "rejected reading {number} is settled: it is a duplicate of event {seq}, which is already stored"
        ),
        (events, duplicates) => format!(
            "rejected reading {number}: the gateway stored {} and skipped {}",
            counted(events.len() as u64, "event"),
            counted(duplicates.len() as u64, "duplicate")
        ),
    }
}

/// Dismisses rejected readings, a bounded number per request. Returns how many.
pub(in crate::view) async fn dismiss_many(
    client: &Client,
    body: &serde_json::Value,
) -> Result<u64, ClientError> {
    let mut dismissed = 0;
    loop {
        let done: Dismissed = client.post("/v1/rejected/dismiss", body).await?;
        dismissed += done.dismissed;
        if !done.more {
            return Ok(dismissed);
        }
    }
}

pub(super) async fn list_rejected(
    client: &Client,
    args: &PageArgs,
    all: bool,
    out: &mut dyn Write,
) -> Done {
    let mut left = args.limit;
    let mut after = RejectedNumber::new(args.after.unwrap_or(0));
    let mut table = Table::new(&[
        "NUMBER", "RECEIVED", "DEVICE", "ID", "CODE", "STATE", "MESSAGE",
    ]);
    while left > 0 {
        let parameters = [
            ("after", Some(after.to_string())),
            ("limit", Some(left.min(PAGE).to_string())),
            ("state", (!all).then(|| "open".to_owned())),
        ];
        let page: RejectedPage = client
            .get(&path("/v1/rejected", &borrow(&parameters)))
            .await?;
        after = page.next;
        left = left.saturating_sub(page.rejected.len() as u64);
        for rejected in page.rejected {
            if args.json {
                json_line(out, &rejected)?;
            } else {
                table.row([
                    rejected.number.to_string(),
                    time(rejected.received),
                    rejected.device,
                    rejected.id.unwrap_or_default(),
                    rejected.code,
                    rejected.state,
                    rejected.message,
                ]);
            }
        }
        if !page.more {
            break;
        }
    }
    if !args.json {
        table.write(&mut &mut *out, true)?;
        let status: Status = client.get("/v1/status").await?;
        let events = &status.events;
        if events.rejected_dropped > 0 {
            writeln!(
                out,
                "{} deleted to save space before a person settled them; to acknowledge: `stockrelay rejected dismiss --upto {} --reason TEXT`",
                counted(events.rejected_dropped, "rejected reading"),
                events.rejected_dropped_upto
            )?;
        }
    }
    Ok(())
}
