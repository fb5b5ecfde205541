//! Explains what a code means at this site, by the copy of Odoo's data and its nomenclature, as
//! flows do.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::decide::{RawBody, read_bytes};
use super::problem::Problem;
use super::{Gateway, reading};
use crate::catalog::known::{InCatalog, nomenclature};
use crate::clock;
use crate::decode::meaning::{Context, Explanation};
use crate::decode::profile::{Means, Symbology};

/// A code as its profile reads it, and the profile's prefixes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    pub text: String,
    #[serde(default)]
    pub symbology: Option<String>,
    #[serde(default)]
    pub means: Vec<Means>,
    /// The profile's `code.data_identifiers`.
    #[serde(default)]
    pub data_identifiers: bool,
    /// The product that was scanned before: the code may be one of its lots.
    #[serde(default)]
    pub last: Option<String>,
}

pub async fn meaning(
    State(gateway): State<Gateway>,
    body: RawBody,
) -> Result<Json<Explanation>, Problem> {
    let code: Code = serde_json::from_slice(&read_bytes(body)?).map_err(|error| {
        Problem::bad(
            format!("cannot read the body: {error}"),
            r#"send {"text": "CODE", "symbology": "gs1-128", "means": [{"prefix": "P", "is": "product"}], "last": "CODE"}; all but text are optional"#,
        )
    })?;
    let copy = gateway.copies.as_ref().and_then(|it| it.borrow().clone());
    let copy = copy.ok_or_else(|| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the gateway has no copy of Odoo's data yet",
            "wait until Odoo has answered once: `stockrelay status` shows the link",
        )
    })?;
    let explained = reading(&gateway, move |_| {
        let known = InCatalog {
            copy: &copy,
            last: code.last.as_deref(),
        };
        let nomenclature = nomenclature(&copy);
        let context = Context {
            means: &code.means,
            nomenclature: nomenclature.as_ref(),
            known: &known,
            data_identifiers: code.data_identifiers,
            year: clock::now().to_zoned(TimeZone::UTC).year(),
        };
        let symbology = code.symbology.as_deref().and_then(Symbology::of);
        Ok(context.explain(&code.text, symbology.as_ref()))
    });
    Ok(Json(explained.await?))
}
