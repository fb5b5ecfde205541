//! Two gateways of one site: the one that was new last posts, the other one holds what it has.

use std::sync::Arc;

use serde_json::Value;

use super::Installed;

fn posted(count: u64) -> impl Fn(&Value) -> bool {
    move |status| status["documents"]["posted"] == count
}

fn is_replaced(status: &Value) -> bool {
    status["odoo"]["link"] == "held" && status["odoo"]["replaced"] == true
}

/// How many pickings Odoo has done.
fn done(gateway: &Installed) -> usize {
    gateway.odoo.pickings()["done"]
}

/// Whether an alarm about this is on.
fn alarm(status: &Value, part: &str) -> bool {
    status["alarms"].to_string().contains(part)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_box_that_comes_back_posts_nothing_until_a_person_orders_it() {
    let mut old = Installed::start().await;
    old.scan("one").await;
    old.until("posted", posted(1)).await;
    old.done(&["pause"]).await;
    for (id, count) in [("two", 1), ("here", 2)] {
        old.scan(id).await;
        let sealed = |status: &Value| status["documents"]["waiting"] == count;
        old.until("sealed", sealed).await;
    }
    old.kill();

    // The box is dead. Another one replaces it, and the device sends again what it still has.
    let mut new = Installed::prepare_at(Arc::clone(&old.odoo));
    new.run().await;
    new.scan("two").await;
    new.scan("three").await;
    new.until("posted", posted(2)).await;
    let refused = new.output(&["take-over", "--reason", "why not"]).await;
    assert_eq!(refused.0, 1, "{refused:?}");
    assert!(
        refused.2.contains("no other gateway has replaced this one"),
        "{refused:?}"
    );

    old.run().await;
    old.done(&["resume"]).await;
    let status = old.until("the old box is held", is_replaced).await;
    assert!(alarm(&status, "has replaced this one"), "{status}");
    assert_eq!(status["documents"]["waiting"], 2, "{status}");
    assert_eq!(done(&old), 3);

    let said = old.done(&["take-over", "--reason", "the spare goes back"]);
    let said = said.await;
    assert!(said.contains("2 waiting documents"), "{said}");
    // Odoo has "two" from the other box, under the same key. Only a person can tell about "here".
    let parked = |status: &Value| status["documents"]["parked"] == 1;
    let status = old.until("parked", parked).await;
    assert_eq!(status["odoo"]["link"], "up", "{status}");
    assert!(!alarm(&status, "has replaced this one"), "{status}");
    let list = old
        .done(&["parked", "list", "--code", "maybe-posted"])
        .await;
    assert!(list.contains("another gateway of the site"), "{list}");
    old.scan("four").await;
    old.until("posted", posted(3)).await;
    assert_eq!(done(&old), 4);

    // Now the other one is the old one.
    new.kill();
    new.run().await;
    new.scan("five").await;
    let status = new.until("the new box is held", is_replaced).await;
    assert_eq!(status["documents"]["posted"], 2, "{status}");
    assert_eq!(done(&new), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_same_box_needs_nobody() {
    let mut gateway = Installed::start().await;
    gateway.scan("one").await;
    gateway.until("posted", posted(1)).await;
    for count in 2..4 {
        gateway.kill();
        gateway.run().await;
        gateway.scan(&format!("n{count}")).await;
        gateway.until("posted", posted(count)).await;
    }
}
