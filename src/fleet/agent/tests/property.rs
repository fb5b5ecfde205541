//! Random inputs, power cuts and clock jumps: once they stop, the gateway runs with a configuration
//! that was confirmed, and nothing was violated on the way (`rig`).

use proptest::prelude::*;

use super::super::*;
use super::rig::{Behaviour, Rig, offer};
use crate::fleet::record::HistoryEntry;
use crate::fleet::tests::samples::{id_of, stop};

#[derive(Debug, Clone)]
enum Act {
    Offer {
        serial: u64,
        other: bool,
        again: bool,
    },
    Stop {
        serial: u64,
        is_stopped: bool,
        is_old: bool,
    },
    Run(u64),
    RollBack,
    Restart,
    Kill,
    /// The power goes after so many writes.
    Cut(usize),
    DiskFull(bool),
    Clock {
        jump: i64,
        is_trusted: bool,
    },
    Centre(bool),
    Sending(bool),
}

fn act() -> impl Strategy<Value = Act> {
    let serial = || 1_u64..8;
    prop_oneof![
        6 => (serial(), prop::bool::weighted(0.1), prop::bool::weighted(0.2))
            .prop_map(|(serial, other, again)| Act::Offer { serial, other, again }),
        2 => (serial(), any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(serial, is_stopped, is_old)| Act::Stop { serial, is_stopped, is_old }),
        8 => (1_u64..60).prop_map(Act::Run),
        1 => Just(Act::RollBack),
        1 => Just(Act::Restart),
        1 => Just(Act::Kill),
        5 => (0_usize..25).prop_map(Act::Cut),
        1 => any::<bool>().prop_map(Act::DiskFull),
        1 => (-2_000_000_i64..2_000_000, prop::bool::weighted(0.7))
            .prop_map(|(jump, is_trusted)| Act::Clock { jump, is_trusted }),
        1 => any::<bool>().prop_map(Act::Centre),
        1 => any::<bool>().prop_map(Act::Sending),
    ]
}

fn behaviour() -> impl Strategy<Value = Behaviour> {
    prop_oneof![
        4 => Just(Behaviour::Well),
        1 => Just(Behaviour::Moves),
        1 => Just(Behaviour::CheckFault),
        1 => Just(Behaviour::LoadFault),
        1 => Just(Behaviour::HoldsOdoo),
        1 => Just(Behaviour::SourceDown),
        1 => Just(Behaviour::LosesDevices),
        1 => Just(Behaviour::CutsOff),
        1 => Just(Behaviour::Crashes),
    ]
}

async fn carry_out(rig: &mut Rig, act: Act, count: u64) {
    match act {
        Act::Offer {
            serial,
            other,
            again,
        } => {
            let mut files = offer(serial);
            files.offered.is_again = again;
            rig.again += usize::from(again);
            if other {
                // Accepted only if it is the first one of its serial: then its files are checked.
                files.offered.facts.id = id_of(serial, 1);
            }
            rig.serve_offer(files).await.ok();
        }
        Act::Stop {
            serial,
            is_stopped,
            is_old,
        } => {
            let count = if is_old { count / 2 } else { count + 2 };
            rig.stop(stop(count, serial, is_stopped)).await;
        }
        Act::Run(seconds) => rig.run(seconds).await,
        Act::RollBack => {
            let by = "anna".to_owned();
            rig.agent.serve(FleetOrder::RollBack { by }).await.ok();
        }
        Act::Restart => rig.restart().await,
        Act::Kill => rig.kill().await,
        Act::Cut(writes) => rig.disk.cut_after(writes),
        Act::DiskFull(is_full) => rig.disk.set_full(is_full),
        Act::Clock { jump, is_trusted } => {
            let mut world = rig.site.world();
            world.second += jump;
            world.is_trusted = is_trusted;
        }
        Act::Centre(is_up) => rig.site.world().centre_is_up = is_up,
        Act::Sending(is_sending) => rig.site.world().is_sending = is_sending,
    }
    rig.settle().await;
}

async fn run(behaviours: Vec<Behaviour>, acts: Vec<Act>, seed: usize) {
    let mut rig = Rig::new().await;
    let mut state = seed;
    rig.choose = Box::new(move |count| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % count
    });
    for (serial, behaviour) in (1..).zip(behaviours) {
        rig.behave(serial, behaviour);
    }
    for (count, act) in (0..).zip(acts) {
        carry_out(&mut rig, act, count).await;
    }
    rig.disk.set_full(false);
    {
        let mut world = rig.site.world();
        (world.second, world.is_trusted) = (0, true);
        (world.centre_is_up, world.is_sending) = (true, false);
    }
    rig.run(600).await;
    rig.assert_well();
    let record = rig.agent.machine.record();
    if let Some(pending) = &record.pending {
        let serial = pending.facts.id.serial;
        let is_stopped = record.stop().is_some_and(|stop| stop.stops(serial));
        assert!(is_stopped, "{pending:?}");
    }
    for needed in record.needed() {
        assert!(rig.disk.has(&format!("sets/{needed}")), "{needed}");
    }
    let rolled_back = |entry: &&HistoryEntry| entry.by == "gateway";
    for serial in 1..8 {
        let of_serial = record.history.iter().filter(|entry| entry.serial == serial);
        let count = of_serial.filter(rolled_back).count();
        // Each time that a person wants it allows another try, and one after a lost connection.
        assert!(count <= 2 + 2 * rig.again, "{serial}: {count}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn once_inputs_stop_the_gateway_runs_with_a_confirmed_configuration(
        behaviours in prop::collection::vec(behaviour(), 7),
        acts in prop::collection::vec(act(), 1..25),
        seed: usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(behaviours, acts, seed));
    }
}
