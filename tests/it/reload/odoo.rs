//! Another Odoo, key or limit: between two batches, and another server or database only when the
//! outcome of each document that was sent is known.

use std::time::Duration;

use serde_json::json;
use stockrelay::board;
use stockrelay::demo::link::{Fault, Link, What};
use stockrelay::demo::odoo::seed::product_barcode;

use super::site::{Device, Site, transfer};

const WAITS: &str = "odoo-change-waits";

/// Over this link.
fn over(link: &Link) -> String {
    format!("odoo.url = \"{}\"\n", link.url())
}

async fn moved(site: &Site) -> f64 {
    let product = json!([["barcode", "=", product_barcode(2)]]);
    let product = site.target.find("product.product", product).await;
    let bin = site.target.bin(1).await;
    site.target.quantity(product, bin).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_url_waits_for_the_document_in_flight_and_nothing_is_doubled() {
    let mut site = Site::start("", "").await;
    let (first, second) = (
        Link::start(&site.target.url).await.unwrap(),
        Link::start(&site.target.url).await.unwrap(),
    );
    site.reload(&over(&first)).await;
    site.until_copied().await;
    let before = moved(&site).await;
    let mut device = Device::connect(site.address(), "pda-1").await;
    // Odoo carries out the call, and its answer does not arrive: the outcome is unknown.
    first.add_fault(Fault {
        method: "button_validate".to_owned(),
        what: What::CutAfter,
        times: 1,
    });
    device.publish("event", &transfer("1")).await;
    site.until("the outcome is unknown", |daemon| {
        first.faults_left() == 0 && daemon.board().snapshot().odoo.link == board::Link::Down
    })
    .await;
    first.set_up(false);
    let reloaded = site.reload(&over(&second)).await;
    assert_eq!(reloaded.changed, ["odoo.url"]);
    assert_eq!(reloaded.after_batch, ["odoo.url"]);
    site.until("an alarm says that the change waits", |daemon| {
        daemon.board().snapshot().alarms.contains_key(WAITS)
    })
    .await;
    device.publish("event", &transfer("2")).await;
    assert_eq!(site.daemon().journal().totals().posted.events, 0);

    first.set_up(true);
    site.until_posted(2).await;
    site.until("the new address is used", |_| site.alarm(WAITS).is_none())
        .await;
    // The old link is not needed any more.
    first.set_up(false);
    device.publish("event", &transfer("3")).await;
    site.until_posted(3).await;
    let after = moved(&site).await;
    assert!((after - before - 3.0).abs() < 1e-6, "{before} {after}");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn urls_change_while_documents_flow_and_each_event_is_posted_once() {
    let mut site = Site::start("", "").await;
    let links = [
        Link::start(&site.target.url).await.unwrap(),
        Link::start(&site.target.url).await.unwrap(),
    ];
    site.reload(&over(&links[0])).await;
    site.until_copied().await;
    let before = moved(&site).await;
    let device = Device::connect(site.address(), "pda-1").await;
    let publishing = tokio::spawn(device.publish_all(200, Duration::from_millis(20)));
    for number in 1.. {
        if publishing.is_finished() {
            break;
        }
        site.reload(&over(&links[number % 2])).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    publishing.await.unwrap();
    site.until_posted(200).await;
    let after = moved(&site).await;
    assert!((after - before - 200.0).abs() < 1e-6, "{before} {after}");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_database_has_a_catalog_of_its_own() {
    let mut site = Site::start("", "").await;
    site.until_copied().await;
    site.reload("odoo.database = \"no-such\"\n").await;
    site.until("the link is not up", |daemon| {
        let odoo = daemon.board().snapshot().odoo;
        odoo.link != board::Link::Up && odoo.copy_refreshed.is_none()
    })
    .await;
    let mut device = Device::connect(site.address(), "pda-1").await;
    device.publish("event", &transfer("1")).await;
    site.reload("").await;
    site.until_posted(1).await;
    site.until_copied().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_ends_a_held_link_at_once() {
    let mut site = Site::start("", "").await;
    site.until_copied().await;
    site.write("wrong.key", "not-the-key");
    site.reload("odoo.api_key_file = \"wrong.key\"\n").await;
    let mut device = Device::connect(site.address(), "pda-1").await;
    device.publish("event", &transfer("1")).await;
    site.until("the link is held", |daemon| {
        daemon.board().snapshot().odoo.link == board::Link::Held
    })
    .await;
    // A held link would probe once a minute.
    site.reload("odoo.batch_lines_max = 3\n").await;
    site.until_posted(1).await;
    assert!(site.daemon().board().snapshot().odoo.batch_lines <= 3);
    site.stop().await;
}
