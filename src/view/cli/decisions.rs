//! The arguments of `stockrelay parked` and `stockrelay rejected`: what a person decides.

use std::path::PathBuf;

use clap::{ArgGroup, Subcommand};

use super::PageArgs;
use crate::event::RejectedNumber;

#[derive(Debug, Subcommand)]
pub enum ParkedCommand {
    /// List parked documents, oldest first
    #[command(after_help = "\
Examples:
  stockrelay parked list --code unknown-product
  stockrelay parked list --json | jq -r .reason.code | sort | uniq -c")]
    List {
        #[command(flatten)]
        page: PageArgs,
        /// Show only documents with this reason code
        #[arg(long)]
        code: Option<String>,
    },
    /// Show one document: why it is parked, what Odoo has, the choices, its lines and its history
    #[command(
        after_help = "ID is the document's number, its key, or at least six digits of the key."
    )]
    Show {
        /// The document
        id: String,
        /// Print the JSON answer of the control API
        #[arg(long)]
        json: bool,
    },
    /// Retry documents: those that you name, or all with the same reason code
    #[command(after_help = "\
ID is the document's number, its key, or at least six digits of the key.
Some reasons take an answer: backorder, no-backorder or allow. `parked show ID` lists them.

Examples:
  stockrelay parked retry 17 18 25
  stockrelay parked retry 17 --with backorder       post now, and create a backorder for the rest
  stockrelay parked retry --code unknown-product    after you have created the product in Odoo")]
    Retry {
        /// The documents
        #[arg(value_name = "ID")]
        ids: Vec<String>,
        /// Retry all documents with this reason code
        #[arg(long, alias = "all", conflicts_with = "ids")]
        code: Option<String>,
        /// The answer to the gateway's question: backorder, no-backorder or allow
        #[arg(long, value_name = "ANSWER")]
        with: Option<String>,
        /// Why; stored with the document
        #[arg(long)]
        reason: Option<String>,
        /// Print the JSON answer of the control API
        #[arg(long)]
        json: bool,
    },
    /// Edit one document: a corrected document replaces it, and the old one stays in the history
    #[command(after_help = "\
ID is the document's number, its key, or at least six digits of the key. `parked show ID` numbers the lines.
The fields are product, quantity, from, to, lot, package, owner, expiry and best_before, where the document's type has them.
FIELD= clears an optional field; quantity=0 removes the line (in a count: nothing was found).

Examples:
  stockrelay parked edit 17 --line 1 from=LOC-A-02 --reason \"label fell off, was scanned by hand\"
  stockrelay parked edit 17 --line 1 lot=L-0815 quantity=12 --line 3 quantity=0 --reason \"as on the slip\"
  stockrelay parked edit 17 --order WH/OUT/00042 --reason \"went with the other delivery\"")]
    Edit {
        /// The document
        id: String,
        /// Why; stored with both documents
        #[arg(long)]
        reason: String,
        /// The number of a line, and the fields to change; repeat it for other lines
        #[arg(long = "line", num_args = 2.., value_names = ["N", "FIELD=VALUE"], value_parser = edit_word)]
        lines: Vec<EditWord>,
        /// Another order for the whole document; empty removes the order
        #[arg(long)]
        order: Option<String>,
        /// Print the JSON answer of the control API
        #[arg(long)]
        json: bool,
    },
    /// Discard documents: they will never be posted
    #[command(after_help = "\
ID is the document's number, its key, or at least six digits of the key.
The gateway also cancels what it has created for the document in Odoo and not posted.

Examples:
  stockrelay parked discard 17 --reason \"counted by hand, corrected in Odoo by anna\"
  stockrelay parked discard 17 18 25 --reason \"test of a new device\"")]
    Discard {
        /// The documents
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
        /// Why; stored with the document
        #[arg(long)]
        reason: String,
        /// Print the JSON answer of the control API
        #[arg(long)]
        json: bool,
    },
    /// Undo the discard of one document: a new document with the same lines is sent
    #[command(after_help = "\
ID is the document's number or its key. `stockrelay documents --state discarded` lists discarded documents.
If Odoo has the movement by now, because someone entered it by hand, the gateway posts it a second time: look there first.

Example:
  stockrelay parked undiscard 17 --reason \"the goods were moved after all\"")]
    Undiscard {
        /// The discarded document
        id: String,
        /// Why; stored with both documents
        #[arg(long)]
        reason: String,
        /// Print the JSON answer of the control API
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum RejectedCommand {
    /// List open rejected readings, oldest first
    #[command(after_help = "\
Examples:
  stockrelay rejected list
  stockrelay rejected list --all --json | jq -r .code | sort | uniq -c")]
    List {
        #[command(flatten)]
        page: PageArgs,
        /// Also list readings that are settled, or in which nothing was scanned
        #[arg(long)]
        all: bool,
    },
    /// Show one rejected reading: its payload, why it was rejected, and who settled it
    #[command(after_help = "\
Example:
  stockrelay rejected show 4")]
    Show {
        /// The reading's number, as `rejected list` shows it
        number: RejectedNumber,
        /// Print the JSON answer of the control API
        #[arg(long)]
        json: bool,
    },
    /// Send one rejected reading again: its event gets the time at which the reading was received
    #[command(after_help = "\
Exit code 1 if the payload is rejected again, 2 if the one that you gave is.

Examples:
  stockrelay rejected resend 4                                 unchanged, after you have fixed the cause
  stockrelay rejected resend 4 --payload 4006381333931 --reason \"read from the label\"
  stockrelay rejected resend 4 --payload-file event.json")]
    Resend {
        /// The reading's number, as `rejected list` shows it
        number: RejectedNumber,
        /// Send this instead of the stored payload: a barcode, or a JSON event
        #[arg(long)]
        payload: Option<String>,
        /// Read that payload from a file; - reads standard input
        #[arg(long, value_name = "FILE", conflicts_with = "payload")]
        payload_file: Option<PathBuf>,
        /// Read the payload as event or scan. Default: a changed payload with an event type is an
        /// event; any other keeps the channel of the reading
        #[arg(long)]
        channel: Option<String>,
        /// Why; the gateway stores it
        #[arg(long)]
        reason: Option<String>,
        /// Print the JSON answer of the control API
        #[arg(long)]
        json: bool,
    },
    /// Dismiss one rejected reading, or all up to a number: they create no event
    #[command(
        group = ArgGroup::new("which").args(["number", "upto", "scans"]).required(true),
        after_help = "\
Examples:
  stockrelay rejected dismiss 4 --reason \"test of a new scanner\"
  stockrelay rejected dismiss --code not-your-topic --upto 90 --reason \"site name corrected\"
  stockrelay rejected dismiss --scans --reason \"scanner without a flow\""
    )]
    Dismiss {
        /// The reading's number, as `rejected list` shows it
        number: Option<RejectedNumber>,
        /// Dismiss all open rejected readings up to this number
        #[arg(long, value_name = "NUMBER")]
        upto: Option<RejectedNumber>,
        /// With --upto: only readings with this reason code
        #[arg(long, requires = "upto")]
        code: Option<String>,
        /// With --upto: only readings of this device
        #[arg(long, value_name = "NAME", requires = "upto")]
        device: Option<String>,
        /// Dismiss all raw scans of devices without a flow
        #[arg(long)]
        scans: bool,
        /// Why; the gateway stores it
        #[arg(long)]
        reason: String,
        /// Print the JSON answer of the control API
        #[arg(long)]
        json: bool,
    },
}

/// A value after `--line`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditWord {
    Line(usize),
    Field(String, String),
}

fn edit_word(text: &str) -> Result<EditWord, String> {
    match text.split_once('=') {
        Some((field, value)) => Ok(EditWord::Field(field.to_owned(), value.to_owned())),
        None => (text.parse().map(EditWord::Line)).map_err(|_| {
            "expected a line's number or FIELD=VALUE, such as --line 1 from=LOC-A".to_owned()
        }),
    }
}
