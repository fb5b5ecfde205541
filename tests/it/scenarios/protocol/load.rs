//! `load`: create if absent, all or nothing, and what it says when it does not.

use std::time::Duration;

use serde_json::{Value, json};

use super::{COLUMNS, Site, create_if_absent};
use crate::scenarios::target::{Target, fresh};

on_both!(
    load_creates_if_absent_and_then_changes_nothing,
    load_is_all_or_nothing_and_names_the_record,
    load_says_what_is_wrong_in_each_field,
    load_takes_several_lines_and_keeps_their_bins,
    load_at_once_creates_each_picking_once,
    load_takes_times_in_the_users_zone_and_write_in_utc,
    packages_are_created_if_absent,
);

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
