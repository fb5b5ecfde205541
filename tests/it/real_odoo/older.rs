//! What an older version of the gateway left in the journal.

use stockrelay::document::{Line, Purpose, State};
use stockrelay::event::Goods;
use stockrelay::reason::ReasonCode;

use super::Odoo;
use super::forwarder::Gateway;

on_both! {
    what_an_older_version_could_not_post_is_parked_and_the_rest_goes_on,
}

/// One event would show what the document is today; with several it is unknown.
async fn what_an_older_version_could_not_post_is_parked_and_the_rest_goes_on(odoo: Odoo) {
    let mut gateway = Gateway::new(&odoo);
    let line = |bin: usize| Line {
        goods: Goods {
            product: odoo.products[44].1.clone(),
            from: Some(odoo.bins[bin].1.clone()),
            to: Some(odoo.bins[bin + 1].1.clone()),
            quantity: 1.into(),
            ..Goods::default()
        },
        events: Vec::new(),
    };
    let kind = "pick".to_owned();
    let purpose = Purpose::Unsupported { kind };
    let old = gateway.seal_as(purpose, vec![line(44), line(46)], 1).await;
    let fine = gateway.seal_as(Purpose::Transfer, vec![line(48)], 2).await;
    gateway.start();
    gateway.drained().await;
    assert_eq!(gateway.reason(old), ReasonCode::UnsupportedType.as_str());
    assert_eq!(gateway.progress(fine).state, State::Posted);
    // Without an update it stays so.
    gateway.retry(old, None).await;
    gateway.drained().await;
    assert_eq!(gateway.reason(old), ReasonCode::UnsupportedType.as_str());
    gateway.close().await;
}
