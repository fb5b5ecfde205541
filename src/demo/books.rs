//! Compares the devices' lists with Odoo's movements. Both are independent of the gateway.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rust_decimal::Decimal;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use thiserror::Error;

use crate::event::{Action, Move, Movement};
use crate::tls;

/// Records that one call reads.
const PAGE: usize = 1_000;
/// Locations and products that made-up devices use, at most.
const BINS_MAX: usize = 200;
const PRODUCTS_MAX: usize = 500;

#[derive(Debug, Error)]
pub enum BooksError {
    #[error("cannot ask Odoo for {what}: {reason}; check --odoo, --database and --api-key-file")]
    Odoo { what: String, reason: String },
    #[error(
        "Odoo has {bins} bins and {products} products that the made-up devices could scan; 2 and 1 are the least: give internal locations and products barcodes"
    )]
    TooLittle { bins: usize, products: usize },
}

/// A product with the locations it moved between, by their barcodes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    pub product: String,
    pub from: String,
    pub to: String,
}

impl Way {
    /// Returns the way and quantity of a transfer. `None`: the action is not a transfer.
    #[must_use]
    pub fn of_transfer(action: Action) -> Option<(Self, Decimal)> {
        let Action::Move(Move {
            movement: Movement::Transfer,
            goods,
            ..
        }) = action
        else {
            return None;
        };
        let way = Self {
            product: goods.product,
            from: goods.from?,
            to: goods.to?,
        };
        Some((way, goods.quantity))
    }
}

/// Quantities by way.
pub type Moves = BTreeMap<Way, Decimal>;

/// A direct connection to Odoo, without the gateway.
#[derive(Debug)]
pub struct Books {
    url: String,
    database: String,
    key: SecretString,
    client: reqwest::Client,
    /// Barcodes by id.
    bins: BTreeMap<i64, String>,
    products: BTreeMap<i64, String>,
    /// Quantities by product and location before the devices started.
    before: BTreeMap<(i64, i64), Decimal>,
    last_line: i64,
}

/// Odoo's movements since [`Books::open`], compared with the devices' lists.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Comparison {
    pub moved: Decimal,
    /// Moved by a device, and waiting in the gateway's journal.
    pub waiting: Decimal,
    /// Moved by a device, and not in Odoo.
    pub lost: Decimal,
    /// In Odoo, and moved by no device.
    pub doubled: Decimal,
    /// Quantities of products in locations that were compared, and those that are wrong.
    pub places: usize,
    pub places_wrong: usize,
}

impl Comparison {
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.lost.is_zero() && self.doubled.is_zero() && self.places_wrong == 0
    }
}

impl Books {
    /// Reads the barcodes and the stock.
    pub async fn open(url: &str, database: &str, key: SecretString) -> Result<Self, BooksError> {
        tls::install_provider();
        let client = reqwest::Client::builder().timeout(Duration::from_mins(1));
        let client = client.build().map_err(|error| BooksError::Odoo {
            what: "anything".to_owned(),
            reason: error.to_string(),
        })?;
        let mut books = Self {
            url: url.trim_end_matches('/').to_owned(),
            database: database.to_owned(),
            key,
            client,
            bins: BTreeMap::new(),
            products: BTreeMap::new(),
            before: BTreeMap::new(),
            last_line: 0,
        };
        let bins = json!([["usage", "=", "internal"], ["barcode", "!=", false]]);
        books.bins = books.barcodes("stock.location", bins, BINS_MAX).await?;
        // Lots would need stock of their own.
        let plain = json!([
            ["tracking", "=", "none"],
            ["is_storable", "=", true],
            ["barcode", "!=", false]
        ]);
        books.products = books
            .barcodes("product.product", plain, PRODUCTS_MAX)
            .await?;
        if books.bins.len() < 2 || books.products.is_empty() {
            return Err(BooksError::TooLittle {
                bins: books.bins.len(),
                products: books.products.len(),
            });
        }
        books.before = books.quantities().await?;
        let newest = json!({"domain": [], "fields": ["id"], "order": "id desc", "limit": 1});
        let newest = books.ask("stock.move.line", "search_read", newest).await?;
        books.last_line = newest[0]["id"].as_i64().unwrap_or(0);
        Ok(books)
    }

    /// The barcodes of bins that devices may scan.
    #[must_use]
    pub fn bins(&self) -> Vec<String> {
        self.bins.values().cloned().collect()
    }

    #[must_use]
    pub fn products(&self) -> Vec<String> {
        self.products.values().cloned().collect()
    }

    /// Compares the devices' movements with the posted ones, and with the stock. A movement that
    /// waits in the gateway may be in Odoo or not: it is neither lost nor doubled.
    pub async fn compare(&self, moved: &Moves, waiting: &Moves) -> Result<Comparison, BooksError> {
        let mut comparison = Comparison::default();
        let mut delivered = BTreeMap::new();
        let posted = self.read_posted().await?;
        let ways: BTreeSet<&Way> = moved.keys().chain(posted.keys()).collect();
        for way in ways {
            let meant = moved.get(way).copied().unwrap_or_default();
            let found = posted.get(way).copied().unwrap_or_default();
            let open = waiting.get(way).copied().unwrap_or_default();
            let wanted = found.min(meant).max(meant - open);
            comparison.moved += found;
            comparison.waiting += meant - wanted;
            comparison.lost += (wanted - found).max(Decimal::ZERO);
            comparison.doubled += (found - wanted).max(Decimal::ZERO);
            delivered.insert(way, wanted);
        }
        let mut expected = self.before.clone();
        let id_of = |map: &BTreeMap<i64, String>, code: &str| {
            map.iter()
                .find(|(_, barcode)| *barcode == code)
                .map(|(id, _)| *id)
        };
        for (way, quantity) in delivered {
            let product = id_of(&self.products, &way.product);
            for (bin, sign) in [(&way.from, Decimal::NEGATIVE_ONE), (&way.to, Decimal::ONE)] {
                if let (Some(product), Some(bin)) = (product, id_of(&self.bins, bin)) {
                    *expected.entry((product, bin)).or_default() += sign * quantity;
                }
            }
        }
        let now = self.quantities().await?;
        let places: BTreeSet<_> = expected.keys().chain(now.keys()).collect();
        comparison.places = places.len();
        let at = |map: &BTreeMap<_, Decimal>, place| map.get(place).copied().unwrap_or_default();
        let wrong = places
            .into_iter()
            .filter(|place| at(&expected, place) != at(&now, place));
        comparison.places_wrong = wrong.count();
        Ok(comparison)
    }

    /// Reads all movements that were posted since the start.
    async fn read_posted(&self) -> Result<Moves, BooksError> {
        let mut moves = Moves::new();
        let mut after = self.last_line;
        loop {
            let domain = json!([
                ["id", ">", after],
                ["state", "=", "done"],
                ["product_id", "in", self.products.keys().collect::<Vec<_>>()],
            ]);
            let fields = json!(["product_id", "location_id", "location_dest_id", "quantity"]);
            let body = json!({"domain": domain, "fields": fields, "order": "id", "limit": PAGE});
            let rows = self.ask("stock.move.line", "search_read", body).await?;
            let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
            for row in rows {
                let code = |map: &BTreeMap<i64, String>, field: &str| {
                    let id = row[field][0].as_i64().unwrap_or(0);
                    map.get(&id).cloned().unwrap_or_else(|| format!("id {id}"))
                };
                let way = Way {
                    product: code(&self.products, "product_id"),
                    from: code(&self.bins, "location_id"),
                    to: code(&self.bins, "location_dest_id"),
                };
                *moves.entry(way).or_default() += decimal(&row["quantity"]);
            }
            match rows.last() {
                Some(last) if rows.len() == PAGE => after = last["id"].as_i64().unwrap_or(i64::MAX),
                _ => return Ok(moves),
            }
        }
    }

    async fn quantities(&self) -> Result<BTreeMap<(i64, i64), Decimal>, BooksError> {
        let mut found = BTreeMap::new();
        let mut after = 0;
        loop {
            let domain = json!([
                ["id", ">", after],
                ["product_id", "in", self.products.keys().collect::<Vec<_>>()],
                ["location_id", "in", self.bins.keys().collect::<Vec<_>>()],
            ]);
            let fields = json!(["product_id", "location_id", "quantity"]);
            let body = json!({"domain": domain, "fields": fields, "order": "id", "limit": PAGE});
            let rows = self.ask("stock.quant", "search_read", body).await?;
            let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
            for row in rows {
                let id = |field: &str| row[field][0].as_i64().unwrap_or(0);
                let place = (id("product_id"), id("location_id"));
                *found.entry(place).or_insert(Decimal::ZERO) += decimal(&row["quantity"]);
            }
            match rows.last() {
                Some(last) if rows.len() == PAGE => after = last["id"].as_i64().unwrap_or(i64::MAX),
                _ => return Ok(found),
            }
        }
    }

    async fn barcodes(
        &self,
        model: &str,
        domain: Value,
        limit: usize,
    ) -> Result<BTreeMap<i64, String>, BooksError> {
        let body = json!({"domain": domain, "fields": ["barcode"], "order": "id", "limit": limit});
        let rows = self.ask(model, "search_read", body).await?;
        let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
        let pair = |row: &Value| Some((row["id"].as_i64()?, row["barcode"].as_str()?.to_owned()));
        Ok(rows.iter().filter_map(pair).collect())
    }

    async fn ask(&self, model: &str, method: &str, body: Value) -> Result<Value, BooksError> {
        let failed = |reason: String| BooksError::Odoo {
            what: format!("{model}.{method}"),
            reason,
        };
        let response = self
            .client
            .post(format!("{}/json/2/{model}/{method}", self.url))
            .header("X-Odoo-Database", &self.database)
            .bearer_auth(self.key.expose_secret())
            .json(&body)
            .send()
            .await
            .map_err(|error| failed(error.without_url().to_string()))?;
        let status = response.status();
        if !status.is_success() {
            return Err(failed(format!("HTTP {status}")));
        }
        let answer = response.json().await;
        answer.map_err(|error| failed(error.without_url().to_string()))
    }
}

/// Converts Odoo's floating point number into a decimal.
fn decimal(value: &Value) -> Decimal {
    let number = value.as_f64().unwrap_or(0.0);
    Decimal::try_from(number)
        .unwrap_or_default()
        .round_dp(4)
        .normalize()
}
