//! How Odoo answers, each assertion held against the stand-in and against a real Odoo 19.

use std::time::Duration;

use serde_json::{Value, json};

use super::target::{Answer, Target, fresh};

/// A test twice: on the stand-in, and on the real thing where there is one.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod stand_in {
            use super::*;
            $(#[tokio::test] async fn $name() {
                super::$name(Target::stand_in(Duration::ZERO).await).await;
            })*
        }
        mod real {
            use super::*;
            $(#[tokio::test]
            #[ignore = "needs a real Odoo 19: ODOO_URL, ODOO_DB, ODOO_API_KEY, ODOO_ADMIN_API_KEY"]
            async fn $name() {
                super::$name(Target::real()).await;
            })*
        }
    };
}

on_both!(
    version_answers_without_a_key,
    load_creates_if_absent_and_then_changes_nothing,
    load_is_all_or_nothing_and_names_the_record,
    load_says_what_is_wrong_in_each_field,
    load_takes_several_lines_and_keeps_their_bins,
    load_at_once_creates_each_picking_once,
    load_takes_times_in_the_users_zone_and_write_in_utc,
    validate_posts_and_skips_what_is_done,
    validate_refuses_a_missing_lot_and_posts_none_of_the_batch,
    validate_asks_wizards_and_posts_nothing,
    validate_posts_the_picked_lines_alone,
    serials_are_one_each,
    packages_are_created_if_absent,
    stock_goes_below_zero_without_a_word,
    true_time_carries_over_to_the_lines,
    saving_several_reads_them_back,
    cancelled_transfers_keep_their_external_id,
    records_that_are_gone_are_missing,
    private_methods_and_external_ids_are_out_of_reach,
    unknown_fields_are_value_errors,
    unknown_database_answers_html,
    bad_keys_answer_401,
    searches_take_domains_windows_and_orders,
    archived_products_are_left_out_unless_asked_for,
);

const COLUMNS: [&str; 10] = [
    "id",
    "picking_type_id/.id",
    "location_id/.id",
    "location_dest_id/.id",
    "origin",
    "move_line_ids/product_id/.id",
    "move_line_ids/quantity",
    "move_line_ids/picked",
    "move_line_ids/location_id/.id",
    "move_line_ids/location_dest_id/.id",
];

fn create_if_absent() -> Value {
    json!({"module": "stockrelay_test", "mode": "update", "noupdate": true})
}

fn no_wizards() -> Value {
    json!({"skip_backorder": true, "skip_sms": true})
}

/// A site's ids, looked up once a test.
struct Site {
    odoo: Target,
    internal: i64,
    bins: Vec<i64>,
}

impl Site {
    async fn new(odoo: Target) -> Self {
        let domain = json!([["code", "=", "internal"], ["warehouse_id.code", "=", "WH"]]);
        let internal = odoo.find("stock.picking.type", domain).await;
        let mut bins = Vec::new();
        for number in 0..4 {
            bins.push(odoo.bin(number).await);
        }
        Self {
            odoo,
            internal,
            bins,
        }
    }

    async fn product(&self, tracking: &str) -> i64 {
        self.odoo.new_product(&fresh("T"), tracking).await
    }

    /// The one row of a picking with one line.
    fn row(&self, key: &str, product: i64, quantity: &str, from: usize, to: usize) -> Vec<String> {
        let (from, to) = (self.bins[from].to_string(), self.bins[to].to_string());
        let head = [
            key.to_owned(),
            self.internal.to_string(),
            from.clone(),
            to.clone(),
        ];
        let line = [
            "test".to_owned(),
            product.to_string(),
            quantity.to_owned(),
            "1".to_owned(),
            from,
            to,
        ];
        head.into_iter().chain(line).collect()
    }

    /// Another line of the picking above.
    fn more(&self, product: i64, quantity: &str, from: usize, to: usize) -> Vec<String> {
        let mut row = self.row("", product, quantity, from, to);
        row[1..5].fill(String::new());
        row
    }

    async fn load(&self, rows: &[Vec<String>]) -> Value {
        let body = json!({"fields": COLUMNS, "data": rows, "context": create_if_absent()});
        self.odoo.ask("stock.picking", "load", body).await
    }

    async fn loaded(&self, rows: &[Vec<String>]) -> Vec<i64> {
        let answer = self.load(rows).await;
        let ids = answer["ids"]
            .as_array()
            .unwrap_or_else(|| panic!("{answer}"));
        ids.iter().map(|id| id.as_i64().unwrap()).collect()
    }

    async fn validate(&self, ids: &[i64]) -> Answer {
        let body = json!({"ids": ids, "context": no_wizards()});
        self.odoo
            .call("stock.picking", "button_validate", body)
            .await
    }

    async fn states(&self, ids: &[i64]) -> Vec<String> {
        let body = json!({"ids": ids, "fields": ["state"]});
        let rows = self.odoo.ask("stock.picking", "read", body).await;
        let rows = rows.as_array().unwrap();
        rows.iter()
            .map(|row| row["state"].as_str().unwrap().to_owned())
            .collect()
    }

    async fn read(&self, id: i64) -> Value {
        let line = json!({"fields": {
            "product_id": {}, "quantity": {}, "picked": {}, "state": {}, "date": {}, "lot_id": {}, "lot_name": {},
            "location_id": {"fields": {"barcode": {}}}, "location_dest_id": {"fields": {"barcode": {}}},
        }});
        let wanted =
            json!({"name": {}, "state": {}, "date_done": {}, "origin": {}, "move_line_ids": line});
        let body = json!({"ids": [id], "specification": wanted});
        self.odoo.ask("stock.picking", "web_read", body).await[0].take()
    }
}

async fn version_answers_without_a_key(odoo: Target) {
    stockrelay::tls::install_provider();
    let url = format!("{}/web/version", odoo.url);
    let response = reqwest::get(url).await.unwrap();
    assert_eq!(response.status(), 200);
    let version: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(version["version"], "19.0");
    assert_eq!(version["version_info"][0], 19);
}

async fn load_creates_if_absent_and_then_changes_nothing(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let key = fresh("pk_");
    let row = site.row(&key, product, "3", 0, 1);
    let first = site.load(std::slice::from_ref(&row)).await;
    assert_eq!(first["messages"], json!([]));
    assert_eq!(first["nextrow"], 0);
    let id = first["ids"][0].as_i64().unwrap();
    assert_eq!(site.states(&[id]).await, ["assigned"]);
    assert_eq!(
        site.load(std::slice::from_ref(&row)).await,
        first,
        "the same rows again"
    );
    let other = site.row(&key, product, "99", 0, 1);
    assert_eq!(
        site.load(std::slice::from_ref(&other)).await,
        first,
        "the same key, other rows"
    );
    assert_eq!(site.read(id).await["move_line_ids"][0]["quantity"], 3.0);
    assert_eq!(site.validate(&[id]).await.json(), true);
    assert_eq!(site.load(&[other]).await, first, "also when it is done");
    assert_eq!(
        site.odoo.quantity(product, site.bins[1]).await.to_bits(),
        3.0_f64.to_bits()
    );
    // Twice in one call is one picking, too.
    let key = fresh("pk_");
    let row = site.row(&key, product, "1", 0, 1);
    let twice = site.loaded(&[row.clone(), row]).await;
    assert_eq!(twice[0], twice[1]);
}

async fn load_is_all_or_nothing_and_names_the_record(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let keys = [fresh("pk_"), fresh("pk_"), fresh("pk_")];
    let rows = [
        site.row(&keys[0], product, "1", 0, 1),
        site.more(product, "2", 1, 2),
        site.row(&keys[1], 999_999, "1", 0, 1),
        site.row(&keys[2], product, "1", 0, 1),
    ];
    let answer = site.load(&rows).await;
    assert_eq!(answer["ids"], false);
    let messages = answer["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 1, "{answer}");
    assert_eq!(messages[0]["type"], "error");
    assert_eq!(messages[0]["record"], 1, "the second picking");
    assert_eq!(messages[0]["rows"], json!({"from": 2, "to": 2}), "its row");
    assert_eq!(messages[0]["field"], "move_line_ids");
    let text = "No matching record found for database id '999999' in field 'Operations/Product'";
    assert_eq!(messages[0]["message"], text);
    let domain = json!([["move_line_ids.product_id", "=", product]]);
    let count = site
        .odoo
        .ask("stock.picking", "search_count", json!({"domain": domain}))
        .await;
    assert_eq!(count, 0, "nothing was made");
}

async fn load_says_what_is_wrong_in_each_field(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let first = async |row: Vec<String>| {
        let answer = site.load(&[row]).await;
        assert_eq!(answer["ids"], false, "{answer}");
        answer["messages"][0].clone()
    };
    let row = site.row(&fresh("pk_"), product, "abc", 0, 1);
    let text = "'abc' does not seem to be a number for field 'Operations/Quantity'";
    assert_eq!(first(row).await["message"], text);
    let row = site.row(&fresh("pk_"), product, "-3", 0, 1);
    assert_eq!(
        first(row).await["message"],
        "You can not enter negative quantities."
    );
    let mut row = site.row(&fresh("pk_"), product, "3", 0, 1);
    row[3] = "99999".into();
    let said = first(row).await;
    assert_eq!(said["field"], "location_dest_id");
    let text = "No matching record found for database id '99999' in field 'Destination Location'";
    assert_eq!(said["message"], text);
    let mut row = site.row(&fresh("pk_"), product, "3", 0, 1);
    row[1] = "x".into();
    assert_eq!(
        first(row).await["message"],
        "Invalid database id 'x' for the field 'Operation Type'"
    );
    let row = site.row("", product, "3", 0, 1);
    let text = "Cannot update a record without specifying its id or xml_id";
    assert_eq!(first(row).await["message"], text);
    // A row that is too short is not a message but an error.
    let row = &site.row(&fresh("pk_"), product, "3", 0, 1)[..9];
    let body = json!({"fields": COLUMNS, "data": [row], "context": create_if_absent()});
    let answer = site.odoo.call("stock.picking", "load", body).await;
    assert_eq!(
        (answer.status, answer.error().0.as_str()),
        (500, "builtins.IndexError")
    );
}

async fn load_takes_several_lines_and_keeps_their_bins(odoo: Target) {
    let site = Site::new(odoo).await;
    let (one, two) = (site.product("none").await, site.product("none").await);
    let rows = [
        site.row(&fresh("pk_"), one, "3", 0, 1),
        site.more(two, "2.5", 2, 3),
        site.row(&fresh("pk_"), two, "1", 1, 0),
    ];
    let ids = site.loaded(&rows).await;
    assert_eq!(ids.len(), 2, "one id a picking, not a row");
    let picking = site.read(ids[0]).await;
    assert_eq!(picking["origin"], "test");
    let lines = picking["move_line_ids"].as_array().unwrap();
    let mut seen: Vec<Value> = lines
        .iter()
        .map(|l| {
            json!([
                l["product_id"],
                l["quantity"],
                l["picked"],
                l["location_id"]["barcode"],
                l["location_dest_id"]["barcode"]
            ])
        })
        .collect();
    seen.sort_by_key(|line| line[0].as_i64());
    let expected = [
        json!([one, 3.0, true, "LOC-BIN-0000", "LOC-BIN-0001"]),
        json!([two, 2.5, true, "LOC-BIN-0002", "LOC-BIN-0003"]),
    ];
    assert_eq!(seen, expected);
    assert_eq!(site.validate(&ids).await.json(), true);
    assert_eq!(site.states(&ids).await, ["done", "done"]);
    let found: Vec<f64> = [
        site.odoo.quantity(one, site.bins[1]).await,
        site.odoo.quantity(two, site.bins[3]).await,
    ]
    .into();
    assert_eq!(found, [3.0, 2.5]);
}

async fn load_at_once_creates_each_picking_once(odoo: Target) {
    let odoo = match odoo.stand_in {
        // A call must take a while for two to meet.
        Some(_) => Target::stand_in(Duration::from_millis(5)).await,
        None => odoo,
    };
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let rows: Vec<_> = (0..20)
        .map(|_| site.row(&fresh("pk_"), product, "1", 0, 1))
        .collect();
    let answers = tokio::join!(
        site.load(&rows),
        site.load(&rows),
        site.load(&rows),
        site.load(&rows)
    );
    let mut winners = 0;
    let answers = [answers.0, answers.1, answers.2, answers.3];
    for answer in &answers {
        if answer["ids"] == false {
            let text = answer["messages"][0]["message"].as_str().unwrap();
            assert!(text.starts_with("could not serialize access"), "{answer}");
        } else {
            winners += 1;
        }
    }
    assert!(winners >= 1, "{answers:?}");
    let again = site.loaded(&rows).await;
    assert_eq!(again.len(), 20);
    let domain = json!([["move_line_ids.product_id", "=", product]]);
    let count = site
        .odoo
        .ask("stock.picking", "search_count", json!({"domain": domain}))
        .await;
    assert_eq!(count, 20);
}

async fn load_takes_times_in_the_users_zone_and_write_in_utc(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let id = site
        .loaded(&[site.row(&fresh("pk_"), product, "1", 0, 1)])
        .await[0];
    assert_eq!(site.validate(&[id]).await.json(), true);
    let data = json!([[id.to_string(), "2026-11-20 10:00:00"]]);
    let load = json!({"fields": [".id", "date_done"], "data": data, "context": create_if_absent()});
    site.odoo.ask("stock.picking", "load", load.clone()).await;
    assert_eq!(
        site.read(id).await["date_done"],
        "2026-11-20 09:00:00",
        "Europe/Brussels"
    );
    let mut utc = load;
    utc["context"]["tz"] = json!("UTC");
    site.odoo.ask("stock.picking", "load", utc).await;
    assert_eq!(site.read(id).await["date_done"], "2026-11-20 10:00:00");
    let write = json!({"ids": [id], "vals": {"date_done": "2026-11-20 11:00:00"}});
    site.odoo.ask("stock.picking", "write", write).await;
    assert_eq!(site.read(id).await["date_done"], "2026-11-20 11:00:00");
    let gone = json!({"fields": [".id", "date_done"], "data": [["99999999", "2026-11-20 10:00:00"]], "context": create_if_absent()});
    let answer = site.odoo.ask("stock.picking", "load", gone).await;
    assert_eq!(
        answer["messages"][0]["message"],
        "Unknown database identifier '99999999'"
    );
}

async fn validate_posts_and_skips_what_is_done(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let rows: Vec<_> = (0..3)
        .map(|_| site.row(&fresh("pk_"), product, "2", 0, 1))
        .collect();
    let ids = site.loaded(&rows).await;
    assert_eq!(site.validate(&ids[..1]).await.json(), true);
    assert_eq!(site.states(&ids).await, ["done", "assigned", "assigned"]);
    assert_eq!(site.validate(&ids).await.json(), true);
    assert_eq!(site.validate(&ids).await.json(), true);
    assert_eq!(site.states(&ids).await, ["done"; 3]);
    let moved = site.odoo.quantity(product, site.bins[1]).await;
    assert_eq!(moved.to_bits(), 6.0_f64.to_bits());
    let name = site.read(ids[0]).await["name"].as_str().unwrap().to_owned();
    assert!(name.starts_with("WH/INT/"), "{name}");
}

async fn validate_refuses_a_missing_lot_and_posts_none_of_the_batch(odoo: Target) {
    let site = Site::new(odoo).await;
    let (plain, tracked) = (site.product("none").await, site.product("lot").await);
    let mut rows: Vec<_> = (0..4)
        .map(|_| site.row(&fresh("pk_"), plain, "1", 0, 1))
        .collect();
    rows.insert(2, site.row(&fresh("pk_"), tracked, "1", 0, 1));
    let ids = site.loaded(&rows).await;
    let bad = site.read(ids[2]).await["name"].as_str().unwrap().to_owned();
    let answer = site.validate(&ids).await;
    let (name, message) = answer.error();
    assert_eq!(
        (answer.status, name.as_str()),
        (422, "odoo.exceptions.UserError")
    );
    let start = format!("Transfers {bad}: You need to supply a Lot/Serial number for products [");
    assert!(message.starts_with(&start), "{message}");
    assert_eq!(site.states(&ids).await, ["assigned"; 5]);
    let (_, alone) = site.validate(&ids[2..3]).await.error();
    assert!(
        alone.starts_with("You need to supply a Lot/Serial number for products ["),
        "{alone}"
    );
    let good: Vec<i64> = ids.iter().copied().filter(|id| *id != ids[2]).collect();
    assert_eq!(site.validate(&good).await.json(), true);
    assert_eq!(site.states(&good).await, ["done"; 4]);
    // A lot's name alone makes no lot on an internal transfer.
    let mut row = site.row(&fresh("pk_"), tracked, "1", 0, 1);
    row.push("SOME-LOT".into());
    let mut columns = COLUMNS.to_vec();
    columns.push("move_line_ids/lot_name");
    let body = json!({"fields": columns, "data": [row], "context": create_if_absent()});
    let named = site.odoo.ask("stock.picking", "load", body).await["ids"][0]
        .as_i64()
        .unwrap();
    let answer = site.validate(&[named]).await;
    let message = answer.error().1;
    assert!(
        message.starts_with("You need to supply a Lot/Serial Number for product:\n- ["),
        "{message}"
    );
}

async fn validate_asks_wizards_and_posts_nothing(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let columns = [
        "id",
        "picking_type_id/.id",
        "location_id/.id",
        "location_dest_id/.id",
        "origin",
        "move_ids/product_id/.id",
        "move_ids/product_uom_qty",
        "move_ids/quantity",
        "move_ids/picked",
        "move_ids/location_id/.id",
        "move_ids/location_dest_id/.id",
    ];
    let (from, to) = (site.bins[0].to_string(), site.bins[1].to_string());
    let row = json!([
        fresh("pk_"),
        site.internal.to_string(),
        from,
        to,
        "test",
        product.to_string(),
        "5",
        "2",
        "1",
        from,
        to
    ]);
    let body = json!({"fields": columns, "data": [row], "context": create_if_absent()});
    let id = site.odoo.ask("stock.picking", "load", body).await["ids"][0]
        .as_i64()
        .unwrap();
    let ask = async |context: Value| {
        let body = json!({"ids": [id], "context": context});
        site.odoo
            .ask("stock.picking", "button_validate", body)
            .await
    };
    let wizard = ask(json!({"skip_sms": true})).await;
    assert_eq!(wizard["type"], "ir.actions.act_window");
    assert_eq!(wizard["res_model"], "stock.backorder.confirmation");
    assert_eq!(
        wizard["context"]["button_validate_picking_ids"],
        json!([id])
    );
    assert_ne!(site.states(&[id]).await, ["done"]);
    assert_eq!(ask(no_wizards()).await, true);
    assert_eq!(site.states(&[id]).await, ["done"]);
    let rest = json!({"domain": [["backorder_id", "=", id]], "fields": ["state"]});
    let rest = site.odoo.ask("stock.picking", "search_read", rest).await;
    assert_eq!(
        rest.as_array().map(Vec::len),
        Some(1),
        "the rest is a backorder: {rest}"
    );
    texts_are_confirmed(&site, product).await;
}

/// A company that confirms deliveries by text message gets a wizard for them, unless told to skip it.
async fn texts_are_confirmed(site: &Site, product: i64) {
    let confirm = |on: bool| json!({"ids": [1], "vals": {"stock_text_confirmation": on}});
    site.odoo.admin("res.company", "write", confirm(true)).await;
    let partner = json!({"vals_list": [{"name": "Texted", "phone": "+32470123456"}]});
    let partner = site.odoo.admin("res.partner", "create", partner).await[0]
        .as_i64()
        .unwrap();
    let domain = json!([["code", "=", "outgoing"], ["warehouse_id.code", "=", "WH"]]);
    let outgoing = site.odoo.find("stock.picking.type", domain).await;
    let mut row = site.row(&fresh("pk_"), product, "1", 0, 1);
    row[1] = outgoing.to_string();
    row.push(partner.to_string());
    let mut columns = COLUMNS.to_vec();
    columns.push("partner_id/.id");
    let body = json!({"fields": columns, "data": [row], "context": create_if_absent()});
    let id = site.odoo.ask("stock.picking", "load", body).await["ids"][0]
        .as_i64()
        .unwrap();
    let body = json!({"ids": [id], "context": {"skip_backorder": true}});
    let wizard = site
        .odoo
        .ask("stock.picking", "button_validate", body)
        .await;
    site.odoo
        .admin("res.company", "write", confirm(false))
        .await;
    assert_eq!(wizard["res_model"], "confirm.stock.sms", "{wizard}");
    assert_eq!(site.states(&[id]).await, ["assigned"]);
    assert_eq!(site.validate(&[id]).await.json(), true);
    assert_eq!(site.states(&[id]).await, ["done"]);
}

async fn validate_posts_the_picked_lines_alone(odoo: Target) {
    let site = Site::new(odoo).await;
    let (picked, left) = (site.product("none").await, site.product("none").await);
    let mut unpicked = site.row(&fresh("pk_"), left, "2", 0, 1);
    unpicked[7] = "0".into();
    let id = site.loaded(&[unpicked, site.more(picked, "1", 0, 1)]).await[0];
    assert_eq!(site.validate(&[id]).await.json(), true);
    let lines = site.read(id).await["move_line_ids"].take();
    assert_eq!(lines.as_array().map(Vec::len), Some(1), "{lines}");
    assert_eq!(lines[0]["product_id"], picked);
    // Nothing moved, nothing posted.
    let id = site
        .loaded(&[site.row(&fresh("pk_"), picked, "0", 0, 1)])
        .await[0];
    let answer = site.validate(&[id]).await;
    assert_eq!(answer.status, 422);
    assert!(
        answer.error().1.contains("zero quantity transfer"),
        "{}",
        answer.text
    );
}

async fn serials_are_one_each(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("serial").await;
    let lot = json!({"vals_list": [{"name": fresh("SER"), "product_id": product}]});
    let lot = site.odoo.ask("stock.lot", "create", lot).await[0]
        .as_i64()
        .unwrap();
    let mut columns = COLUMNS.to_vec();
    columns.push("move_line_ids/lot_id/.id");
    let make = async |product: i64, quantity: &str| {
        let mut row = site.row(&fresh("pk_"), product, quantity, 0, 1);
        row.push(lot.to_string());
        let body = json!({"fields": columns, "data": [row], "context": create_if_absent()});
        site.odoo.ask("stock.picking", "load", body).await
    };
    let two = make(product, "2").await["ids"][0].as_i64().unwrap();
    let answer = site.validate(&[two]).await;
    assert_eq!(
        (answer.status, answer.error().0.as_str()),
        (422, "odoo.exceptions.ValidationError")
    );
    assert!(
        answer
            .error()
            .1
            .starts_with("The serial number has already been assigned"),
        "{}",
        answer.text
    );
    let one = make(product, "1").await["ids"][0].as_i64().unwrap();
    assert_eq!(site.validate(&[one]).await.json(), true);
    assert_eq!(site.read(one).await["move_line_ids"][0]["lot_id"], lot);
    let other = site.product("lot").await;
    let said = make(other, "1").await["messages"][0]["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(said.contains("is incompatible with this product"), "{said}");
}

async fn packages_are_created_if_absent(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let (key, name) = (fresh("pg_"), fresh("PACK"));
    let body =
        json!({"fields": ["id", "name"], "data": [[key, name]], "context": create_if_absent()});
    let first = site.odoo.ask("stock.package", "load", body.clone()).await;
    assert_eq!(site.odoo.ask("stock.package", "load", body).await, first);
    let package = first["ids"][0].as_i64().unwrap();
    let mut columns = COLUMNS.to_vec();
    columns.push("move_line_ids/result_package_id/.id");
    let mut row = site.row(&fresh("pk_"), product, "4", 0, 1);
    row.push(package.to_string());
    let body = json!({"fields": columns, "data": [row], "context": create_if_absent()});
    let id = site.odoo.ask("stock.picking", "load", body).await["ids"][0]
        .as_i64()
        .unwrap();
    assert_eq!(site.validate(&[id]).await.json(), true);
    let body =
        json!({"domain": [["package_id", "=", package]], "fields": ["product_id", "quantity"]});
    let quants = site.odoo.ask("stock.quant", "search_read", body).await;
    assert_eq!(quants[0]["quantity"], 4.0, "{quants}");
    assert_eq!(quants[0]["product_id"][0], product);
}

async fn stock_goes_below_zero_without_a_word(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let id = site
        .loaded(&[site.row(&fresh("pk_"), product, "5", 2, 3)])
        .await[0];
    assert_eq!(site.validate(&[id]).await.json(), true);
    let found = [
        site.odoo.quantity(product, site.bins[2]).await,
        site.odoo.quantity(product, site.bins[3]).await,
    ];
    assert_eq!(found.map(f64::to_bits), [-5.0, 5.0].map(f64::to_bits));
}

async fn true_time_carries_over_to_the_lines(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let id = site
        .loaded(&[site.row(&fresh("pk_"), product, "1", 0, 1)])
        .await[0];
    assert_eq!(site.read(id).await["date_done"], false);
    assert_eq!(site.validate(&[id]).await.json(), true);
    let body = json!({"ids": [id], "vals": {"date_done": "2026-11-20 01:02:03"}});
    assert_eq!(site.odoo.ask("stock.picking", "write", body).await, true);
    let picking = site.read(id).await;
    assert_eq!(picking["date_done"], "2026-11-20 01:02:03");
    assert_eq!(picking["move_line_ids"][0]["date"], "2026-11-20 01:02:03");
}

async fn saving_several_reads_them_back(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let rows = [
        site.row(&fresh("pk_"), product, "1", 0, 1),
        site.row(&fresh("pk_"), product, "2", 1, 2),
    ];
    let ids = site.loaded(&rows).await;
    assert_eq!(site.validate(&ids).await.json(), true);
    let dates = ["2026-11-20 01:02:03", "2026-11-20 02:03:04"];
    let values: Vec<_> = dates.iter().map(|d| json!({"date_done": d})).collect();
    let line = json!({"fields": {"product_id": {}, "quantity_product_uom": {}, "lot_id": {}, "package_id": {}}});
    let wanted = json!({"state": {}, "date_done": {}, "move_line_ids": line});
    let body = json!({"ids": ids, "vals_list": values, "specification": wanted});
    let saved = site.odoo.ask("stock.picking", "web_save_multi", body).await;
    for place in 0..2 {
        assert_eq!(saved[place]["id"], ids[place]);
        assert_eq!(saved[place]["state"], "done");
        assert_eq!(saved[place]["date_done"], dates[place]);
        let mut line = saved[place]["move_line_ids"][0].clone();
        line.as_object_mut().unwrap().remove("id");
        let quantity = if place == 0 { 1.0 } else { 2.0 };
        assert_eq!(
            line,
            json!({"product_id": product, "quantity_product_uom": quantity, "lot_id": false, "package_id": false})
        );
    }
    let both = json!([{"date_done": dates[0]}, {"date_done": dates[0]}]);
    let body = json!({"ids": [ids[0], 99_999_999], "vals_list": both, "specification": wanted});
    let answer = site
        .odoo
        .call("stock.picking", "web_save_multi", body)
        .await;
    assert_eq!(
        (answer.status, answer.error().0.as_str()),
        (404, "odoo.exceptions.MissingError")
    );
    // Bare ids for references, where `load` is null; fields that a gateway asks for.
    let domain = json!([
        ["id", "=", product],
        ["company_id", "in", [false, 1]],
        ["product_tmpl_id.write_date", ">=", "2000-01-01 00:00:00"]
    ]);
    let body = json!({"domain": domain, "fields": ["uom_id", "company_id"], "load": null});
    let found = site.odoo.ask("product.product", "search_read", body).await;
    assert_eq!(
        found,
        json!([{"id": product, "uom_id": 1, "company_id": false}])
    );
}

async fn cancelled_transfers_keep_their_external_id(odoo: Target) {
    let site = Site::new(odoo).await;
    let product = site.product("none").await;
    let row = site.row(&fresh("pk_"), product, "1", 0, 1);
    let id = site.loaded(std::slice::from_ref(&row)).await[0];
    let cancel = json!({"ids": [id]});
    assert_eq!(
        site.odoo
            .ask("stock.picking", "action_cancel", cancel.clone())
            .await,
        true
    );
    assert_eq!(site.states(&[id]).await, ["cancel"]);
    assert_eq!(site.read(id).await["move_line_ids"], json!([]));
    assert_eq!(
        site.loaded(&[row]).await,
        [id],
        "the same key answers the cancelled picking"
    );
    assert_eq!(site.validate(&[id]).await.status, 422);
    // In a batch it is passed over: `true` proves nothing.
    let good = site
        .loaded(&[site.row(&fresh("pk_"), product, "1", 0, 1)])
        .await[0];
    assert_eq!(site.validate(&[id, good]).await.json(), true);
    assert_eq!(site.states(&[id, good]).await, ["cancel", "done"]);
    let done = site
        .odoo
        .call("stock.picking", "action_cancel", json!({"ids": [good]}))
        .await;
    assert_eq!(done.status, 422);
    assert_eq!(done.error().0, "odoo.exceptions.UserError");
    let delete = site.odoo.call("stock.picking", "unlink", cancel).await;
    assert_eq!(
        (delete.status, delete.error().0.as_str()),
        (403, "odoo.exceptions.AccessError")
    );
}

async fn records_that_are_gone_are_missing(odoo: Target) {
    let body = json!({"ids": [99_999_999], "vals": {"date_done": "2026-11-20 01:02:03"}});
    let answer = odoo.call("stock.picking", "write", body).await;
    assert_eq!(
        (answer.status, answer.error().0.as_str()),
        (404, "odoo.exceptions.MissingError")
    );
    let body = json!({"ids": [99_999_999], "context": no_wizards()});
    let answer = odoo.call("stock.picking", "button_validate", body).await;
    assert_eq!(
        (answer.status, answer.error().0.as_str()),
        (404, "odoo.exceptions.MissingError")
    );
    // Reading is silent: it answers what is there.
    let body = json!({"ids": [99_999_999], "fields": ["state"]});
    assert_eq!(odoo.ask("stock.picking", "read", body).await, json!([]));
    let body = json!({"ids": [99_999_999], "specification": {"state": {}}});
    assert_eq!(odoo.ask("stock.picking", "web_read", body).await, json!([]));
}

async fn private_methods_and_external_ids_are_out_of_reach(odoo: Target) {
    let answer = odoo
        .call("stock.picking", "_action_done", json!({"ids": [1]}))
        .await;
    assert_eq!(
        (answer.status, answer.error().0.as_str()),
        (403, "odoo.exceptions.AccessError")
    );
    let answer = odoo
        .call("ir.model.data", "search_read", json!({"domain": []}))
        .await;
    assert_eq!(
        (answer.status, answer.error().0.as_str()),
        (403, "odoo.exceptions.AccessError")
    );
    assert!(
        answer
            .error()
            .1
            .starts_with("You are not allowed to access 'Model Data' (ir.model.data) records.")
    );
    let answer = odoo
        .call(
            "product.product",
            "create",
            json!({"vals_list": [{"name": "X"}]}),
        )
        .await;
    assert_eq!(
        (answer.status, answer.error().0.as_str()),
        (403, "odoo.exceptions.AccessError")
    );
    for path in ["stock.picking/nonsense", "no.such.model/read"] {
        let (model, method) = path.split_once('/').unwrap();
        let answer = odoo.call(model, method, json!({"ids": [1]})).await;
        assert_eq!(
            (answer.status, answer.error().0.as_str()),
            (404, "werkzeug.exceptions.NotFound")
        );
    }
}

async fn unknown_fields_are_value_errors(odoo: Target) {
    let calls = [
        ("search_read", json!({"domain": [], "fields": ["nofield"]})),
        ("search_read", json!({"domain": [["nofield", "=", 1]]})),
        (
            "load",
            json!({"fields": ["id", "nofield"], "data": [["a", "b"]]}),
        ),
        (
            "load",
            json!({"fields": ["id", "move_line_ids/nofield"], "data": [["a", "b"]]}),
        ),
    ];
    for (method, body) in calls {
        let answer = odoo.call("stock.picking", method, body.clone()).await;
        assert_eq!(
            (answer.status, answer.error().0.as_str()),
            (500, "builtins.ValueError"),
            "{body}"
        );
        assert!(answer.content_type.starts_with("application/json"));
        for key in ["name", "message", "arguments", "context", "debug"] {
            assert!(answer.json().get(key).is_some(), "{key}");
        }
    }
    let answer = odoo
        .call("stock.picking", "write", json!({"ids": [1]}))
        .await;
    let lacks = "missing a required argument: 'vals'".to_owned();
    let name = "werkzeug.exceptions.UnprocessableEntity".to_owned();
    assert_eq!((answer.status, answer.error()), (422, (name, lacks)));
    let path = "/json/2/stock.picking/read";
    let answer = odoo.send(&odoo.api_key, &odoo.database, path, "{x").await;
    assert_eq!(
        (answer.status, answer.error().0.as_str()),
        (400, "werkzeug.exceptions.BadRequest")
    );
}

async fn unknown_database_answers_html(odoo: Target) {
    let path = "/json/2/stock.picking/search_read";
    let answer = odoo
        .send(&odoo.api_key, "no_such_database", path, "{}")
        .await;
    assert_eq!(answer.status, 404);
    assert!(
        answer.content_type.starts_with("text/html"),
        "{}",
        answer.content_type
    );
    assert!(
        answer.text.contains("No database is selected"),
        "{}",
        answer.text
    );
}

async fn bad_keys_answer_401(odoo: Target) {
    let path = "/json/2/stock.picking/search_read";
    let answer = odoo.send("not-a-key", &odoo.database, path, "{}").await;
    assert_eq!(answer.status, 401);
    let (name, message) = answer.error();
    assert_eq!(
        (name.as_str(), message.as_str()),
        ("werkzeug.exceptions.Unauthorized", "Invalid apikey")
    );
}

async fn searches_take_domains_windows_and_orders(odoo: Target) {
    let names = async |body: Value| {
        let found = odoo.ask("product.product", "search_read", body).await;
        let rows = found.as_array().unwrap().clone();
        rows.iter()
            .map(|row| row["default_code"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let ask = |domain: Value| json!({"domain": domain, "fields": ["default_code"], "order": "default_code"});
    let two = json!([
        "|",
        ["barcode", "in", ["4000000000020"]],
        ["default_code", "=", "SKU00003"]
    ]);
    assert_eq!(names(ask(two)).await, ["SKU00002", "SKU00003"]);
    let both = json!([
        "&",
        ["default_code", ">=", "SKU00490"],
        ["default_code", "<", "SKU00492"],
        ["active", "=", true]
    ]);
    assert_eq!(names(ask(both)).await, ["SKU00490", "SKU00491"]);
    let window = json!({
        "domain": [["default_code", "like", "SKU00"]], "fields": ["default_code"],
        "order": "default_code desc, id", "limit": 2, "offset": 1,
    });
    assert_eq!(names(window).await, ["SKU00498", "SKU00497"]);
    let body = json!({"domain": [["default_code", "=", "SKU00002"]], "fields": ["name", "barcode", "tracking", "uom_id"]});
    let mut found = odoo.ask("product.product", "search_read", body).await;
    found[0].as_object_mut().unwrap().remove("id");
    assert_eq!(
        found,
        json!([{"name": "Item 2", "barcode": "4000000000020", "tracking": "none", "uom_id": [1, "Units"]}])
    );
    let later = json!({"domain": [["write_date", ">", "2099-01-01 00:00:00"]]});
    assert_eq!(
        odoo.ask("product.product", "search", later).await,
        json!([])
    );
    let body = json!({"domain": [["barcode", "=", "LOC-BIN-0007"]], "fields": ["name", "complete_name", "usage"]});
    let mut found = odoo.ask("stock.location", "search_read", body).await;
    found[0].as_object_mut().unwrap().remove("id");
    assert_eq!(
        found,
        json!([{"name": "BIN-0007", "complete_name": "WH/Stock/BIN-0007", "usage": "internal"}])
    );
}

async fn archived_products_are_left_out_unless_asked_for(odoo: Target) {
    let barcode = fresh("T");
    let product = odoo.new_product(&barcode, "none").await;
    odoo.admin(
        "product.product",
        "write",
        json!({"ids": [product], "vals": {"active": false}}),
    )
    .await;
    let here = json!({"domain": [["barcode", "=", barcode]]});
    assert_eq!(odoo.ask("product.product", "search", here).await, json!([]));
    let all = json!({"domain": [["barcode", "=", barcode]], "context": {"active_test": false}});
    assert_eq!(
        odoo.ask("product.product", "search", all).await,
        json!([product])
    );
    let named = json!({"domain": [["barcode", "=", barcode], ["active", "in", [true, false]]]});
    assert_eq!(
        odoo.ask("product.product", "search", named).await,
        json!([product])
    );
}
