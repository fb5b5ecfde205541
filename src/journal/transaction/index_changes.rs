//! The search index, within the writer's transaction: segments of events, and the terms of
//! documents.
//!
//! The terms of a document (its picking, and its reason while it is parked or discarded) change
//! with its progress, in the same transaction. A document that replaces another has the texts of
//! its lines as terms, too, because they are not those of its events. So the terms are always
//! complete, except while the documents of an older version are added.

use std::collections::BTreeSet;

use redb::ReadableTable as _;

use super::Transaction;
use crate::document::{Document, DocumentNumber, Line, Progress, State};
use crate::event::Seq;
use crate::journal::index::IndexPart;
use crate::journal::stored::{self, SegmentHead};
use crate::journal::terms::{DocumentTermKind, TermKind, fold};
use crate::journal::{Fatal, tables};

/// Limit of the documents of an older version whose terms one request adds.
const DOCUMENTS_MAX: usize = 500;
/// Limit of the bytes of a document's term.
const DOCUMENT_TERM_BYTES_MAX: usize = 256;

/// The terms of a document, as stored.
fn terms(progress: &Progress) -> impl Iterator<Item = (u8, String)> {
    let picking = progress.odoo.as_ref().map(|odoo| odoo.name.as_str());
    let is_refused = matches!(progress.state, State::Parked | State::Discarded);
    let reason = progress.reason.as_ref().filter(|_| is_refused);
    let reason = reason.map(|reason| reason.code.to_string());
    let picking = picking.map(|name| term(DocumentTermKind::Picking, name));
    let reason = reason.map(|code| term(DocumentTermKind::Reason, &code));
    [picking, reason].into_iter().flatten()
}

/// The texts of the lines of a document that replaces another, and its order, as stored.
fn line_terms(document: &Document) -> BTreeSet<(u8, String)> {
    if document.corrects.is_none() {
        return BTreeSet::new();
    }
    let order = document.purpose.order();
    let order = order.map(|order| (TermKind::Order, order));
    let of_line = |line: &'_ Line| {
        let goods = &line.goods;
        let texts = [
            (TermKind::Product, Some(&goods.product)),
            (TermKind::Location, goods.from.as_ref()),
            (TermKind::Location, goods.to.as_ref()),
            (TermKind::Lot, goods.lot.as_ref()),
            (TermKind::Package, goods.package.as_ref()),
        ];
        let texts = texts.into_iter();
        let texts = texts.filter_map(|(kind, text)| Some((kind, text?.clone())));
        texts.collect::<Vec<_>>()
    };
    let lines = document.lines.iter().flat_map(of_line);
    let order = order.map(|(kind, text)| (kind, text.to_owned()));
    let texts = order.into_iter().chain(lines);
    let texts = texts.filter(|(_, text)| !text.is_empty());
    texts
        .map(|(kind, text)| term(DocumentTermKind::Line(kind), &text))
        .collect()
}

fn term(kind: DocumentTermKind, text: &str) -> (u8, String) {
    let mut folded = fold(text);
    folded.truncate(folded.floor_char_boundary(DOCUMENT_TERM_BYTES_MAX));
    (stored::document_term_number(kind), folded)
}

impl Transaction<'_> {
    /// Stores a part of a segment.
    pub fn index(&mut self, part: &IndexPart) -> Result<(), Fatal> {
        let mut blocks = self.write.open_table(tables::SEARCH_BLOCKS)?;
        if part.is_first {
            let after = part.after.next().get();
            blocks.remove_range((after, &[][..], 0)..)?;
        }
        let segment = part.segment.get();
        for block in &part.blocks {
            let key = (segment, block.text.as_slice(), block.number);
            blocks.insert(key, block.bytes.as_slice())?;
        }
        if let Some(mut head) = part.head {
            // Events may have been pruned after they were read for this segment.
            head.is_pruned |= self.cursors.newest_pruned >= head.first;
            self.put_head(part.segment, head)?;
        }
        Ok(())
    }

    fn put_head(&mut self, segment: Seq, head: SegmentHead) -> Result<(), Fatal> {
        self.write
            .open_table(tables::SEARCH_SEGMENTS)?
            .insert(segment.get(), stored::segment_head_in(head)?.as_slice())?;
        Ok(())
    }

    /// Removes the newest segment after this event, of a version that this one cannot read. Returns
    /// whether there was one.
    pub fn drop_segment(&mut self, after: Seq) -> Result<bool, Fatal> {
        let heads = self.write.open_table(tables::SEARCH_SEGMENTS)?;
        let last = heads.range(after.next().get()..)?.next_back().transpose()?;
        let last = last.map(|(segment, _)| segment.value());
        drop(heads);
        if let Some(segment) = last {
            self.remove_segment(segment)?;
        }
        Ok(last.is_some())
    }

    fn remove_segment(&mut self, segment: u64) -> Result<(), Fatal> {
        self.write
            .open_table(tables::SEARCH_SEGMENTS)?
            .remove(segment)?;
        let next = segment.saturating_add(1);
        self.write
            .open_table(tables::SEARCH_BLOCKS)?
            .remove_range((segment, &[][..], 0)..(next, &[][..], 0))?;
        Ok(())
    }

    /// Removes the segments of which no event is left, and marks those that lost some. `pruned`:
    /// the events that this request removed.
    pub(super) fn prune_index(&mut self, pruned: &mut [Seq]) -> Result<(), Fatal> {
        pruned.sort_unstable();
        let mut done = Seq::ZERO;
        for seq in pruned.iter() {
            if *seq <= done {
                continue;
            }
            let Some((segment, head)) = self.segment_from(*seq)? else {
                return Ok(());
            };
            done = Seq::new(segment);
            // The segment of a newer version has no known first event: it is made again.
            let Some(head) = head else { continue };
            let left = self.events.range(head.first.get()..=segment)?.next();
            if left.transpose()?.is_none() {
                self.remove_segment(segment)?;
            } else if !head.is_pruned {
                let is_pruned = true;
                self.put_head(done, SegmentHead { is_pruned, ..head })?;
            }
        }
        Ok(())
    }

    /// The segment that has this event or a later one: its key, and its head. No head: another
    /// version wrote the segment.
    fn segment_from(&self, seq: Seq) -> Result<Option<(u64, Option<SegmentHead>)>, Fatal> {
        let heads = self.write.open_table(tables::SEARCH_SEGMENTS)?;
        let found = heads.range(seq.get()..)?.next().transpose()?;
        Ok(found.map(|(segment, head)| {
            let head = stored::segment_head_out(head.value());
            (segment.value(), head.ok())
        }))
    }

    /// Changes the terms of a document with its progress. `None`: the document is new, or removed.
    pub(super) fn change_terms(
        &mut self,
        number: DocumentNumber,
        before: Option<&Progress>,
        after: Option<&Progress>,
    ) -> Result<(), Fatal> {
        let before: Vec<_> = before.into_iter().flat_map(terms).collect();
        let after: Vec<_> = after.into_iter().flat_map(terms).collect();
        if before == after {
            return Ok(());
        }
        let mut table = self.write.open_table(tables::DOCUMENT_TERMS)?;
        for (kind, text) in before.iter().filter(|term| !after.contains(term)) {
            table.remove((*kind, text.as_str(), number.get()))?;
        }
        for (kind, text) in after.iter().filter(|term| !before.contains(term)) {
            table.insert((*kind, text.as_str(), number.get()), ())?;
        }
        Ok(())
    }

    /// Adds the texts of the lines of a document that replaces another.
    pub(super) fn add_line_terms(&mut self, document: &Document) -> Result<(), Fatal> {
        let terms = line_terms(document);
        if terms.is_empty() {
            return Ok(());
        }
        let mut table = self.write.open_table(tables::DOCUMENT_TERMS)?;
        for (kind, text) in &terms {
            table.insert((*kind, text.as_str(), document.number.get()), ())?;
        }
        Ok(())
    }

    pub(super) fn remove_line_terms(&mut self, document: &Document) -> Result<(), Fatal> {
        let terms = line_terms(document);
        if terms.is_empty() {
            return Ok(());
        }
        let mut table = self.write.open_table(tables::DOCUMENT_TERMS)?;
        for (kind, text) in &terms {
            table.remove((*kind, text.as_str(), document.number.get()))?;
        }
        Ok(())
    }

    /// Adds the terms of documents that an older version stored, a part in each call. Returns
    /// whether there are more.
    pub fn add_old_terms(&mut self) -> Result<bool, Fatal> {
        Ok(self.add_old_terms_of_progress()? || self.add_old_line_terms()?)
    }

    fn add_old_line_terms(&mut self) -> Result<bool, Fatal> {
        let mut meta = self.write.open_table(tables::META)?;
        let upto = meta
            .get(tables::LINE_TERMS_UPTO)?
            .map(|upto| upto.value().to_vec());
        let Some(from) = stored::terms_upto_out(upto.as_deref())? else {
            return Ok(false);
        };
        let mut found = Vec::new();
        let documents = self.write.open_table(tables::DOCUMENTS)?;
        for entry in documents.range(from.next().get()..)?.take(DOCUMENTS_MAX) {
            let (number, bytes) = entry?;
            let number = DocumentNumber::new(number.value());
            found.push(stored::document_out(number, bytes.value())?);
        }
        drop(documents);
        for document in &found {
            self.add_line_terms(document)?;
        }
        let upto = found.last().map(|document| document.number);
        let stored = stored::terms_upto_in(upto);
        meta.insert(tables::LINE_TERMS_UPTO, stored.as_slice())?;
        Ok(upto.is_some())
    }

    fn add_old_terms_of_progress(&mut self) -> Result<bool, Fatal> {
        let mut meta = self.write.open_table(tables::META)?;
        let upto = meta
            .get(tables::TERMS_UPTO)?
            .map(|upto| upto.value().to_vec());
        let Some(from) = stored::terms_upto_out(upto.as_deref())? else {
            return Ok(false);
        };
        let mut found = Vec::new();
        let progress = self.write.open_table(tables::PROGRESS)?;
        for entry in progress.range(from.next().get()..)?.take(DOCUMENTS_MAX) {
            let (number, bytes) = entry?;
            let number = DocumentNumber::new(number.value());
            found.push((number, stored::progress_out(bytes.value())?));
        }
        drop(progress);
        for (number, progress) in &found {
            self.change_terms(*number, None, Some(progress))?;
        }
        let upto = found.last().map(|(number, _)| *number);
        meta.insert(tables::TERMS_UPTO, stored::terms_upto_in(upto).as_slice())?;
        Ok(upto.is_some())
    }
}
