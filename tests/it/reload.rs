//! A new configuration without a restart: what each section changes, what stays, and what is
//! refused. No scan is lost, and none is delayed by more than a second.

mod effects;
mod odoo;
mod process;
mod refused;
pub mod site;
mod sources;

use std::time::Duration;

use stockrelay::demo::odoo::seed::product_barcode;

use self::site::{Device, Site, free_port};

const RELOADS: usize = 100;
const EVERY: Duration = Duration::from_millis(20);
const EVENTS: u16 = 600;

/// Two configurations that differ in many sections.
fn sections(ports: [u16; 2], is_second: bool) -> String {
    let [listen, metrics] = ports;
    if is_second {
        return format!("control.metrics = \"127.0.0.1:{metrics}\"\n");
    }
    format!(
        "time_zone = \"Europe/Amsterdam\"\nmqtt.listen.address = \"127.0.0.1:{listen}\"\nmqtt.listen.connections_max = 10\n\
         mqtt.listen.rate_per_s = 500\nmqtt.listen.missed_max = 5\nmqtt.listen.subscriptions_max = 3\n\
         odoo.timeout_s = 30\nodoo.batch_lines_max = 7\nodoo.refresh_s = 5\nodoo.late_commit_s = 60\n\
         documents.per = \"operator\"\ndocuments.lines_max = 3\ndocuments.events_max = 10\n\
         orders.pick_over = \"allow\"\norders.blind_receipts = true\nstock.negative = \"allow\"\n\
         capture.check = \"strict\"\ncapture.language = \"de\"\n\
         journal.budget = \"64 MiB\"\njournal.reserve = 0.1\njournal.dedup_days = 7\njournal.retention_days = 7\n\
         control.socket = \"other.sock\"\nlog.level = \"debug\"\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_event_is_lost_and_none_is_late_through_100_reloads() {
    let ports = [free_port(), free_port()];
    let mut site = Site::start("", &sections(ports, true)).await;
    site.until_copied().await;
    let (product, bin) = (
        site.target
            .find("product.product", barcode(&product_barcode(2)))
            .await,
        site.target.bin(1).await,
    );
    let before = site.target.quantity(product, bin).await;
    let device = Device::connect(site.address(), "pda-1").await;
    let publishing = tokio::spawn(device.publish_all(EVENTS, EVERY));
    // The same without reloads: how much the machine itself delays, beside the other tests.
    let quiet = Site::start("", "").await;
    let other = Device::connect(quiet.address(), "pda-1").await;
    let publishing_quiet = tokio::spawn(other.publish_all(EVENTS, EVERY));
    let mut reloads = 0;
    let mut changed = 0;
    while reloads < RELOADS || !publishing.is_finished() {
        let extra = sections(ports, reloads % 2 == 1);
        changed = site.reload(&extra).await.changed.len();
        reloads += 1;
        tokio::time::sleep(EVERY * 5).await;
    }
    let longest = publishing.await.unwrap();
    let longest_quiet = publishing_quiet.await.unwrap();
    quiet.stop().await;
    println!(
        "{reloads} reloads of {changed} keys, {EVENTS} events, the longest PUBACK took {longest:?}; without reloads {longest_quiet:?}"
    );
    assert!(changed > 20, "{changed}");
    let limit = Duration::from_secs(1) + longest_quiet;
    assert!(
        longest < limit,
        "{longest:?}, without reloads {longest_quiet:?}"
    );
    // The last documents are sealed and sent.
    site.reload("").await;
    site.until_posted(EVENTS.into()).await;
    let totals = site.daemon().journal().totals();
    assert_eq!((totals.duplicates, totals.rejected), (0, 0), "{totals:?}");
    let after = site.target.quantity(product, bin).await;
    assert!(
        (after - before - f64::from(EVENTS)).abs() < 1e-6,
        "{before} {after}"
    );
    site.stop().await;
}

fn barcode(barcode: &str) -> serde_json::Value {
    serde_json::json!([["barcode", "=", barcode]])
}
