//! Joins all faults of a document into one reason, so that a person can correct them in one round.
//! Pure.

use crate::document::Reason;
use crate::reason::ReasonCode;

/// The most faults that one message names.
const NAMED_MAX: usize = 100;

/// A fault in a line of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The index of the line in the document, from 0.
    pub line: usize,
    pub reason: Reason,
}

impl Fault {
    pub fn new(line: usize, code: ReasonCode, message: impl Into<String>) -> Self {
        let reason = Reason {
            code: code.into(),
            message: message.into(),
            lines: Vec::new(),
        };
        Self { line, reason }
    }
}

/// Joins all faults into one reason. Its code is the code of the first line. `None`: there is no
/// fault.
pub fn join(mut faults: Vec<Fault>) -> Option<Reason> {
    faults.sort_by_key(|fault| fault.line);
    let mut faults = faults.into_iter();
    let Fault { line, reason } = faults.next()?;
    Some(extend(reason.at(line), faults.collect()))
}

/// Adds faults of other lines to a reason. If no other line has a fault, the reason is unchanged.
pub fn extend(mut first: Reason, others: Vec<Fault>) -> Reason {
    if !others.is_empty() && first.lines.is_empty() {
        first.lines.push(first.of(None));
    }
    for Fault { line, reason } in &others {
        let fault = reason.of(Some(*line));
        if !first.lines.contains(&fault) {
            first.lines.push(fault);
        }
    }
    let mut same = Vec::new();
    let mut messages: Vec<(String, Vec<usize>)> = Vec::new();
    for Fault { line, reason } in others {
        let lines = if reason.message == first.message {
            &mut same
        } else if let Some(at) = (messages.iter()).position(|(known, _)| *known == reason.message) {
            &mut messages[at].1
        } else {
            messages.push((reason.message, Vec::new()));
            &mut messages.last_mut().expect("it was pushed").1
        };
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    Reason {
        message: describe(&first.message, &same, &messages),
        ..first
    }
}

/// Joins several differences into one sentence. `None`: there are no differences.
pub fn list(mut differences: Vec<String>) -> Option<String> {
    let more = differences.len().saturating_sub(NAMED_MAX);
    differences.truncate(NAMED_MAX);
    if more > 0 {
        differences.push(format!("and {more} more"));
    }
    (!differences.is_empty()).then(|| differences.join("; "))
}

/// Adds to Odoo's refusal of a document with several lines that other lines may have a fault, too:
/// Odoo stops at the first fault.
pub fn describe_refusal(message: String, lines: usize) -> String {
    if lines < 2 {
        return message;
    }
    format!(
        "{message} (Odoo stops at the first fault: other lines of this document may have a fault, too)"
    )
}

/// Describes all faults in one message. `same`: the other lines that have the first fault.
/// `others`: each other fault with its lines.
fn describe(first: &str, same: &[usize], others: &[(String, Vec<usize>)]) -> String {
    // The remedy follows the first fault, and is not repeated for a fault with the same remedy.
    let remedy = remedy(first);
    let short = |message: &str| {
        let what = remedy.and_then(|remedy| message.strip_suffix(remedy)?.strip_suffix(": "));
        what.unwrap_or(message).to_owned()
    };
    let mut parts = vec![first.to_owned()];
    if !same.is_empty() {
        parts.push(format!("also {}", name_lines(same)));
    }
    let named = others.iter().take(NAMED_MAX);
    parts.extend(
        named.map(|(message, lines)| format!("also {}: {}", name_lines(lines), short(message))),
    );
    if let more @ 1.. = others.len().saturating_sub(NAMED_MAX) {
        parts.push(format!("and {more} more"));
    }
    parts.join("; ")
}

/// The part of a message that says what to do.
fn remedy(message: &str) -> Option<&str> {
    message.rsplit_once(": ").map(|(_, remedy)| remedy)
}

fn name_lines(lines: &[usize]) -> String {
    let numbers: Vec<String> = lines.iter().map(|line| (line + 1).to_string()).collect();
    match numbers.as_slice() {
        [one] => format!("line {one}"),
        [first @ .., last] => format!("lines {} and {last}", first.join(", ")),
        [] => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REMEDY: &str = "enter it there, and the gateway retries by itself";

    fn unknown(line: usize, code: &str) -> Fault {
        let message = format!("no product in Odoo has the barcode {code}: {REMEDY}");
        Fault::new(line, ReasonCode::UnknownProduct, message)
    }

    fn message(faults: Vec<Fault>) -> String {
        join(faults).expect("a fault").message
    }

    #[test]
    fn each_fault_is_named_with_its_line_and_the_remedy_once() {
        assert_eq!(join(Vec::new()), None);
        let first = unknown(0, "A").reason.message;
        assert_eq!(message(vec![unknown(0, "A")]), first);
        assert_eq!(
            message(vec![unknown(0, "A"), unknown(1, "B"), unknown(6, "C")]),
            format!(
                "{first}; also line 2: no product in Odoo has the barcode B; also line 7: no product in Odoo has the barcode C"
            )
        );
        // A fault with another remedy names its own remedy.
        let twice = "B is more than one product: make them different in Odoo";
        let faults = vec![
            unknown(0, "A"),
            Fault::new(1, ReasonCode::AmbiguousProduct, twice),
        ];
        assert_eq!(message(faults), format!("{first}; also line 2: {twice}"));
        let many: Vec<_> = (0..202).map(|at| unknown(at, &at.to_string())).collect();
        let many = message(many);
        assert_eq!(many.matches("also line").count(), NAMED_MAX);
        assert!(many.ends_with("; and 101 more"), "{many}");
    }

    #[test]
    fn each_line_has_its_own_faults_and_the_document_those_of_all() {
        let line = |line, reason: &Reason| reason.of(line);
        let (a, b) = (unknown(0, "A").reason, unknown(2, "B").reason);
        let joined = join(vec![unknown(0, "A"), unknown(1, "A"), unknown(2, "B")]).unwrap();
        let own = [line(Some(0), &a), line(Some(1), &a), line(Some(2), &b)];
        assert_eq!(joined.lines, own);
        // A fault of the order belongs to no line.
        let order = Fault::new(0, ReasonCode::UnknownOrder, "Odoo has no order O").reason;
        let both = extend(order.clone(), vec![unknown(2, "B")]);
        assert_eq!(both.lines, [line(None, &order), line(Some(2), &b)]);
        assert!(extend(order, Vec::new()).lines.is_empty());
    }

    #[test]
    fn each_line_with_one_fault_is_named() {
        let first = unknown(0, "A").reason.message;
        let faults = vec![
            unknown(0, "A"),
            unknown(2, "A"),
            unknown(3, "B"),
            unknown(4, "B"),
            unknown(4, "B"),
            unknown(5, "B"),
        ];
        assert_eq!(
            message(faults),
            format!(
                "{first}; also line 3; also lines 4, 5 and 6: no product in Odoo has the barcode B"
            )
        );
    }

    #[test]
    fn what_odoo_says_of_several_lines_may_not_be_all() {
        assert_eq!(describe_refusal("No.".to_owned(), 1), "No.");
        assert!(describe_refusal("No.".to_owned(), 2).starts_with("No. (Odoo stops"));
    }
}
