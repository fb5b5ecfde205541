//! `stockrelay take-over`: this gateway posts again, although another one has replaced it.

use std::io::Write;

use serde_json::{Value, json};

use super::{Client, Done, json_line};
use crate::view::cli::TakeOverArgs;
use crate::view::records::TakenOver;
use crate::view::table::counted;

const PATH: &str = "/v1/take-over";

pub async fn take_over(client: &Client, args: &TakeOverArgs, out: &mut dyn Write) -> Done {
    let body = json!({ "reason": args.reason });
    if args.json {
        let value: Value = client.post(PATH, &body).await?;
        json_line(out, &value)?;
        return Ok(());
    }
    let taken: TakenOver = client.post(PATH, &body).await?;
    writeln!(
        out,
        "This gateway takes over its site. It compares {} with Odoo and parks what stays unsure (`stockrelay parked list --code maybe-posted`). The other gateway stops within a minute.",
        counted(taken.waiting, "waiting document")
    )?;
    Ok(())
}
