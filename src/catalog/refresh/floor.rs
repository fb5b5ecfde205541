//! Refreshes what the floor needs in addition to barcodes: stock on hand, open orders, names, the
//! barcode rules. It also checks when the API key expires, and whether its user has an e-mail
//! address where Odoo needs one.
//!
//! Odoo may refuse any of these (a right, an app, a version). The gateway reports that once. It
//! reads stock, orders and names again after an hour, and the rest after a day. The catalog keeps
//! what it read before the refusal; it does not claim to know a part that it has never read.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{FULL_EVERY, Trouble, before};
use crate::board::Board;
use crate::catalog::Catalog;
use crate::clock;
use crate::odoo::{ApiKey, Client, Kind, ORDERS_MAX, PAGE_ROWS, QUANTS_MAX, Row, Warehouse, Which};
use crate::odoo_id::PickingId;
use crate::outcome::Failure;

/// The pause after Odoo refused stock, orders or names.
const AGAIN_AFTER: Duration = Duration::from_hours(1);
const KEYS_EVERY: Duration = Duration::from_hours(24);
/// The alarm starts this long before a key expires.
const EXPIRY_WARNING: SignedDuration = SignedDuration::from_hours(14 * 24);
const ALARM_KEY: &str = "odoo-key-expires";
const ALARM_EMAIL: &str = "odoo-user-email";
const NO_EMAIL: &str = "The gateway's user in Odoo has no e-mail address, so this version of Odoo refuses each validation that creates a backorder. Give the user an e-mail address in Odoo, then retry the parked documents.";

/// A part of the data that Odoo may refuse.
#[derive(Debug, Default)]
struct Part {
    refused: Option<Duration>,
    /// The time of the last full read.
    full: Option<Duration>,
}

#[derive(Debug, Default)]
pub struct Floor {
    stock: Part,
    orders: Part,
    names: Part,
    rules: Part,
    keys: Part,
    email: Part,
    /// Kinds for which this Odoo lacks the fields of an app.
    plain: BTreeSet<Kind>,
}

impl Part {
    fn is_due(&self, now: Duration) -> bool {
        self.refused.is_none_or(|at| now >= at + AGAIN_AFTER)
    }

    fn is_full_due(&self, now: Duration, every: Duration) -> bool {
        self.full.is_none_or(|at| now >= at + every)
    }

    /// Notes the result of a read. Returns an error only if the link is down.
    fn note(
        &mut self,
        what: &str,
        done: Result<(), Trouble>,
        now: Duration,
    ) -> Result<(), Trouble> {
        match done {
            Err(Trouble::Odoo(failure @ (Failure::Person { .. } | Failure::Stop { .. }))) => {
                if self.refused.is_none() {
                    tracing::warn!(%failure, "Odoo does not allow the gateway to read {what}: the gateway continues without; give the key's user the right to read the data, if you need it");
                }
                self.refused = Some(now);
                Ok(())
            }
            Ok(()) => {
                self.refused = None;
                Ok(())
            }
            other => other,
        }
    }
}

impl Floor {
    /// Has the expiry of API keys read again: the gateway logs in with another key.
    pub fn forget_keys(&mut self) {
        self.keys = Part::default();
    }

    pub async fn run(
        &mut self,
        odoo: &mut Client,
        copy: &Catalog,
        warehouse: &Warehouse,
        board: &Board,
        now: Duration,
    ) -> Result<(), Trouble> {
        if self.stock.is_due(now) {
            let done = self.stock(odoo, copy, warehouse, now).await;
            self.stock.note("the stock on hand", done, now)?;
        }
        if self.orders.is_due(now) {
            let done = self.orders(odoo, copy, warehouse, now).await;
            self.orders.note("the open orders", done, now)?;
        }
        if self.names.is_due(now) {
            let mut done = Ok(());
            for kind in [Kind::Lot, Kind::Package, Kind::Partner] {
                if done.is_ok() {
                    done = self.names(odoo, copy, warehouse, kind).await;
                }
            }
            self.names.note("lots, packages and partners", done, now)?;
        }
        if self.rules.is_due(now) && self.rules.is_full_due(now, FULL_EVERY) {
            let done = match odoo.nomenclature(warehouse.company).await {
                Ok(nomenclature) => copy.set_nomenclature(&nomenclature).map_err(Trouble::from),
                Err(failure) => Err(failure.into()),
            };
            self.rules.full = Some(now);
            self.rules.note("the barcode nomenclature", done, now)?;
        }
        if self.keys.is_full_due(now, KEYS_EVERY) {
            // The gateway reads the keys once a day, even if Odoo refuses the read.
            self.keys.full = Some(now);
            let done = match odoo.api_keys().await {
                Ok(keys) => {
                    let now = clock::now();
                    let first = ApiKey::first_expiry(&keys, now);
                    board.odoo(|view| view.key_expires = first.map(|(at, _)| at));
                    board.alarm(ALARM_KEY, first.and_then(|first| warn_of(first, now)));
                    Ok(())
                }
                Err(failure) => Err(failure.into()),
            };
            self.keys.note("the expiry of its API key", done, now)?;
        }
        if self.email.is_full_due(now, KEYS_EVERY) {
            self.email.full = Some(now);
            let done = odoo.lacks_email().await.map(|lacks_email| {
                board.alarm(ALARM_EMAIL, lacks_email.then(|| NO_EMAIL.to_owned()));
            });
            let done = done.map_err(Trouble::from);
            self.email
                .note("the e-mail address of its user", done, now)?;
        }
        Ok(())
    }

    async fn stock(
        &mut self,
        odoo: &mut Client,
        copy: &Catalog,
        warehouse: &Warehouse,
        now: Duration,
    ) -> Result<(), Trouble> {
        let since = copy.since(Kind::Quant)?;
        let whole = since.is_none() || self.stock.is_full_due(now, FULL_EVERY);
        let since = since.filter(|_| !whole);
        let (mut after, mut begun) = (0, None);
        let mut seen = BTreeSet::new();
        loop {
            let which = Which::Page {
                since: since.as_deref(),
                after,
            };
            let page = self.page(odoo, Kind::Quant, warehouse, which).await?;
            begun.get_or_insert_with(|| odoo.server_time());
            copy.apply(Kind::Quant, &page)?;
            seen.extend(page.iter().map(|row| row.id));
            match page.last() {
                Some(last) if page.len() >= PAGE_ROWS && seen.len() < QUANTS_MAX => after = last.id,
                _ => break,
            }
        }
        if whole {
            copy.keep_only(Kind::Quant, &seen)?;
            self.stock.full = Some(now);
        }
        // Odoo deletes empty quants without a trace.
        let held = copy.count(Kind::Quant)?;
        if !whole && held != odoo.quant_count(warehouse).await?.min(QUANTS_MAX as u64) {
            let ids = odoo.quant_ids(warehouse).await?;
            copy.keep_only(Kind::Quant, &ids)?;
            let known = copy.ids(Kind::Quant)?;
            let missing: Vec<i64> = ids.difference(&known).copied().collect();
            for ids in missing.chunks(PAGE_ROWS) {
                let page = self
                    .page(odoo, Kind::Quant, warehouse, Which::Ids(ids))
                    .await?;
                copy.apply(Kind::Quant, &page)?;
            }
        }
        if let Some(begun) = begun {
            copy.set_since(Kind::Quant, &before(begun))?;
        }
        Ok(())
    }

    /// Reads the ids of open orders, which also shows which orders have finished, and then the
    /// orders that changed since the last read.
    async fn orders(
        &mut self,
        odoo: &mut Client,
        copy: &Catalog,
        warehouse: &Warehouse,
        now: Duration,
    ) -> Result<(), Trouble> {
        let since = copy.orders_since()?;
        let whole = since.is_none() || self.orders.is_full_due(now, FULL_EVERY);
        copy.reads_orders(clock::now());
        let open = odoo.open_order_ids(warehouse).await?;
        let begun = odoo.server_time();
        let cut = open.len() > ORDERS_MAX;
        if cut && whole {
            tracing::warn!(
                "Odoo has more than {ORDERS_MAX} open orders: the gateway does not read those due last; finish or cancel old orders in Odoo"
            );
        }
        let open: BTreeSet<PickingId> = open.into_iter().take(ORDERS_MAX).collect();
        let known = copy.open_order_ids()?;
        let over: Vec<PickingId> = known.difference(&open).copied().collect();
        let mut wanted: BTreeSet<PickingId> = open.difference(&known).copied().collect();
        match since.filter(|_| !whole) {
            Some(since) => {
                let touched = odoo.touched_order_ids(warehouse, &since).await?;
                wanted.extend(touched.intersection(&open));
            }
            None => wanted.extend(&open),
        }
        wanted.extend(&over);
        let wanted: Vec<PickingId> = wanted.into_iter().collect();
        let mut gone: BTreeSet<PickingId> = over.into_iter().collect();
        for ids in wanted.chunks(100) {
            let orders = odoo.orders(ids).await?;
            for order in &orders {
                gone.remove(&order.id);
            }
            copy.put_orders(&orders)?;
        }
        copy.drop_orders(&gone)?;
        copy.read_orders();
        copy.set_orders_since(&before(begun), cut)?;
        if whole {
            self.orders.full = Some(now);
        }
        Ok(())
    }

    /// Reads the lots, packages or owners that stock names, and the lots that open orders name: the
    /// missing ones, and those that changed since the last read.
    async fn names(
        &mut self,
        odoo: &mut Client,
        copy: &Catalog,
        warehouse: &Warehouse,
        kind: Kind,
    ) -> Result<(), Trouble> {
        let wanted = copy.referred(kind)?;
        copy.keep_only(kind, &wanted)?;
        let known = copy.ids(kind)?;
        let mut begun = None;
        if let Some(since) = copy.since(kind)? {
            let mut after = 0;
            loop {
                let which = Which::Page {
                    since: Some(&since),
                    after,
                };
                let mut page = self.page(odoo, kind, warehouse, which).await?;
                begun.get_or_insert_with(|| odoo.server_time());
                let (whole, last) = (page.len() >= PAGE_ROWS, page.last().map(|row| row.id));
                page.retain(|row| known.contains(&row.id));
                copy.apply(kind, &page)?;
                match last {
                    Some(last) if whole => after = last,
                    _ => break,
                }
            }
        }
        let missing: Vec<i64> = wanted.difference(&known).copied().collect();
        for ids in missing.chunks(PAGE_ROWS) {
            let page = self.page(odoo, kind, warehouse, Which::Ids(ids)).await?;
            begun.get_or_insert_with(|| odoo.server_time());
            copy.apply(kind, &page)?;
        }
        if let Some(begun) = begun {
            copy.set_since(kind, &before(begun))?;
        }
        Ok(())
    }

    /// Reads a page, without the fields of apps that this Odoo lacks.
    async fn page(
        &mut self,
        odoo: &mut Client,
        kind: Kind,
        warehouse: &Warehouse,
        which: Which<'_>,
    ) -> Result<Vec<Row>, Failure> {
        let plain = self.plain.contains(&kind);
        match odoo.floor_rows(kind, warehouse, which, plain).await {
            Err(Failure::Person { .. }) if !plain => {
                let rows = odoo.floor_rows(kind, warehouse, which, true).await?;
                self.plain.insert(kind);
                Ok(rows)
            }
            other => other,
        }
    }
}

/// The alarm text if the key expires soon.
fn warn_of((at, key): (Timestamp, &ApiKey), now: Timestamp) -> Option<String> {
    let soon = at.duration_since(now) <= EXPIRY_WARNING;
    let named = key.name.as_deref().unwrap_or_default();
    soon.then(|| {
        format!(
            "The API key {named:?} of the gateway's user in Odoo expires on {}. Create a new key, and delete this one. Write the new key into odoo.api_key_file; the gateway needs no restart. Or write it into /etc/credstore/odoo-api-key and restart the service. Or have central IT send it in a bundle.",
            at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d")
        )
    })
}

#[cfg(all(test, feature = "demo"))]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::extract::State;
    use axum::routing::post;
    use axum::{Json, Router};
    use serde_json::{Value, json};

    use super::*;
    use crate::config;
    use crate::demo::odoo::{ADMIN_API_KEY, API_KEY, DATABASE, Seed, StandIn};
    use crate::odoo::Lots;
    use crate::odoo_id::{CompanyId, LocationId, PickingTypeId, WarehouseId};

    /// A client with this key.
    fn client(stand_in: &StandIn, dir: &tempfile::TempDir, key: &str) -> Client {
        let file = dir.path().join(key);
        std::fs::write(&file, key).unwrap();
        let config = config::Odoo {
            api_key_file: Some(file),
            ..config::Odoo::new(&stand_in.url(), DATABASE)
        };
        Client::new(&config).unwrap()
    }

    #[tokio::test]
    async fn a_day_after_a_new_key_took_its_place_nobody_is_warned_of_the_old_one() {
        let seed = Seed {
            bins: 1,
            products: 1,
        };
        let stand_in = StandIn::start(seed, Duration::ZERO).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut odoo = client(&stand_in, &dir, API_KEY);
        let mut admin = client(&stand_in, &dir, ADMIN_API_KEY);
        let soon = clock::now() + SignedDuration::from_hours(13 * 24);
        let soon = soon.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let values = json!({"name": "old", "scope": "rpc", "user_id": 7, "expiration_date": soon});
        let body = json!({"vals_list": [values]});
        let old: Value = (admin.call("res.users.apikeys", "create", &body).await).unwrap();
        let warehouse = odoo.warehouse("WH").await.unwrap();
        let copy = Catalog::open(dir.path(), "a test").unwrap();
        let board = Board::new();
        let mut floor = Floor::default();
        let mut warned = async |hours: u64| {
            let now = Duration::from_hours(hours);
            let done = floor.run(&mut odoo, &copy, &warehouse, &board, now).await;
            done.unwrap();
            board.snapshot().alarms.contains_key(ALARM_KEY)
        };
        assert!(warned(1).await);
        let body = json!({"ids": old});
        let _: Value = (admin.call("res.users.apikeys", "unlink", &body).await).unwrap();
        assert!(warned(24).await, "the gateway reads the keys once a day");
        assert!(!warned(25).await);
    }

    /// A stand-in for Odoo 18 that returns its user's e-mail address, and refuses all other calls.
    async fn older(
        State(email): State<Arc<Mutex<Value>>>,
        Json(asked): Json<Value>,
    ) -> Json<Value> {
        let args = &asked["params"]["args"];
        let result = match (asked["params"]["method"].as_str(), args[4].as_str()) {
            (Some("version"), _) => json!({"server_version": "18.0"}),
            (Some("authenticate"), _) => json!(7),
            (_, Some("context_get")) => json!({"uid": 7}),
            (_, Some("read")) => json!([{"id": 7, "email": *email.lock().unwrap()}]),
            _ => {
                let data = json!({"name": "odoo.exceptions.UserError", "message": "no"});
                let error = json!({"message": "Odoo Server Error", "data": data});
                return Json(json!({"jsonrpc": "2.0", "error": error}));
            }
        };
        Json(json!({"jsonrpc": "2.0", "result": result}))
    }

    #[tokio::test]
    async fn before_19_a_user_without_an_e_mail_address_is_an_alarm_until_there_is_one() {
        let email = Arc::new(Mutex::new(json!(false)));
        let router = Router::new()
            .route("/jsonrpc", post(older))
            .with_state(email.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("key"), "key").unwrap();
        let config = config::Odoo {
            api_key_file: Some(dir.path().join("key")),
            user: Some("gateway".to_owned()),
            ..config::Odoo::new(&url, DATABASE)
        };
        let mut odoo = Client::new(&config).unwrap();
        let warehouse = Warehouse {
            id: WarehouseId::new(1),
            picking_type: PickingTypeId::new(7),
            from: LocationId::new(8),
            to: LocationId::new(9),
            company: CompanyId::new(1),
            receipts: None,
            lots: Lots::Made,
            returns: None,
        };
        let copy = Catalog::open(dir.path(), "a test").unwrap();
        let board = Board::new();
        let mut floor = Floor::default();
        for (hours, address, warns) in [
            (0, json!(false), true),
            (24, json!("gateway@example.com"), false),
            (48, json!(" "), true),
        ] {
            *email.lock().unwrap() = address;
            let now = Duration::from_hours(hours);
            let done = floor.run(&mut odoo, &copy, &warehouse, &board, now).await;
            done.unwrap();
            let alarms = board.snapshot().alarms;
            assert_eq!(alarms.contains_key(ALARM_EMAIL), warns, "{hours}");
        }
        server.abort();
    }

    #[test]
    fn a_key_that_expires_within_fourteen_days_is_told_of_by_name() {
        let key = |name: &str, date: Option<&str>| ApiKey {
            name: Some(name.to_owned()),
            expiration_date: date.map(str::to_owned),
        };
        let now: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
        let soon = key("gateway", Some("2026-12-07 07:59:00"));
        let later = key("script", Some("2026-12-07 08:01:00"));
        let over = key("old", Some("2026-11-22 08:00:00"));
        let never = key("eternal", None);
        let expiry =
            |keys: &[ApiKey]| ApiKey::first_expiry(keys, now).and_then(|key| warn_of(key, now));
        let sentence = expiry(&[later.clone(), over.clone(), never.clone(), soon]).unwrap();
        assert!(
            sentence.contains("\"gateway\"") && sentence.contains("2026-12-07"),
            "{sentence}"
        );
        assert_eq!(expiry(&[later.clone(), over.clone(), never.clone()]), None);
        let (at, key) = ApiKey::first_expiry(&[never.clone(), over.clone(), later.clone()], now)
            .map(|(at, key)| (at, key.name.clone()))
            .unwrap();
        assert_eq!(at.to_string(), "2026-12-07T08:01:00Z");
        assert_eq!(key.as_deref(), Some("script"));
        assert_eq!(ApiKey::first_expiry(&[never, over], now), None);
    }
}
