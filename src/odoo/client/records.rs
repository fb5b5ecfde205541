//! Shared parts of calls: reads records page by page, writes external ids, creates one record, and
//! has the contexts of calls that write.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Client;
use crate::odoo::loaded::{Loaded, MODULE, first_message, load_pauses};
use crate::outcome::Failure;

/// The rows of one page: a slow server also answers in well under a second.
pub const PAGE_ROWS: usize = 500;
/// The most names in one call.
pub const NAMES_MAX: usize = 200;

/// A record whose id tells where the next page begins.
pub(in crate::odoo) trait Record {
    fn id(&self) -> i64;
}

macro_rules! records {
    ($($record:ty),*) => {
        $(impl $crate::odoo::client::records::Record for $record {
            fn id(&self) -> i64 {
                self.id.into()
            }
        })*
    };
}
pub(in crate::odoo) use records;

/// A record with its id alone.
#[derive(Debug, Deserialize)]
pub(in crate::odoo) struct Id<T> {
    pub id: T,
}

impl<T: Copy + Into<i64>> Record for Id<T> {
    fn id(&self) -> i64 {
        self.id.into()
    }
}

impl Client {
    /// Reads all records, page by page: the records of the names may need more than one page.
    pub(in crate::odoo) async fn search_all<T: DeserializeOwned + Record>(
        &mut self,
        model: &str,
        domain: Vec<Value>,
        fields: &[&str],
        mut take: impl FnMut(T),
    ) -> Result<(), Failure> {
        let mut after = 0;
        loop {
            let mut domain = domain.clone();
            domain.push(json!(["id", ">", after]));
            let page: Vec<T> = self
                .search(model, &Value::Array(domain), fields, PAGE_ROWS)
                .await?;
            let whole = page.len() >= PAGE_ROWS;
            after = page.last().map_or(after, Record::id);
            page.into_iter().for_each(&mut take);
            if !whole {
                return Ok(());
            }
        }
    }

    /// Reads records with bare ids for references, oldest first, archived records included.
    pub(in crate::odoo) async fn search<T: DeserializeOwned>(
        &mut self,
        model: &str,
        domain: &Value,
        fields: &[&str],
        limit: usize,
    ) -> Result<Vec<T>, Failure> {
        let body = json!({
            "domain": domain,
            "fields": fields,
            "limit": limit,
            "order": "id",
            "load": null,
            "context": {"active_test": false},
        });
        self.call(model, "search_read", &body).await
    }

    /// The gateway's external ids of these records, without the module. The user may not read the
    /// table of external ids, but may ask each record.
    pub(in crate::odoo) async fn external_ids<T: Copy + Ord + FromStr + Serialize>(
        &mut self,
        model: &str,
        ids: &[T],
    ) -> Result<BTreeMap<T, String>, Failure> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let found: BTreeMap<String, String> = self
            .call(model, "get_external_id", &json!({"ids": ids}))
            .await?;
        let ours = |(id, external): (String, String)| {
            let (module, name) = external.split_once('.')?;
            (module == MODULE).then(|| Some((id.parse().ok()?, name.to_owned())))?
        };
        Ok(found.into_iter().filter_map(ours).collect())
    }

    /// Creates one record, unless its external id exists, and returns Odoo's id of the record.
    /// `row` has a value for each field. The client sends a failed `load` again before it counts as
    /// refused.
    pub(in crate::odoo) async fn load_one<T: From<i64>>(
        &mut self,
        model: &str,
        row: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<T, Failure> {
        let (fields, row): (Vec<_>, Vec<_>) = row.into_iter().unzip();
        let body = json!({"fields": fields, "data": [row], "context": self.load_context()});
        let mut pauses = load_pauses();
        loop {
            let loaded: Loaded = self.call(model, "load", &body).await?;
            let made = loaded.ids.as_array().and_then(|ids| ids.first()?.as_i64());
            match (made, pauses.next()) {
                (Some(id), _) => return Ok(T::from(id)),
                (None, Some(pause)) => tokio::time::sleep(pause).await,
                (None, None) => return Err(Failure::person(first_message(&loaded.messages))),
            }
        }
    }

    /// The context with which `load` creates absent records and does not change existing ones.
    /// Times are in UTC whatever the user's time zone.
    pub(in crate::odoo) fn load_context(&self) -> Value {
        let mut context = self.context();
        context["module"] = json!(MODULE);
        context["mode"] = json!("update");
        context["noupdate"] = json!(true);
        context
    }

    /// The context with which Odoo posts instead of asking a person, who is absent.
    pub(in crate::odoo) fn validate_context(&self) -> Value {
        let mut context = self.context();
        for question in ["skip_backorder", "skip_sms", "skip_expired"] {
            context[question] = json!(true);
        }
        context
    }
}
