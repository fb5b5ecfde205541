//! Devices that were offline, and send all that they have in one go.

use super::*;

#[test]
fn a_backlog_of_a_clock_that_is_ahead_passes_through_now_and_shows_nothing_by_that() {
    for is_known in [true, false] {
        let mut rig = Rig::default();
        if is_known {
            rig.said(-24 * HOUR + HOUR, -24 * HOUR);
        }
        let mut backlog = Vec::new();
        // A scan every ten seconds, for eight hours.
        for number in 0..2_880 {
            let done = number * 10 - 8 * HOUR + 10;
            let event = event(
                time(done + HOUR),
                time(0) + SignedDuration::from_millis(number),
            );
            let taken = rig.take(&event);
            backlog.push((done, event, taken));
        }
        rig.settle(6);
        for (done, event, taken) in backlog {
            let clock = &rig.kept[&name("pda")];
            let resolved = clock.resolve(event.at, event.received).map(second).unwrap();
            assert!((resolved - done).abs() <= 3, "{done} {resolved} {taken:?}");
            match taken {
                Given(_) => assert!(!is_known, "{done}"),
                Corrected(time) => assert!(!is_known || (time - done).abs() <= 5, "{done} {time}"),
                InDoubt(..) => {}
            }
        }
        assert_eq!(rig.said(60 + HOUR, 60), Corrected(60));
    }
}

#[test]
fn a_backlog_of_a_clock_that_was_set_right_ends_its_own_doubt() {
    let mut rig = Rig::default();
    rig.said(2 * HOUR, 0);
    assert_eq!(rig.said(900, 1_000), InDoubt(900 - 2 * HOUR, 900));
    // A second later: it may be one of a backlog.
    assert_eq!(rig.said(1_001, 1_002), InDoubt(1_001 - 2 * HOUR, 1_001));
    assert_eq!(rig.clocks.wake_at(), Some(monotonic(time(1_005))));
    rig.settle(1_004);
    assert_eq!(rig.resolved(900, 1_000), None);
    rig.settle(1_005);
    assert_eq!(rig.resolved(900, 1_000), Some(900));
    assert_eq!(rig.resolved(1_001, 1_002), Some(1_001));
    assert_eq!(rig.clocks.wake_at(), None);
}

#[test]
fn a_backlog_of_a_clock_that_was_behind_and_is_right_passes_through_its_old_lag() {
    let mut rig = Rig::default();
    rig.behind(-300, 8, 30, 5 * HOUR);
    for number in 0..2_880 {
        let at = number * 10 - 8 * HOUR + 1_000;
        let event = event(time(at), time(1_000) + SignedDuration::from_millis(number));
        let done = rig.take(&event);
        let holds = match done {
            Given(time) => time == at,
            Corrected(_) => false,
            InDoubt(one, other) => one == at || other == at,
        };
        assert!(holds, "{at} {done:?}");
    }
    assert_eq!(rig.said(1_059, 1_060), Given(1_059));
    assert_eq!(
        rig.resolved(1_000 - 5 * HOUR, 1_000),
        Some(1_000 - 5 * HOUR)
    );
}

#[test]
fn one_message_with_the_newest_event_first_shows_what_that_shows() {
    let mut rig = Rig::default();
    rig.said(-24 * HOUR + HOUR, -24 * HOUR);
    assert_eq!(rig.said(HOUR, 0), Corrected(0));
    for minute in 1..120 {
        let done = rig.said(HOUR + 1 - minute * 60, 0);
        assert_eq!(done, Corrected(1 - minute * 60), "{minute}");
    }
    rig.settle(60);
    assert_eq!(rig.said(60 + HOUR, 60), Corrected(60));
}

/// Random work of a device whose clock was seen to be wrong, and may be corrected at some time;
/// sometimes it is offline.
#[test]
fn of_a_clock_that_was_wrong_each_time_is_true_or_in_doubt_and_becomes_true() {
    let (mut doubts, mut events) = (0, 0);
    for seed in 1..=400_u64 {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut random = |below: i64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            i64::try_from(state >> 33).unwrap() % below
        };
        let mut rig = Rig::default();
        let wrong = [2 * HOUR, HOUR, 600, 30, -600, -5 * HOUR][usize::try_from(random(6)).unwrap()];
        if wrong > 0 {
            rig.said(wrong, 0);
        } else {
            rig.behind(-300, 8, 30, -wrong);
        }
        let set_right = if random(3) == 0 {
            i64::MAX
        } else {
            random(40_000)
        };
        let ahead = |done: i64| if done < set_right { wrong } else { 0 };
        let mut now = 0;
        let mut doubtful = Vec::new();
        for _ in 0..6 {
            let (offline, pause) = (random(2) == 0, 5 + random(60));
            let work: Vec<i64> = (0..random(60))
                .map(|number| now + 20 + number * pause)
                .collect();
            let end = work.last().copied().unwrap_or(now) + 20;
            for (place, done) in (0..).zip(&work) {
                let received = if offline {
                    time(end) + SignedDuration::from_millis(place * 20 + 1)
                } else {
                    time(*done) + SignedDuration::from_millis(1 + random(1_000))
                };
                let event = event(time(done + ahead(*done)), received);
                let taken = rig.take(&event);
                let is_near = |time: i64| (time - done).abs() <= 6;
                let holds = match taken {
                    Given(time) | Corrected(time) => is_near(time),
                    InDoubt(one, other) => is_near(one) || is_near(other),
                };
                assert!(
                    holds,
                    "{seed}: {wrong} till {set_right}, {done} is {taken:?}"
                );
                events += 1;
                if matches!(taken, InDoubt(..)) {
                    doubtful.push((*done, event));
                }
            }
            now = end + 30;
            rig.settle(now);
            if random(4) == 0 {
                rig.restart();
            }
        }
        rig.said(now + 20 + ahead(now + 20), now + 21);
        for (done, event) in doubtful {
            let clock = &rig.kept[&name("pda")];
            let resolved = clock.resolve(event.at, event.received).map(second);
            doubts += 1;
            // An event that was done before the clock was corrected, and arrived after that, counts
            // as done after it.
            let is_lost = done < set_right && set_right < now + 20;
            let is_true = resolved.is_some_and(|time| (time - done).abs() <= 6);
            assert!(
                is_true || is_lost,
                "{seed}: {wrong} till {set_right}, {done} is {resolved:?}"
            );
        }
    }
    assert!(
        doubts > events / 20 && doubts < events,
        "{doubts} of {events}"
    );
}
