//! Every kind of document that becomes a picking of the gateway's own, on a real Odoo: posted once,
//! whichever answer is lost, and parked where the gateway has to ask.

mod floor;

use self::floor::{Floor, blind_return, changed, from, line, short, to};
use crate::floor::at;
use serde_json::{Value, json};
use stockrelay::config::Negative;
use stockrelay::document::{Purpose, State};
use stockrelay::reason::{Flag, ReasonCode};

/// Long after what the seeded database holds.
const NOON: i64 = 1_000;

#[tokio::test]
#[ignore = "needs a real Odoo 19: eval $(tests/real-odoo/odoo fresh NAME), then cargo test -- --ignored"]
async fn a_scrap_is_posted_once_with_its_reason() {
    let mut floor = Floor::open().await;
    let ((product, barcode), (bin, place)) = (floor.product("none").await, floor.bin().await);
    floor
        .put(json!({"product_id": product, "location_id": bin, "inventory_quantity": 10}))
        .await;
    floor.lose_answers();
    floor.gateway.start();
    let reason = Some("fell down".to_owned());
    let scrap = Purpose::Scrap { reason };
    let key = floor.posted(scrap, from(&place, line(&barcode, 3))).await;
    let (picking, moved) = floor.picking(key).await;
    assert!(
        picking["origin"]
            .as_str()
            .unwrap()
            .starts_with("stockrelay scrap: fell down ")
    );
    let inventory = floor.inventory(product).await;
    assert_eq!(moved["location_dest_id"], inventory);
    floor.holds(product, bin, 7.0).await;
    floor.gateway.close().await;
}

#[tokio::test]
#[ignore = "needs a real Odoo 19: eval $(tests/real-odoo/odoo fresh NAME), then cargo test -- --ignored"]
async fn a_late_count_leaves_what_moved_since_alone_and_is_posted_once() {
    let mut floor = Floor::open().await;
    let ((product, barcode), (bin, place)) = (floor.product("none").await, floor.bin().await);
    let (_, other) = floor.bin().await;
    floor.gateway.start();
    // 10 are there at noon; later 2 more come and 4 go; and then comes the count of noon.
    for (second, quantity, into) in [(-60, 10, true), (60, 2, true), (120, 4, false)] {
        let moved = if into {
            from(&other, to(&place, line(&barcode, quantity)))
        } else {
            from(&place, to(&other, line(&barcode, quantity)))
        };
        let key = floor
            .gateway
            .seal_as(Purpose::Transfer, vec![moved], NOON + second)
            .await;
        floor.gateway.drained().await;
        assert_eq!(floor.gateway.progress(key).state, State::Posted);
    }
    floor.holds(product, bin, 8.0).await;
    floor.lose_answers();
    let key = floor
        .posted(Purpose::Count, from(&place, line(&barcode, 7)))
        .await;
    floor.holds(product, bin, 5.0).await;
    let notes = floor.gateway.notes(key);
    assert!(
        notes.contains("8 now, 4 out and 2 in since; counted 7: -3"),
        "{notes}"
    );
    let (picking, moved) = floor.picking(key).await;
    assert!(
        picking["origin"]
            .as_str()
            .unwrap()
            .starts_with("stockrelay count ")
    );
    assert_eq!(moved["location_id"], bin);
    // More than Odoo held comes from where the difference went.
    floor.second = NOON + 200;
    let key = floor
        .posted(Purpose::Count, from(&place, line(&barcode, 9)))
        .await;
    floor.holds(product, bin, 9.0).await;
    let (_, moved) = floor.picking(key).await;
    assert_eq!(moved["location_dest_id"], bin);
    // Just what Odoo held: nothing to post.
    floor.second = NOON + 300;
    let key = floor
        .posted(Purpose::Count, from(&place, line(&barcode, 9)))
        .await;
    assert_eq!(floor.gateway.progress(key).odoo, None);
    let notes = floor.gateway.notes(key);
    assert!(
        notes.contains("counted 9: Odoo held exactly that"),
        "{notes}"
    );
    let receipt = floor.gateway.last_receipt().await;
    assert_eq!(
        (&receipt["status"], &receipt["odoo"]),
        (&json!("posted"), &Value::Null)
    );
    floor.holds(product, bin, 9.0).await;
    floor.gateway.close().await;
}

#[tokio::test]
#[ignore = "needs a real Odoo 19: eval $(tests/real-odoo/odoo fresh NAME), then cargo test -- --ignored"]
async fn a_count_is_of_its_lot_and_finds_goods_in_their_package() {
    let mut floor = Floor::open().await;
    let ((product, barcode), (bin, place)) = (floor.product("lot").await, floor.bin().await);
    for (lot, quantity) in [("A", 5), ("B", 6)] {
        let values = json!({"name": lot, "product_id": product});
        let lot = floor.make("stock.lot", values).await;
        floor.put(json!({"product_id": product, "location_id": bin, "lot_id": lot, "inventory_quantity": quantity})).await;
    }
    let (packed, packed_code) = floor.product("none").await;
    let package = floor.make("stock.package", json!({"name": short()})).await;
    floor.put(json!({"product_id": packed, "location_id": bin, "package_id": package, "inventory_quantity": 4})).await;
    // What was put there was put there now, and a count of before that would leave it alone.
    floor.second = stockrelay::clock::now().as_second() - at(0).as_second();
    floor.gateway.start();
    let counted = changed(from(&place, line(&barcode, 2)), |goods| {
        goods.lot = Some("A".to_owned());
    });
    floor.posted(Purpose::Count, counted).await;
    floor.holds(product, bin, 8.0).await;
    let key = floor
        .posted(Purpose::Count, from(&place, line(&packed_code, 3)))
        .await;
    let (_, moved) = floor.picking(key).await;
    assert_eq!(moved["package_id"], package);
    floor.holds(packed, bin, 3.0).await;
    let counted = from(&place, line(&barcode, 2));
    let lotless = floor
        .gateway
        .seal_as(Purpose::Count, vec![counted], floor.second)
        .await;
    floor.gateway.drained().await;
    assert_eq!(
        floor.gateway.reason(lotless),
        ReasonCode::LotRequired.as_str()
    );
    floor.gateway.close().await;
}

#[tokio::test]
#[ignore = "needs a real Odoo 19: eval $(tests/real-odoo/odoo fresh NAME), then cargo test -- --ignored"]
async fn goods_without_an_order_come_in_once_with_a_new_lot_where_that_is_allowed() {
    let mut floor = Floor::open().await;
    let ((product, barcode), (bin, place)) = (floor.product("lot").await, floor.bin().await);
    let body = json!({"ids": [product], "vals": {"use_expiration_date": true}});
    floor.odoo.ask("product.product", "write", body).await;
    let package = format!("PACK-{}", short());
    let received = changed(to(&place, line(&barcode, 4)), |goods| {
        goods.lot = Some("NEW-1".to_owned());
        goods.expiry = Some("2027-05-01".to_owned());
        goods.package = Some(package.clone());
    });
    floor.gateway.start();
    let receive = Purpose::Receive { order: None };
    let key = floor
        .gateway
        .seal_as(receive.clone(), vec![received.clone()], NOON)
        .await;
    let back = to(&place, line(&barcode, 1));
    let returned = floor
        .gateway
        .seal_as(blind_return(), vec![back], NOON)
        .await;
    floor.gateway.drained().await;
    assert_eq!(
        floor.gateway.reason(key),
        ReasonCode::OrderRequired.as_str()
    );
    assert_eq!(
        floor.gateway.reason(returned),
        ReasonCode::OrderRequired.as_str()
    );
    floor.gateway.stop().await;
    // With another policy, Odoo removes them by itself.
    floor.gateway.rules.orders.blind_receipts = true;
    floor.gateway.rules.orders.blind_returns = true;
    floor.lose_answers();
    floor.gateway.start();
    let mut totals = floor.gateway.journal.watch();
    totals
        .wait_for(|totals| totals.posted.documents == 1)
        .await
        .unwrap();
    floor.gateway.drained().await;
    assert_eq!(floor.gateway.progress(key).state, State::Posted);
    let (picking, moved) = floor.picking(key).await;
    assert_eq!(picking["picking_type_code"], "incoming");
    let body = json!({"ids": [moved["lot_id"]], "fields": ["name", "expiration_date"]});
    let lot = floor.odoo.ask("stock.lot", "read", body).await;
    assert_eq!(lot[0]["name"], "NEW-1");
    assert_eq!(lot[0]["expiration_date"], "2027-05-01 00:00:00");
    let body = json!({"ids": [moved["result_package_id"]], "fields": ["name"]});
    let into = floor.odoo.ask("stock.package", "read", body).await;
    assert_eq!(into[0]["name"], package);
    floor.holds(product, bin, 4.0).await;
    // The return has no lot, so it stays where it is.
    assert_eq!(floor.gateway.progress(returned).state, State::Parked);
    floor.lose_answers();
    let back = changed(to(&place, line(&barcode, 1)), |goods| {
        goods.lot = Some("NEW-1".to_owned());
    });
    let key = floor.posted(blind_return(), back).await;
    let (picking, _) = floor.picking(key).await;
    assert_eq!(picking["return_id"], false);
    floor.holds(product, bin, 5.0).await;
    // The same lot again.
    floor
        .posted(receive, changed(received, |goods| goods.package = None))
        .await;
    floor.holds(product, bin, 9.0).await;
    floor.gateway.close().await;
}

#[tokio::test]
#[ignore = "needs a real Odoo 19: eval $(tests/real-odoo/odoo fresh NAME), then cargo test -- --ignored"]
async fn what_comes_back_of_an_order_is_shown_by_the_order_once() {
    let mut floor = Floor::open().await;
    let ((product, barcode), (bin, place)) = (floor.product("none").await, floor.bin().await);
    floor
        .put(json!({"product_id": product, "location_id": bin, "inventory_quantity": 50}))
        .await;
    let (order, name) = floor.sold(product, 5, true).await;
    let (_, waiting) = floor.sold(product, 5, false).await;
    let (_, another) = floor.sold(product, 5, true).await;
    floor.holds(product, bin, 40.0).await;
    floor.lose_answers();
    floor.gateway.start();
    let returned = |order: &str| Purpose::Return {
        order: Some(order.to_owned()),
        reason: None,
    };
    let key = floor
        .posted(returned(&name), to(&place, line(&barcode, 2)))
        .await;
    assert_eq!(floor.link.faults_left(), 0, "each answer was lost once");
    floor.holds(product, bin, 42.0).await;
    assert!((floor.delivered(order).await - 3.0).abs() < 0.001);
    let (picking, _) = floor.picking(key).await;
    let body = json!({"domain": [["sale_id", "=", order], ["picking_type_code", "=", "outgoing"]]});
    let delivery = floor.odoo.ask("stock.picking", "search", body).await;
    assert_eq!(picking["return_id"], delivery[0]);
    // 3 are left to come back.
    let mut parked = Vec::new();
    for (order, product) in [
        (name.as_str(), barcode.as_str()),
        ("nonsense", &barcode),
        (&waiting, &barcode),
        // What is about one order waits for what is parked about it.
        (&another, &floor.odoo.products[5].1.clone()),
    ] {
        let back = to(&place, line(product, 4));
        parked.push(
            floor
                .gateway
                .seal_as(returned(order), vec![back], NOON)
                .await,
        );
    }
    floor.gateway.drained().await;
    let reasons: Vec<String> = parked
        .iter()
        .map(|key| floor.gateway.reason(*key))
        .collect();
    assert_eq!(
        reasons,
        [
            ReasonCode::OverReturned.as_str(),
            ReasonCode::UnknownOrder.as_str(),
            ReasonCode::NotDelivered.as_str(),
            ReasonCode::NotOnOrder.as_str()
        ]
    );
    floor.gateway.retry(parked[0], Some("allow")).await;
    floor.gateway.drained().await;
    assert_eq!(floor.gateway.progress(parked[0]).state, State::Posted);
    assert!((floor.delivered(order).await + 1.0).abs() < 0.001);
    floor.gateway.close().await;
}

#[tokio::test]
#[ignore = "needs a real Odoo 19: eval $(tests/real-odoo/odoo fresh NAME), then cargo test -- --ignored"]
async fn goods_are_packed_where_they_lie_once() {
    let mut floor = Floor::open().await;
    let ((product, barcode), (bin, place)) = (floor.product("none").await, floor.bin().await);
    floor
        .put(json!({"product_id": product, "location_id": bin, "inventory_quantity": 10}))
        .await;
    floor.lose_answers();
    floor.gateway.start();
    let package = format!("PACK-{}", short());
    let packed = changed(line(&barcode, 4), |goods| {
        goods.package = Some(package.clone());
    });
    let pack = Purpose::Pack { order: None };
    let key = floor
        .posted(pack.clone(), from(&place, packed.clone()))
        .await;
    let (_, moved) = floor.picking(key).await;
    assert_eq!(
        (&moved["location_id"], &moved["location_dest_id"]),
        (&json!(bin), &json!(bin))
    );
    let domain = json!([["package_id.name", "=", package]]);
    let body = json!({"domain": domain, "fields": ["quantity", "location_id"], "load": null});
    let inside = floor.odoo.ask("stock.quant", "search_read", body).await;
    assert_eq!(
        (&inside[0]["quantity"], &inside[0]["location_id"]),
        (&json!(4.0), &json!(bin))
    );
    floor.holds(product, bin, 10.0).await;
    let nowhere = floor.gateway.seal_as(pack, vec![packed], NOON).await;
    floor.gateway.drained().await;
    assert_eq!(
        floor.gateway.reason(nowhere),
        ReasonCode::BinRequired.as_str()
    );
    floor.gateway.close().await;
}

#[tokio::test]
#[ignore = "needs a real Odoo 19: eval $(tests/real-odoo/odoo fresh NAME), then cargo test -- --ignored"]
async fn more_than_odoo_holds_is_flagged_refused_or_allowed() {
    let mut floor = Floor::open().await;
    let ((product, barcode), (bin, place)) = (floor.product("none").await, floor.bin().await);
    let (_, other) = floor.bin().await;
    floor
        .put(json!({"product_id": product, "location_id": bin, "inventory_quantity": 5}))
        .await;
    let moved = |quantity| from(&place, to(&other, line(&barcode, quantity)));
    // Together they take more than there is, the second more than what the first leaves.
    let first = floor
        .gateway
        .seal_as(Purpose::Transfer, vec![moved(3)], NOON)
        .await;
    let second = floor
        .gateway
        .seal_as(Purpose::Transfer, vec![moved(4)], NOON)
        .await;
    floor.lose_answers();
    floor.gateway.start();
    floor.gateway.drained().await;
    assert_eq!(floor.gateway.progress(first).flags, [] as [Flag; 0]);
    let progress = floor.gateway.progress(second);
    assert_eq!(
        (progress.state, progress.flags),
        (State::Posted, vec![Flag::NegativeStock.into()])
    );
    let notes = floor.gateway.notes(second);
    let said = format!("bin {place} holds 2 of {barcode}, and this document takes 4 out");
    assert!(notes.contains(&said), "{notes}");
    floor.holds(product, bin, -2.0).await;
    floor.gateway.stop().await;
    floor.gateway.rules.stock.negative = Negative::Refuse;
    floor.gateway.start();
    let refused = floor
        .gateway
        .seal_as(Purpose::Transfer, vec![moved(1)], NOON)
        .await;
    floor.gateway.drained().await;
    assert_eq!(
        floor.gateway.reason(refused),
        ReasonCode::NegativeStock.as_str()
    );
    floor.gateway.retry(refused, Some("allow")).await;
    floor.gateway.drained().await;
    assert_eq!(floor.gateway.progress(refused).state, State::Posted);
    // Out of what holds no stock of its own, and of what Odoo counts nothing, there is never too
    // little.
    let body = json!({"domain": [["usage", "=", "supplier"]], "limit": 1});
    let vendors = floor.odoo.ask("stock.location", "search", body).await;
    let code = format!("VENDORS-{}", short());
    let body = json!({"ids": vendors, "vals": {"barcode": code}});
    floor.odoo.ask("stock.location", "write", body).await;
    let bought = from(&code, to(&place, line(&barcode, 9)));
    let bought = floor
        .gateway
        .seal_as(Purpose::Transfer, vec![bought], NOON)
        .await;
    floor.gateway.drained().await;
    assert_eq!(floor.gateway.progress(bought).state, State::Posted);
    floor.gateway.close().await;
}

#[tokio::test]
#[ignore = "needs a real Odoo 19: eval $(tests/real-odoo/odoo fresh NAME), then cargo test -- --ignored"]
async fn the_owner_of_all_that_lies_there_is_the_owner_of_what_is_moved() {
    let mut floor = Floor::open().await;
    let ((product, barcode), (bin, place)) = (floor.product("none").await, floor.bin().await);
    let (other, other_place) = floor.bin().await;
    let names = [format!("Anna {}", short()), format!("Bert {}", short())];
    let anna = floor.make("res.partner", json!({"name": names[0]})).await;
    let bert = floor.make("res.partner", json!({"name": names[1]})).await;
    floor.put(json!({"product_id": product, "location_id": bin, "owner_id": anna, "inventory_quantity": 5})).await;
    floor.lose_answers();
    floor.gateway.start();
    let moved = |quantity| from(&place, to(&other_place, line(&barcode, quantity)));
    // All of it: nothing of hers is left there when it is sent again.
    let key = floor.posted(Purpose::Transfer, moved(5)).await;
    assert_eq!(floor.picking(key).await.1["owner_id"], anna);
    assert_eq!(floor.gateway.progress(key).flags, [] as [Flag; 0]);
    floor.holds(product, other, 5.0).await;
    for owner in [anna, bert] {
        floor.put(json!({"product_id": product, "location_id": bin, "owner_id": owner, "inventory_quantity": 3})).await;
    }
    let unclear = floor
        .gateway
        .seal_as(Purpose::Transfer, vec![moved(1)], NOON)
        .await;
    let unknown = changed(moved(1), |goods| {
        goods.owner = Some(format!("Nobody {}", short()));
    });
    let unknown = floor
        .gateway
        .seal_as(Purpose::Transfer, vec![unknown], NOON)
        .await;
    floor.gateway.drained().await;
    assert_eq!(
        floor.gateway.reason(unclear),
        ReasonCode::OwnerAmbiguous.as_str()
    );
    assert_eq!(
        floor.gateway.reason(unknown),
        ReasonCode::UnknownPartner.as_str()
    );
    let message = floor.gateway.progress(unclear).reason.unwrap().message;
    assert!(names.iter().all(|name| message.contains(name)), "{message}");
    let said = changed(moved(1), |goods| goods.owner = Some(names[1].clone()));
    let key = floor.posted(Purpose::Transfer, said).await;
    assert_eq!(floor.picking(key).await.1["owner_id"], bert);
    floor.gateway.close().await;
}

#[tokio::test]
#[ignore = "needs a real Odoo 19: eval $(tests/real-odoo/odoo fresh NAME), then cargo test -- --ignored"]
async fn what_was_done_before_a_count_and_comes_after_it_corrects_the_count() {
    let mut floor = Floor::open().await;
    let ((product, barcode), (bin, place)) = (floor.product("none").await, floor.bin().await);
    let (_, other) = floor.bin().await;
    floor.gateway.start();
    let count = floor
        .posted(Purpose::Count, from(&place, line(&barcode, 7)))
        .await;
    // The start of another gateway with the same journal knows it as well.
    floor.gateway.stop().await;
    floor.gateway.start();
    let moved = || from(&place, to(&other, line(&barcode, 2)));
    let late = floor
        .gateway
        .seal_as(Purpose::Transfer, vec![moved()], NOON - 60)
        .await;
    let after = floor
        .gateway
        .seal_as(Purpose::Transfer, vec![moved()], NOON + 60)
        .await;
    floor.gateway.drained().await;
    for key in [late, after] {
        assert_eq!(floor.gateway.progress(key).state, State::Posted);
    }
    floor.holds(product, bin, 5.0).await;
    assert_eq!(floor.gateway.progress(count).flags, ["recounted"]);
    let notes = floor.gateway.notes(count);
    assert!(notes.contains("corrected this count by +2"), "{notes}");
    floor.gateway.close().await;
}
