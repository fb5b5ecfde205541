//! When a stop holds a bundle back, and when it ends.

use super::super::*;
use super::rig::Rig;
use crate::fleet::key_id::KeyId;
use crate::fleet::manifest::NUMBER_MAX;
use crate::fleet::record::{SignedStop, StopOrder};
use crate::fleet::tests::samples::{KEY, at, offered, seconds, signed_stop, stop};

#[test]
fn a_stop_holds_the_bundle_back_until_the_rollout_is_resumed() {
    let mut rig = Rig::new();
    rig.observation.quiet = Some(seconds(0));
    rig.offer(offered(42));
    rig.run(5);
    assert_eq!(rig.state(), Some(BundleState::Staged));
    rig.give(Input::Stop(signed_stop(stop(1, 42, true))));
    let reason = "noc stopped the rollout of bundle 42: ams1 rolled back";
    rig.assert_waits(reason);
    rig.observation.quiet = None;
    rig.run(1_000);
    rig.assert_waits(reason);
    // An older message changes nothing, nor does the same one.
    for count in [0, 1] {
        let answer = rig.give(Input::Stop(signed_stop(stop(count, 42, false))));
        assert!(matches!(answer, Answer::Known(_)), "{answer:?}");
        rig.assert_waits(reason);
    }
    // Nor does a restart.
    rig.restart();
    rig.run(300);
    rig.assert_waits(reason);
    rig.give(Input::Stop(signed_stop(stop(2, 42, false))));
    rig.run(2);
    assert_eq!(rig.state(), Some(BundleState::Watching));
}

#[test]
fn a_stop_holds_for_lower_serials_and_not_for_higher_ones() {
    let mut rig = Rig::new();
    rig.give(Input::Stop(signed_stop(stop(1, 43, true))));
    rig.offer(offered(42));
    rig.run(100);
    rig.assert_waits("noc stopped the rollout of bundle 43: ams1 rolled back");
    rig.offer(offered(44));
    rig.run(2);
    assert_eq!(rig.state(), Some(BundleState::Watching));
}

/// A stop by another key than the usual one, while both are trusted.
fn stolen_stop(stop: StopOrder) -> SignedStop {
    let stolen = KeyId::from_bytes(*b"stolenit");
    SignedStop {
        signers: [stolen].into(),
        trusted: [stolen, KeyId::from_bytes(KEY)].into(),
        stop,
    }
}

#[test]
fn a_stop_ends_with_the_trust_in_its_keys() {
    // A stolen key stops everything.
    let stop_all = || stolen_stop(stop(7, NUMBER_MAX, true));
    // A bundle comes that revokes the key.
    let mut rig = Rig::new();
    rig.give(Input::Stop(stop_all()));
    rig.offer(OfferedBundle {
        trusted: stop_all().trusted,
        ..offered(41)
    });
    rig.run(100);
    rig.assert_waits("noc stopped the rollout of bundle 9223372036854775807: ams1 rolled back");
    rig.offer(offered(42));
    rig.run(2);
    assert_eq!(rig.state(), Some(BundleState::Watching));
    // Or a person revokes it at the gateway, and the next message counts.
    let mut rig = Rig::new();
    rig.give(Input::Stop(stop_all()));
    let answer = rig.give(Input::Stop(stolen_stop(stop(6, 42, false))));
    assert!(matches!(answer, Answer::Known(_)), "{answer:?}");
    let answer = rig.give(Input::Stop(signed_stop(stop(2, 42, false))));
    assert_eq!(answer, Answer::Done);
    rig.offer(offered(42));
    rig.run(2);
    assert_eq!(rig.state(), Some(BundleState::Watching));
    // Stops that the other keys signed before stay without effect.
    let answer = rig.give(Input::Stop(signed_stop(stop(1, NUMBER_MAX, true))));
    assert!(matches!(answer, Answer::Known(_)), "{answer:?}");
}

#[test]
fn a_stop_releases_no_bundle_with_a_higher_serial() {
    let mut rig = Rig::new();
    rig.give(Input::Stop(signed_stop(stop(2, 42, true))));
    // By the same key, then by another one.
    let both = stolen_stop(stop(4, 40, true));
    for lower in [signed_stop(stop(3, 41, true)), both] {
        assert_eq!(rig.give(Input::Stop(lower)), Answer::Done);
        rig.offer(offered(42));
        rig.run(100);
        rig.assert_waits("noc stopped the rollout of bundle 42: ams1 rolled back");
        rig.restart();
        rig.run(300);
        rig.assert_waits("noc stopped the rollout of bundle 42: ams1 rolled back");
    }
    // A resumption releases it, also of a lower serial: the threshold signed it.
    rig.give(Input::Stop(SignedStop {
        signers: [KeyId::from_bytes(KEY)].into(),
        ..stolen_stop(stop(5, 41, false))
    }));
    rig.run(2);
    assert_eq!(rig.state(), Some(BundleState::Watching));
}

#[test]
fn a_stolen_key_cannot_use_up_the_counts_of_the_others() {
    let mut rig = Rig::new();
    let now = u64::try_from(at(rig.second).as_second()).unwrap();
    for count in [NUMBER_MAX, now + 86_402] {
        let answer = rig.give(Input::Stop(stolen_stop(stop(count, 1, true))));
        let Answer::Refused(reason) = answer else {
            panic!("{answer:?}");
        };
        assert!(reason.contains("more than a day ahead"), "{reason}");
    }
    let answer = rig.give(Input::Stop(stolen_stop(stop(now + 86_000, 1, true))));
    assert_eq!(answer, Answer::Done);
    // The stop of another key is older by its count, and holds.
    let both = SignedStop {
        signers: [KeyId::from_bytes(KEY)].into(),
        ..stolen_stop(stop(now, 42, true))
    };
    assert_eq!(rig.give(Input::Stop(both)), Answer::Done);
    rig.offer(offered(42));
    rig.run(100);
    rig.assert_waits("noc stopped the rollout of bundle 42: ams1 rolled back");
}

#[test]
fn a_count_from_a_time_without_a_trusted_clock_bars_no_later_one() {
    let mut rig = Rig::new();
    rig.is_trusted = false;
    let answer = rig.give(Input::Stop(signed_stop(stop(NUMBER_MAX, 42, false))));
    assert_eq!(answer, Answer::Done);
    rig.is_trusted = true;
    let answer = rig.give(Input::Stop(signed_stop(stop(2, 42, true))));
    assert_eq!(answer, Answer::Done);
    rig.offer(offered(42));
    rig.run(100);
    rig.assert_waits("noc stopped the rollout of bundle 42: ams1 rolled back");
}

#[test]
fn a_stop_does_not_end_the_watch() {
    let mut rig = Rig::watching(42);
    rig.give(Input::Stop(signed_stop(stop(1, 42, true))));
    rig.run(300);
    assert_eq!(rig.confirmed_serial(), Some(42));
}
