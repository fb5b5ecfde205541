//! `stockrelay find TEXT`: searches the journal, page by page, until the limit is reached or the
//! search ends.

use std::io::{self, IsTerminal as _, Write};

use super::{Client, Done, borrow, json_line, path};
use crate::view::cli::FindArgs;
use crate::view::records::{Hit, HitPage};
use crate::view::table::{Table, counted, grouped, time};

/// Results of one page: the most that the daemon sends.
const PAGE: u64 = 200;
/// With more events that are not indexed, the answer says so: a search reads fewer quickly.
const NOT_INDEXED_MAX: u64 = 100_000;

pub async fn find(client: &Client, args: &FindArgs, out: &mut dyn Write) -> Done {
    let mut left = args.limit;
    let mut after = args.after.clone();
    let (mut headings, mut found) = (true, false);
    let last = loop {
        let parameters = [
            ("q", Some(args.text.clone())),
            ("limit", Some(left.min(PAGE).to_string())),
            ("after", after.clone()),
            ("kind", args.kind.clone()),
            ("since", args.since.clone()),
        ];
        let page: HitPage = client
            .get(&path("/v1/search", &borrow(&parameters)))
            .await?;
        left = left.saturating_sub(page.results.len() as u64);
        found |= !page.results.is_empty();
        write_results(&page.results, args.json, headings, out)?;
        out.flush()?;
        headings &= page.results.is_empty();
        after.clone_from(&page.next);
        if left == 0 || after.is_none() {
            break page;
        }
    };
    write_rest(&last, found, args.json)?;
    Ok(())
}

fn write_results(
    results: &[Hit],
    json: bool,
    headings: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    if json {
        return results.iter().try_for_each(|hit| json_line(out, hit));
    }
    if results.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&["KIND", "ID", "TIME", "STATE", "WHAT"]);
    for hit in results {
        table.row([
            hit.kind.as_str().to_owned(),
            hit.id.clone(),
            time(hit.at),
            hit.state.clone().unwrap_or_default(),
            describe(hit),
        ]);
    }
    table.write(&mut &mut *out, headings)
}

/// The title of a result, and why its scan moved no stock.
fn describe(hit: &Hit) -> String {
    match &hit.wrong {
        Some(answer) => format!("{} (not accepted: {answer})", hit.title),
        None if hit.unused => format!("{} (its device has no flow)", hit.title),
        None => hit.title.clone(),
    }
}

/// Writes to standard error how many results there are, and how to continue.
fn write_rest(page: &HitPage, found: bool, json: bool) -> io::Result<()> {
    let mut err = io::stderr();
    if json && !err.is_terminal() && page.search.is_none() {
        return Ok(());
    }
    if !found && page.search.is_none() {
        writeln!(err, "nothing in the journal has this name")?;
    }
    let total = counted(page.total, "result");
    let least = if page.total_exact { "" } else { "at least " };
    if let Some(next) = &page.next {
        writeln!(err, "{least}{total}; continue with --after {next}")?;
    } else if found {
        writeln!(err, "{least}{total}")?;
    }
    if let Some(search) = page.search {
        writeln!(
            err,
            "the last request had no time to search {}",
            counted(search.left, "older event")
        )?;
    }
    if page.not_indexed > NOT_INDEXED_MAX {
        writeln!(
            err,
            "{} events are not indexed yet: searches are slower until they are",
            grouped(page.not_indexed)
        )?;
    }
    Ok(())
}
