//! Lots, serials, expiry, packages, owners, units, returns, counts, shipping, and closed books.

mod lots;
mod packages;

use self::lots::{
    a_serial_in_stock_is_not_received_again, goods_past_their_date_ask_unless_told_not_to,
    lots_by_name_are_known_where_the_type_may_make_them,
    receipts_make_lots_by_name_with_their_expiry,
};
use self::packages::{
    a_package_is_in_one_place, goods_are_packed_where_they_are, lines_of_an_order_are_packed_later,
    packages_may_have_the_same_name_twice,
};
use super::floor::{Floor, rows};
use super::{COLUMNS, create_if_absent};
use crate::scenarios::target::{Target, fresh};
use serde_json::{Value, json};

on_both!(
    receipts_make_lots_by_name_with_their_expiry,
    lots_by_name_are_known_where_the_type_may_make_them,
    a_serial_in_stock_is_not_received_again,
    goods_past_their_date_ask_unless_told_not_to,
    packages_may_have_the_same_name_twice,
    goods_are_packed_where_they_are,
    a_package_is_in_one_place,
    lines_of_an_order_are_packed_later,
    owners_have_stock_of_their_own,
    a_case_holds_twelve,
    counts_go_to_the_products_inventory_location,
    what_was_there_follows_from_dated_lines,
    returns_count_by_their_sale_line,
    purchase_returns_count_by_the_receipt,
    carriers_are_written_before_and_after,
    true_times_are_whole_seconds_in_open_books,
    a_gateway_reads_what_it_needs,
);

/// The columns of a picking of one line, and more of them.
fn wide<'c>(more: &[&'c str]) -> Vec<&'c str> {
    COLUMNS
        .iter()
        .copied()
        .chain(more.iter().copied())
        .collect()
}

impl Floor {
    async fn transfer(
        &self,
        product: i64,
        quantity: &str,
        ends: (usize, usize),
        more: &[(&str, String)],
    ) -> i64 {
        let mut row = self
            .site
            .row(&fresh("pk_"), product, quantity, ends.0, ends.1);
        row.extend(more.iter().map(|(_, value)| value.clone()));
        let columns: Vec<&str> = more.iter().map(|(name, _)| *name).collect();
        let body = json!({"fields": wide(&columns), "data": [row], "context": create_if_absent()});
        let answer = self.odoo().ask("stock.picking", "load", body).await;
        answer["ids"][0]
            .as_i64()
            .unwrap_or_else(|| panic!("{answer}"))
    }

    /// A line with a lot's name on another user's order, in a time zone that no user has.
    async fn named(
        &self,
        picking: i64,
        product: i64,
        quantity: &str,
        more: &[(&str, &str)],
    ) -> Value {
        let shown = self.show(picking).await;
        let text = |value: &Value| value.as_i64().unwrap().to_string();
        let mut cells = vec![
            (".id", picking.to_string()),
            ("picking_type_id/.id", text(&shown["picking_type_id"]["id"])),
            ("location_id/.id", text(&shown["location_id"])),
            ("location_dest_id/.id", text(&shown["location_dest_id"])),
            ("move_line_ids/id", fresh("ml_")),
            ("move_line_ids/product_id/.id", product.to_string()),
            ("move_line_ids/quantity", quantity.to_owned()),
            ("move_line_ids/picked", "1".to_owned()),
            ("move_line_ids/location_id/.id", text(&shown["location_id"])),
            (
                "move_line_ids/location_dest_id/.id",
                self.site.bins[1].to_string(),
            ),
        ];
        cells.extend(
            more.iter()
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        self.load("stock.picking", cells).await
    }

    async fn lot(&self, product: i64, name: &str) -> Value {
        let body = json!({"domain": [["product_id", "=", product], ["name", "=", name]], "fields": ["expiration_date"]});
        self.odoo().ask("stock.lot", "search_read", body).await
    }

    async fn dated(&self) -> i64 {
        let product = self.site.product("lot").await;
        let body = json!({"ids": [product], "vals": {"use_expiration_date": true}});
        self.odoo().admin("product.product", "write", body).await;
        product
    }

    async fn inventory(&self, product: i64) -> i64 {
        let body = json!({"ids": [product], "fields": ["property_stock_inventory"]});
        let rows = self.odoo().ask("product.product", "read", body).await;
        rows[0]["property_stock_inventory"][0]
            .as_i64()
            .unwrap_or_else(|| panic!("{rows}"))
    }
}

impl Floor {
    async fn package(&self) -> i64 {
        let answer = self
            .load(
                "stock.package",
                vec![("id", fresh("pa_")), ("name", fresh("PACK"))],
            )
            .await;
        answer["ids"][0].as_i64().unwrap()
    }
}

async fn owners_have_stock_of_their_own(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let product = floor.stocked(5.0).await;
    let owner = floor.odoo().partner(&fresh("Owner ")).await;
    let moved = floor
        .transfer(
            product,
            "2",
            (0, 1),
            &[("move_line_ids/owner_id/.id", owner.to_string())],
        )
        .await;
    floor.validated(moved, json!({})).await;
    let quants = rows(&floor.quants(product, 0).await);
    let of = |owned: bool| {
        quants
            .iter()
            .find(|quant| (quant["owner_id"] != false) == owned)
            .unwrap()["quantity"]
            .clone()
    };
    assert_eq!((of(true), of(false)), (json!(-2.0), json!(5.0)));
}

async fn a_case_holds_twelve(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let product = floor.stocked(30.0).await;
    let (unit, barcode) = (floor.odoo().case_of(product, 12).await, fresh("CASE"));
    let values = json!({"product_id": product, "uom_id": unit, "barcode": barcode});
    floor.odoo().made("product.uom", values).await;
    let body = json!({"domain": [["barcode", "=", barcode]], "fields": ["product_id", "uom_id"]});
    let found = floor.odoo().ask("product.uom", "search_read", body).await;
    assert_eq!(
        (&found[0]["product_id"][0], &found[0]["uom_id"][0]),
        (&json!(product), &json!(unit))
    );
    let body = json!({"ids": [unit], "fields": ["factor"]});
    assert_eq!(
        floor.odoo().ask("uom.uom", "read", body).await[0]["factor"],
        12.0
    );
    let moved = floor
        .transfer(
            product,
            "2",
            (0, 1),
            &[("move_line_ids/product_uom_id/.id", unit.to_string())],
        )
        .await;
    let shown = floor.show(moved).await;
    assert_eq!(shown["move_line_ids"][0]["quantity"], 2.0);
    floor.validated(moved, json!({})).await;
    assert_eq!(
        floor
            .odoo()
            .quantity(product, floor.site.bins[1])
            .await
            .to_bits(),
        24.0_f64.to_bits()
    );
}

async fn counts_go_to_the_products_inventory_location(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let product = floor.stocked(5.0).await;
    let inventory = floor.inventory(product).await;
    let body = json!({"ids": [inventory], "fields": ["usage"]});
    assert_eq!(
        floor.odoo().ask("stock.location", "read", body).await[0]["usage"],
        "inventory"
    );
    let mut row = floor.site.row(&fresh("pk_"), product, "2", 0, 0);
    row[3] = inventory.to_string();
    row[9] = inventory.to_string();
    let id = floor.site.loaded(&[row]).await[0];
    floor.validated(id, json!({})).await;
    let body = json!({"ids": [id], "fields": ["has_scrap_move"]});
    assert_eq!(
        floor.odoo().ask("stock.picking", "read", body).await[0]["has_scrap_move"],
        true
    );
    assert_eq!(
        floor
            .odoo()
            .quantity(product, floor.site.bins[0])
            .await
            .to_bits(),
        3.0_f64.to_bits()
    );
}

/// What a late count builds on: the quants, less what came since, and what went since.
async fn what_was_there_follows_from_dated_lines(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let product = floor.site.product("none").await;
    for (quantity, ends, at) in [
        ("10", (0, 1), "2026-11-20 08:00:00"),
        ("2", (0, 1), "2026-11-20 09:00:00"),
        ("4", (1, 2), "2026-11-20 10:00:00"),
    ] {
        let id = floor.transfer(product, quantity, ends, &[]).await;
        floor.validated(id, json!({})).await;
        let body = json!({"ids": [id], "vals": {"date_done": at}});
        floor.odoo().ask("stock.picking", "write", body).await;
    }
    let bin = floor.site.bins[1];
    let then = async |moment: &str| {
        let mut there = floor.odoo().quantity(product, bin).await;
        let domain = json!([
            ["state", "=", "done"],
            ["product_id", "=", product],
            ["date", ">", moment],
            "|",
            ["location_id", "=", bin],
            ["location_dest_id", "=", bin],
        ]);
        let fields = ["quantity_product_uom", "location_id", "location_dest_id"];
        let body = json!({"domain": domain, "fields": fields});
        for line in rows(
            &floor
                .odoo()
                .ask("stock.move.line", "search_read", body)
                .await,
        ) {
            let quantity = line["quantity_product_uom"].as_f64().unwrap();
            let came = line["location_dest_id"][0] == bin;
            there += if came { -quantity } else { quantity };
        }
        there
    };
    let found = [
        then("2026-11-20 07:59:59").await,
        then("2026-11-20 08:00:00").await,
        then("2026-11-20 09:59:59.5").await,
        then("2026-11-20 10:00:00").await,
    ];
    assert_eq!(
        found.map(f64::to_bits),
        [0.0_f64, 10.0, 12.0, 8.0].map(f64::to_bits)
    );
}

async fn returns_count_by_their_sale_line(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let product = floor.stocked(5.0).await;
    let (order, delivery) = floor.sale(&[(product, 5.0)], 1).await;
    floor.validated(delivery, json!({})).await;
    let shown = floor.show(delivery).await;
    let body =
        json!({"ids": [shown["picking_type_id"]["id"]], "fields": ["return_picking_type_id"]});
    let kind =
        floor.odoo().ask("stock.picking.type", "read", body).await[0]["return_picking_type_id"][0]
            .clone();
    let mut row = floor.site.row(&fresh("pk_"), product, "2", 0, 1);
    row[1] = kind.to_string();
    row[2] = shown["location_dest_id"].to_string();
    row[8] = shown["location_dest_id"].to_string();
    row.push(delivery.to_string());
    let body =
        json!({"fields": wide(&["return_id/.id"]), "data": [row], "context": create_if_absent()});
    let back = floor.odoo().ask("stock.picking", "load", body).await["ids"][0]
        .as_i64()
        .unwrap();
    floor.validated(back, json!({})).await;
    assert_eq!(
        floor.delivered(&order, product).await.to_bits(),
        5.0_f64.to_bits(),
        "not linked yet"
    );
    let m = floor.show(back).await["move_ids"][0]["id"].clone();
    let origin = &shown["move_ids"][0];
    let values = json!({"sale_line_id": origin["sale_line_id"], "origin_returned_move_id": origin["id"], "to_refund": true});
    for _ in 0..2 {
        let body = json!({"ids": [m], "vals": values});
        assert_eq!(floor.odoo().ask("stock.move", "write", body).await, true);
    }
    assert_eq!(
        floor.delivered(&order, product).await.to_bits(),
        3.0_f64.to_bits()
    );
    assert_eq!(floor.show(back).await["return_id"], delivery);
    let body = json!({"ids": [origin["id"]], "fields": ["returned_move_ids"]});
    assert_eq!(
        floor.odoo().ask("stock.move", "read", body).await[0]["returned_move_ids"],
        json!([m])
    );
}

async fn purchase_returns_count_by_the_receipt(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let product = floor.site.product("none").await;
    let (order, receipt) = floor.purchase(&[(product, 4.0)], 1).await;
    floor.validated(receipt, json!({})).await;
    let shown = floor.show(receipt).await;
    let body =
        json!({"ids": [shown["picking_type_id"]["id"]], "fields": ["return_picking_type_id"]});
    let kind =
        floor.odoo().ask("stock.picking.type", "read", body).await[0]["return_picking_type_id"][0]
            .clone();
    let mut row = floor.site.row(&fresh("pk_"), product, "1", 0, 1);
    row[1] = kind.to_string();
    row[3] = shown["location_id"].to_string();
    row[9] = shown["location_id"].to_string();
    row.push(receipt.to_string());
    let body =
        json!({"fields": wide(&["return_id/.id"]), "data": [row], "context": create_if_absent()});
    let back = floor.odoo().ask("stock.picking", "load", body).await["ids"][0]
        .as_i64()
        .unwrap();
    floor.validated(back, json!({})).await;
    assert_eq!(
        floor.received(&order, product).await.to_bits(),
        3.0_f64.to_bits()
    );
}

async fn carriers_are_written_before_and_after(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let product = floor.stocked(5.0).await;
    let body = json!({"allfields": ["carrier_tracking_ref", "shipping_weight", "no_such"], "attributes": ["type"]});
    let fields = floor.odoo().ask("stock.picking", "fields_get", body).await;
    assert_eq!(fields["carrier_tracking_ref"]["type"], "char");
    assert_eq!(fields["shipping_weight"]["type"], "float");
    assert!(fields.get("no_such").is_none());
    let (_, picking) = floor.sale(&[(product, 1.0)], 1).await;
    for (reference, weight) in [("TRACK-1", 1.5), ("TRACK-2", 2.5)] {
        let values = json!({"carrier_tracking_ref": reference, "shipping_weight": weight});
        let wanted = json!({"carrier_tracking_ref": {}, "shipping_weight": {}});
        let body = json!({"ids": [picking], "vals_list": [values], "specification": wanted});
        let saved = floor
            .odoo()
            .ask("stock.picking", "web_save_multi", body)
            .await;
        assert_eq!(saved[0]["carrier_tracking_ref"], reference);
        assert_eq!(saved[0]["shipping_weight"], weight);
        floor.validate(picking, json!({})).await;
    }
}

async fn true_times_are_whole_seconds_in_open_books(odoo: Target) {
    let floor = Floor::new(odoo).await;
    let product = floor.stocked(5.0).await;
    let id = floor.transfer(product, "1", (0, 1), &[]).await;
    floor.validated(id, json!({})).await;
    let write = async |at: &str| {
        let body = json!({"ids": [id], "vals": {"date_done": at}});
        let answer = floor.odoo().call("stock.picking", "write", body).await;
        let name = if answer.status == 200 {
            String::new()
        } else {
            answer.error().0
        };
        (answer.status, name)
    };
    for bad in ["2026-11-20 08:00:00.750", "2026-11-20T08:00:00Z"] {
        assert_eq!(
            write(bad).await,
            (500, "builtins.ValueError".to_owned()),
            "{bad}"
        );
    }
    let lock = async |day: Value| {
        let body = json!({"ids": [1], "vals": {"fiscalyear_lock_date": day}});
        floor.odoo().admin("res.company", "write", body).await;
    };
    lock(json!("2020-01-31")).await;
    let (closed, open) = (
        write("2020-01-20 08:00:00").await,
        write("2020-02-01 08:00:00").await,
    );
    lock(json!(false)).await;
    assert_eq!(closed, (422, "odoo.exceptions.ValidationError".to_owned()));
    assert_eq!(open, (200, String::new()));
    assert_eq!(floor.show(id).await["date_done"], "2020-02-01 08:00:00");
}

async fn a_gateway_reads_what_it_needs(odoo: Target) {
    let body = json!({"domain": [], "fields": ["name", "scope", "expiration_date"]});
    let keys = odoo.ask("res.users.apikeys", "search_read", body).await;
    assert_eq!(
        (rows(&keys).len(), &keys[0]["name"], &keys[0]["scope"]),
        (1, &json!("gateway"), &json!("rpc")),
        "{keys}"
    );
    assert!(keys[0]["expiration_date"].is_string());
    let who = odoo.ask("res.users", "context_get", json!({})).await;
    assert_eq!(
        (&who["tz"], who["uid"].is_i64()),
        (&json!("Europe/Brussels"), true),
        "{who}"
    );
    let body = json!({"ids": [1], "fields": ["nomenclature_id", "fiscalyear_lock_date", "hard_lock_date"]});
    let company = odoo.ask("res.company", "read", body).await;
    let nomenclature = company[0]["nomenclature_id"][0].clone();
    assert_eq!(company[0]["hard_lock_date"], false);
    let body = json!({"domain": [["barcode_nomenclature_id", "=", nomenclature]], "fields": ["pattern", "type", "sequence", "encoding"]});
    let rules = odoo.ask("barcode.rule", "search_read", body).await;
    assert!(
        rows(&rules).iter().any(|rule| rule["type"] == "product"),
        "{rules}"
    );
    let answer = odoo
        .call("sale.order", "create", json!({"vals_list": [{}]}))
        .await;
    assert_eq!(answer.status, 403);
}
