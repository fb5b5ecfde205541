//! Compares what Odoo holds with the replay.

use super::super::Report;
use super::super::model::BINS;
use super::Delivery;
use super::Gateway;
use crate::scenarios::target::Target;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use stockrelay::document::{DocumentNumber, Purpose, State};

use stockrelay::reason::ReasonCode;

impl Gateway {
    pub async fn compare(&self, target: &Target, delivery: &Delivery, report: &mut Report) {
        let history = &delivery.history;
        report.deliveries += 1;
        report.events += history.events.len();
        if self.is_order_open(delivery) {
            report.held_back += 1;
            return;
        }
        let (parked, mut why) = (self.parked(delivery, report), String::new());
        let may_be = history.may_be_parked();
        let unexpected: Vec<_> = parked.difference(&may_be).collect();
        if !unexpected.is_empty() {
            why = format!("events {unexpected:?} are parked");
        }
        report.parked += parked.len();
        let wanted = history.replay(&parked);
        for (place, bin) in self.bins.iter().enumerate() {
            let found = target.quantity(delivery.product, *bin).await;
            #[expect(clippy::cast_precision_loss, reason = "few")]
            let wanted = wanted[place] as f64;
            if (found - wanted).abs() > 1e-6 {
                let _ = write!(
                    why,
                    " bin {} holds {found}, the replay {wanted};",
                    BINS[place]
                );
            }
        }
        if !why.is_empty() {
            report.note(delivery, &format!("{why}\n{}", self.documents_of(delivery)));
        }
    }

    /// A parked undo of a pick holds the validation of the order back, and that holds back counts
    /// over the picks: a person is to end the undo first.
    pub fn is_order_open(&self, delivery: &Delivery) -> bool {
        let number = delivery
            .validated
            .map(|seq| self.journal.document_of(seq).unwrap().number());
        let entry = number
            .flatten()
            .and_then(|number| self.journal.document(number).unwrap());
        entry.is_some_and(|entry| entry.progress.state == State::Waiting)
    }

    /// The events whose documents are parked.
    pub fn parked(&self, delivery: &Delivery, report: &mut Report) -> BTreeSet<usize> {
        let mut parked = BTreeSet::new();
        for (place, recorded) in delivery.recorded.iter().enumerate() {
            let Some(recorded) = recorded else { continue };
            let number = self.journal.document_of(recorded.seq).unwrap().number();
            let entry = number.and_then(|number| self.journal.document(number).unwrap());
            let Some(entry) = entry else { continue };
            if entry.document.purpose == Purpose::Count {
                let flags = &entry.progress.flags;
                report.recounts += usize::from(flags.iter().any(|flag| flag == "recounted"));
            }
            if entry.progress.state == State::Parked {
                let reason = entry
                    .progress
                    .reason
                    .as_ref()
                    .map(|reason| reason.code.as_str());
                if reason == Some(ReasonCode::CountedSince.as_str()) {
                    parked.insert(place);
                } else {
                    report.note(
                        delivery,
                        &format!("event {place} is parked: {:?}", entry.progress.reason),
                    );
                }
            }
        }
        parked
    }

    pub fn documents_of(&self, delivery: &Delivery) -> String {
        let mut text = String::new();
        let mut after = DocumentNumber::ZERO;
        loop {
            let page = self.journal.documents(None, after, 500).unwrap();
            let Some(last) = page.last() else {
                return text;
            };
            after = last.document.number;
            for entry in page {
                let is_of =
                    |line: &stockrelay::document::Line| line.goods.product == delivery.barcode;
                if !entry.document.lines.iter().any(is_of) {
                    continue;
                }
                let (number, kind) = (entry.document.number, entry.document.purpose.kind());
                let _ = writeln!(text, "  document {number} {kind} {}:", entry.progress.state);
                for record in self.journal.audit(number).unwrap() {
                    let _ = writeln!(text, "    {}", record.note);
                }
            }
        }
    }
}
