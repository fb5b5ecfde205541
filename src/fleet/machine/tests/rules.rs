//! When a bundle is applied, and when not.

use jiff::SignedDuration;

use super::super::*;
use super::rig::Rig;
use crate::fleet::record::{BundleOutcome, RingDue};
use crate::fleet::tests::samples::{at, facts, id, id_of, offered, seconds, signed_stop, stop};

#[track_caller]
fn assert_refused(answer: &Answer, text: &str) {
    let Answer::Refused(reason) = answer else {
        panic!("{answer:?}");
    };
    assert!(reason.contains(text), "{reason}");
}

#[test]
fn a_bundle_is_confirmed_by_way_of_all_states() {
    let mut rig = Rig::new();
    assert_eq!(rig.offer(offered(42)), Answer::Done);
    assert_eq!(rig.state(), Some(BundleState::Checked));
    rig.run(1);
    assert_eq!(rig.state(), Some(BundleState::Staged));
    assert_eq!(rig.record().running(), ConfigSet::Files);
    rig.run(1);
    assert_eq!(rig.state(), Some(BundleState::Watching));
    assert_eq!(rig.record().running(), ConfigSet::Bundle(id(42)));
    assert_eq!(rig.pending().unwrap().until, Some(at(rig.second + 300)));
    rig.run(299);
    assert_eq!(rig.state(), Some(BundleState::Watching));
    rig.run(1);
    assert_eq!((rig.state(), rig.confirmed_serial()), (None, Some(42)));
    assert_eq!(rig.last(), Some((42, BundleOutcome::Confirmed)));
    assert_eq!(rig.last_reason(), "watched for 300 s");
    assert_eq!(rig.loads, [ConfigSet::Files, ConfigSet::Bundle(id(42))]);
    let history = rig.record().history.back().unwrap();
    assert_eq!((history.serial, history.by.as_str()), (42, "broker"));
    assert_eq!(rig.record().watch, None);
}

#[test]
fn applied_is_the_state_before_the_load() {
    let mut rig = Rig::new();
    rig.offer(offered(42));
    rig.run(1);
    let tick = Input::Tick {
        passed: seconds(1),
        observation: rig.observation.clone(),
    };
    let step = rig.machine.step(rig.clock(), tick);
    assert_eq!(step.actions, [Action::Load(ConfigSet::Bundle(id(42)))]);
    assert!(step.needs_disk);
    assert_eq!(rig.state(), Some(BundleState::Applied));
}

#[test]
fn a_serial_below_the_highest_verified_is_refused() {
    let mut rig = Rig::confirmed(42);
    let record = rig.record().clone();
    assert_refused(&rig.offer(offered(41)), "serial 41 is below 42");
    // An old message that is sent again must cost no write and hide no outcome.
    assert_eq!(*rig.record(), record);
    assert_eq!(rig.machine.rejected().unwrap().serial, Some(41));
    let alarms = rig.machine.alarms(rig.clock());
    assert!(alarms["bundle-rejected"].contains("came from broker"));
    // The next good bundle ends the alarm.
    rig.offer(offered(43));
    assert_eq!(rig.machine.alarms(rig.clock()).len(), 0);
}

#[test]
fn the_highest_serial_is_that_of_any_verified_bundle_for_this_site() {
    let mut rig = Rig::confirmed(42);
    let expired = OfferedBundle {
        unsupported: Some("it needs stockrelay >=9".to_owned()),
        ..offered(50)
    };
    assert_refused(&rig.offer(expired), "needs stockrelay");
    assert_eq!(rig.last(), Some((50, BundleOutcome::Refused)));
    assert_refused(&rig.offer(offered(49)), "serial 49 is below 50");
    let elsewhere = OfferedBundle {
        is_for_site: false,
        ..offered(60)
    };
    assert_refused(&rig.offer(elsewhere), "for other sites");
    assert_eq!(rig.record().highest, Some(id(50)));
}

#[test]
fn the_same_serial_with_the_same_manifest_is_no_fault() {
    let mut rig = Rig::confirmed(42);
    let record = rig.record().clone();
    assert!(matches!(rig.offer(offered(42)), Answer::Known(_)));
    assert_eq!(*rig.record(), record);
    rig.observation.quiet = Some(seconds(0));
    rig.offer(offered(43));
    rig.run(5);
    let record = rig.record().clone();
    assert!(matches!(rig.offer(offered(43)), Answer::Known(_)));
    assert_eq!(*rig.record(), record);
}

#[test]
fn the_same_serial_with_another_manifest_is_refused() {
    let mut rig = Rig::confirmed(42);
    let mut other = offered(42);
    other.facts.id = id_of(42, 7);
    assert_refused(&rig.offer(other), "another manifest");
    assert_eq!(rig.pending(), None);
}

#[test]
fn a_newer_bundle_supersedes_a_waiting_one() {
    let mut rig = Rig::new();
    rig.observation.quiet = Some(seconds(0));
    rig.offer(offered(42));
    rig.run(5);
    rig.offer(offered(43));
    rig.run(5);
    assert_eq!(rig.pending_serial(), Some(43));
    let history = rig.record().history.back().unwrap();
    let expected = (42, BundleOutcome::Superseded);
    assert_eq!((history.serial, history.outcome), expected);
    rig.observation.quiet = None;
    rig.run(400);
    assert_eq!(rig.confirmed_serial(), Some(43));
    assert_eq!(rig.loads, [ConfigSet::Files, ConfigSet::Bundle(id(43))]);
}

#[test]
fn while_a_bundle_is_watched_the_newest_other_one_waits() {
    let mut rig = Rig::watching(42);
    rig.offer(offered(43));
    rig.offer(offered(44));
    rig.run(100);
    assert_eq!(rig.pending_serial(), Some(42));
    let next = rig.record().next.clone().unwrap();
    assert_eq!((next.facts.id, next.state), (id(44), BundleState::Waiting));
    assert_eq!(next.reason.unwrap(), "bundle 42 is being watched");
    rig.run(200);
    assert_eq!(rig.confirmed_serial(), Some(42));
    assert_eq!(
        (rig.pending_serial(), &rig.record().next),
        (Some(44), &None)
    );
    rig.run(600);
    assert_eq!(rig.confirmed_serial(), Some(44));
}

#[test]
fn a_bundle_that_this_gateway_lacks_something_for_is_refused_once() {
    let mut rig = Rig::confirmed(42);
    rig.faults = vec!["credential odoo-key is missing".to_owned()];
    rig.offer(offered(43));
    assert_eq!(rig.state(), None);
    assert_eq!(rig.last(), Some((43, BundleOutcome::Refused)));
    assert!(rig.last_reason().contains("credential odoo-key is missing"));
    let entries = rig.record().history.len();
    rig.offer(offered(43));
    assert_eq!(rig.record().history.len(), entries);
    // A person installs the credential, and the bundle comes again.
    rig.faults.clear();
    rig.offer(offered(43));
    rig.run(600);
    assert_eq!(rig.confirmed_serial(), Some(43));
}

#[test]
fn an_expired_bundle_is_refused() {
    let mut rig = Rig::confirmed(42);
    let mut expired = offered(43);
    expired.facts.expires = at(rig.second);
    rig.offer(expired);
    rig.run(1);
    assert_eq!(rig.last(), Some((43, BundleOutcome::Refused)));
    assert!(rig.last_reason().starts_with("it expired at "));
    assert_eq!(rig.record().running(), ConfigSet::Bundle(id(42)));
}

#[test]
fn a_bundle_that_expires_while_it_runs_raises_an_alarm_and_runs_on() {
    let mut rig = Rig::new();
    let mut soon = offered(42);
    soon.facts.expires = at(rig.second + 100);
    rig.offer(soon);
    rig.run(50);
    assert!(rig.machine.alarms(rig.clock()).is_empty());
    for _ in 0..2 {
        rig.run(400);
        assert_eq!(rig.record().running(), ConfigSet::Bundle(id(42)));
        let alarms = rig.machine.alarms(rig.clock());
        assert!(alarms["bundle-expired"].starts_with("Bundle 42,"));
    }
    assert_eq!(rig.confirmed_serial(), Some(42));
}

#[test]
fn a_ring_that_is_not_due_and_not_before_wait() {
    let mut rig = Rig::new();
    let mut early = offered(42);
    let (before, due) = (at(rig.second + 50), at(rig.second + 100));
    early.facts.not_before = Some(before);
    early.facts.ring = RingDue {
        number: 2,
        due: Some(due),
    };
    rig.offer(early);
    rig.run(99);
    rig.assert_waits(&format!("ring 2 is due at {due}"));
    assert_eq!(rig.pending().unwrap().until, Some(due));
    rig.run(1);
    assert_eq!(rig.state(), Some(BundleState::Staged));

    let mut rig = Rig::new();
    let mut early = offered(42);
    let before = at(rig.second + 50);
    early.facts.not_before = Some(before);
    rig.offer(early);
    rig.run(49);
    rig.assert_waits(&format!("not before {before}"));
    rig.run(1);
    assert_eq!(rig.state(), Some(BundleState::Staged));
}

#[test]
fn a_gateway_without_a_trusted_clock_waits() {
    let mut rig = Rig::new();
    rig.is_trusted = false;
    // 1970, for example: neither expired nor due.
    rig.second = -1_795_000_000;
    rig.offer(offered(42));
    rig.run(1_000);
    rig.assert_waits("the clock of the gateway is not trusted: check its time synchronisation");
    rig.is_trusted = true;
    rig.second = 1_000;
    rig.run(2);
    assert_eq!(rig.state(), Some(BundleState::Watching));
}

#[test]
fn a_bundle_is_applied_at_a_quiet_moment() {
    let mut rig = Rig::new();
    rig.observation.quiet = Some(seconds(9));
    rig.offer(offered(42));
    rig.run(500);
    let waits = "waits until nothing was scanned for 10 s, at most for 600 s";
    assert_eq!(rig.state(), Some(BundleState::Staged));
    assert_eq!(rig.pending().unwrap().reason.as_deref(), Some(waits));
    rig.observation.quiet = Some(seconds(10));
    rig.run(1);
    assert_eq!(rig.state(), Some(BundleState::Watching));
}

#[test]
fn a_bundle_is_applied_after_quiet_max_s_at_the_latest() {
    let mut rig = Rig::new();
    rig.observation.quiet = Some(seconds(0));
    rig.offer(offered(42));
    rig.run(600);
    assert_eq!(rig.state(), Some(BundleState::Staged));
    rig.run(1);
    assert_eq!(rig.state(), Some(BundleState::Watching));
}

#[test]
fn another_odoo_waits_until_no_document_is_being_sent() {
    let mut rig = Rig::new();
    (rig.changes_odoo, rig.observation.is_sending) = (true, true);
    rig.offer(offered(42));
    rig.run(2_000);
    assert_eq!(rig.state(), Some(BundleState::Staged));
    let reason = rig.pending().unwrap().reason.clone();
    assert_eq!(
        reason.as_deref(),
        Some("waits until no document is being sent to Odoo")
    );
    // No further batch starts meanwhile.
    assert_eq!(rig.pauses, [true]);
    rig.observation.is_sending = false;
    rig.run(1);
    assert_eq!(rig.state(), Some(BundleState::Watching));
    assert_eq!(rig.pauses, [true, false]);
}

#[test]
fn a_stop_ends_the_pause_of_sending() {
    let mut rig = Rig::new();
    (rig.changes_odoo, rig.observation.is_sending) = (true, true);
    rig.offer(offered(42));
    rig.run(10);
    assert_eq!(rig.pauses, [true]);
    rig.give(Input::Stop(signed_stop(stop(1, 42, true))));
    assert_eq!(rig.pauses, [true, false]);
}

#[test]
fn another_change_does_not_wait_for_documents() {
    let mut rig = Rig::new();
    rig.observation.is_sending = true;
    rig.offer(offered(42));
    rig.run(2);
    assert_eq!(rig.state(), Some(BundleState::Watching));
}

#[test]
fn a_gateway_is_observed_for_a_while_before_a_bundle_is_applied() {
    let mut rig = Rig::new();
    rig.restart();
    rig.observation.devices.insert("late".to_owned());
    rig.offer(offered(42));
    rig.run(50);
    rig.observation.devices.insert("later".to_owned());
    rig.run(69);
    assert_eq!(rig.state(), Some(BundleState::Staged));
    rig.run(1);
    assert_eq!(rig.state(), Some(BundleState::Watching));
    let baseline = &rig.record().watch.as_ref().unwrap().baseline;
    let devices: Vec<&str> = baseline.devices.iter().map(String::as_str).collect();
    // Those that were connected all the time.
    assert_eq!(devices, ["d1", "d2", "late"]);
    assert!(baseline.centre_is_up);
    assert_eq!(baseline.sources_up.len(), 1);
}

#[test]
fn a_restart_checks_again_what_is_not_applied() {
    let mut rig = Rig::new();
    let mut early = offered(42);
    early.facts.not_before = Some(at(rig.second) + SignedDuration::from_secs(500));
    rig.offer(early);
    rig.run(100);
    assert_eq!(rig.state(), Some(BundleState::Waiting));
    rig.faults = vec!["credential odoo-key is missing".to_owned()];
    rig.restart();
    assert_eq!(rig.last(), Some((42, BundleOutcome::Refused)));
}

#[test]
fn a_check_without_a_result_is_repeated() {
    let mut rig = Rig::new();
    // The actions of this step are lost.
    let step = rig.machine.step(rig.clock(), Input::Offered(offered(42)));
    assert_eq!(step.actions, [Action::Check(id(42)), Action::CleanUp]);
    rig.run(29);
    assert_eq!(rig.state(), Some(BundleState::Verified));
    rig.run(1);
    assert_eq!(rig.state(), Some(BundleState::Checked));
    // A result for another bundle has no effect.
    rig.give(Input::Checked {
        id: id(41),
        faults: vec!["no".to_owned()],
        changes_odoo: false,
    });
    assert_eq!(rig.state(), Some(BundleState::Checked));
    assert_eq!(rig.pending().unwrap().facts, facts(42));
}

#[test]
fn the_state_is_kept_with_the_time_when_it_began() {
    let mut rig = Rig::new();
    rig.observation.quiet = Some(seconds(0));
    rig.offer(offered(42));
    rig.run(1);
    let since = at(rig.second);
    rig.run(100);
    assert_eq!(rig.pending().unwrap().since, since);
}
