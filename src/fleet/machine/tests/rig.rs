//! A gateway that executes the machine's actions at once.

use std::collections::BTreeSet;

use super::super::*;
use crate::fleet::record::BundleOutcome;
use crate::fleet::tests::samples::{at, offered, seconds};

/// A machine, its gateway, and its time in seconds.
pub struct Rig {
    pub machine: Machine,
    pub second: i64,
    pub is_trusted: bool,
    pub observation: Observation,
    /// What the next check finds.
    pub faults: Vec<String>,
    pub changes_odoo: bool,
    /// What the next load of a bundle ends with.
    pub load_fault: Option<String>,
    pub loads: Vec<ConfigSet>,
    pub pauses: Vec<bool>,
}

impl Rig {
    /// A gateway that has run with its local files for a while.
    pub fn new() -> Self {
        let sources = [("listen".to_owned(), true)].into();
        let mut rig = Self {
            machine: Machine::new(FleetRecord::default(), FleetTimes::default()),
            second: 0,
            is_trusted: true,
            observation: Observation {
                sources,
                devices: BTreeSet::from(["d1".to_owned(), "d2".to_owned()]),
                centre: Some(true),
                quiet: Some(seconds(60)),
                ..Observation::default()
            },
            faults: Vec::new(),
            changes_odoo: false,
            load_fault: None,
            loads: Vec::new(),
            pauses: Vec::new(),
        };
        rig.restart();
        rig.run(200);
        rig
    }

    /// A gateway with a confirmed bundle.
    pub fn confirmed(serial: u64) -> Self {
        let mut rig = Self::new();
        rig.offer(offered(serial));
        rig.run(400);
        assert_eq!(rig.confirmed_serial(), Some(serial));
        rig.loads.clear();
        rig
    }

    /// A gateway that watches a bundle.
    pub fn watching(serial: u64) -> Self {
        let mut rig = Self::confirmed(serial - 1);
        rig.run(200);
        rig.offer(offered(serial));
        rig.run(10);
        assert_eq!(rig.state(), Some(BundleState::Watching));
        rig
    }

    pub fn clock(&self) -> WallClock {
        WallClock {
            now: at(self.second),
            is_trusted: self.is_trusted,
        }
    }

    /// Takes in an input and executes what follows.
    pub fn give(&mut self, input: Input) -> Answer {
        let step = self.machine.step(self.clock(), input);
        self.execute(step.actions);
        step.answer
    }

    fn execute(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Check(id) => {
                    self.give(Input::Checked {
                        id,
                        faults: self.faults.clone(),
                        changes_odoo: self.changes_odoo,
                    });
                }
                Action::Load(set) => {
                    self.loads.push(set);
                    let fault = self.load_fault.clone().filter(|_| set.bundle().is_some());
                    let result = fault.map_or(Ok(()), Err);
                    self.give(Input::Loaded { set, result });
                }
                Action::PauseSending(is_paused) => self.pauses.push(is_paused),
                Action::CleanUp => {}
            }
        }
    }

    pub fn offer(&mut self, offered: OfferedBundle) -> Answer {
        self.give(Input::Offered(offered))
    }

    /// Observes the same for so many seconds.
    pub fn run(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.second += 1;
            self.give(Input::Tick {
                passed: Duration::from_secs(1),
                observation: self.observation.clone(),
            });
        }
    }

    /// A new process with the record.
    pub fn restart(&mut self) {
        let started = self.machine.step(self.clock(), Input::Started);
        let running = self.machine.record().running();
        self.loads.push(running);
        self.give(Input::Loaded {
            set: running,
            result: Ok(()),
        });
        self.execute(started.actions);
    }

    pub fn record(&self) -> &FleetRecord {
        self.machine.record()
    }

    pub fn pending(&self) -> Option<&PendingBundle> {
        self.record().pending.as_ref()
    }

    pub fn state(&self) -> Option<BundleState> {
        self.pending().map(|pending| pending.state)
    }

    pub fn pending_serial(&self) -> Option<u64> {
        self.pending().map(|pending| pending.facts.id.serial)
    }

    pub fn confirmed_serial(&self) -> Option<u64> {
        (self.record().confirmed.as_ref()).map(|confirmed| confirmed.id.serial)
    }

    /// Serial and outcome of the last bundle.
    pub fn last(&self) -> Option<(u64, BundleOutcome)> {
        (self.record().last.as_ref()).map(|last| (last.id.serial, last.outcome))
    }

    pub fn last_reason(&self) -> &str {
        (self.record().last.as_ref()).map_or("", |last| &last.reason)
    }

    #[track_caller]
    pub fn assert_waits(&self, reason: &str) {
        let pending = self.pending().expect("a pending bundle");
        let found = pending.reason.as_deref().unwrap_or_default();
        assert_eq!((pending.state, found), (BundleState::Waiting, reason));
        let newest = self.loads.last().copied().and_then(ConfigSet::bundle);
        assert_ne!(newest, Some(pending.facts.id), "it is loaded");
    }
}
