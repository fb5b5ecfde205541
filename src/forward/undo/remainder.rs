//! What is left of an event in its document, and which quantity is to be reversed. Pure.
//!
//! A document never changes, so [`Progress::undone`] lists the events of it that were reversed. The
//! quantity to reverse is the difference that one more undone event makes: of a line that sums
//! several events the event's own part, of a line that a person corrected the corresponding part.
//!
//! [`Progress::undone`]: crate::document::Progress::undone

use rust_decimal::Decimal;

use crate::document::{Document, DocumentNumber, Line, State};
use crate::event::{Recorded, Seq};
use crate::forward::resolve::Undoing;
use crate::journal::Entry;

use crate::reason::Flag;

/// The state of an event that is to be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remainder {
    /// This document must end first.
    GoodsWaits(DocumentNumber),
    /// The event is in this parked document, and can be removed from it.
    Parked,
    /// Odoo has the event, through the document at this position of the chain.
    Moved(usize),
    /// Odoo may still hold the event open, and refuses to cancel it.
    Stuck(usize),
    /// Odoo has nothing of the event, and will get nothing of it.
    Never,
}

/// Finds the state of an event. `chain`: the document that has the event, then the document that
/// this one corrects, and so on.
#[must_use]
pub fn find_remainder(chain: &[Entry], seq: Seq) -> Remainder {
    let Some(last) = chain.first() else {
        return Remainder::Never;
    };
    let flagged =
        |entry: &Entry, flag: Flag| entry.progress.flags.iter().any(|known| *known == flag);
    // A corrected document may have been posted all the same; then a person must end the
    // correction.
    let earlier = |place: usize, entry: &Entry| -> Option<Remainder> {
        if flagged(entry, Flag::PostedInOdoo) {
            return place_of(entry, seq).map(|_| Remainder::Moved(place));
        }
        if entry.progress.attempts == 0 || flagged(entry, Flag::Withdrawn) {
            return None;
        }
        // A corrected document is withdrawn when its correction is sent, and then not again.
        let stuck = flagged(entry, Flag::LeftInOdoo) || entry.progress.state == State::Replaced;
        Some(if stuck {
            Remainder::Stuck(place)
        } else {
            Remainder::GoodsWaits(entry.document.number)
        })
    };
    let before = || (chain.iter().enumerate().skip(1)).find_map(|(place, old)| earlier(place, old));
    let is_in = place_of(last, seq).is_some();
    match last.progress.state {
        State::Posted if is_in => Remainder::Moved(0),
        State::Posted => Remainder::Never,
        State::Parked if is_in => Remainder::Parked,
        State::Waiting | State::Sending if is_in => Remainder::GoodsWaits(last.document.number),
        State::Waiting | State::Sending | State::Parked => match before() {
            Some(_) => Remainder::GoodsWaits(last.document.number),
            None => Remainder::Never,
        },
        State::Discarded => earlier(0, last).or_else(before).unwrap_or(Remainder::Never),
        // Its successor has its events.
        State::Replaced => Remainder::GoodsWaits(last.document.number),
    }
}

/// The position of the line that has the event.
fn place_of(entry: &Entry, seq: Seq) -> Option<usize> {
    let mut lines = entry.document.lines.iter();
    lines.position(|line| line.events.contains(&seq))
}

/// The quantity of a line that is left after these events are undone. `said` is the quantity that
/// an event reports.
fn left(line: &Line, undone: &[Seq], said: impl Fn(Seq) -> Decimal) -> Decimal {
    let back = line.events.iter().filter(|seq| undone.contains(seq));
    if back.clone().count() == line.events.len() {
        return Decimal::ZERO;
    }
    let back: Decimal = back.map(|seq| said(*seq)).sum();
    (line.goods.quantity - back).max(Decimal::ZERO)
}

impl Undoing {
    /// The part of this event in a document that Odoo has, for the undoing document. `None`: the
    /// event is in no line of the document, or was undone before.
    #[must_use]
    pub fn of(
        undo: &Document,
        entry: &Entry,
        event: &Recorded,
        said: impl Fn(Seq) -> Decimal + Copy,
    ) -> Option<Self> {
        let (document, before) = (&entry.document, &entry.progress.undone);
        let place = place_of(entry, event.seq).filter(|_| !before.contains(&event.seq))?;
        let after = [&before[..], &[event.seq]].concat();
        let line = &document.lines[place];
        let taken = Line {
            goods: line
                .goods
                .with_quantity(left(line, before, said) - left(line, &after, said)),
            events: vec![event.seq],
        };
        let mut lines = vec![taken];
        if document.purpose.is_about_order() {
            let stays = document.lines.iter().map(|line| Line {
                goods: line.goods.with_quantity(left(line, &after, said)),
                events: line.events.clone(),
            });
            lines.extend(stays.filter(|line| !line.goods.quantity.is_zero()));
        }
        Some(Self {
            number: document.number,
            key: document.key,
            seq: event.seq,
            picking: entry.progress.odoo.as_ref().map(|odoo| odoo.id),
            plan: entry.progress.plan.clone(),
            place,
            document: Document {
                purpose: document.purpose.clone(),
                lines,
                ..undo.clone()
            },
        })
    }
}

/// Builds a parked document without an event, which replaces the original. `None`: nothing would be
/// left.
#[must_use]
pub fn without(
    old: &Document,
    seq: Seq,
    now: jiff::Timestamp,
    said: impl Fn(Seq) -> Decimal + Copy,
) -> Option<Document> {
    let lines = old.lines.iter().map(|line| Line {
        goods: line.goods.with_quantity(left(line, &[seq], said)),
        events: (line.events.iter().copied())
            .filter(|of| *of != seq)
            .collect(),
    });
    let lines: Vec<Line> = lines.filter(|line| !line.events.is_empty()).collect();
    if lines.is_empty() {
        return None;
    }
    Some(Document {
        number: DocumentNumber::ZERO,
        key: old.key.corrected(),
        sealed: now,
        corrects: Some(old.number),
        lines,
        ..old.clone()
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::document::{DocumentKey, Progress, Purpose};
    use crate::event::{Action, Event, Goods, Measures, Name, SourceKind};

    /// Lines with the events that made them; each event reports a quantity of 2.
    fn entry(number: u64, state: State, lines: &[(i64, &[u64])]) -> Entry {
        let line = |(quantity, events): &(i64, &[u64])| Line {
            goods: Goods {
                product: format!("P{}", events[0]),
                quantity: (*quantity).into(),
                ..Goods::default()
            },
            events: events.iter().copied().map(Seq::new).collect(),
        };
        let document = Document {
            number: DocumentNumber::new(number),
            key: DocumentKey([1; 16]),
            purpose: Purpose::Transfer,
            group: "pda-1".to_owned(),
            lines: lines.iter().map(line).collect(),
            occurred: Timestamp::UNIX_EPOCH,
            sealed: Timestamp::UNIX_EPOCH,
            events: lines
                .iter()
                .flat_map(|(_, events)| events.iter().copied().map(Seq::new))
                .collect(),
            corrects: None,
            times: Vec::new(),
            flags: Vec::new(),
        };
        let progress = Progress {
            state,
            attempts: 1,
            reason: None,
            odoo: None,
            since: Timestamp::UNIX_EPOCH,
            plan: None,
            decision: None,
            flags: Vec::new(),
            undone: Vec::new(),
        };
        Entry { document, progress }
    }

    fn flagged(mut entry: Entry, flag: Flag) -> Entry {
        entry.progress.flags.push(flag.into());
        entry
    }

    fn said(_: Seq) -> Decimal {
        2.into()
    }

    fn event(seq: u64) -> Recorded {
        let event = Event {
            device: Name::new("pda-1").unwrap(),
            id: seq.to_string(),
            id_derived: false,
            source: SourceKind::Listen,
            at: Timestamp::UNIX_EPOCH,
            received: Timestamp::UNIX_EPOCH,
            measures: Measures::new(),
            operator: None,
            flags: Vec::new(),
            action: Action::Validate {
                order: "S1".to_owned(),
            },
        };
        Recorded {
            seq: Seq::new(seq),
            event,
        }
    }

    #[test]
    fn it_follows_the_document_that_has_the_event() {
        let lines: &[(i64, &[u64])] = &[(4, &[1, 2])];
        let stands = |state| find_remainder(&[entry(5, state, lines)], Seq::new(2));
        assert_eq!(
            stands(State::Waiting),
            Remainder::GoodsWaits(DocumentNumber::new(5))
        );
        assert_eq!(
            stands(State::Sending),
            Remainder::GoodsWaits(DocumentNumber::new(5))
        );
        assert_eq!(stands(State::Parked), Remainder::Parked);
        assert_eq!(stands(State::Posted), Remainder::Moved(0));
        // The open part of the document in Odoo is withdrawn first.
        assert_eq!(
            stands(State::Discarded),
            Remainder::GoodsWaits(DocumentNumber::new(5))
        );
        let discarded = |flag| {
            find_remainder(
                &[flagged(entry(5, State::Discarded, lines), flag)],
                Seq::new(2),
            )
        };
        assert_eq!(discarded(Flag::Withdrawn), Remainder::Never);
        assert_eq!(discarded(Flag::PostedInOdoo), Remainder::Moved(0));
        assert_eq!(discarded(Flag::LeftInOdoo), Remainder::Stuck(0));
        // A person left its line out.
        let without = |state| find_remainder(&[entry(5, state, &[(2, &[1])])], Seq::new(2));
        assert_eq!(without(State::Posted), Remainder::Never);
        assert_eq!(without(State::Waiting), Remainder::Never);
        assert_eq!(without(State::Parked), Remainder::Never);
    }

    #[test]
    fn a_corrected_document_may_have_been_posted_all_the_same() {
        let lines: &[(i64, &[u64])] = &[(4, &[1, 2])];
        let old = |flag: Flag| flagged(entry(5, State::Replaced, lines), flag);
        let new = |state| entry(6, state, &[(2, &[1])]);
        let stands = |state, flag| find_remainder(&[new(state), old(flag)], Seq::new(2));
        assert_eq!(
            stands(State::Parked, Flag::PostedInOdoo),
            Remainder::GoodsWaits(DocumentNumber::new(6))
        );
        assert_eq!(stands(State::Posted, Flag::PostedInOdoo), Remainder::Never);
        let mut dropped = new(State::Discarded);
        dropped.progress.attempts = 0;
        let stands = |old| find_remainder(&[dropped.clone(), old], Seq::new(2));
        assert_eq!(stands(old(Flag::PostedInOdoo)), Remainder::Moved(1));
        assert_eq!(stands(old(Flag::Withdrawn)), Remainder::Never);
        // The document is not withdrawn any more.
        assert_eq!(
            stands(entry(5, State::Replaced, lines)),
            Remainder::Stuck(1)
        );
    }

    #[test]
    fn of_a_line_only_the_events_own_part_goes_and_the_last_takes_the_rest() {
        let undo = entry(9, State::Waiting, &[(2, &[9])]).document;
        // A person made 5 of 2 and 2.
        let mut posted = entry(5, State::Posted, &[(5, &[1, 2])]);
        let first = Undoing::of(&undo, &posted, &event(1), said).unwrap();
        let line = &first.document.lines[0];
        assert_eq!(
            (line.goods.quantity, line.events.as_slice()),
            (2.into(), &[Seq::new(1)][..])
        );
        assert_eq!(first.document.number, DocumentNumber::new(9));
        assert_eq!(first.number, DocumentNumber::new(5));
        posted.progress.undone.push(Seq::new(1));
        assert_eq!(Undoing::of(&undo, &posted, &event(1), said), None);
        let last = Undoing::of(&undo, &posted, &event(2), said).unwrap();
        assert_eq!(last.document.lines[0].goods.quantity, 3.into());
        assert_eq!(Undoing::of(&undo, &posted, &event(7), said), None);
        // For an order, the undo states the quantity that stays.
        posted.progress.undone.clear();
        posted.document.purpose = Purpose::Pick {
            order: "S1".to_owned(),
        };
        let of_order = Undoing::of(&undo, &posted, &event(1), said).unwrap();
        let quantities: Vec<_> = of_order
            .document
            .lines
            .iter()
            .map(|l| l.goods.quantity)
            .collect();
        assert_eq!(quantities, [2.into(), 3.into()]);
    }

    #[test]
    fn a_parked_document_goes_on_without_the_event() {
        let parked = entry(5, State::Parked, &[(4, &[1, 2]), (2, &[3])]).document;
        let now = Timestamp::from_second(60).unwrap();
        let new = without(&parked, Seq::new(2), now, said).unwrap();
        assert_eq!(
            (new.corrects, new.key),
            (Some(parked.number), parked.key.corrected())
        );
        assert_eq!(new.events, parked.events);
        let lines = |document: &Document| -> Vec<(Decimal, Vec<u64>)> {
            let lines = document.lines.iter();
            lines
                .map(|l| {
                    (
                        l.goods.quantity,
                        l.events.iter().copied().map(Seq::get).collect(),
                    )
                })
                .collect()
        };
        assert_eq!(lines(&new), [(2.into(), vec![1]), (2.into(), vec![3])]);
        let rest = without(&new, Seq::new(1), now, said).unwrap();
        assert_eq!(lines(&rest), [(2.into(), vec![3])]);
        assert_eq!(without(&rest, Seq::new(3), now, said), None);
    }
}
