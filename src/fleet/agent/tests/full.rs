//! The disk is full at each write of a rollout, and at each second of it. The gateway runs on with
//! the old or the new configuration, complete; once there is space, the bundle ends as it would
//! have ended.

use super::rig::{Behaviour, Rig};
use crate::fleet::record::BundleOutcome;
use crate::fleet::tests::samples::id;

const BEHAVIOURS: [Behaviour; 3] = [Behaviour::Well, Behaviour::HoldsOdoo, Behaviour::LoadFault];

/// Confirms 41.
async fn begin(behaviour: Behaviour) -> Rig {
    let mut rig = Rig::new().await;
    rig.offer(41).await.unwrap();
    rig.run(100).await;
    assert_eq!(rig.confirmed(), Some(41));
    rig.behave(42, behaviour);
    rig
}

#[track_caller]
fn assert_ended(rig: &Rig, behaviour: Behaviour, when: &str) {
    let (outcome, confirmed) = match behaviour {
        Behaviour::Well => (BundleOutcome::Confirmed, 42),
        _ => (BundleOutcome::RolledBack, 41),
    };
    let last = rig.agent.status().last.unwrap();
    assert_eq!(
        (last.id, last.outcome),
        (id(42), outcome),
        "{behaviour:?}, {when}"
    );
    assert_eq!(rig.confirmed(), Some(confirmed), "{behaviour:?}, {when}");
    assert!(
        rig.agent.status().alarms.is_empty(),
        "{behaviour:?}, {when}"
    );
    rig.assert_well();
}

#[tokio::test]
async fn a_full_disk_at_any_write_delays_the_outcome_and_changes_nothing_else() {
    for behaviour in BEHAVIOURS {
        for step in 0.. {
            let mut rig = begin(behaviour).await;
            let last = rig.disk.writes() + step;
            rig.disk.full_after(step);
            // After a fault the agent tries the bundle again by itself.
            rig.offer(42).await.ok();
            rig.run(400).await;
            assert_ended(&rig, behaviour, &format!("write {step}"));
            if rig.disk.writes() <= last {
                assert!(step > 20, "{step}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_disk_that_is_full_for_a_while_delays_the_outcome_and_changes_nothing_else() {
    for behaviour in BEHAVIOURS {
        // A watch takes 20 s.
        for second in 0..40 {
            let mut rig = begin(behaviour).await;
            rig.offer(42).await.unwrap();
            rig.run(second).await;
            rig.disk.set_full(true);
            rig.run(100).await;
            rig.disk.set_full(false);
            rig.run(400).await;
            assert_ended(&rig, behaviour, &format!("second {second}"));
        }
    }
}

#[tokio::test]
async fn a_restart_while_the_disk_is_full_loses_nothing() {
    for behaviour in BEHAVIOURS {
        for second in 0..40 {
            let mut rig = begin(behaviour).await;
            rig.offer(42).await.unwrap();
            rig.run(second).await;
            rig.disk.set_full(true);
            rig.run(5).await;
            rig.restart().await;
            rig.run(5).await;
            rig.disk.set_full(false);
            rig.run(400).await;
            assert_ended(&rig, behaviour, &format!("second {second}"));
        }
    }
}
