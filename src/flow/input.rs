//! The input of the engine: one scan, its meaning, and the lot that the flow expected.

use jiff::Timestamp;

use super::resemblance::Resemblance;
use super::state::{CodedProduct, Tracking};
use crate::decode::meaning::{Label, Meaning};
use crate::event::Seq;

/// One scan of a device, with its meaning.
#[derive(Debug, Clone)]
pub struct Input<'a> {
    /// The scan's `seq` in the journal, which the ids of its events contain.
    pub seq: Seq,
    /// Distinguishes the scan from the scan with the same `seq` in another journal of the site.
    pub tag: &'a str,
    /// Whether the device reports that it may have sent the scan before.
    pub possible_repeat: bool,
    /// The time of the scan by the device's clock, which the events get.
    pub at: Timestamp,
    /// When the gateway received the scan: pauses are measured by it.
    pub now: Timestamp,
    /// The code as scanned.
    pub code: &'a str,
    pub read: Read,
    /// The operator that the device reports. `None`: the last scanned badge counts.
    pub operator: Option<&'a str>,
    /// How the product of the code is tracked.
    pub tracking: Tracking,
    /// The lot or serial number in the code.
    pub lot: LotRead,
    /// The product of the code. `None`: the catalog does not have it.
    pub product: Option<CodedProduct>,
    /// The dates and other facts on the label.
    pub label: &'a Label,
    /// The name of the package that this scan may start.
    pub package: &'a str,
}

/// The meaning of a code, or why it has no meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    Means(Meaning),
    /// The code has more than one meaning.
    Unclear,
    /// The code is marked as GS1 data, as data identifiers or as a quantity, and is not valid.
    Damaged,
    /// The measure on the label cannot be converted into the product's unit.
    Unfit {
        product: String,
        measure: String,
    },
}

/// The lot or serial number that a flow expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwaitedLot {
    /// The code of the product that the lot belongs to.
    pub product: String,
    pub is_serial: bool,
    /// Whether the product still lacks its lot or serial number. Otherwise the product has a serial
    /// number, and the next one is one more piece.
    pub is_lacking: bool,
    /// Whether the movement accepts a lot that Odoo does not have: a receipt or count does.
    pub may_be_new: bool,
    /// The serial number before, in a series of scans.
    pub previous: Option<String>,
}

/// The lot or serial number in a code, apart from its meaning.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LotRead {
    /// The name of a lot or serial number, if the copy of Odoo's data does not have it for the
    /// product of the label or the last product. `None`: the code has no new lot.
    pub new: Option<String>,
    /// What the name of a new lot looks like. `None`: it looks like a lot.
    pub resemblance: Option<Resemblance>,
    /// The batch (10) and the serial number (21) of a label that means only a lot.
    pub batch: Option<String>,
    pub serial: Option<String>,
    /// Whether the site's GS1 nomenclature reads (21) as a lot.
    pub is_serial_a_lot: bool,
    /// Whether the product of the code is the one whose lot is expected.
    pub is_of_expected: bool,
    /// Whether the product is the content (02) of a package whose SSCC is another barcode of the
    /// label.
    pub is_content: bool,
}

/// The lot or serial number of a product, from the batch or lot (10) and the serial number (21) on
/// a label. A batch is never a serial number. A serial number is a lot only by a rule of the site.
pub fn tracked_name<'a>(
    tracking: Tracking,
    (batch, serial): (Option<&'a str>, Option<&'a str>),
    is_serial_a_lot: bool,
) -> Option<&'a str> {
    match tracking {
        // Odoo accepts no lot for a product that is not tracked.
        Tracking::No => None,
        Tracking::Serial => serial,
        Tracking::Lot => batch.or(serial.filter(|_| is_serial_a_lot)),
        Tracking::Unknown => serial.or(batch),
    }
}
