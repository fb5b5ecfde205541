//! Calls to Odoo 17 and 18. `dialect` translates a single call; this file makes several calls where
//! these versions need them.

mod demand;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Client;
use crate::odoo::answer::{CallError, cut};
use crate::odoo::dialect::{
    Dialect, PICKING, TIMES, guarded, guarded_write, is_guarded, is_guarded_write, time_rows,
};
use crate::odoo::loaded::load_pauses;
use crate::outcome::Failure;

impl Client {
    /// Whether each lot of this Odoo needs a company. From 18 on, Odoo uses the product's company,
    /// if the product has one.
    pub(in crate::odoo) async fn needs_lot_company(&mut self) -> Result<bool, Failure> {
        Ok(self.dialect().await? < Dialect::V18)
    }

    /// Whether this Odoo has a location for scrap that is not the one for counts.
    pub(in crate::odoo) async fn has_scrap_location(&mut self) -> Result<bool, Failure> {
        Ok(self.dialect().await? < Dialect::V19)
    }

    /// Whether this Odoo computes the weight of a shipment itself, and drops a weight that the
    /// gateway writes.
    pub(in crate::odoo) async fn forgets_weight(&mut self) -> Result<bool, Failure> {
        Ok(self.dialect().await? < Dialect::V19)
    }

    /// Calls a version before 19.
    pub(in crate::odoo) async fn call_older(
        &mut self,
        dialect: Dialect,
        model: &str,
        method: &str,
        body: &Value,
    ) -> Result<Value, CallError> {
        if method == "web_save_multi" {
            return self.save_each(body).await;
        }
        let (said_model, said_method, mut said) = dialect.said(model, method, body);
        if dialect == Dialect::V17 && is_guarded(model, method, body) {
            let rows = body["data"].as_array().map_or(&[][..], Vec::as_slice);
            let ids = rows.iter().filter_map(|row| row[0].as_str()?.parse().ok());
            said = guarded(body, &self.scheduled(ids.collect()).await?);
        }
        if dialect == Dialect::V17 && is_guarded_write(model, method, body) {
            let ids = body["ids"].as_array().into_iter().flatten();
            let ids = ids.filter_map(Value::as_i64).collect();
            said = guarded_write(body, &self.scheduled(ids).await?);
        }
        let answer = self.send(&said_model, &said_method, &said).await?;
        Ok(dialect.understood(model, answer))
    }

    /// Does the work of `web_save_multi`. Odoo 17 and 18 do not set the true time on a picking's
    /// moves and lines: one `load` sets all times, in one transaction.
    async fn save_each(&mut self, body: &Value) -> Result<Value, CallError> {
        let list = |key: &str| body[key].as_array().cloned().unwrap_or_default();
        let times: BTreeMap<i64, String> = (list("ids").iter().zip(list("vals_list")))
            .filter_map(|(id, vals)| Some((id.as_i64()?, vals["date_done"].as_str()?.to_owned())))
            .collect();
        if !times.is_empty() {
            let pickings: Vec<_> = times.keys().collect();
            let read = json!({"ids": pickings, "specification": {
                "move_ids": {"fields": {"state": {}}}, "move_line_ids": {"fields": {"state": {}}},
            }});
            let held = self.send(PICKING, "web_read", &read).await?;
            let rows = time_rows(&held, &times);
            let load = json!({"fields": TIMES, "data": rows, "context": body["context"]});
            self.load_times(&load).await?;
        }
        let read = json!({"ids": body["ids"], "specification": body["specification"]});
        self.send(PICKING, "web_read", &read).await
    }

    /// Sends a `load` of true times. The client sends a failed `load` again before it counts as
    /// refused.
    async fn load_times(&mut self, load: &Value) -> Result<(), CallError> {
        let mut pauses = load_pauses();
        loop {
            let answer = self.send(PICKING, "load", load).await?;
            if answer["ids"].is_array() {
                return Ok(());
            }
            let Some(pause) = pauses.next() else {
                let why = answer["messages"][0]["message"].as_str();
                return Err(Failure::person(cut(why.unwrap_or_default())).into());
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// The scheduled date of each picking in these rows, by its id as the row writes it.
    async fn scheduled(
        &mut self,
        ids: BTreeSet<i64>,
    ) -> Result<BTreeMap<String, String>, CallError> {
        let read = json!({"ids": ids, "fields": ["scheduled_date"]});
        let rows = self.send("stock.picking", "read", &read).await?;
        let rows = rows.as_array().map_or(&[][..], Vec::as_slice);
        let dated = rows.iter().filter_map(|row| {
            let date = row["scheduled_date"].as_str()?;
            Some((row["id"].as_i64()?.to_string(), date.to_owned()))
        });
        Ok(dated.collect())
    }
}
