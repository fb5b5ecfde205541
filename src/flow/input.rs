//! What a device read, as the engine takes it, and the lot that a flow awaits.

use jiff::Timestamp;

use super::looks::Look;
use super::state::{Coded, Tracking};
use crate::decode::meaning::{Label, Meaning};
use crate::event::Seq;

/// One read of a device.
#[derive(Debug, Clone)]
pub struct Input<'a> {
    /// The scan's number in the journal: events that are made of it are named after it.
    pub seq: Seq,
    /// Tells the scan from the one with the same number in another journal of the site.
    pub tag: &'a str,
    /// Its device says that it may have sent the scan before.
    pub possible_repeat: bool,
    /// When it was scanned, as the device says: the time of the events.
    pub at: Timestamp,
    /// When the gateway had it: pauses are told by it.
    pub now: Timestamp,
    /// As it was scanned.
    pub code: &'a str,
    pub read: Read,
    /// As the device says; the badge that was scanned counts where it says nothing.
    pub operator: Option<&'a str>,
    /// Of the product that was read.
    pub tracking: Tracking,
    /// What the code says of a lot or serial number.
    pub lot: LotRead,
    /// Of the product that was read; `None`: the copy of Odoo's data does not have it.
    pub product: Option<Coded>,
    /// What its label says besides.
    pub label: &'a Label,
    /// The name of a package that this read may begin.
    pub package: &'a str,
}

/// What the code of a read means, or why it has no meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    Means(Meaning),
    /// It has more than one meaning, and none is guessed.
    Unclear,
    /// It says what it is, and is no valid one.
    Damaged,
    /// What its label measures is no quantity in the product's unit.
    Unfit {
        product: String,
        measure: String,
    },
}

/// The lot or serial number that a flow awaits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// The code of its product.
    pub product: String,
    pub is_serial: bool,
    /// The product lacks it. Else the product has a serial number, and the next one is one more of
    /// it.
    pub is_lacking: bool,
    /// The movement takes the name of a lot that Odoo does not have: goods are received or counted.
    pub may_be_new: bool,
    /// The serial number that was read before in a row.
    pub previous: Option<String>,
}

/// What a code says of a lot or serial number besides its meaning.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LotRead {
    /// The name of a lot or serial number that Odoo does not have for the product.
    pub new: Option<String>,
    /// What the text looks like that is taken for a new lot; `None` where it may well be one.
    pub looks_like: Option<Look>,
    /// The batch and the serial number that a label says which is a lot alone.
    pub batch: Option<String>,
    pub serial: Option<String>,
    /// The site's GS1 nomenclature takes (21) for a lot.
    pub is_serial_a_lot: bool,
    /// The product that was read is the one whose lot is awaited.
    pub is_of_awaited: bool,
    /// The product that was read is what (02) says is in a package, and its SSCC is another barcode
    /// of the label.
    pub is_content: bool,
}

/// The name by which a product is tracked, of the batch or lot, (10), and the serial number, (21),
/// that a label says. A batch is no serial number; a serial number is a lot only where the site
/// says so.
pub fn tracked_name<'a>(
    tracking: Tracking,
    (batch, serial): (Option<&'a str>, Option<&'a str>),
    is_serial_a_lot: bool,
) -> Option<&'a str> {
    match tracking {
        // Odoo takes no lot for what is not tracked, whatever the label says.
        Tracking::No => None,
        Tracking::Serial => serial,
        Tracking::Lot => batch.or(serial.filter(|_| is_serial_a_lot)),
        Tracking::Unknown => serial.or(batch),
    }
}
