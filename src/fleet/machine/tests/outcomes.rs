//! How a bundle ends: rolled back, tried again, or refused.

use super::super::*;
use super::rig::Rig;
use crate::fleet::record::BundleOutcome;
use crate::fleet::tests::samples::{id, offered, seconds, signed_stop, stop};

const CONNECTION: &str = "the connection to the centre's broker was up before and has been lost";

fn bundle(serial: u64) -> ConfigSet {
    ConfigSet::Bundle(id(serial))
}

#[test]
fn a_fault_in_the_watch_returns_to_the_last_confirmed_bundle() {
    let mut rig = Rig::watching(42);
    rig.observation.odoo_held = Some("no such database".to_owned());
    rig.run(1);
    assert_eq!(rig.state(), None);
    assert_eq!(rig.last(), Some((42, BundleOutcome::RolledBack)));
    assert!(rig.last_reason().contains("no such database"));
    assert_eq!(rig.loads, [bundle(42), bundle(41)]);
    assert_eq!(rig.record().running(), bundle(41));
    let history = rig.record().history.back().unwrap();
    assert_eq!((history.serial, history.by.as_str()), (42, "gateway"));
}

#[test]
fn the_first_bundle_returns_to_the_local_files() {
    let mut rig = Rig::new();
    rig.offer(offered(42));
    rig.run(10);
    rig.observation.odoo_held = Some("no such database".to_owned());
    rig.run(1);
    assert_eq!(rig.record().running(), ConfigSet::Files);
    assert_eq!(rig.loads.last(), Some(&ConfigSet::Files));
}

#[test]
fn a_rolled_back_bundle_is_not_tried_again_unless_a_person_wants_it() {
    let mut rig = Rig::watching(42);
    rig.observation.odoo_held = Some("no such database".to_owned());
    rig.run(1);
    rig.observation.odoo_held = None;
    let record = rig.record().clone();
    let Answer::Known(text) = rig.offer(offered(42)) else {
        panic!("it is tried again");
    };
    assert!(text.contains("no such database") && text.contains("--again"));
    rig.restart();
    rig.run(1_000);
    assert_eq!(*rig.record(), record);
    let again = OfferedBundle {
        is_again: true,
        ..offered(42)
    };
    assert_eq!(rig.offer(again), Answer::Done);
    rig.run(400);
    assert_eq!(rig.confirmed_serial(), Some(42));
    assert_eq!(rig.record().rolled_back, []);
}

#[test]
fn a_person_cannot_have_a_lower_serial_tried_again() {
    let mut rig = Rig::watching(42);
    rig.observation.odoo_held = Some("no such database".to_owned());
    rig.run(1);
    rig.offer(offered(43));
    let again = OfferedBundle {
        is_again: true,
        ..offered(42)
    };
    assert!(matches!(rig.offer(again), Answer::Refused(_)));
}

/// Watches bundle 42 until the lost connection rolls it back.
fn cut_off() -> Rig {
    let mut rig = Rig::watching(42);
    rig.observation.centre = Some(false);
    rig.run(600);
    assert_eq!(rig.state(), Some(BundleState::Watching));
    let pending = rig.pending().unwrap();
    assert!(pending.reason.as_ref().unwrap().contains("is lost"));
    let begun = rig.record().watch.as_ref().unwrap().begun;
    assert_eq!(pending.until, begun.checked_add(seconds(900)).ok());
    rig.run(300);
    assert_eq!(rig.last(), Some((42, BundleOutcome::RolledBack)));
    assert!(rig.last_reason().starts_with(CONNECTION));
    assert_eq!(rig.record().running(), bundle(41));
    rig
}

#[test]
fn a_lost_connection_alone_allows_one_further_try() {
    let mut rig = cut_off();
    rig.run(1_000);
    rig.assert_waits(
        "the connection to the centre's broker was lost in the first try: the gateway tries once more when the connection has been up for 300 s",
    );
    // The broker sends its message again when it is connected.
    rig.observation.centre = Some(true);
    assert!(matches!(rig.offer(offered(42)), Answer::Known(_)));
    rig.run(299);
    assert_eq!(rig.state(), Some(BundleState::Waiting));
    rig.run(3);
    assert_eq!(rig.state(), Some(BundleState::Watching));
    rig.observation.centre = Some(false);
    rig.run(900);
    assert_eq!(rig.last(), Some((42, BundleOutcome::RolledBack)));
    rig.observation.centre = Some(true);
    assert!(matches!(rig.offer(offered(42)), Answer::Known(_)));
    rig.run(5_000);
    assert_eq!((rig.state(), rig.confirmed_serial()), (None, Some(41)));
    assert_eq!(rig.loads, [42, 41, 42, 41].map(bundle));
}

/// Watches bundle 42, which changes the link to Odoo, while Odoo is down.
fn without_odoo(centre: Option<bool>) -> Rig {
    let mut rig = Rig::confirmed(41);
    rig.observation.centre = centre;
    rig.run(200);
    rig.changes_odoo = true;
    rig.offer(offered(42));
    rig.run(10);
    rig.observation.odoo_down = Some("the port is closed".to_owned());
    rig.run(1_000);
    assert_eq!(rig.last(), Some((42, BundleOutcome::RolledBack)));
    assert!(rig.last_reason().ends_with("the port is closed"));
    assert_eq!(rig.loads, [42, 41].map(bundle));
    rig
}

#[test]
fn a_bundle_with_which_odoo_is_down_is_rolled_back_and_tried_once_more() {
    for centre in [Some(true), None] {
        let mut rig = without_odoo(centre);
        rig.run(1_000);
        rig.assert_waits(
            "the connection to Odoo was lost in the first try: the gateway tries once more when the connection has been up for 300 s",
        );
        rig.observation.odoo_down = None;
        rig.run(310);
        assert_eq!(rig.state(), Some(BundleState::Watching));
        rig.observation.odoo_down = Some("the port is closed".to_owned());
        rig.run(2_000);
        rig.observation.odoo_down = None;
        rig.run(2_000);
        assert_eq!((rig.state(), rig.confirmed_serial()), (None, Some(41)));
        assert_eq!(rig.loads, [42, 41, 42, 41].map(bundle));
        let mut rig = without_odoo(centre);
        rig.observation.odoo_down = None;
        rig.run(1_000);
        assert_eq!(rig.confirmed_serial(), Some(42));
    }
}

#[test]
fn a_bundle_that_does_not_change_odoo_is_confirmed_while_odoo_is_down() {
    let mut rig = Rig::watching(42);
    rig.observation.odoo_down = Some("maintenance".to_owned());
    rig.run(1_000);
    assert_eq!(rig.confirmed_serial(), Some(42));
    // Odoo was down before, so nobody can tell.
    rig.changes_odoo = true;
    rig.offer(offered(43));
    rig.run(1_000);
    assert_eq!(rig.confirmed_serial(), Some(43));
}

#[test]
fn the_further_try_may_be_confirmed() {
    let mut rig = cut_off();
    rig.observation.centre = Some(true);
    rig.run(1_000);
    assert_eq!(rig.confirmed_serial(), Some(42));
}

#[test]
fn a_stopped_bundle_has_no_further_try() {
    let mut rig = cut_off();
    rig.give(Input::Stop(signed_stop(stop(1, 42, true))));
    rig.observation.centre = Some(true);
    rig.run(5_000);
    rig.assert_waits("noc stopped the rollout of bundle 42: ams1 rolled back");
}

#[test]
fn a_newer_bundle_ends_the_further_try() {
    let mut rig = cut_off();
    rig.observation.centre = Some(true);
    rig.offer(offered(43));
    rig.run(1_000);
    assert_eq!(rig.confirmed_serial(), Some(43));
    assert!(!rig.loads[2..].contains(&bundle(42)));
    // The same if the newer one cannot be used.
    let mut rig = Rig::watching(42);
    let unsupported = OfferedBundle {
        unsupported: Some("it needs stockrelay >=9".to_owned()),
        ..offered(43)
    };
    rig.offer(unsupported);
    rig.observation.centre = Some(false);
    rig.run(901);
    assert_eq!(rig.last(), Some((42, BundleOutcome::RolledBack)));
    assert_eq!(rig.state(), None);
}

#[test]
fn the_bundle_that_waited_follows_a_rollback() {
    let mut rig = Rig::watching(42);
    rig.offer(offered(43));
    rig.observation.odoo_held = Some("no such database".to_owned());
    rig.run(1);
    assert_eq!(rig.last(), Some((42, BundleOutcome::RolledBack)));
    rig.observation.odoo_held = None;
    rig.run(600);
    assert_eq!(rig.confirmed_serial(), Some(43));
}

#[test]
fn a_configuration_that_cannot_be_loaded_is_rolled_back() {
    let mut rig = Rig::confirmed(41);
    rig.load_fault = Some("port 1883 is in use".to_owned());
    rig.offer(offered(42));
    rig.run(200);
    assert_eq!(rig.last(), Some((42, BundleOutcome::RolledBack)));
    assert_eq!(
        rig.last_reason(),
        "the gateway cannot load it: port 1883 is in use"
    );
    // All or nothing: the process still runs with the one before.
    assert_eq!(rig.loads, [bundle(42)]);
    assert_eq!(rig.record().running(), bundle(41));
}

#[test]
fn a_start_that_cannot_load_the_bundle_rolls_back() {
    let mut rig = Rig::watching(42);
    rig.machine.step(rig.clock(), Input::Started);
    rig.loads.clear();
    let result = Err("devices.toml is missing".to_owned());
    rig.give(Input::Loaded {
        set: bundle(42),
        result,
    });
    assert_eq!(rig.last(), Some((42, BundleOutcome::RolledBack)));
    // The process found something that it can run with; the machine has it load the confirmed one.
    rig.give(Input::Loaded {
        set: ConfigSet::Files,
        result: Ok(()),
    });
    assert_eq!(rig.loads, [bundle(41)]);
    assert_eq!(rig.machine.loaded(), Some(bundle(41)));
}

#[test]
fn a_confirmed_bundle_that_cannot_be_loaded_raises_an_alarm_and_is_tried_again() {
    let mut rig = Rig::confirmed(41);
    rig.machine.step(rig.clock(), Input::Started);
    rig.load_fault = Some("devices.toml is missing".to_owned());
    for (set, result) in [
        (bundle(41), Err("devices.toml is missing".to_owned())),
        (ConfigSet::Files, Ok(())),
    ] {
        rig.give(Input::Loaded { set, result });
    }
    let alarms = rig.machine.alarms(rig.clock());
    assert!(
        alarms["bundle-not-loaded"].contains("cannot load its confirmed configuration, bundle 41"),
        "{alarms:?}"
    );
    rig.run(25);
    rig.loads.clear();
    rig.load_fault = None;
    rig.run(30);
    assert_eq!(rig.loads, [bundle(41)]);
    assert!(rig.machine.alarms(rig.clock()).is_empty());
}

#[test]
fn a_power_cut_continues_the_watch() {
    let mut rig = Rig::watching(42);
    rig.run(100);
    rig.restart();
    assert_eq!(rig.state(), Some(BundleState::Watching));
    assert_eq!(rig.record().running(), bundle(42));
    // The record has the time up to 10 s before.
    rig.run(195);
    assert_eq!(rig.state(), Some(BundleState::Watching));
    rig.run(15);
    assert_eq!(rig.confirmed_serial(), Some(42));
}

#[test]
fn a_second_unclean_start_rolls_back_before_the_bundle_is_loaded() {
    let mut rig = Rig::watching(42);
    rig.restart();
    rig.run(10);
    rig.loads.clear();
    rig.restart();
    assert_eq!(rig.last(), Some((42, BundleOutcome::RolledBack)));
    assert!(rig.last_reason().contains("started 2 times"));
    assert_eq!(rig.loads, [bundle(41)]);
}

#[test]
fn clean_restarts_do_not_roll_back() {
    let mut rig = Rig::watching(42);
    for _ in 0..5 {
        rig.run(50);
        rig.give(Input::Stopping);
        rig.restart();
    }
    rig.run(100);
    assert_eq!(rig.confirmed_serial(), Some(42));
}

#[test]
fn a_process_that_dies_while_it_loads_the_bundle_is_started_twice_with_it() {
    let mut rig = Rig::confirmed(41);
    rig.offer(offered(42));
    rig.run(150);
    let mut rig = Rig::confirmed(41);
    rig.run(200);
    rig.offer(offered(42));
    rig.run(1);
    let tick = Input::Tick {
        passed: seconds(1),
        observation: rig.observation.clone(),
    };
    rig.machine.step(rig.clock(), tick);
    assert_eq!(rig.state(), Some(BundleState::Applied));
    rig.machine.step(rig.clock(), Input::Started);
    assert_eq!(rig.record().running(), bundle(42));
    rig.machine.step(rig.clock(), Input::Started);
    assert_eq!(rig.record().running(), bundle(41));
    assert_eq!(rig.last(), Some((42, BundleOutcome::RolledBack)));
}

#[test]
fn a_person_rolls_back_what_is_watched() {
    let mut rig = Rig::watching(42);
    let by = "anna".to_owned();
    assert_eq!(rig.give(Input::RollBack { by }), Answer::Done);
    assert_eq!(rig.last(), Some((42, BundleOutcome::RolledBack)));
    assert_eq!(rig.last_reason(), "anna rolled back");
    assert_eq!(rig.record().history.back().unwrap().by, "anna");
    assert_eq!(rig.record().running(), bundle(41));
    assert!(matches!(rig.offer(offered(42)), Answer::Known(_)));
}

#[test]
fn a_person_rolls_a_confirmed_bundle_back_once() {
    let mut rig = Rig::watching(42);
    rig.run(300);
    assert_eq!(rig.confirmed_serial(), Some(42));
    let by = || "anna".to_owned();
    assert_eq!(rig.give(Input::RollBack { by: by() }), Answer::Done);
    assert_eq!(rig.confirmed_serial(), Some(41));
    assert_eq!(rig.loads.last(), Some(&bundle(41)));
    assert_eq!(rig.last(), Some((42, BundleOutcome::RolledBack)));
    assert!(matches!(rig.offer(offered(42)), Answer::Known(_)));
    let Answer::Refused(text) = rig.give(Input::RollBack { by: by() }) else {
        panic!("there is no earlier one");
    };
    assert!(text.contains("runs with bundle 41"), "{text}");
}

#[test]
fn a_person_rolls_the_first_bundle_back_to_the_local_files() {
    let mut rig = Rig::confirmed(42);
    let by = "anna".to_owned();
    rig.give(Input::RollBack { by });
    assert_eq!(rig.record().running(), ConfigSet::Files);
    assert_eq!(rig.loads, [ConfigSet::Files]);
}

#[test]
fn the_files_of_running_confirmed_previous_and_pending_bundles_are_needed() {
    let mut rig = Rig::watching(42);
    rig.offer(offered(43));
    let needed: Vec<u64> = (rig.record().needed().iter()).map(|id| id.serial).collect();
    assert_eq!(needed, [41, 42, 43]);
    rig.run(300);
    let needed: Vec<u64> = (rig.record().needed().iter()).map(|id| id.serial).collect();
    assert_eq!(needed, [41, 42, 43]);
    rig.run(600);
    let needed: Vec<u64> = (rig.record().needed().iter()).map(|id| id.serial).collect();
    assert_eq!(needed, [42, 43]);
}

#[test]
fn a_jump_of_the_wall_clock_does_not_change_the_watch() {
    let mut rig = Rig::watching(42);
    rig.second -= 1_000_000_000;
    rig.run(150);
    rig.second += 3_000_000;
    assert_eq!(rig.state(), Some(BundleState::Watching));
    // 8 s were watched before.
    rig.run(141);
    assert_eq!(rig.state(), Some(BundleState::Watching));
    rig.run(1);
    assert_eq!(rig.confirmed_serial(), Some(42));
}

#[test]
fn a_machine_that_slept_has_not_watched() {
    let mut rig = Rig::watching(42);
    rig.give(Input::Tick {
        passed: seconds(50_000),
        observation: rig.observation.clone(),
    });
    assert_eq!(rig.state(), Some(BundleState::Watching));
}

#[test]
fn the_record_changes_at_most_every_10_s_while_nothing_happens() {
    let mut rig = Rig::watching(42);
    let mut writes = 0;
    for _ in 0..100 {
        let before = rig.record().clone();
        rig.run(1);
        writes += u32::from(before != *rig.record());
    }
    assert!((9..=11).contains(&writes), "{writes}");
    // Waiting costs no write.
    let mut rig = Rig::new();
    rig.observation.quiet = Some(seconds(0));
    rig.offer(offered(42));
    rig.run(1);
    let before = rig.record().clone();
    rig.run(500);
    assert_eq!(before, *rig.record());
}
