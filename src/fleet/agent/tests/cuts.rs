//! The power goes at each write of a rollout. At the end the old or the new configuration
//! runs, complete, and the bundle is confirmed or rolled back.

use super::rig::{Behaviour, Rig};
use crate::fleet::record::BundleOutcome;
use crate::fleet::tests::samples::id;

type Choose = fn(usize) -> usize;

/// The ways in which unsynced writes end.
const WAYS: [(&str, Choose); 3] = [
    ("lost", |_| 0),
    ("kept", |count| count - 1),
    ("half", |count| count / 2),
];

/// Confirms 41, then offers 42 with the power cut after so many writes. Returns whether it went.
async fn roll_out(behaviour: Behaviour, cut: usize, choose: Choose) -> (Rig, bool) {
    let mut rig = Rig::new().await;
    rig.choose = Box::new(choose);
    rig.offer(41).await.unwrap();
    rig.run(100).await;
    assert_eq!(rig.confirmed(), Some(41));
    rig.behave(42, behaviour);
    rig.disk.cut_after(cut);
    let offered = rig.offer(42).await;
    if offered.is_err() {
        // The broker sends its message again.
        rig.offer(42).await.unwrap();
    }
    rig.run(400).await;
    let is_cut = rig.cuts > 0;
    (rig, is_cut)
}

#[tokio::test]
async fn a_power_cut_at_any_write_of_a_good_bundle_ends_confirmed() {
    for (how, choose) in WAYS {
        for cut in 0.. {
            let (rig, is_cut) = roll_out(Behaviour::Well, cut, choose).await;
            assert_eq!(rig.confirmed(), Some(42), "cut {cut}, {how}");
            rig.assert_well();
            if !is_cut {
                assert!(cut > 25, "{cut}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_power_cut_at_any_write_of_a_bad_bundle_ends_rolled_back() {
    for behaviour in [Behaviour::HoldsOdoo, Behaviour::LoadFault] {
        for (how, choose) in WAYS {
            for cut in 0.. {
                let (rig, is_cut) = roll_out(behaviour, cut, choose).await;
                assert_eq!(rig.confirmed(), Some(41), "cut {cut}, {how}");
                let last = rig.agent.status().last.unwrap();
                let found = (last.id, last.outcome);
                assert_eq!(
                    found,
                    (id(42), BundleOutcome::RolledBack),
                    "cut {cut}, {how}"
                );
                rig.assert_well();
                if !is_cut {
                    assert!(cut > 20, "{cut}");
                    break;
                }
            }
        }
    }
}
