//! A full disk at a rollback of a person, damage on the disk, and a start with the last good
//! configuration.

use super::rig::{Behaviour, Rig, offer};
use crate::fleet::agent::{Agent, FleetStart, Site as _};
use crate::fleet::machine::Answer;
use crate::fleet::orders::{FleetOrder, OrderError};
use crate::fleet::record::ConfigSet;
use crate::fleet::tests::samples::id;

async fn confirmed() -> Rig {
    let mut rig = Rig::new().await;
    for serial in [41, 42] {
        rig.offer(serial).await.unwrap();
        rig.run(100).await;
    }
    assert_eq!(rig.confirmed(), Some(42));
    rig
}

fn roll_back() -> FleetOrder {
    FleetOrder::RollBack {
        by: "user:anna".to_owned(),
    }
}

#[tokio::test]
async fn a_rollback_that_the_full_disk_does_not_take_is_done_and_is_an_error() {
    let mut rig = confirmed().await;
    rig.disk.set_full(true);
    let error = rig.agent.serve(roll_back()).await.unwrap_err();
    assert!(matches!(error, OrderError::NotRecorded(_)), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("the disk is full") && text.contains("a restart undoes it"),
        "{text}"
    );
    assert_eq!(rig.loads().last(), Some(&Some(41)));
    rig.disk.set_full(false);
    rig.run(2).await;
    rig.kill().await;
    assert_eq!(rig.confirmed(), Some(41));
}

#[tokio::test]
async fn a_rollback_on_a_full_disk_uses_the_reserved_room_and_outlives_a_kill() {
    let mut rig = confirmed().await;
    rig.disk.allow_reserve();
    // The next write of the record reserves the room.
    rig.offer(43).await.unwrap();
    rig.run(100).await;
    assert_eq!(rig.confirmed(), Some(43));
    rig.disk.set_full(true);
    assert_eq!(rig.agent.serve(roll_back()).await.unwrap(), Answer::Done);
    rig.kill().await;
    assert_eq!(rig.confirmed(), Some(42));
    assert_eq!(rig.loads().last(), Some(&Some(42)));
}

#[tokio::test]
async fn a_bundle_that_cannot_be_loaded_is_stored_again_when_it_comes_again() {
    let mut rig = confirmed().await;
    let bundle = format!("bundles/{}.bundle", id(42));
    rig.disk.damage(&bundle, Vec::clear);
    rig.behave(42, Behaviour::LoadFault);
    rig.kill().await;
    assert!(rig.agent.status().alarms.contains_key("bundle-not-loaded"));
    rig.behave(42, Behaviour::Well);
    let loads = rig.loads().len();
    let answer = rig
        .agent
        .serve(FleetOrder::Offer(Box::new(offer(42))))
        .await;
    assert!(matches!(answer.unwrap(), Answer::Known(_)));
    assert_eq!(rig.loads()[loads..], [Some(42)]);
    assert!(rig.agent.status().alarms.is_empty());
    assert!(!rig.disk.files("bundles")[&format!("{}.bundle", id(42))].is_empty());
}

#[tokio::test]
async fn the_last_good_configuration_is_shown_as_its_bundle_until_another_one_is_loaded() {
    let rig = confirmed().await;
    rig.behave(42, Behaviour::LoadFault);
    let disk = rig.disk.after_kill();
    let start = FleetStart::open(disk, rig.site.clock(), super::TIMES).unwrap();
    assert_eq!(start.find_bundle(42), Some(id(42)));
    assert_eq!(start.find_bundle(7), None);
    let agent = Agent::new(start, rig.site.clone());
    let mut agent = agent.with_fallback(Some(id(42)));
    agent.loaded(ConfigSet::Files, Ok(())).await;
    let status = agent.status();
    assert_eq!(status.running, ConfigSet::Bundle(id(42)));
    assert!(status.alarms.contains_key("bundle-not-loaded"));
    // The local files were corrected, and a reload loaded the bundle.
    let wanted = status.wanted;
    assert_eq!(wanted, ConfigSet::Bundle(id(42)));
    agent.serve(FleetOrder::Loaded(wanted)).await.unwrap();
    assert_eq!(agent.status().running, wanted);
    assert!(agent.status().alarms.is_empty());
    agent.serve(roll_back()).await.unwrap();
    assert_eq!(agent.status().running, ConfigSet::Bundle(id(41)));
}

#[tokio::test]
async fn a_start_that_ends_because_of_a_passing_fault_is_no_unclean_start() {
    let mut rig = confirmed().await;
    rig.offer(43).await.unwrap();
    while rig.loads().last() != Some(&Some(43)) {
        rig.run(1).await;
    }
    let mut disk = rig.disk.after_kill();
    for _ in 0..4 {
        let mut start = FleetStart::open(disk.clone(), rig.site.clock(), super::TIMES).unwrap();
        assert_eq!(start.running(), ConfigSet::Bundle(id(43)));
        start.stop(rig.site.clock());
        disk = disk.after_kill();
    }
}
