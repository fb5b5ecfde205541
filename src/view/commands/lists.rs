//! `stockrelay events` and `stockrelay documents`: fetch pages until the limit is reached, the list
//! ends, or Ctrl-C ends a search.

use std::io::{self, Write};
use std::time::Duration;

use super::pages::Pages;
use super::rejected::list_rejected;
use super::{Client, CommandError, Done, PAGE, borrow, json_line, path};
use crate::document::DocumentNumber;
use crate::event::Seq;
use crate::view::cli::{DocumentsArgs, EventsArgs, PageArgs};
use crate::view::records::{DocumentPage, DocumentView, EventPage, EventView};
use crate::view::snapshot::Status;
use crate::view::table::{Table, time};
use crate::view::words::Words;

/// Pause between two requests for new events.
const FOLLOW_EACH: Duration = Duration::from_millis(500);

pub async fn events(client: &Client, args: &EventsArgs, out: &mut dyn Write) -> Done {
    if args.rejected {
        return list_rejected(client, &args.page, true, out).await;
    }
    let mut left = if args.follow {
        u64::MAX
    } else {
        args.page.limit
    };
    let mut after = match args.page.after {
        None if args.follow => client.get::<Status>("/v1/status").await?.journal.last_seq,
        after => Seq::new(after.unwrap_or(0)),
    };
    let mut pages = Pages::new(client);
    let (mut events, mut headings) = (Vec::new(), true);
    let mut is_interrupted = false;
    while left > 0 && !is_interrupted {
        let parameters = [
            ("after", Some(after.to_string())),
            ("limit", Some(left.min(PAGE).to_string())),
            ("device", args.device.clone()),
            ("type", args.kind.clone()),
            ("state", args.state.clone()),
            ("scans", args.scans.clone()),
            ("since", args.since.clone()),
            ("until", args.until.clone()),
        ];
        let path = path("/v1/events", &borrow(&parameters));
        let page: Option<EventPage> = pages.fetch(&path).await?;
        is_interrupted = page.is_none();
        let (mut is_searching, mut is_over) = (false, false);
        if let Some(page) = page {
            after = page.next;
            left = left.saturating_sub(page.events.len() as u64);
            (is_searching, is_over) = (page.search.is_some(), !page.more);
            events.extend(page.events);
        }
        // The events of a search make one table, so that its columns fit.
        if !is_searching || events.len() as u64 >= PAGE || args.page.json {
            pages.hide_before(events.len());
            let first = std::mem::take(&mut headings);
            write_events(&std::mem::take(&mut events), args.page.json, first, out)?;
            out.flush()?;
        }
        if is_over && !args.follow {
            break;
        }
        is_interrupted |= is_over && pages.pause(FOLLOW_EACH).await;
    }
    if is_interrupted {
        return Err(pages.interrupted::<EventPage>());
    }
    Ok(())
}

fn write_events(
    events: &[EventView],
    json: bool,
    headings: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    if json {
        return events.iter().try_for_each(|event| json_line(out, event));
    }
    let mut table = Table::new(&["SEQ", "AT", "DEVICE", "ID", "TYPE", "WHAT", "STATE", "ODOO"]);
    for event in events {
        table.row([
            event.seq.to_string(),
            time(event.at),
            event.device.clone(),
            event.id.clone(),
            event.kind.clone(),
            append_flags(describe(event), &event.flags),
            name_for_people(&event.state),
            event.odoo.clone().unwrap_or_default(),
        ]);
    }
    table.write(&mut &mut *out, headings)
}

/// Describes an event, and why its scan moved no stock.
fn describe(event: &EventView) -> String {
    let what = event.describe(Words::ENGLISH);
    match &event.wrong {
        Some(answer) => format!("{what} (not accepted: {answer})"),
        None if event.unused => format!("{what} (its device has no flow)"),
        None => what,
    }
}

/// The state as commands name it: with hyphens, as all their codes. The API has `no_document`.
fn name_for_people(state: &str) -> String {
    state.replace('_', "-")
}

/// Appends the flags of an event or document to a text.
fn append_flags(text: String, flags: &[String]) -> String {
    if flags.is_empty() {
        return text;
    }
    let space = if text.is_empty() { "" } else { " " };
    format!("{text}{space}[{}]", flags.join(", "))
}

pub async fn documents(client: &Client, args: &DocumentsArgs, out: &mut dyn Write) -> Done {
    let filter = ("state", args.state.clone());
    let fetched = fetch_documents(client, "/v1/documents", &args.page, filter).await?;
    write_documents(&fetched.documents, args.page.json, out)?;
    fetched.end()
}

/// The documents of a list.
pub(super) struct Fetched {
    pub documents: Vec<DocumentView>,
    /// Why documents are missing. `None`: none is.
    pub interrupted: Option<CommandError>,
}

impl Fetched {
    pub fn end(self) -> Done {
        self.interrupted.map_or(Ok(()), Err)
    }
}

/// Fetches all pages of a list of documents before any is printed, so that the table's columns fit.
pub(super) async fn fetch_documents(
    client: &Client,
    base: &str,
    args: &PageArgs,
    filter: (&str, Option<String>),
) -> Result<Fetched, CommandError> {
    let mut documents = Vec::new();
    let mut after = DocumentNumber::new(args.after.unwrap_or(0));
    let mut left = args.limit;
    let mut pages = Pages::new(client);
    while left > 0 {
        let parameters = [
            ("after", Some(after.to_string())),
            ("limit", Some(left.min(PAGE).to_string())),
            filter.clone(),
        ];
        let path = path(base, &borrow(&parameters));
        let Some(page) = pages.fetch::<DocumentPage>(&path).await? else {
            let interrupted = Some(pages.interrupted::<DocumentPage>());
            return Ok(Fetched {
                documents,
                interrupted,
            });
        };
        after = page.next;
        left = left.saturating_sub(page.documents.len() as u64);
        documents.extend(page.documents);
        if !page.more {
            break;
        }
    }
    Ok(Fetched {
        documents,
        interrupted: None,
    })
}

pub(super) fn write_documents(
    documents: &[DocumentView],
    json: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    if json {
        return documents
            .iter()
            .try_for_each(|document| json_line(out, document));
    }
    let headings = [
        "NUMBER", "KEY", "STATE", "SINCE", "GROUP", "LINES", "EVENTS", "ODOO", "REASON",
    ];
    let mut table = Table::new(&headings);
    for document in documents {
        let reason = document.reason.as_ref();
        table.row([
            document.number.to_string(),
            document.key.clone(),
            document.state.clone(),
            time(document.since),
            document.group.clone(),
            document.lines.len().to_string(),
            document.events.to_string(),
            document.odoo.clone().unwrap_or_default(),
            append_flags(
                reason.map_or(String::new(), |r| format!("{}: {}", r.code, r.message)),
                &document.flags,
            ),
        ]);
    }
    table.write(&mut &mut *out, true)
}
