use super::*;
use crate::view::snapshot::RejectedOfCode;

fn now() -> Timestamp {
    "2026-11-23T12:02:14Z".parse().unwrap()
}

/// A status with a window that began with the shift at 06:00, and the link up.
fn status(change: impl FnOnce(&mut Status, &mut Window)) -> Status {
    let mut status = Status::default();
    status.odoo.link = Link::Up;
    let since = "2026-11-23T06:00:00Z".parse().unwrap();
    let mut window = Window {
        since,
        requested: since,
        begin: Begin::Shift,
        zone: Some("Etc/UTC".to_owned()),
        ..Window::default()
    };
    change(&mut status, &mut window);
    status.window = Some(window);
    status
}

/// The mood, the sentence after the time, and whom the tasks concern.
fn describe(change: impl FnOnce(&mut Status, &mut Window)) -> (Mood, String, Vec<Who>) {
    let answer = answer(&status(change), now(), Words::ENGLISH);
    let sentence = answer.sentence;
    let lead = "Since the shift began at 06:00, ";
    let rest = sentence.strip_prefix(lead).unwrap_or(&sentence).to_owned();
    let who = answer.todo.iter().map(|todo| todo.who).collect();
    (answer.mood, rest, who)
}

fn rejected(window: &mut Window, code: &str, readings: u64, open: u64) {
    window.rejected.readings += readings;
    window.rejected.open += open;
    window.rejected.settled += readings - open;
    let of_code = RejectedOfCode { readings, open };
    window.rejected.by_code.insert(code.to_owned(), of_code);
}

#[test]
fn nobody_has_to_do_anything() {
    for (sentence, change) in [
        (
            "nothing was scanned",
            (|_, _| {}) as fn(&mut Status, &mut Window),
        ),
        ("all 4,812 movements are in Odoo", |_, w| {
            (w.events.stored, w.events.posted) = (4_812, 4_812);
        }),
        ("the only movement is in Odoo", |_, w| {
            (w.events.stored, w.events.posted) = (1, 1);
        }),
        ("the only movement is not in Odoo: on the way", |_, w| {
            (w.events.stored, w.events.waiting) = (1, 1);
        }),
        (
            "12 of 312 movements are not in Odoo: 12 on the way",
            |_, w| {
                w.events.stored = 312;
                (w.events.posted, w.events.waiting, w.events.sending) = (300, 10, 2);
            },
        ),
        ("none of 3 movements is in Odoo: 3 discarded", |_, w| {
            (w.events.stored, w.events.discarded, w.events.no_document) = (3, 3, 3);
        }),
        (
            "2 of 7 movements are not in Odoo: 1 discarded, 1 left out by an edit or an undo; 1 document was edited",
            |_, w| {
                (w.events.stored, w.events.posted, w.events.left_out) = (7, 6, 1);
                (w.events.discarded, w.events.no_document) = (1, 1);
                w.documents.edited = 1;
            },
        ),
        ("no scan became a movement", |_, w| {
            (w.events.stored, w.events.no_document) = (3, 3);
        }),
        ("2 events are being collected", |_, w| {
            (w.events.stored, w.events.open) = (2, 2);
        }),
        (
            "all 2 movements are in Odoo; 3 scans moved no stock (3 in a wrong order for their flow)",
            |_, w| {
                (w.events.stored, w.events.posted, w.events.wrong_scans) = (11, 2, 3);
                w.events.no_document = 9;
            },
        ),
        (
            "all 2 movements are in Odoo; 3 readings were rejected (all settled)",
            |_, w| {
                (w.events.stored, w.events.posted) = (2, 2);
                rejected(w, "bad-json", 3, 0);
            },
        ),
        // A scanner that read no code needs no person.
        ("all 2 movements are in Odoo", |_, w| {
            (w.events.stored, w.events.posted) = (2, 2);
            (w.rejected.readings, w.rejected.without_scan) = (9, 9);
        }),
        // The site has chosen anonymous access.
        ("nothing was scanned", |s, _| {
            s.alarms
                .insert("anonymous".to_owned(), "Anyone may publish.".to_owned());
        }),
    ] {
        assert_eq!(describe(change), (Mood::Good, sentence.to_owned(), vec![]));
    }
}

type Case = (&'static str, Who, fn(&mut Status, &mut Window));

/// Each case has this sentence, and its first task is for this person.
fn assert_first(cases: &[Case]) {
    for (sentence, first, change) in cases {
        let (mood, found, who) = describe(change);
        assert_eq!((mood, found.as_str()), (Mood::Watch, *sentence));
        assert_eq!(who.first(), Some(first), "{sentence}");
    }
}

#[test]
fn a_person_has_to_do_something() {
    assert_first(&[
        (
            "2 of 3 movements are not in Odoo: 2 parked",
            Who::OdooAdministrator,
            |s, w| {
                (w.events.stored, w.events.posted, w.events.parked) = (3, 1, 2);
                (s.documents.parked, w.documents.parked) = (2, 2);
                w.documents
                    .parked_by_code
                    .insert("unknown-product".to_owned(), 2);
            },
        ),
        (
            "the only movement is not in Odoo: parked",
            Who::Supervisor,
            |s, w| {
                (w.events.stored, w.events.parked) = (1, 1);
                (s.documents.parked, w.documents.parked) = (1, 1);
                w.documents
                    .parked_by_code
                    .insert("over-picked".to_owned(), 1);
            },
        ),
        (
            "the only movement is not in Odoo: parked",
            Who::It,
            |s, w| {
                (w.events.stored, w.events.parked) = (1, 1);
                (s.documents.parked, w.documents.parked) = (1, 1);
                w.documents
                    .parked_by_code
                    .insert("clock-in-doubt".to_owned(), 1);
            },
        ),
        (
            "4 readings were rejected (4 under the name of another site or device)",
            Who::It,
            |s, w| {
                rejected(w, "not-your-topic", 4, 4);
                s.events.rejected_open = 4;
            },
        ),
        (
            "3 readings were rejected (1 with an unknown type, 2 still open)",
            Who::It,
            |s, w| {
                rejected(w, "unknown-type", 1, 1);
                rejected(w, "no-suffix", 2, 1);
                // Both concern IT, for different causes: the one of the type is settled.
                w.rejected.by_code.get_mut("unknown-type").unwrap().open = 0;
                s.events.rejected_open = 1;
            },
        ),
        ("1 reading was rejected", Who::Supervisor, |s, w| {
            rejected(w, "lot-required", 1, 1);
            s.events.rejected_open = 1;
        }),
        (
            "no scan became a movement; 5 scans moved no stock (5 of devices without a flow)",
            Who::It,
            |s, w| {
                (w.events.stored, w.events.no_document, w.events.unused_scans) = (5, 5, 5);
                s.events.unused_scans = 5;
            },
        ),
        (
            "no scan became a movement; 5 scans moved no stock (2 of devices without a flow, 3 in a wrong order for their flow)",
            Who::It,
            |s, w| {
                (w.events.stored, w.events.no_document, w.events.unused_scans) = (5, 5, 2);
                (s.events.unused_scans, w.events.wrong_scans) = (2, 3);
            },
        ),
    ]);
}

#[test]
fn an_alarm_and_what_is_open_from_before_are_for_a_person() {
    assert_first(&[
        ("nothing was scanned", Who::It, |s, _| {
            s.alarms
                .insert("clock".to_owned(), "The clock is wrong: set it.".to_owned());
        }),
        (
            "nothing was scanned; still open from before: 2 parked documents",
            Who::Supervisor,
            |s, _| {
                s.documents.parked = 2;
            },
        ),
        (
            "nothing was scanned; still open from before: 1 parked document, 1 rejected reading, 3 unused scans",
            Who::Supervisor,
            |s, _| {
                (
                    s.documents.parked,
                    s.events.rejected_open,
                    s.events.unused_scans,
                ) = (1, 1, 3);
            },
        ),
    ]);
}

#[test]
fn an_obstacle_comes_before_the_work() {
    let done = |w: &mut Window| (w.events.stored, w.events.waiting) = (312, 312);
    let work = "Since the shift began at 06:00, none of 312 movements is in Odoo: 312 on the way";
    let (mood, down, who) = describe(|s, w| {
        s.odoo.link = Link::Down;
        s.odoo.since = "2026-11-23T12:00:00Z".parse().ok();
        done(w);
    });
    let text = format!("The link to Odoo is down for 2 min 14 s. {work}");
    assert_eq!((mood, down, who), (Mood::Watch, text, vec![Who::It]));
    let (mood, held, _) = describe(|s, w| {
        s.odoo.link = Link::Held;
        done(w);
    });
    let text = format!("Nothing is sent to Odoo until a person fixes the link. {work}");
    assert_eq!((mood, held), (Mood::Bad, text));
    let (mood, full, who) = describe(|s, w| {
        (s.journal.full, s.journal.disk_full) = (true, true);
        done(w);
    });
    let text = format!("The disk is full, and the gateway stores no scan. {work}");
    assert_eq!((mood, full, who), (Mood::Bad, text, vec![Who::It]));
    let (mood, starting, who) = describe(|s, w| {
        s.odoo.link = Link::Starting;
        done(w);
    });
    let text = format!("The gateway is connecting to Odoo. {work}");
    assert_eq!((mood, starting, who), (Mood::Watch, text, vec![]));
}

#[test]
fn the_begin_of_the_window_is_named() {
    let lead = |change: fn(&mut Window)| {
        let status = status(|_, window| change(window));
        answer(&status, now(), Words::ENGLISH).sentence
    };
    for (sentence, change) in [
        (
            "Since the day began at 01:00, nothing was scanned",
            (|w| {
                w.begin = Begin::Day;
                w.zone = Some("America/New_York".to_owned());
            }) as fn(&mut Window),
        ),
        ("Since 06:00 UTC, nothing was scanned", |w| {
            w.begin = Begin::Time;
            w.zone = None;
        }),
        ("Since 2026-11-21 22:00, nothing was scanned", |w| {
            w.begin = Begin::Time;
            w.since = "2026-11-21T22:00:00Z".parse().unwrap();
            w.requested = w.since;
        }),
        (
            "Since 06:00, when the counts begin, nothing was scanned",
            |w| w.requested = "2026-11-23T02:00:00Z".parse().unwrap(),
        ),
    ] {
        assert_eq!(lead(change), sentence);
    }
}

#[test]
fn a_task_says_what_to_do() {
    let status = status(|s, w| {
        (s.documents.parked, w.documents.parked) = (3, 2);
        let codes = &mut w.documents.parked_by_code;
        codes.insert("unknown-product".to_owned(), 2);
        rejected(w, "not-your-topic", 1, 1);
        s.events.rejected_open = 1;
        s.odoo.link = Link::Down;
        s.odoo.detail = Some("connection refused".to_owned());
    });
    let tasks: Vec<String> = (answer(&status, now(), Words::ENGLISH).todo.iter())
        .map(|todo| format!("{}: {}: {}", todo.who.as_str(), todo.problem, todo.what))
        .collect();
    insta::assert_snapshot!(tasks.join("\n"), @"
    IT: Odoo cannot be reached: Check Odoo and the network to it. Scanning goes on, and the gateway sends all by itself when Odoo answers.
    Odoo administrator: 2 documents are parked (unknown-product): retry after you enter the barcode in Odoo
    supervisor: 1 older document is parked: decide in the list of parked documents
    IT: 1 rejected reading under the name of another site or device: correct the name in the device, then send the readings again or dismiss them
    ");
}

#[test]
fn without_a_window_the_headline_answers() {
    let mut status = status(|s, _| {
        (s.events.posted, s.events.stored) = (6, 6);
    });
    status.window = None;
    let answer = answer(&status, now(), Words::ENGLISH);
    assert_eq!(answer.mood, Mood::Good);
    assert_eq!(answer.sentence, "All 6 movements are in Odoo");
}

#[test]
fn a_pause_is_named_with_its_person_and_its_end_and_the_link_is_not_blamed() {
    let paused = |until: Option<&'static str>| {
        move |s: &mut Status, w: &mut Window| {
            s.pause = Some(Pause {
                since: "2026-11-23T11:00:00Z".parse().unwrap(),
                until: until.map(|until| until.parse().unwrap()),
                by: "user:root".to_owned(),
                named: Some("anna".to_owned()),
                reason: None,
                ended: None,
            });
            // Odoo is being upgraded.
            s.odoo.link = Link::Down;
            s.odoo.since = "2026-11-23T11:30:00Z".parse().ok();
            (w.events.stored, w.events.waiting) = (3, 3);
        }
    };
    let lead = "Since the shift began at 06:00, none of 3 movements is in Odoo: 3 on the way";
    let timed = describe(paused(Some("2026-11-23T14:00:00Z")));
    let sentence = format!("anna has paused the sending to Odoo until 14:00. {lead}");
    assert_eq!(timed, (Mood::Watch, sentence, vec![]));
    let other_day = describe(paused(Some("2026-11-24T06:00:00Z")));
    assert!(
        other_day.1.contains("until 2026-11-24 06:00. "),
        "{other_day:?}"
    );
    let open = describe(paused(None));
    let sentence = format!("anna has paused the sending to Odoo. {lead}");
    assert_eq!(open, (Mood::Watch, sentence, vec![Who::It]));
    let german = Words {
        language: crate::config::Language::German,
    };
    let answer = answer(&status(paused(Some("2026-11-23T14:00:00Z"))), now(), german);
    let begin = "anna hat das Senden an Odoo bis 14:00 angehalten. ";
    assert!(answer.sentence.starts_with(begin), "{}", answer.sentence);
}
