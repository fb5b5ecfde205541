//! Explains what a code means at this site, by the copy of Odoo's data and its nomenclature, as
//! flows do.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::body::{Fields, RawBody, read_bytes};
use super::problem::Problem;
use super::query::shorten;
use super::{Gateway, MEANING_BYTES_MAX, reading};
use crate::catalog::known::{InCatalog, nomenclature};
use crate::clock;
use crate::decode::meaning::{Context, Explanation};
use crate::decode::profile::{Kind, Means, Symbology};

/// A code as its profile reads it, and the profile's prefixes.
#[derive(Debug, Serialize)]
pub struct Code {
    pub text: String,
    pub symbology: Option<String>,
    pub means: Vec<Means>,
    /// The profile's `code.data_identifiers`.
    pub data_identifiers: bool,
    /// The product that was scanned before: the code may be one of its lots.
    pub last: Option<String>,
}

pub async fn meaning(
    State(gateway): State<Gateway>,
    body: RawBody,
) -> Result<Json<Explanation>, Problem> {
    let code = read(&read_bytes(body, MEANING_BYTES_MAX)?)?;
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

fn read(bytes: &[u8]) -> Result<Code, Problem> {
    let accepted = &["text", "symbology", "means", "data_identifiers", "last"];
    let remedy = r#"send {"text": "CODE", "symbology": "gs1-128", "means": [{"prefix": "P", "is": "product"}], "last": "CODE"}; all but text are optional"#;
    let mut fields = Fields::read(bytes, accepted, remedy)?;
    let means = fields.array("means")?.unwrap_or_default();
    let means = means.into_iter().map(|each| {
        let mut each = fields.inner("means", each, &["prefix", "is", "strip"])?;
        let is = each.text("is")?.unwrap_or_default();
        let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == is);
        let kinds = || Kind::ALL.map(Kind::as_str).join(", ");
        let wrong = || {
            format!(
                "\"is\" of an entry of \"means\" is {:?}; accepted are {}",
                shorten(&is),
                kinds()
            )
        };
        let missing = || "\"prefix\" of an entry of \"means\" is missing";
        Ok(Means {
            prefix: each.text("prefix")?.ok_or_else(|| each.refuse(missing()))?,
            is: kind.ok_or_else(|| each.refuse(wrong()))?,
            strip: each.flag("strip")?,
        })
    });
    let means = means.collect::<Result<_, Problem>>()?;
    Ok(Code {
        text: (fields.text("text")?).ok_or_else(|| fields.refuse("\"text\" is missing"))?,
        symbology: fields.text("symbology")?,
        means,
        data_identifiers: fields.flag("data_identifiers")?,
        last: fields.text("last")?,
    })
}
