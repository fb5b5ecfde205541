//! Finds the event or document that a name means, for `trace`; and the products that a word means.

use super::super::Gateway;
use super::hits::{kind_of, term_kind, text_in};
use super::{FIND_TIME, SearchQuery};
use crate::catalog::ProductsNamed;
use crate::clock;
use crate::document::DocumentNumber;
use crate::event::Recorded;
use crate::journal::terms::{Kinds, Needle, TermKind};
use crate::journal::{Entry, JournalError, Wanted};
use crate::view::records::{HitKind, NameView};

/// Other events or documents with the name that a trace lists.
const OTHERS_MAX: usize = 20;
/// Products that a search finds by their names: each costs a lookup in all segments.
const PRODUCTS_MAX: usize = 20;

/// What a name means.
#[derive(Debug)]
pub enum Named {
    Event {
        name: NameView,
        recorded: Box<Recorded>,
        /// As ids that `trace` takes.
        others: Vec<String>,
    },
    Document {
        name: NameView,
        entry: Box<Entry>,
        others: Vec<String>,
    },
}

/// Finds a picking, an order, a barcode or another name, whole: `NAME`, or `KIND:NAME`. A picking
/// is first, then a name in an event, then a reason code.
pub fn find_named(gateway: &Gateway, id: &str) -> Result<Option<Named>, JournalError> {
    let with_kind = id.split_once(':');
    let with_kind = with_kind.and_then(|(kind, text)| Some((HitKind::named(kind)?, text)));
    let (kind, text) = with_kind.map_or((None, id), |(kind, text)| (Some(kind), text));
    let is_wanted = |of| kind.is_none_or(|kind| kind == of);
    let upto = gateway.journal.newest_document()?;
    let found = gateway.journal.find_documents(&Needle::whole(text), upto)?;
    if is_wanted(HitKind::Picking) && !found.pickings.is_empty() {
        let name_of = |entry: &Entry| entry.progress.odoo.as_ref().map(|odoo| odoo.name.clone());
        let named = named_document(gateway, HitKind::Picking, name_of, &found.numbers)?;
        if named.is_some() {
            return Ok(named);
        }
    }
    let kinds = match kind.map(term_kind) {
        None => Kinds::ALL,
        Some(Some(kind)) => Kinds::only(kind),
        Some(None) => Kinds::NONE,
    };
    if let Some(named) = named_event(gateway, &Needle::whole(text).of(kinds))? {
        return Ok(Some(named));
    }
    // A person has given the name to a document, and no event has it.
    let mut lines = found.lines;
    lines.retain(|(kind, _)| kinds.has(*kind));
    if let Some((kind, _)) = lines.first().copied() {
        let mut numbers: Vec<_> = lines.iter().map(|(_, number)| *number).collect();
        numbers.sort_unstable_by(|one, other| other.cmp(one));
        numbers.dedup();
        let name_of = |_: &Entry| Some(text.to_owned());
        return named_document(gateway, kind_of(kind), name_of, &numbers);
    }
    if is_wanted(HitKind::Reason) && !found.reasons.is_empty() {
        let name_of = |entry: &Entry| Some(entry.progress.reason.as_ref()?.code.to_string());
        return named_document(gateway, HitKind::Reason, name_of, &found.numbers);
    }
    Ok(None)
}

/// The newest of the documents. `None`: all were pruned meanwhile.
fn named_document(
    gateway: &Gateway,
    kind: HitKind,
    name_of: impl Fn(&Entry) -> Option<String>,
    numbers: &[DocumentNumber],
) -> Result<Option<Named>, JournalError> {
    let mut entries = Vec::new();
    for number in numbers.iter().take(OTHERS_MAX + 1) {
        entries.extend(gateway.journal.document(*number)?);
    }
    if entries.is_empty() {
        return Ok(None);
    }
    let entry = Box::new(entries.remove(0));
    let id = name_of(&entry);
    let others = entries.iter().map(|other| other.document.key.to_string());
    Ok(Some(Named::Document {
        name: NameView {
            kind,
            id: id.unwrap_or_default(),
        },
        others: others.collect(),
        entry,
    }))
}

fn named_event(gateway: &Gateway, needle: &Needle) -> Result<Option<Named>, JournalError> {
    if needle.kinds() == Kinds::NONE {
        return Ok(None);
    }
    let journal = &gateway.journal;
    let newest = journal.totals().last_seq;
    let mut find = journal.find_below(newest.next(), vec![needle.clone()], None);
    let deadline = clock::instant() + FIND_TIME;
    let wanted = Wanted {
        events: true,
        names: false,
    };
    let mut seqs = Vec::new();
    while !find.is_over() && seqs.is_empty() && clock::instant() < deadline {
        seqs.extend(find.read_part(wanted)?.events);
    }
    let mut found = Vec::new();
    for seq in seqs.into_iter().take(OTHERS_MAX + 1) {
        found.extend(journal.event(seq)?);
    }
    if found.is_empty() {
        return Ok(None);
    }
    let recorded = Box::new(found.remove(0));
    let mut kinds = TermKind::ALL
        .into_iter()
        .filter(|kind| needle.kinds().has(*kind));
    let name = kinds.find_map(|kind| {
        let text = text_in(&recorded, kind, needle.folded())?;
        Some(NameView {
            kind: kind_of(kind),
            id: text.to_owned(),
        })
    });
    Ok(name.map(|name| Named::Event {
        name,
        others: found
            .iter()
            .map(|other| format!("seq:{}", other.seq))
            .collect(),
        recorded,
    }))
}

/// Needles for the barcodes and references of the products that have all words of the text in their
/// names; and whether there are more such products.
pub fn product_needles(gateway: &Gateway, query: &SearchQuery) -> (Vec<Needle>, bool) {
    let is_of_kind = matches!(query.kind, Some(HitKind::Product | HitKind::Document));
    let is_wanted = query.wants_events() || is_of_kind;
    let copies = gateway.copies.as_ref().filter(|_| is_wanted);
    let Some(copy) = copies.and_then(|copies| copies.borrow().clone()) else {
        return (Vec::new(), false);
    };
    let named = copy.products_named(&query.text, PRODUCTS_MAX);
    let named = named.unwrap_or_else(|error| {
        tracing::warn!(%error, "the search does not find products by their names");
        ProductsNamed::default()
    });
    let product = Kinds::only(TermKind::Product);
    let needles = named.codes.iter();
    let needles = needles.map(|code| Needle::whole(code).of(product));
    (needles.collect(), named.is_cut)
}
