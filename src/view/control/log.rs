//! `GET /v1/log`: the newest lines of the daemon's log.

use axum::Json;

use super::Answer;
use super::query::{Parameters, Query};
use crate::view::recent_log;
use crate::view::records::LogPage;

pub async fn log(Parameters(pairs): Parameters) -> Answer<LogPage> {
    let query = Query::parse(pairs, &[], &[])?;
    Ok(Json(recent_log::read(query.after, query.limit)))
}
