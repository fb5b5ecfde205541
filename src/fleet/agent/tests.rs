//! The agent with a simulated site, a disk that fails, and power that goes.

mod cuts;
mod full;
mod property;
mod recovery;
mod rig;

use bytes::Bytes;

use super::*;
use crate::fleet::chain::Link;
use crate::fleet::orders::FleetOrders;
use crate::fleet::record::BundleOutcome;
use crate::fleet::tests::samples::{facts, id, signed_stop, stop};
use rig::{Behaviour, Rig, TIMES, offer};

#[tokio::test]
async fn a_good_bundle_is_confirmed_and_only_its_files_and_those_before_stay() {
    let mut rig = Rig::new().await;
    for serial in [41, 42, 43] {
        assert_eq!(rig.offer(serial).await.unwrap(), Answer::Done);
        rig.run(100).await;
        assert_eq!(rig.confirmed(), Some(serial));
    }
    rig.assert_well();
    let left = rig.disk.files("bundles").into_keys();
    let left: Vec<String> = left.map(|name| name[..2].to_owned()).collect();
    assert_eq!(left, ["42", "43"]);
    assert!(!rig.disk.has(&format!("sets/{}", id(41))));
    let status = rig.agent.status();
    assert_eq!(status.running, ConfigSet::Bundle(id(43)));
    assert_eq!((status.pending, status.alarms.len()), (None, 0));
    assert_eq!(status.history.len(), 3);
}

#[tokio::test]
async fn a_bad_bundle_is_rolled_back_and_its_reason_survives_a_restart() {
    for behaviour in [
        Behaviour::HoldsOdoo,
        Behaviour::SourceDown,
        Behaviour::LosesDevices,
        Behaviour::LoadFault,
        Behaviour::Crashes,
        Behaviour::CutsOff,
    ] {
        let mut rig = Rig::new().await;
        rig.offer(42).await.unwrap();
        rig.run(100).await;
        rig.behave(43, behaviour);
        rig.offer(43).await.unwrap();
        rig.run(400).await;
        rig.restart().await;
        let last = rig.agent.status().last.unwrap();
        assert_eq!(last.id, id(43), "{behaviour:?}");
        assert_eq!(last.outcome, BundleOutcome::RolledBack, "{behaviour:?}");
        assert!(!last.reason.is_empty(), "{behaviour:?}");
        assert_eq!(rig.confirmed(), Some(42), "{behaviour:?}");
        rig.assert_well();
    }
}

#[tokio::test]
async fn a_bundle_that_the_site_cannot_use_is_refused_before_it_is_loaded() {
    let mut rig = Rig::new().await;
    rig.behave(42, Behaviour::CheckFault);
    rig.offer(42).await.unwrap();
    rig.run(100).await;
    let last = rig.agent.status().last.unwrap();
    assert_eq!(last.outcome, BundleOutcome::Refused);
    assert_eq!(rig.loads(), [None]);
}

#[tokio::test]
async fn a_full_disk_holds_the_bundle_back_and_the_gateway_runs_on() {
    let mut rig = Rig::new().await;
    rig.offer(42).await.unwrap();
    rig.run(100).await;
    rig.disk.set_full(true);
    let error = rig.offer(43).await.unwrap_err().to_string();
    assert!(
        error.contains("the disk is full: cannot write fleet/bundles/43-"),
        "{error}"
    );
    rig.run(100).await;
    let status = rig.agent.status();
    let pending = status.pending.unwrap();
    assert_eq!(
        (pending.facts.id, pending.state),
        (id(43), BundleState::Fetched)
    );
    assert!(status.alarms["fleet-disk"].contains("the disk is full"));
    assert_eq!(status.running, ConfigSet::Bundle(id(42)));
    rig.disk.set_full(false);
    rig.run(200).await;
    assert_eq!(rig.confirmed(), Some(43));
    assert!(rig.agent.status().alarms.is_empty());
    rig.assert_well();
}

#[tokio::test]
async fn a_change_of_trusted_keys_holds_once_it_is_on_disk() {
    let mut rig = Rig::new().await;
    let links = rig.links.clone();
    let link = |serial: u64| Link {
        version: serial,
        bytes: format!("link of {serial}").into_bytes(),
    };
    let with_link = |serial| OfferedFiles {
        link: Some(link(serial)),
        ..offer(serial)
    };
    // The disk takes the bundle later.
    rig.disk.set_full(true);
    rig.serve_offer(with_link(42)).await.unwrap_err();
    assert!(links.borrow().is_empty());
    rig.disk.set_full(false);
    rig.run(100).await;
    assert_eq!(rig.confirmed(), Some(42));
    assert_eq!(*links.borrow(), [Bytes::from(link(42).bytes)]);
    // The gateway cannot use the bundle; its keys count anyway.
    let mut unsupported = with_link(43);
    unsupported.offered.unsupported = Some("it requires version 9".to_owned());
    let answer = rig.serve_offer(unsupported).await.unwrap();
    assert!(matches!(answer, Answer::Refused(_)), "{answer:?}");
    let both = [42, 43].map(|serial| Bytes::from(link(serial).bytes));
    assert_eq!(*links.borrow(), both);
    rig.restart().await;
    assert_eq!(*rig.links.borrow(), both);
}

#[tokio::test]
async fn a_full_disk_at_any_later_step_neither_applies_nor_confirms() {
    let mut rig = Rig::new().await;
    rig.offer(42).await.unwrap();
    rig.disk.set_full(true);
    rig.run(100).await;
    assert_eq!(rig.loads(), [None]);
    rig.disk.set_full(false);
    rig.run(10).await;
    assert_eq!(rig.loads(), [None, Some(42)]);
    rig.disk.set_full(true);
    rig.run(100).await;
    assert_eq!(rig.confirmed(), None);
    rig.disk.set_full(false);
    rig.run(2).await;
    assert_eq!(rig.confirmed(), Some(42));
    rig.assert_well();
}

#[tokio::test]
async fn a_full_disk_does_not_prevent_a_rollback() {
    let mut rig = Rig::new().await;
    rig.behave(42, Behaviour::HoldsOdoo);
    rig.offer(42).await.unwrap();
    rig.run(1).await;
    while rig.loads().len() < 2 {
        rig.run(1).await;
    }
    rig.disk.set_full(true);
    rig.run(10).await;
    assert_eq!(rig.loads(), [None, Some(42), None]);
    rig.disk.set_full(false);
    rig.run(1).await;
    rig.restart().await;
    let last = rig.agent.status().last.unwrap();
    assert_eq!((last.id, last.outcome), (id(42), BundleOutcome::RolledBack));
    rig.assert_well();
}

#[tokio::test]
async fn a_stop_holds_on_a_full_disk_and_its_sender_learns_that_it_is_not_stored() {
    let mut rig = Rig::new().await;
    rig.offer(42).await.unwrap();
    rig.disk.set_full(true);
    let order = FleetOrder::Stop(signed_stop(stop(2, 42, true)));
    let error = rig.agent.serve(order).await.unwrap_err();
    assert!(
        matches!(error, OrderError::NotRecorded(DiskError::Full { .. })),
        "{error}"
    );
    rig.run(100).await;
    rig.disk.set_full(false);
    rig.run(100).await;
    rig.kill().await;
    rig.run(100).await;
    assert_eq!(rig.loads(), [None, None]);
    assert_eq!(rig.agent.status().stop, Some(stop(2, 42, true)));
    // A resumption has no effect before it is on disk. A further stop releases nothing.
    rig.disk.set_full(true);
    for (order, holds) in [(stop(3, 42, false), false), (stop(4, 41, true), true)] {
        let served = rig.agent.serve(FleetOrder::Stop(signed_stop(order))).await;
        match served.unwrap_err() {
            OrderError::NotRecorded(DiskError::Full { .. }) => assert!(holds),
            OrderError::Disk(DiskError::Full { .. }) => assert!(!holds),
            error => panic!("{error}"),
        }
        let held = rig.agent.status().stop.unwrap();
        assert_eq!(held.stopped_to(), 42, "{held:?}");
    }
}

#[tokio::test]
async fn nothing_is_removed_that_the_record_on_disk_needs() {
    let mut rig = Rig::new().await;
    rig.offer(42).await.unwrap();
    rig.run(100).await;
    rig.behave(43, Behaviour::HoldsOdoo);
    rig.offer(43).await.unwrap();
    while rig.loads().len() < 3 {
        rig.run(1).await;
    }
    rig.disk.set_full(true);
    rig.run(10).await;
    // Rolled back in memory, but the record still has bundle 43.
    assert_eq!(rig.loads().last(), Some(&Some(42)));
    assert!(rig.disk.has(&format!("sets/{}", id(43))));
    rig.disk.set_full(false);
    rig.kill().await;
    rig.run(400).await;
    assert_eq!(rig.confirmed(), Some(42));
    rig.assert_well();
}

#[tokio::test]
async fn a_damaged_record_is_an_error_of_the_start() {
    let rig = Rig::new().await;
    for name in ["record", "record.copy"] {
        rig.disk.damage(name, |bytes| bytes.truncate(40));
    }
    let started = FleetStart::open(rig.disk.clone(), rig.site.clock(), TIMES);
    let error = started.unwrap_err().to_string();
    assert!(error.contains("cannot read fleet/record"), "{error}");
}

#[tokio::test]
async fn a_rejected_bundle_costs_no_write() {
    let mut rig = Rig::new().await;
    rig.offer(42).await.unwrap();
    rig.run(100).await;
    let writes = rig.disk.writes();
    for serial in [40, 41] {
        let answer = rig.offer(serial).await.unwrap();
        assert!(matches!(answer, Answer::Refused(_)), "{answer:?}");
    }
    let order = FleetOrder::Rejected {
        reason: "no trusted key signed it".to_owned(),
        by: "broker".to_owned(),
    };
    rig.agent.serve(order).await.unwrap();
    assert_eq!(rig.disk.writes(), writes);
    let status = rig.agent.status();
    assert_eq!(status.last.unwrap().outcome, BundleOutcome::Confirmed);
    let rejected = status.rejected.unwrap();
    assert_eq!((rejected.serial, rejected.by.as_str()), (None, "broker"));
    assert!(status.alarms["bundle-rejected"].contains("no trusted key"));
}

#[tokio::test(start_paused = true)]
async fn the_task_serves_orders_shows_its_status_and_stops_cleanly() {
    let rig = Rig::new().await;
    rig.behave(42, Behaviour::Moves);
    let (site, disk) = (Arc::clone(&rig.site), rig.disk.clone());
    let (orders, received) = FleetOrders::new();
    let (sender, mut status) = watch::channel(rig.agent.status());
    let token = CancellationToken::new();
    let task = tokio::spawn(rig.agent.run(received, sender, token.clone()));
    let order = FleetOrder::Offer(Box::new(offer(42)));
    assert_eq!(orders.send(order).await.unwrap(), Answer::Done);
    let order = FleetOrder::Stop(signed_stop(stop(2, 41, true)));
    assert_eq!(orders.send(order).await.unwrap(), Answer::Done);
    let state = |status: &FleetStatus| status.pending.as_ref().map(|pending| pending.state);
    let watched = status.wait_for(|status| state(status) == Some(BundleState::Watching));
    assert_eq!(watched.await.unwrap().running, ConfigSet::Bundle(id(42)));
    token.cancel();
    task.await.unwrap();
    let error = orders
        .send(FleetOrder::Stop(signed_stop(stop(3, 41, true))))
        .await;
    assert!(matches!(error, Err(OrderError::Stopping)));
    // The stop was clean: a second start is not counted.
    let start = FleetStart::open(disk, site.clock(), TIMES).unwrap();
    assert_eq!(start.running(), ConfigSet::Bundle(id(42)));
    assert!(
        start
            .running_folder()
            .unwrap()
            .ends_with(id(42).to_string())
    );
    let agent = Agent::new(start, site);
    let watch = agent.machine.record().watch.clone().unwrap();
    assert_eq!(watch.unclean_starts, 0);
    assert_eq!(agent.status().stop, Some(stop(2, 41, true)));
    assert_eq!(agent.status().pending.unwrap().facts, facts(42));
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_the_process_loads_is_clean() {
    let rig = Rig::new().await;
    rig.behave(42, Behaviour::Hangs);
    let (site, disk) = (Arc::clone(&rig.site), rig.disk.clone());
    let (orders, received) = FleetOrders::new();
    let (sender, _status) = watch::channel(rig.agent.status());
    let token = CancellationToken::new();
    let task = tokio::spawn(rig.agent.run(received, sender, token.clone()));
    orders
        .send(FleetOrder::Offer(Box::new(offer(42))))
        .await
        .unwrap();
    while site.world().loads.last() != Some(&Some(42)) {
        tokio::time::sleep(TICK).await;
    }
    token.cancel();
    let stopped = tokio::time::timeout(Duration::from_secs(10), task).await;
    stopped.expect("the agent stops").unwrap();
    let start = FleetStart::open(disk, site.clock(), TIMES).unwrap();
    assert_eq!(start.running(), ConfigSet::Bundle(id(42)));
    let agent = Agent::new(start, site);
    let watch = agent.machine.record().watch.clone().unwrap();
    assert_eq!(watch.unclean_starts, 0);
}
