//! The table of reasons of documents.

use super::Action::{Discard, Edit, Retry, With};
use super::Answer::{Allow, Backorder, NoBackorder};
use super::Choice;
use super::code::codes;
use Heals::{Clock, Goods, MasterData, No, Picks};

/// What a reason code says about a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReasonRow {
    pub code: &'static str,
    pub stage: Stage,
    pub heals: Heals,
    /// What happened.
    pub meaning: &'static str,
    /// What a person can decide; empty unless the document is parked.
    pub choices: &'static [Choice],
}

/// What has the code: a document in this stage, or only the receipt of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Parked,
    /// The document waits for another document or for the link.
    Waiting,
    /// A person discarded or replaced the document, or its device did.
    Ended,
    /// Only receipts have the code: the event has no fault, and another line parks its document.
    Receipt,
}

/// What makes the gateway try a parked document again without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heals {
    No,
    /// Odoo's master data resolves the document.
    MasterData,
    /// More goods are posted for the order that the document validates.
    Goods,
    /// Odoo has no open pick of the counted product and bin any more.
    Picks,
    /// The device shows its clock.
    Clock,
}

const fn parked(
    code: &'static str,
    heals: Heals,
    meaning: &'static str,
    choices: &'static [Choice],
) -> ReasonRow {
    ReasonRow {
        code,
        stage: Stage::Parked,
        heals,
        meaning,
        choices,
    }
}

/// A code that asks nobody for a decision.
const fn plain(code: &'static str, stage: Stage, meaning: &'static str) -> ReasonRow {
    ReasonRow {
        code,
        stage,
        heals: No,
        meaning,
        choices: &[],
    }
}

const NOT_AT_ALL: Choice = (Discard, "it is not to be posted");
const ALLOW_MORE: Choice = (
    With(Allow),
    "what was scanned is right: post more than was ordered",
);
const SHORT: [Choice; 4] = [
    (
        With(Backorder),
        "what is missing comes later: Odoo makes a backorder of it",
    ),
    (With(NoBackorder), "what is missing does not come any more"),
    (Edit, "the quantity or the order was scanned wrong"),
    NOT_AT_ALL,
];
const MORE: [Choice; 3] = [
    ALLOW_MORE,
    (Edit, "the quantity or the order was scanned wrong"),
    NOT_AT_ALL,
];
const AMBIGUOUS: [Choice; 3] = [
    (Retry, "they were made different in Odoo"),
    (Edit, "name one that is clear"),
    NOT_AT_ALL,
];
const ORDER_GONE: [Choice; 3] = [
    (Retry, "the order was put right in Odoo"),
    (Edit, "name the order that the goods went to"),
    (
        Discard,
        "Odoo has the movement already, or it is not to be posted",
    ),
];

/// The choices for a code that this version does not know.
pub const ANY: &[Choice] = &[
    (Retry, "what the message says was put right"),
    (Edit, "something was scanned wrong"),
    NOT_AT_ALL,
];

codes! {
/// Why a document is parked, waits or was ended.
ReasonCode, ReasonRow {
    UnknownProduct: parked("unknown-product", MasterData,
        "no product has this barcode or internal reference, nor a packaging", &[
        (Retry, "the barcode was entered in Odoo"),
        (Edit, "another product was meant"),
        NOT_AT_ALL,
    ]),
    UnitMismatch: parked("unit-mismatch", MasterData,
        "the unit of the packaging has no common reference with that of its product, so nobody knows how many one holds", &[
        (Retry, "the unit was changed in Odoo"),
        (Edit, "name the product, and how many of it were moved"),
        NOT_AT_ALL,
    ]),
    AmbiguousProduct: parked("ambiguous-product", MasterData,
        "more than one product has it; the message names them", &AMBIGUOUS),
    UnknownLocation: parked("unknown-location", MasterData,
        "no location has this barcode", &[
        (Retry, "the bin was entered in Odoo"),
        (Edit, "another bin was meant"),
        NOT_AT_ALL,
    ]),
    AmbiguousLocation: parked("ambiguous-location", MasterData,
        "more than one location has it; the message names them", &AMBIGUOUS),
    UnknownLot: parked("unknown-lot", MasterData,
        "the product has no lot or serial number of this name", &[
        (Retry, "the lot was entered in Odoo"),
        (Edit, "another lot was meant"),
        NOT_AT_ALL,
    ]),
    UnknownPackage: parked("unknown-package", MasterData,
        "no package has this name", &[
        (Retry, "the package was entered in Odoo"),
        (Edit, "another package was meant, or none"),
        NOT_AT_ALL,
    ]),
    AmbiguousPackage: parked("ambiguous-package", MasterData,
        "more than one package has this name", &AMBIGUOUS),
    UnknownPartner: parked("unknown-partner", MasterData,
        "no partner has this name or reference, so the owner of the goods is not known", &[
        (Retry, "the partner was entered in Odoo"),
        (Edit, "another owner was meant, or none"),
        NOT_AT_ALL,
    ]),
    AmbiguousPartner: parked("ambiguous-partner", MasterData,
        "more than one partner has the name or reference that the owner is given by", &AMBIGUOUS),
    OwnerAmbiguous: parked("owner-ambiguous", No,
        "several parties keep this product in the bin, and the line does not say whose goods were moved", &[
        (Edit, "say the owner"),
        (Retry, "only one of them has goods there by now"),
        NOT_AT_ALL,
    ]),
    BinRequired: parked("bin-required", No,
        "it is not said in which bin the goods lie", &[
        (Edit, "say the bin"),
        (Retry, "Odoo has the goods in stock now, and can reserve them"),
        NOT_AT_ALL,
    ]),
    PackageRequired: parked("package-required", No,
        "less was counted than lies in the bin in several packages, or goods were taken out of it and nobody knows out of which package", &[
        (Edit, "say which package was counted, or which one the goods were taken out of"),
        (Retry, "the packages were put right in Odoo"),
        NOT_AT_ALL,
    ]),
    NotDelivered: parked("not-delivered", No,
        "the goods that come back have not gone out yet", &[
        (Retry, "the delivery was validated"),
        (Edit, "another order was meant"),
        NOT_AT_ALL,
    ]),
    OverReturned: parked("over-returned", No,
        "more comes back than went out and has not come back yet", &[
        (With(Allow), "so many came back: post it"),
        (Edit, "the quantity or the order was scanned wrong"),
        NOT_AT_ALL,
    ]),
    LotRequired: parked("lot-required", MasterData,
        "the product is tracked, and no lot was scanned", &[
        (Edit, "say the lot"),
        (Retry, "tracking was turned off in Odoo"),
        NOT_AT_ALL,
    ]),
    LotsOff: parked("lots-off", No,
        "the operation type of the receipt does not make lots in Odoo, so the new lot would be refused or lost", &[
        (Retry, "the lot was created in Odoo, or the operation type creates lots now"),
        (Edit, "another lot was meant"),
        NOT_AT_ALL,
    ]),
    NegativeStock: parked("negative-stock", No,
        "Odoo holds less in the bin than was taken from it; `stock.negative` refuses that", &[
        (With(Allow), "what was scanned is right: post it, the stock goes below zero until it is counted"),
        (Retry, "the stock was put right in Odoo"),
        (Edit, "another bin, lot or quantity was meant"),
        NOT_AT_ALL,
    ]),
    MeaningChanged: parked("meaning-changed", No,
        "a code meant another product, packaging, bin or lot when it was scanned than it does in Odoo now; the message names both", &[
        (With(Allow), "the goods are what the code means in Odoo now"),
        (Edit, "name what was moved by a code that is still right"),
        (Retry, "the code was given back in Odoo"),
        NOT_AT_ALL,
    ]),
    SerialQuantity: parked("serial-quantity", No,
        "more than one was scanned of a serial number, which stands for one thing", &[
        (Edit, "it was one, or each has a number of its own"),
        (Retry, "the product's tracking was changed in Odoo"),
        NOT_AT_ALL,
    ]),
    SerialSeen: parked("serial-seen", No,
        "the serial number that came in is in stock already, or is being received; the message says where", &[
        (Edit, "another serial number was meant"),
        (Retry, "the stock was put right in Odoo"),
        (Discard, "it was received before"),
    ]),
    QuantityPrecision: parked("quantity-precision", No,
        "Odoo cannot hold the quantity as it was scanned: it has more decimals than Odoo keeps, or is no number of the product's unit", &[
        (Edit, "another quantity was meant"),
        (Retry, "the unit or the precision was changed in Odoo"),
        NOT_AT_ALL,
    ]),
    CountedSince: parked("counted-since", No,
        "the place was counted between an event and its undo, and nobody knows whether the goods were there", &[
        (With(Allow), "the goods were gone when they were counted: post it"),
        (Discard, "the place is counted again"),
    ]),
    CountedTwice: parked("counted-twice", No,
        "two different counts of one place have the same time", &[
        (With(Allow), "this count is the right one: post it"),
        (Discard, "the other count is the right one"),
    ]),
    ClockInDoubt: parked("clock-in-doubt", Clock,
        "the clock of the device that counted, or of a device that moved goods there, is in doubt or unknown, so nobody knows which came first", &[
        (With(Allow), "the time in the message is right: post the count"),
        (Retry, "the device has shown its clock"),
        (Discard, "the place is counted again"),
    ]),
    OpenPicks: parked("open-picks", Picks,
        "goods are picked from the counted bin, or into it, for an order that is not validated: Odoo still holds them where they were", &[
        (Retry, "the order was validated, or its lines were removed"),
        (Edit, "another bin or product was counted"),
        (Discard, "the bin is counted again"),
    ]),
    OverPicked: parked("over-picked", No,
        "more was picked than the order asks for", &MORE),
    UnderPicked: parked("under-picked", Goods,
        "less was picked than the order asks for when it was to be completed", &SHORT),
    OverReceived: parked("over-received", No,
        "more was received than was ordered", &MORE),
    UnderReceived: parked("under-received", Goods,
        "less was received than was ordered when the receipt was to be completed", &SHORT),
    NothingPicked: parked("nothing-picked", Goods,
        "the order is to be completed, and nothing was picked for it", &[
        (Retry, "what was picked has been posted by now"),
        (Edit, "name the order that was meant"),
        NOT_AT_ALL,
    ]),
    OrderRequired: parked("order-required", MasterData,
        "goods came without an order, and the rules of the site want one", &[
        (Edit, "name the order"),
        (Retry, "the rules were changed"),
        NOT_AT_ALL,
    ]),
    UnknownOrder: parked("unknown-order", MasterData,
        "no picking, nor an order with one, has this name", &[
        (Retry, "the order was made or confirmed in Odoo"),
        (Edit, "another order was meant"),
        NOT_AT_ALL,
    ]),
    OrderDone: parked("order-done", No,
        "the order was completed in Odoo with other lines than these; the message has what it holds", &[
        (Edit, "name another order"),
        (Retry, "a backorder was made in Odoo: work goes on there"),
        (Discard, "Odoo has the movement already, or it is not to be posted"),
    ]),
    OrderCancelled: parked("order-cancelled", No,
        "the order was cancelled in Odoo", &ORDER_GONE),
    OrderChanged: parked("order-changed", No,
        "the order was changed in Odoo after lines of this document were put on it; the message has what it holds", &ORDER_GONE),
    MovedUnscanned: parked("moved-unscanned", No,
        "somebody changed the picking in Odoo while the gateway validated it, and Odoo moved goods that nobody scanned; the message names them, and the alarm moved-unscanned is on", &[
        (Retry, "what was not moved was reversed in Odoo, or it was moved: the document itself is in Odoo, and is posted"),
        (Discard, "the document itself is not in Odoo, and is not to be posted"),
    ]),
    NotOnOrder: parked("not-on-order", No,
        "the order does not ask for this product", &[
        (Retry, "the product was added to the order in Odoo"),
        (Edit, "another product or order was meant"),
        NOT_AT_ALL,
    ]),
    OdooRefused: parked("odoo-refused", No,
        "Odoo refused it, or refused to look its barcodes up, in the words of the message", &[
        (Retry, "what Odoo says was put right"),
        (Edit, "something was scanned wrong"),
        NOT_AT_ALL,
    ]),
    NotValidated: parked("not-validated", No,
        "Odoo did not post it when told to, without an error: it asks a person something", &[
        (Retry, "the picking was validated in Odoo"),
        (Edit, "something was scanned wrong"),
        NOT_AT_ALL,
    ]),
    DiffersInOdoo: parked("differs-in-odoo", No,
        "the picking in Odoo has other lines than were sent: somebody edited it, or Odoo rounds the quantity to the unit's precision", &[
        (Retry, "the picking or the precision was put right in Odoo"),
        (Edit, "the lines in Odoo are right: make these the same"),
        (Discard, "what Odoo holds stands"),
    ]),
    CancelledInOdoo: parked("cancelled-in-odoo", No,
        "somebody cancelled the picking in Odoo", &[
        (Edit, "it was done: a new picking is made of it, as it was or with changes"),
        (Discard, "whoever cancelled it was right"),
    ]),
    AlreadyPosted: parked("already-posted", No,
        "Odoo turned out to hold the document that this one corrects as done", &[
        (Discard, "what Odoo holds stands"),
        (With(Allow), "it was reversed in Odoo: post this one"),
    ]),
    PostedLate: parked("posted-late", No,
        "Odoo posted it after it was discarded here, by a call that the gateway had given up", &[
        (Retry, "what Odoo holds stands"),
        (Discard, "it was reversed in Odoo"),
    ]),
    NotWithdrawn: parked("not-withdrawn", No,
        "Odoo does not take back what it holds open of the document that this one corrects, or takes something back of", &[
        (Retry, "it was cancelled in Odoo"),
        (Discard, "what Odoo holds stands"),
    ]),
    UnknownOutcome: parked("unknown-outcome", MasterData,
        "its send was begun before a stop, its barcodes resolve no more, and Odoo holds a done picking of its key with another number of lines; no `refused` receipt is sent", &[
        (Retry, "the barcodes were entered in Odoo: it finds what Odoo holds and posts nothing twice"),
        (Discard, "you have looked for the key in the origin of Odoo's pickings, and what is there stands"),
    ]),
    UnknownEvent: parked("unknown-event", No,
        "the device sent no event with the id that this one takes back, or that is past its time here", &[
        (Discard, "what was meant was put right in Odoo, or needs not be"),
    ]),
    NotUndone: parked("not-undone", No,
        "nothing takes back an event of that type (a validation, a shipment, a package of a whole order, a scan, an undo), or somebody did in Odoo what it says", &[
        (Discard, "it was put right in Odoo, or needs not be"),
    ]),
    UnsupportedType: parked("unsupported-type", No,
        "the version that sealed it kept events of this type but could not post them", &[
        (Retry, "after an update"),
        NOT_AT_ALL,
    ]),
    HeldBack: plain("held-back", Stage::Waiting,
        "another document must be done first, or what it takes is on its way: the message names the document, event or receipt; it goes on by itself then"),
    DocumentParked: plain("document-parked", Stage::Receipt,
        "the document of the event is parked for another line, and nothing of it is posted before a person decided: do not send the event again"),
    Discarded: plain("discarded", Stage::Ended,
        "a person decided that it is not to be posted, or its device took it back; the message has why"),
    Replaced: plain("replaced", Stage::Ended,
        "a person put a corrected document in its place, or its device took some of it back; the message has why"),
}
}
