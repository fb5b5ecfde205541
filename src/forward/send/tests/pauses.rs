//! Pauses: the back-off, pings, and a server that asks for time.

use super::*;

#[test]
fn back_off_doubles_up_to_a_minute_and_minds_retry_after() {
    let mut rig = Rig::new(1).fail([Fault::LostBefore; 9]);
    rig.run();
    // Three quarters of 2, 4, 8, 16, 32 and three times 60 s, because this jitter is one half; the
    // first pause is no less than 1 s.
    assert_eq!(rig.now, Duration::from_millis(182_500));
    let mut rig = Rig::new(1).fail([Fault::Busy]);
    rig.run();
    assert_eq!(rig.now, Duration::from_mins(5));
}

#[test]
fn a_pause_is_15_s_at_most_while_odoo_answers_a_ping() {
    // Each load fails, and each ping is answered: 1, 1.5, 3, 6 and 12 s, then 15 s each time.
    let calls = [Fault::None; 2].into_iter().chain([Fault::LostBefore; 7]);
    let mut rig = Rig::new(1);
    rig.peer.faults = calls.collect();
    rig.peer.answers_pings = true;
    rig.run();
    assert_eq!(rig.now, Duration::from_millis(23_500 + 2 * 15_000));
    rig.assert_exactly_once(1);
}

#[test]
fn a_link_that_is_back_in_a_long_pause_is_used_at_the_next_ping() {
    let mut machine = Rig::new(1).machine;
    let lost = || Failure::wait("no answer");
    let at = Duration::from_secs;
    machine.failures = 9;
    machine.answer(Input::Failed(lost()), at(100), Duration::ZERO, 0.5);
    assert_eq!(machine.pause_left(at(100)), Some(at(45)));
    for ping in [105, 110, 115, 120] {
        assert_eq!(
            machine.next(at(ping - 5)),
            Command::Sleep { until: at(ping) }
        );
        assert_eq!(machine.next(at(ping)), Command::Ping);
        machine.answer(Input::Ping(Err(lost())), at(ping), Duration::ZERO, 0.5);
    }
    machine.answer(Input::Ping(Ok(())), at(125), Duration::ZERO, 0.5);
    assert_eq!(machine.next(at(125)), Command::Probe);
    // Any success ends the pause.
    machine.answer(Input::Probed, at(125), Duration::ZERO, 0.5);
    machine.answer(Input::Failed(lost()), at(125), Duration::ZERO, 0.5);
    assert_eq!(machine.pause_left(at(125)), Some(Duration::from_secs(1)));
}

#[test]
fn probes_that_fail_while_pings_are_answered_back_off_to_15_s() {
    // `/web/version` answers, and every call that needs the database fails: 1, 1.5, 3, 6 and 12 s,
    // then 15 s each time.
    let mut rig = Rig::new(1).fail([Fault::LostBefore; 9]);
    rig.peer.answers_pings = true;
    rig.run();
    assert_eq!(rig.now, Duration::from_millis(23_500 + 4 * 15_000));
    rig.assert_exactly_once(1);
}

#[test]
fn a_ping_that_odoo_answers_in_silence_ends_one_pause_and_not_the_back_off() {
    let mut machine = Rig::new(1).machine;
    let lost = || Failure::wait("no answer");
    let at = Duration::from_secs;
    machine.failures = 9;
    machine.answer(Input::Failed(lost()), at(0), Duration::ZERO, 0.5);
    machine.answer(Input::Ping(Err(lost())), at(5), Duration::ZERO, 0.5);
    machine.answer(Input::Ping(Ok(())), at(10), Duration::ZERO, 0.5);
    assert_eq!(machine.next(at(10)), Command::Probe);
    // Odoo answers pings, but its database does not answer yet: the next pause is long again. A
    // ping that Odoo answers shortens this pause to 15 s, and does not end it.
    machine.answer(Input::Failed(lost()), at(10), Duration::ZERO, 0.5);
    assert_eq!(machine.pause_left(at(10)), Some(at(45)));
    machine.answer(Input::Ping(Ok(())), at(15), Duration::ZERO, 0.5);
    assert_eq!(machine.pause_left(at(15)), Some(at(10)));
}

#[test]
fn failures_before_documents_were_taken_do_not_lengthen_the_pause_of_their_call() {
    let mut machine = Rig::new(1).machine;
    let failed = || Input::Failed(Failure::wait("no answer"));
    for input in [Input::Probed, Input::Refreshed] {
        machine.answer(input, Duration::ZERO, Duration::ZERO, 0.5);
    }
    for _ in 0..9 {
        machine.answer(failed(), Duration::ZERO, Duration::ZERO, 0.5);
    }
    let now = Duration::from_secs(45);
    assert!(matches!(machine.next(now), Command::Take { .. }));
    machine.answer(Input::Taken(Some(vec![job(1)])), now, Duration::ZERO, 0.5);
    assert!(matches!(machine.next(now), Command::Load(_)));
    machine.answer(failed(), now, Duration::ZERO, 0.5);
    assert_eq!(machine.pause_left(now), Some(Duration::from_secs(1)));
}

#[test]
fn a_server_that_asks_for_time_gets_it_whatever_a_ping_answers() {
    let wait = |after| {
        Input::Failed(Failure::Wait {
            message: "HTTP 429".to_owned(),
            after: Some(Duration::from_secs(after)),
            slow: false,
        })
    };
    let mut machine = Rig::new(1).machine;
    for failures in 0..6 {
        machine.failures = failures;
        for (after, pause) in [(2, 2), (40, 40)] {
            machine.answer(wait(after), Duration::ZERO, Duration::ZERO, 0.5);
            let until = Duration::from_secs(pause);
            assert_eq!(machine.next(Duration::ZERO), Command::Sleep { until });
            machine.failures = failures;
        }
    }
    // Fewer requests, and no time: the whole back-off, and no ping.
    machine.failures = 9;
    machine.answer(wait(0), Duration::ZERO, Duration::ZERO, 0.5);
    let until = Duration::from_secs(45);
    assert_eq!(machine.next(Duration::ZERO), Command::Sleep { until });
    assert_eq!(
        machine.pause_left(Duration::from_secs(40)),
        Some(Duration::from_secs(5))
    );
    assert_eq!(machine.pause_left(until), None);
}

/// The commands that the machine gives, answered by the peer, until it sleeps.
fn until_sleep(rig: &mut Rig) -> Vec<&'static str> {
    let mut given = Vec::new();
    for _ in 0..50 {
        let (name, input) = match rig.machine.next(rig.now) {
            Command::Sleep { .. } => return given,
            Command::Settle(outcomes) => {
                rig.outcomes.extend(outcomes.iter().cloned());
                ("settle", Input::Settled)
            }
            Command::Take { .. } => {
                let jobs = rig.waiting.drain(..).map(job).collect();
                ("take", Input::Taken(Some(jobs)))
            }
            call @ (Command::Probe | Command::Refresh) => ("query", rig.peer.call(&call)),
            call => ("send", rig.peer.call(&call)),
        };
        given.push(name);
        rig.machine.answer(input, rig.now, Duration::ZERO, 0.5);
    }
    panic!("the machine never sleeps: {given:?}");
}

#[test]
fn in_a_pause_by_a_person_nothing_is_taken_and_queries_go_on() {
    let mut rig = Rig::new(2);
    rig.machine.set_paused(true);
    assert_eq!(until_sleep(&mut rig), ["query", "query"]);
    assert!(rig.machine.is_quiet());
    rig.now += Duration::from_mins(1);
    assert_eq!(until_sleep(&mut rig), ["query"], "the next refresh");
    assert_eq!(rig.waiting.len(), 2);
    rig.machine.set_paused(false);
    assert!(!rig.machine.is_quiet());
    rig.run();
    rig.assert_exactly_once(2);
}

#[test]
fn documents_that_are_being_sent_at_the_beginning_of_a_pause_are_finished() {
    let mut rig = Rig::new(1);
    for input in [Input::Probed, Input::Refreshed] {
        rig.machine.answer(input, rig.now, Duration::ZERO, 0.5);
    }
    let taken = Input::Taken(Some(vec![job(1)]));
    rig.waiting.clear();
    rig.machine.answer(taken, rig.now, Duration::ZERO, 0.5);
    rig.waiting.push_back(2);
    rig.machine.set_paused(true);
    assert!(!rig.machine.is_quiet());
    let given = until_sleep(&mut rig);
    assert!(
        given.contains(&"send") && given.ends_with(&["settle"]),
        "{given:?}"
    );
    assert_eq!(rig.code(1), "posted");
    assert!(rig.machine.is_quiet());
    assert_eq!(rig.waiting.len(), 1);
}

#[test]
fn a_call_that_fails_in_a_pause_is_repeated_after_it() {
    let mut rig = Rig::new(1);
    for input in [Input::Probed, Input::Refreshed] {
        rig.machine.answer(input, rig.now, Duration::ZERO, 0.5);
    }
    rig.waiting.clear();
    let taken = Input::Taken(Some(vec![job(1)]));
    rig.machine.answer(taken, rig.now, Duration::ZERO, 0.5);
    rig.machine.set_paused(true);
    // Odoo is being upgraded: the call has reached it, and its answer is lost.
    let mut rig = rig.fail([Fault::LostAfter]);
    assert_eq!(until_sleep(&mut rig), ["send"]);
    assert!(rig.machine.is_quiet());
    for _ in 0..100 {
        rig.now += Duration::from_mins(10);
        assert_eq!(until_sleep(&mut rig), [""; 0]);
    }
    rig.machine.set_paused(false);
    rig.run();
    assert_eq!(rig.code(1), "posted");
    rig.assert_exactly_once(1);
}
