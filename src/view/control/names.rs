//! `GET /v1/names`: the names of codes of products and locations, by the copy of Odoo's data.

use axum::Json;
use axum::extract::State;

use super::problem::Problem;
use super::query::{Parameters, shorten};
use super::{Answer, Gateway, reading};
use crate::catalog::{Catalog, CatalogError, Found};
use crate::odoo::Kind;
use crate::view::records::{CodeNameView, Names};

/// The limit of codes in one request.
const CODES_MAX: usize = 200;

/// `?code=CODE&code=CODE`. Without a copy of Odoo's data no code has a name.
pub async fn names(State(gateway): State<Gateway>, Parameters(pairs): Parameters) -> Answer<Names> {
    let mut codes = Vec::new();
    for (key, value) in pairs {
        if key != "code" || codes.len() == CODES_MAX {
            return Err(Problem::bad(
                format!(
                    "the parameter {:?} is unknown or one too many",
                    shorten(&key)
                ),
                format!("give at most {CODES_MAX} parameters `code`"),
            ));
        }
        codes.push(value);
    }
    let copy = gateway.copies.as_ref().and_then(|it| it.borrow().clone());
    let names = reading(&gateway, move |_| {
        let named = codes.into_iter().map(|code| name_of(copy.as_ref(), code));
        named
            .collect::<Result<_, _>>()
            .map_err(|error: CatalogError| Problem::internal(error.to_string()))
    });
    Ok(Json(Names {
        names: names.await?,
    }))
}

fn name_of(copy: Option<&Catalog>, code: String) -> Result<CodeNameView, CatalogError> {
    let mut name = CodeNameView {
        code,
        kind: None,
        name: None,
    };
    let Some(copy) = copy else { return Ok(name) };
    if let Found::One(product) = copy.product(&name.code)? {
        (name.kind, name.name) = (Some("product".to_owned()), Some(product.name));
    } else if let Found::One(id) = copy.location(&name.code)?
        && let Some(called) = copy.called(Kind::Location, id.get())?
    {
        (name.kind, name.name) = (Some("location".to_owned()), Some(called.name));
    }
    Ok(name)
}
