//! The forwarder with a real journal and a real Odoo: what was sealed is in Odoo, once.

mod gateway;

pub use self::gateway::Gateway;
use super::Odoo;
use crate::floor::at;
use serde_json::json;
use std::time::Duration;
use stockrelay::board::{self};
use stockrelay::config;
use stockrelay::demo::link::{Fault, Link, What};
use stockrelay::document::State;
use stockrelay::odoo::Transfer;
use stockrelay::reason::ReasonCode;

on_both! {
    what_is_sealed_is_posted_once_and_told,
    what_was_being_sent_at_the_stop_is_found_again,
    what_cannot_be_posted_is_parked_and_the_rest_goes_on,
    what_was_begun_and_is_not_resolved_any_more_is_looked_for_in_odoo,
    what_is_never_answered_waits_aside_and_the_rest_goes_on,
    what_odoo_does_not_look_up_is_parked_and_the_rest_goes_on,
    a_key_that_is_refused_in_a_lookup_holds_the_link,
    a_batch_that_goes_in_two_calls_is_posted_once_whatever_becomes_of_one,
}

async fn what_is_sealed_is_posted_once_and_told(mut odoo: Odoo) {
    let mut gateway = Gateway::new(&odoo);
    let (product, barcode) = odoo.products[20].clone();
    let (from, to) = (odoo.bins[20].clone(), odoo.bins[21].clone());
    let before = odoo.stock(product, to.0).await;
    let key = gateway
        .seal(
            &[(&barcode, &from.1, &to.1), (&barcode, &from.1, &to.1)],
            |_| {},
        )
        .await;
    gateway.start();
    gateway.drained().await;
    let progress = gateway.progress(key);
    assert_eq!((progress.state, progress.attempts), (State::Posted, 1));
    let picking = progress.odoo.unwrap();
    assert!((odoo.stock(product, to.0).await - before - 4.0).abs() < 0.001);
    let body = json!({"ids": [picking.id], "fields": ["name", "date_done", "state"]});
    let read = odoo.ask("stock.picking", "read", body).await;
    assert_eq!(read[0]["name"], picking.name);
    assert_eq!(
        read[0]["date_done"],
        at(9).strftime("%Y-%m-%d %H:%M:%S").to_string()
    );
    for id in ["1", "2"] {
        let receipt = gateway.receipts.recv().await.unwrap();
        let told: serde_json::Value = serde_json::from_slice(&receipt.payload).unwrap();
        assert_eq!(told["status"], "posted");
        assert_eq!(
            (told["id"].as_str(), told["odoo"].as_str()),
            (Some(id), Some(picking.name.as_str()))
        );
    }
    gateway.close().await;
}

async fn what_was_being_sent_at_the_stop_is_found_again(mut odoo: Odoo) {
    let mut gateway = Gateway::new(&odoo);
    let (product, barcode) = odoo.products[30].clone();
    let (from, to) = (odoo.bins[30].clone(), odoo.bins[31].clone());
    let before = odoo.stock(product, to.0).await;
    let key = gateway.seal(&[(&barcode, &from.1, &to.1)], |_| {}).await;
    gateway.start();
    gateway.drained().await;
    gateway.stop().await;
    // As if the gateway had died between Odoo's answer and its own commit.
    gateway.begun(key).await;
    gateway.start();
    gateway.drained().await;
    assert_eq!(gateway.progress(key).state, State::Posted);
    let note = gateway.last_note(key);
    assert!(note.contains("already"), "{note}");
    assert!((odoo.stock(product, to.0).await - before - 2.0).abs() < 0.001);
    gateway.close().await;
}

async fn what_cannot_be_posted_is_parked_and_the_rest_goes_on(mut odoo: Odoo) {
    let mut gateway = Gateway::new(&odoo);
    gateway.config.refresh_s = 1;
    let (good, bin, other) = (
        odoo.products[40].1.clone(),
        odoo.bins[40].1.clone(),
        odoo.bins[41].1.clone(),
    );
    let body = json!({"domain": [["default_code", "=", "SKU00050"]], "fields": ["id"]});
    let tracked = odoo.ask("product.product", "search_read", body).await[0]["id"]
        .as_i64()
        .unwrap();
    let new = format!("NEW-{}", gateway.device);
    let line = |product: &'static str| (product, bin.as_str(), other.as_str());
    let unknown = gateway.seal(&[(new.as_str(), &bin, &other)], |_| {}).await;
    let nowhere = gateway
        .seal(&[(&good, "NO-SUCH-BIN", &other)], |_| {})
        .await;
    let lotless = gateway.seal(&[line("SKU00050")], |_| {}).await;
    let no_lot = gateway
        .seal(&[line("SKU00050")], |l| l.goods.lot = Some(new.clone()))
        .await;
    let no_package = gateway
        .seal(&[(&good, &bin, &other)], |l| {
            l.goods.package = Some(new.clone());
        })
        .await;
    let rounded = gateway
        .seal(&[(&good, &bin, &other)], |l| {
            l.goods.quantity = "1.005".parse().unwrap();
        })
        .await;
    let fine = gateway.seal(&[(&good, &bin, &other)], |_| {}).await;
    gateway.start();
    gateway.drained().await;
    assert_eq!(gateway.reason(unknown), ReasonCode::UnknownProduct.as_str());
    assert_eq!(
        gateway.reason(nowhere),
        ReasonCode::UnknownLocation.as_str()
    );
    assert_eq!(gateway.reason(lotless), ReasonCode::LotRequired.as_str());
    assert_eq!(gateway.reason(no_lot), ReasonCode::UnknownLot.as_str());
    assert_eq!(
        gateway.reason(no_package),
        ReasonCode::UnknownPackage.as_str()
    );
    assert_eq!(
        gateway.reason(rounded),
        ReasonCode::QuantityPrecision.as_str()
    );
    assert_eq!(gateway.progress(fine).state, State::Posted);
    // Once Odoo knows them, they are sent by themselves.
    let product = json!({"vals_list": [{"name": new, "barcode": new, "is_storable": true}]});
    odoo.ask("product.product", "create", product).await;
    odoo.ask(
        "stock.lot",
        "create",
        json!({"vals_list": [{"name": new, "product_id": tracked}]}),
    )
    .await;
    let mut totals = gateway.journal.watch();
    let healed = totals.wait_for(|totals| totals.posted.documents == 3);
    tokio::time::timeout(Duration::from_mins(1), healed)
        .await
        .expect("they are sent")
        .unwrap();
    assert_eq!(gateway.progress(unknown).state, State::Posted);
    assert_eq!(gateway.progress(no_lot).state, State::Posted);
    gateway.close().await;
}

async fn what_was_begun_and_is_not_resolved_any_more_is_looked_for_in_odoo(mut odoo: Odoo) {
    let mut gateway = Gateway::new(&odoo);
    let (from, to) = (odoo.bins[80].1.clone(), odoo.bins[81].1.clone());
    let mut begun = Vec::new();
    for (name, sent, posted) in [
        ("done", 2, true),
        ("part", 1, true),
        ("open", 2, false),
        ("absent", 0, false),
    ] {
        // Two lines whose product is known no more, of which so many are in Odoo.
        let product = format!("{name}-{}", gateway.device);
        let line = (product.as_str(), from.as_str(), to.as_str());
        let key = gateway.seal(&[line, line], |_| {}).await;
        if sent > 0 {
            let transfer = Transfer {
                key,
                ..odoo.transfer(name, sent)
            };
            let ids = odoo
                .gateway
                .load(&odoo.warehouse, &[&transfer])
                .await
                .unwrap();
            if posted {
                odoo.gateway.validate(&ids).await.unwrap();
            }
        }
        gateway.begun(key).await;
        begun.push(key);
    }
    gateway.start();
    let mut totals = gateway.journal.watch();
    let looked = totals.wait_for(|totals| totals.sending.documents == 0);
    tokio::time::timeout(Duration::from_mins(1), looked)
        .await
        .expect("all are looked for")
        .unwrap();
    gateway.stop().await;
    let [done, part, open, absent] = begun[..] else {
        panic!("{begun:?}")
    };
    assert_eq!(gateway.progress(done).state, State::Posted);
    assert_eq!(gateway.reason(part), ReasonCode::UnknownOutcome.as_str());
    assert!(gateway.progress(part).odoo.is_some());
    assert_eq!(gateway.reason(absent), ReasonCode::UnknownProduct.as_str());
    // A call from before the stop may still be posting it: later.
    assert_eq!(gateway.progress(open).state, State::Waiting);
    let note = gateway.last_note(open);
    assert!(note.contains("the gateway retries in 1 min"), "{note}");
    // Each document has two events. No receipt reports the open document, nor that the posted one
    // was refused.
    let mut told = Vec::new();
    while let Ok(receipt) = gateway.receipts.try_recv() {
        let receipt: serde_json::Value = serde_json::from_slice(&receipt.payload).unwrap();
        told.push((
            receipt["id"].as_str().unwrap().to_owned(),
            receipt["status"].clone(),
        ));
    }
    let expected = [
        ("1", "posted"),
        ("2", "posted"),
        ("7", "refused"),
        ("8", "refused"),
    ];
    assert_eq!(
        told,
        expected.map(|(id, status)| (id.to_owned(), json!(status)))
    );
    // Looked at again after that, it is open still, and refused.
    gateway.start();
    gateway.drained().await;
    assert_eq!(gateway.reason(open), ReasonCode::UnknownProduct.as_str());
    gateway.close().await;
}

async fn what_is_never_answered_waits_aside_and_the_rest_goes_on(odoo: Odoo) {
    let (mut gateway, link) = linked(&odoo).await;
    let movement = |n: usize| {
        let (product, from, to) = (&odoo.products[n].1, &odoo.bins[n].1, &odoo.bins[n + 1].1);
        (product.as_str(), from.as_str(), to.as_str())
    };
    let silent = gateway.seal(&[movement(60)], |_| {}).await;
    // A proxy that gives up on this one document each time, and on nothing else.
    link.add_fault(Fault {
        method: "load".to_owned(),
        times: 3,
        what: What::unavailable(),
    });
    gateway.start();
    let mut totals = gateway.journal.watch();
    let tried = totals
        .wait_for(|_| link.faults_left() == 0 && gateway.progress(silent).state == State::Waiting);
    tokio::time::timeout(Duration::from_mins(1), tried)
        .await
        .expect("the document is deferred")
        .unwrap();
    let note = gateway.last_note(silent);
    assert!(note.contains("the gateway retries in 1 min"), "{note}");
    let behind = gateway.seal(&[movement(61)], |_| {}).await;
    let posted = totals.wait_for(|totals| totals.posted.documents == 1);
    tokio::time::timeout(Duration::from_mins(1), posted)
        .await
        .expect("the one behind it is posted")
        .unwrap();
    assert_eq!(gateway.progress(behind).state, State::Posted);
    assert_eq!(gateway.progress(silent).state, State::Waiting);
    // After a restart it is tried at once.
    gateway.stop().await;
    gateway.start();
    gateway.drained().await;
    assert_eq!(gateway.progress(silent).state, State::Posted);
    gateway.close().await;
}

/// A gateway whose way to Odoo can fail.
pub(super) async fn linked(odoo: &Odoo) -> (Gateway, Link) {
    let link = Link::start(&odoo.config.url).await.unwrap();
    let mut gateway = Gateway::new(odoo);
    gateway.config.url = link.url();
    (gateway, link)
}

fn forbidden() -> What {
    let body =
        json!({"name": "odoo.exceptions.AccessError", "message": "not for you", "debug": ""});
    What::Answer {
        status: 403,
        content_type: "application/json",
        retry_after_s: None,
        body: body.to_string(),
    }
}

async fn what_odoo_does_not_look_up_is_parked_and_the_rest_goes_on(odoo: Odoo) {
    let (mut gateway, link) = linked(&odoo).await;
    let (good, from, to) = (&odoo.products[70].1, &odoo.bins[70].1, &odoo.bins[71].1);
    let movement = (good.as_str(), from.as_str(), to.as_str());
    let before = gateway.seal(&[movement], |_| {}).await;
    let asks = gateway
        .seal(&[movement], |line| line.goods.lot = Some("L1".to_owned()))
        .await;
    let behind = gateway.seal(&[movement], |_| {}).await;
    // Together with the others, and then alone; where lots are on hand, the copy asks for them,
    // too.
    link.add_fault(Fault {
        method: "stock.lot/search_read".to_owned(),
        times: 100,
        what: forbidden(),
    });
    gateway.start();
    gateway.drained().await;
    assert_eq!(gateway.reason(asks), ReasonCode::OdooRefused.as_str());
    assert_eq!(gateway.progress(before).state, State::Posted);
    assert_eq!(gateway.progress(behind).state, State::Posted);
    gateway.close().await;
}

async fn a_key_that_is_refused_in_a_lookup_holds_the_link(odoo: Odoo) {
    let (mut gateway, link) = linked(&odoo).await;
    let (good, from, to) = (&odoo.products[72].1, &odoo.bins[72].1, &odoo.bins[73].1);
    let asks = gateway
        .seal(&[(good, from, to)], |line| {
            line.goods.lot = Some("L1".to_owned());
        })
        .await;
    for method in ["stock.lot/search_read", "stock.warehouse/search_count"] {
        link.add_fault(Fault {
            method: method.to_owned(),
            times: 100,
            what: What::key_expired(),
        });
    }
    gateway.start();
    let held = async {
        while gateway.board.snapshot().odoo.link != board::Link::Held {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), held)
        .await
        .expect("the link is held");
    assert!(link.faults_left() < 200, "no lookup was refused");
    assert_eq!(gateway.progress(asks).state, State::Waiting);
    gateway.close().await;
}

async fn a_batch_that_goes_in_two_calls_is_posted_once_whatever_becomes_of_one(mut odoo: Odoo) {
    let refused = json!({"name": "odoo.exceptions.UserError", "message": "not now", "debug": ""});
    let refused = What::Answer {
        status: 422,
        content_type: "application/json",
        retry_after_s: None,
        body: refused.to_string(),
    };
    for (place, what) in [refused, What::CutAfter].into_iter().enumerate() {
        let products: Vec<_> = odoo.products[100 + place * 40..][..40].to_vec();
        post_in_two_calls(&mut odoo, &products, &what).await;
    }
}

async fn post_in_two_calls(odoo: &mut Odoo, products: &[(i64, String)], what: &What) {
    let (mut gateway, link) = linked(odoo).await;
    let (from, to) = (odoo.bins[90].clone(), odoo.bins[91].clone());
    let mut before = Vec::new();
    for (product, _) in products {
        before.push(odoo.stock(*product, to.0).await);
    }
    let mut keys = Vec::new();
    for products in products.chunks(10) {
        let lines: Vec<_> = products
            .iter()
            .map(|(_, barcode)| (barcode.as_str(), from.1.as_str(), to.1.as_str()))
            .collect();
        keys.push(gateway.seal(&lines, |_| {}).await);
    }
    // The fate of one of two calls, while the other goes well.
    for method in ["load", "button_validate"] {
        link.add_fault(Fault {
            method: method.to_owned(),
            times: 1,
            what: what.clone(),
        });
    }
    gateway.start();
    gateway.drained().await;
    assert_eq!(link.faults_left(), 0);
    for key in keys {
        assert_eq!(gateway.progress(key).state, State::Posted);
    }
    for ((product, _), before) in products.iter().zip(before) {
        let moved = odoo.stock(*product, to.0).await - before;
        assert!((moved - 2.0).abs() < 0.001, "product {product}: {moved}");
    }
    gateway.close().await;
}

#[tokio::test]
#[ignore = "needs a real Odoo 19: eval $(tests/real-odoo/odoo fresh NAME), then cargo test -- --ignored"]
async fn a_backlog_drains_in_batches() {
    let odoo = Odoo::real(config::Api::Auto).await;
    for (documents, lines) in [(400, 1), (16, 25), (8, 50)] {
        let mut gateway = Gateway::new(&odoo);
        for document in 0..documents {
            let rows: Vec<_> = (document * lines..(document + 1) * lines)
                .map(|i| {
                    let product = odoo.products[i % odoo.products.len()].1.as_str();
                    (
                        product,
                        odoo.bins[i % 200].1.as_str(),
                        odoo.bins[(i * 7 + 3) % 200].1.as_str(),
                    )
                })
                .collect();
            gateway.seal(&rows, |_| {}).await;
        }
        let begun = stockrelay::clock::instant();
        gateway.start();
        gateway.drained().await;
        let seconds = begun.elapsed().as_secs_f64();
        let posted = gateway.journal.totals().posted;
        assert_eq!(
            (posted.documents, posted.lines),
            (documents as u64, (documents * lines) as u64)
        );
        let batch = gateway.board.snapshot().odoo.batch_lines;
        println!(
            "{documents} documents of {lines} lines: {seconds:.1} s, {:.1} lines/s, last batch size {batch}",
            f64::from(u32::try_from(documents * lines).unwrap()) / seconds
        );
        gateway.close().await;
    }
}
