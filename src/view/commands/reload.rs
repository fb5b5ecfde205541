//! `stockrelay config reload`: has the daemon read its configuration again.

use std::io::Write;

use super::{Client, Done, json_line};
use crate::reload::Reloaded;
use crate::view::table::plain;

pub async fn reload(client: &Client, json: bool, out: &mut dyn Write) -> Done {
    let body = serde_json::json!({});
    let reloaded: Reloaded = client.post("/v1/config/reload", &body).await?;
    if json {
        json_line(out, &reloaded)?;
        return Ok(());
    }
    let join = |keys: &[String]| plain(&keys.join(", "));
    match reloaded.changed.as_slice() {
        [] => writeln!(out, "The configuration has the values that it had before.")?,
        changed => writeln!(
            out,
            "The gateway runs with new values of: {}",
            join(changed)
        )?,
    }
    if !reloaded.after_batch.is_empty() {
        let keys = join(&reloaded.after_batch);
        writeln!(
            out,
            "Takes effect when no document is being sent to Odoo: {keys}"
        )?;
    }
    if !reloaded.at_restart.is_empty() {
        let keys = join(&reloaded.at_restart);
        writeln!(out, "Takes effect at the next start: {keys}")?;
    }
    Ok(())
}
