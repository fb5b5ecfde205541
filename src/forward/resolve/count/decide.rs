//! Decides whether a count is compared with Odoo, from the other counts of its place and from spans
//! of uncertain time. Pure.

use super::Wanted;
use crate::book::{Book, Count, Doubt, SEVERAL, Span, Standing};
use crate::document::{DocumentNumber, Reason};
use crate::forward::resolve::reason;
use crate::odoo::order::odoo_time;
use crate::reason::ReasonCode;
use rust_decimal::Decimal;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum CountVerdict {
    Compare,
    /// The gateway posts nothing.
    Nothing {
        note: String,
        is_superseded: bool,
    },
    Park(Reason),
}

/// Decides whether a count can be compared with Odoo. `others`: all counts that are resolved
/// together, including this one. `scanned_of`: the quantity that the document of a count counted,
/// in the unit of the scanned packaging.
pub(super) fn judge(
    book: Option<&Book>,
    wanted: &Wanted,
    others: &[Wanted],
    scanned_of: &dyn Fn(DocumentNumber) -> Option<Decimal>,
) -> CountVerdict {
    let Some(book) = book else {
        return CountVerdict::Compare;
    };
    if let Some(recount) = wanted.recount {
        let newest = book.counts_of(&wanted.of).first().map(|count| count.number);
        let is_asked = |other: &Wanted| {
            other.number == wanted.number && other.recount.is_some_and(|other| other < recount)
        };
        let note = if newest != Some(wanted.number) {
            format!(
                "the count of document {} no longer applies: it was undone, or there is a newer count",
                wanted.number
            )
        } else if others.iter().any(is_asked) {
            format!(
                "another document corrects the count of document {}",
                wanted.number
            )
        } else {
            String::new()
        };
        if !note.is_empty() {
            return CountVerdict::Nothing {
                note,
                is_superseded: false,
            };
        }
    } else {
        match standing(book, wanted, others, scanned_of) {
            // The newer count applies, whichever of the two possible times is right.
            Standing::Superseded(newer)
                if wanted.allows(ReasonCode::ClockInDoubt)
                    || newer.time >= wanted.done.bounds().1 =>
            {
                return superseded(wanted, newer);
            }
            Standing::Contradicted(other)
                if !wanted.allows(ReasonCode::CountedTwice) && !is_in_doubt(wanted) =>
            {
                return CountVerdict::Park(contradicted(wanted, other));
            }
            Standing::Newest | Standing::Superseded(_) | Standing::Contradicted(_) => {}
        }
    }
    if is_in_doubt(wanted) {
        let (earliest, latest) = wanted.done.bounds();
        let message = format!(
            "the clock of the device is in doubt: the goods were counted at {} or at {} UTC. The gateway retries by itself when it knows the device's clock again; or retry and allow {}",
            odoo_time(earliest),
            odoo_time(latest),
            odoo_time(wanted.at),
        );
        return CountVerdict::Park(reason(ReasonCode::ClockInDoubt, message));
    }
    let mut reasons = (book.spans_over(&wanted.of, wanted.at)).map(|span| in_span(wanted, *span));
    match reasons.find(|reason| !(reason.code.known()).is_some_and(|code| wanted.allows(code))) {
        Some(reason) => CountVerdict::Park(reason),
        None => CountVerdict::Compare,
    }
}

fn is_in_doubt(wanted: &Wanted) -> bool {
    let is_known = wanted.done.is_unknown || wanted.allows(ReasonCode::ClockInDoubt);
    wanted.done.other.is_some() && !is_known
}

/// The standing of a count among the posted counts. The book does not have the counts that are
/// compared in the same pass, but two of those with the same place and time contradict each other,
/// too. If their times differ, the newer one is corrected when the older one is posted. The same
/// quantity in cases and in pieces at one time is a contradiction, too: the goods were counted
/// twice, or each count has half of the goods.
fn standing(
    book: &Book,
    wanted: &Wanted,
    others: &[Wanted],
    scanned_of: &dyn Fn(DocumentNumber) -> Option<Decimal>,
) -> Standing {
    let known = book.standing(&wanted.of, wanted.number, wanted.at, wanted.counted);
    let contradicts = |other: &&Wanted| {
        other.of == wanted.of
            && other.number != wanted.number
            && other.recount.is_none()
            && other.at == wanted.at
            && (other.counted, other.scanned) != (wanted.counted, wanted.scanned)
    };
    let is_another_packaging = |other: &Count| {
        let scanned = scanned_of(other.number);
        other.time == wanted.at && scanned.is_some_and(|scanned| scanned != wanted.scanned)
    };
    match others.iter().find(contradicts) {
        Some(other) if known == Standing::Newest => Standing::Contradicted(Count {
            time: other.at,
            number: other.number,
            counted: other.counted,
            recounts: 0,
        }),
        _ => match known {
            Standing::Superseded(other) if is_another_packaging(&other) => {
                Standing::Contradicted(other)
            }
            known => known,
        },
    }
}

fn superseded(wanted: &Wanted, newer: Count) -> CountVerdict {
    CountVerdict::Nothing {
        note: format!(
            "counted {} at {} UTC: superseded by the count of {} in document {} at {} UTC",
            wanted.counted.normalize(),
            odoo_time(wanted.at),
            newer.counted.normalize(),
            newer.number,
            odoo_time(newer.time)
        ),
        is_superseded: true,
    }
}

fn contradicted(wanted: &Wanted, other: Count) -> Reason {
    let message = format!(
        "this document counted {}, and another counted {} (document {}) at the same time and place ({} UTC): discard the wrong count, or retry and allow the right count; if the bin holds both, edit the right count to the sum",
        wanted.counted.normalize(),
        other.counted.normalize(),
        other.number,
        odoo_time(wanted.at)
    );
    reason(ReasonCode::CountedTwice, message)
}

fn in_span(wanted: &Wanted, span: Span) -> Reason {
    let at = odoo_time(wanted.at);
    let (from, until) = (odoo_time(span.from), odoo_time(span.until));
    match span.doubt {
        Doubt::Undone => {
            let message = format!(
                "the bin was counted at {at}, between a movement at {from} and its undo at {until} UTC (document {}): count the bin again and discard this count; or retry and allow it if the movement was real and the goods were not back yet when the bin was counted",
                span.number
            );
            reason(ReasonCode::CountedSince, message)
        }
        Doubt::Clock if span.number == SEVERAL => {
            let message = format!(
                "the bin was counted at {at}, and several documents moved goods there between {from} and {until} UTC, at unknown times, because the clock of a device was in doubt: count the bin again and discard this count, or retry and allow it"
            );
            reason(ReasonCode::ClockInDoubt, message)
        }
        Doubt::Clock | Doubt::Ended => {
            let message = format!(
                "the bin was counted at {at}, and goods moved there at {from} or at {until} UTC, because the clock of their device is in doubt (document {}): count the bin again and discard this count, or retry and allow it",
                span.number
            );
            reason(ReasonCode::ClockInDoubt, message)
        }
    }
}
