//! Tests the state machine that sends documents against a small model of Odoo: which pickings the
//! machine creates and posts, and each way in which a call can fail.

mod loads;
mod pauses;
mod peer;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;

use self::peer::{Fault, Nature, Peer, silence, transfer};
use super::failure::HELD_PROBE;
use super::*;
use crate::document::DocumentNumber;
use crate::odoo::PickingState;
use crate::odoo_id::PickingId;
use crate::reason::ReasonCode;

fn job(number: u64) -> Job {
    Job {
        number: DocumentNumber::new(number),
        work: Work::Transfer(transfer(number)),
        is_deferred: false,
    }
}

/// A machine, its peer, the waiting documents and the time.
struct Rig {
    machine: Machine,
    peer: Peer,
    waiting: VecDeque<u64>,
    outcomes: BTreeMap<DocumentNumber, Outcome>,
    /// The deferred documents, one entry for each deferral.
    aside: Vec<DocumentNumber>,
    now: Duration,
    /// How long each call takes.
    took: Duration,
    links: Vec<Link>,
}

impl Rig {
    fn new(documents: u64) -> Self {
        Self {
            machine: Machine::new(Limits {
                orders: config::Orders::default(),
                batch_lines_max: 400,
                refresh: Duration::from_mins(1),
            }),
            peer: Peer::default(),
            waiting: (1..=documents).collect(),
            outcomes: BTreeMap::new(),
            aside: Vec::new(),
            now: Duration::ZERO,
            took: Duration::from_secs(3),
            links: Vec::new(),
        }
    }

    fn with(mut self, number: u64, nature: Nature) -> Self {
        self.peer
            .natures
            .insert(DocumentNumber::new(number), nature);
        self
    }

    fn fail(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.peer.faults.extend(faults);
        self
    }

    /// Runs the machine until no work is left.
    fn run(&mut self) {
        for _ in 0..20_000 {
            let command = self.machine.next(self.now);
            let input = match command {
                Command::Settle(outcomes) => {
                    for (number, outcome) in outcomes {
                        if matches!(outcome, Outcome::Unanswered { .. }) {
                            self.aside.push(*number);
                            continue;
                        }
                        let before = self.outcomes.insert(*number, outcome.clone());
                        assert_eq!(before, None, "document {number} settled twice");
                    }
                    Input::Settled
                }
                Command::Take { .. } if self.waiting.is_empty() => Input::Taken(None),
                Command::Take { lines_max } => {
                    let count = lines_max.min(self.waiting.len());
                    Input::Taken(Some(self.waiting.drain(..count).map(job).collect()))
                }
                Command::Sleep { until } => {
                    if self.machine.idle
                        && self.machine.work.is_empty()
                        && self.machine.pause_until <= self.now
                    {
                        return;
                    }
                    self.now = until;
                    continue;
                }
                call => self.peer.call(&call),
            };
            self.machine.answer(input, self.now, self.took, 0.5);
            if self.links.last() != Some(self.machine.link()) {
                self.links.push(self.machine.link().clone());
            }
        }
        panic!("the machine never finished: {:?}", self.machine);
    }

    fn code(&self, number: u64) -> &str {
        match &self.outcomes[&DocumentNumber::new(number)] {
            Outcome::Posted { already: false, .. } => "posted",
            Outcome::Posted { already: true, .. } | Outcome::Claimed { .. } => "already",
            Outcome::Refused { reason, .. } => reason.code.as_str(),
            Outcome::Unanswered { .. } => "unanswered",
            Outcome::Overtaken { .. } => "overtaken",
        }
    }

    /// Asserts that each document is settled, that each posted document moved stock exactly once,
    /// and that the others never did.
    fn assert_exactly_once(&self, documents: u64) {
        assert_eq!(self.outcomes.len() as u64, documents);
        assert_eq!(self.peer.ids.len(), self.peer.pickings.len());
        for (number, outcome) in &self.outcomes {
            let id = self.peer.ids.get(&transfer(number.get()).key);
            let moved = id
                .and_then(|id| self.peer.moved.get(id))
                .copied()
                .unwrap_or(0);
            match outcome {
                Outcome::Posted { odoo, .. } => {
                    assert_eq!((Some(&odoo.id), moved), (id, 1), "document {number}");
                    let closed = self.peer.nature(odoo.id) == Nature::Closed;
                    assert_ne!(self.peer.dated.contains(&odoo.id), closed);
                }
                Outcome::Refused { .. }
                | Outcome::Claimed { .. }
                | Outcome::Unanswered { .. }
                | Outcome::Overtaken { .. } => {
                    assert_eq!(moved, 0, "document {number}");
                }
            }
        }
    }
}

#[test]
fn many_documents_go_in_few_calls() {
    let mut rig = Rig::new(50);
    rig.run();
    rig.assert_exactly_once(50);
    // Probe, refresh, and the four steps of one batch.
    assert_eq!(rig.peer.calls, 6);
    assert!((1..=50).all(|n| rig.code(n) == "posted"));
}

#[test]
fn a_lost_answer_at_any_step_moves_nothing_twice() {
    for fault in [
        Fault::LostBefore,
        Fault::LostAfter,
        Fault::TimedOut,
        Fault::Conflict,
    ] {
        for step in 2..8 {
            let faults = (0..step).map(|_| Fault::None).chain([fault]);
            let mut rig = Rig::new(5).fail(faults);
            rig.run();
            rig.assert_exactly_once(5);
            let late =
                matches!(fault, Fault::LostAfter | Fault::TimedOut) && (4..6).contains(&step);
            let expected = if late { "already" } else { "posted" };
            if fault != Fault::LostBefore && fault != Fault::Conflict || step != 5 {
                assert_eq!(rig.code(1), expected, "{fault:?} at call {step}");
            }
        }
    }
}

#[test]
fn the_row_that_load_names_is_parked_without_halving() {
    let mut rig = Rig::new(20)
        .with(7, Nature::RefusedByLoad)
        .with(9, Nature::RefusedByLoad);
    rig.run();
    rig.assert_exactly_once(20);
    // The other documents continue; these two are sent three more times before a refusal counts.
    assert_eq!(rig.peer.loads, [20, 18, 1, 1, 1, 1, 1, 1]);
    assert_eq!(
        [rig.code(7), rig.code(9), rig.code(8)],
        [
            ReasonCode::OdooRefused.as_str(),
            ReasonCode::OdooRefused.as_str(),
            "posted"
        ]
    );
}

#[test]
fn a_batch_is_halved_to_the_one_that_validation_refuses() {
    let mut rig = Rig::new(32).with(13, Nature::RefusedByValidate);
    rig.run();
    rig.assert_exactly_once(32);
    assert_eq!(rig.code(13), ReasonCode::OdooRefused.as_str());
    // The batch is loaded once: halving starts where Odoo refused it.
    assert_eq!(rig.peer.loads, [32]);
    assert!(rig.peer.calls < 30, "{} calls", rig.peer.calls);
}

#[test]
fn one_that_somebody_validated_before_odoo_refused_us_is_posted() {
    let mut rig = Rig::new(4).with(3, Nature::ValidatedByOther);
    rig.run();
    rig.assert_exactly_once(4);
    assert_eq!([rig.code(3), rig.code(4)], ["already", "posted"]);
    let mut alone = Rig::new(1).with(1, Nature::ValidatedByOther);
    alone.run();
    alone.assert_exactly_once(1);
    assert_eq!(alone.code(1), "already");
}

#[test]
fn a_question_that_odoo_asks_parks_the_one_it_is_about() {
    let mut rig = Rig::new(10).with(4, Nature::Wizard);
    rig.run();
    rig.assert_exactly_once(10);
    assert_eq!(
        [rig.code(4), rig.code(5)],
        [ReasonCode::NotValidated.as_str(), "posted"]
    );
    let Outcome::Refused { reason, .. } = &rig.outcomes[&DocumentNumber::new(4)] else {
        unreachable!("its code is a reason")
    };
    // Odoo's own word for the state.
    assert!(
        reason.message.contains("left it \"assigned\""),
        "{}",
        reason.message
    );
}

#[test]
fn a_document_is_blamed_only_for_a_call_of_its_own() {
    let mut rig = Rig::new(3).with(1, Nature::Wizard).with(2, Nature::Closed);
    rig.run();
    rig.assert_exactly_once(3);
    assert_eq!(
        [rig.code(1), rig.code(2), rig.code(3)],
        [ReasonCode::NotValidated.as_str(), "posted", "posted"]
    );
}

#[test]
fn a_true_time_that_odoo_refuses_does_not_unmake_the_posting() {
    let mut rig = Rig::new(6).with(2, Nature::Closed);
    rig.run();
    rig.assert_exactly_once(6);
    assert_eq!(rig.code(2), "posted");
}

#[test]
fn what_odoo_rounds_is_found_before_it_is_posted() {
    let mut rig = Rig::new(3).with(2, Nature::Rounded);
    rig.run();
    rig.assert_exactly_once(3);
    assert_eq!(
        [rig.code(1), rig.code(2)],
        ["posted", ReasonCode::DiffersInOdoo.as_str()]
    );
}

#[test]
fn cancelled_in_odoo_is_parked_and_not_validated() {
    let mut rig = Rig::new(2);
    let id = rig.peer.create(&transfer(1));
    rig.peer.pickings.get_mut(&id).unwrap().state = PickingState::Cancelled;
    rig.run();
    rig.assert_exactly_once(2);
    assert_eq!(
        [rig.code(1), rig.code(2)],
        [ReasonCode::CancelledInOdoo.as_str(), "posted"]
    );
}

#[test]
fn a_bad_key_holds_the_link_and_a_probe_each_minute_frees_it() {
    let mut rig = Rig::new(3).fail([Fault::None, Fault::None, Fault::BadKey, Fault::BadKey]);
    rig.run();
    rig.assert_exactly_once(3);
    assert!(
        matches!(&rig.links[..], [Link::Up, Link::Held { .. }, Link::Up]),
        "{:?}",
        rig.links
    );
    assert_eq!(rig.now, HELD_PROBE * 2);
}

#[test]
fn batches_grow_while_calls_are_fast_and_shrink_when_they_are_slow() {
    let mut rig = Rig::new(2_000);
    rig.took = Duration::from_millis(500);
    rig.run();
    assert_eq!(rig.machine.batch_lines(), 400);
    assert_eq!(rig.peer.loads[..3], [50, 100, 200]);
    let mut rig = Rig::new(200);
    rig.took = Duration::from_secs(10);
    rig.run();
    assert_eq!(rig.peer.loads[..3], [50, 25, 12]);
    rig.assert_exactly_once(200);
}

#[test]
fn a_call_that_times_out_is_halved() {
    let mut rig = Rig::new(40).fail([Fault::None, Fault::None, Fault::TimedOut]);
    rig.run();
    rig.assert_exactly_once(40);
    assert_eq!(rig.peer.loads, [40, 20, 20]);
    assert_eq!(rig.machine.batch_lines(), 25);
}

#[test]
fn a_document_that_odoo_never_answers_to_stands_aside_and_the_others_go_on() {
    for nature in [Nature::SilentInLoad, Nature::SilentInValidate] {
        let mut rig = Rig::new(40).with(7, nature);
        rig.took = Duration::from_millis(500);
        rig.waiting.extend(41..=400);
        rig.run();
        assert_eq!(rig.aside, [DocumentNumber::new(7)], "{nature:?}");
        rig.assert_exactly_once(399);
        // From 50 to 25, 13, 7, 3 and 1, and then as the only document of its call.
        assert_eq!(rig.peer.silent, 5 + UNANSWERED_MAX, "{nature:?}");
        // The size was not the cause: batches are large again.
        assert!(
            rig.machine.batch_lines() > 50,
            "{}",
            rig.machine.batch_lines()
        );
    }
}

#[test]
fn one_that_was_set_aside_before_has_one_call() {
    let mut rig = Rig::new(0).with(7, Nature::SilentInLoad);
    rig.run();
    let again = Job {
        is_deferred: true,
        ..job(7)
    };
    rig.machine.idle = false;
    rig.machine
        .answer(Input::Taken(Some(vec![again])), rig.now, rig.took, 0.5);
    rig.run();
    assert_eq!(
        (&rig.aside[..], &rig.peer.loads[..]),
        (&[DocumentNumber::new(7)][..], &[1][..])
    );
}

#[test]
fn a_link_that_is_down_sets_nothing_aside() {
    // Each call is lost without an answer, and so is each probe after it.
    let outage = [Fault::TimedOut, Fault::TimedOut, Fault::TimedOut].repeat(5);
    let mut rig = Rig::new(1).fail([Fault::None, Fault::None].into_iter().chain(outage));
    rig.run();
    assert_eq!(rig.aside, Vec::<DocumentNumber>::new());
    assert_eq!(rig.machine.batch_lines(), 50);
    rig.assert_exactly_once(1);
}

#[test]
fn a_probe_that_odoo_refuses_blames_no_document() {
    let mut rig = Rig::new(3);
    for input in [Input::Probed, Input::Refreshed] {
        rig.machine.answer(input, rig.now, rig.took, 0.5);
    }
    let jobs = rig.waiting.drain(..).map(job).collect();
    for input in [
        Input::Taken(Some(jobs)),
        Input::Failed(silence()),
        Input::Failed(Failure::person("no such method")),
    ] {
        rig.machine.answer(input, rig.now, rig.took, 0.5);
    }
    assert!(matches!(rig.machine.link(), Link::Held { .. }));
    rig.run();
    rig.assert_exactly_once(3);
    assert!((1..=3).all(|n| rig.code(n) == "posted"));
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        6 => Just(Fault::None),
        1 => Just(Fault::LostBefore),
        2 => Just(Fault::LostAfter),
        1 => Just(Fault::TimedOut),
        1 => Just(Fault::Conflict),
        1 => Just(Fault::Busy),
        1 => Just(Fault::BadKey),
    ]
}

fn nature() -> impl Strategy<Value = Nature> {
    prop_oneof![
        20 => Just(Nature::Good),
        1 => Just(Nature::RefusedByLoad),
        1 => Just(Nature::RefusedByValidate),
        1 => Just(Nature::ValidatedByOther),
        1 => Just(Nature::Wizard),
        1 => Just(Nature::Closed),
        1 => Just(Nature::Rounded),
        1 => Just(Nature::SilentInLoad),
        1 => Just(Nature::SilentInValidate),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_each_document_is_posted_once_or_refused(
        natures in proptest::collection::vec(nature(), 1..90),
        faults in proptest::collection::vec(fault(), 0..120),
    ) {
        let documents = natures.len() as u64;
        // Calls that time out again and again look like a document that gets no answer.
        let faulty = faults.contains(&Fault::TimedOut);
        let mut rig = Rig::new(documents).fail(faults);
        for (number, nature) in (1..).zip(&natures) {
            rig.peer.natures.insert(DocumentNumber::new(number), *nature);
        }
        rig.run();
        let silent = |nature: &Nature| matches!(nature, Nature::SilentInLoad | Nature::SilentInValidate);
        let aside = rig.aside.len() as u64;
        rig.assert_exactly_once(documents - aside);
        for (number, nature) in (1..).zip(natures) {
            if rig.aside.contains(&DocumentNumber::new(number)) {
                prop_assert!(silent(&nature) || faulty, "document {}", number);
                continue;
            }
            let expected: &[&str] = match nature {
                Nature::ConflictsInLoad(_) => unreachable!("none has this nature here"),
                Nature::Good | Nature::Closed | Nature::ValidatedByOther => &["posted", "already"],
                Nature::RefusedByLoad | Nature::RefusedByValidate => &[ReasonCode::OdooRefused.as_str()],
                Nature::Wizard => &[ReasonCode::NotValidated.as_str()],
                Nature::Rounded => &[ReasonCode::DiffersInOdoo.as_str()],
                Nature::SilentInLoad | Nature::SilentInValidate => &[],
            };
            prop_assert!(expected.contains(&rig.code(number)), "document {}: {}", number, rig.code(number));
        }
    }
}
