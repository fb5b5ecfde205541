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
    /// What a person can decide; empty unless the code parks documents.
    pub choices: &'static [Choice],
}

/// What has the code: a document in this stage, or only the receipt of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Parked,
    /// The document waits for another document or for the link.
    Waiting,
    /// A person, its device or the gateway discarded or replaced the document.
    Ended,
    /// Only receipts have the code: the event has no fault, and another line parks its document.
    Receipt,
}

/// What makes the gateway try a parked document again without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heals {
    No,
    /// It tries the document again after Odoo's master data resolves it.
    MasterData,
    /// It tries the document again after another document for the same order is posted.
    Goods,
    /// It tries the count again after Odoo has no open pick of its product and bin any more.
    Picks,
    /// It tries the document again, or replaces it by one with true times, after it knows the
    /// device's clock again.
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

const NOT_AT_ALL: Choice = (Discard, "if Odoo must not get this document");
const SHORT: [Choice; 4] = [
    (
        With(Backorder),
        "if the rest comes later: Odoo makes a backorder",
    ),
    (With(NoBackorder), "if the rest does not come any more"),
    (Edit, "to correct the quantity or the order"),
    NOT_AT_ALL,
];
const MORE: [Choice; 3] = [
    (
        With(Allow),
        "to post more than was ordered, if the rules of the site let you",
    ),
    (Edit, "to correct the quantity or the order"),
    NOT_AT_ALL,
];
const AMBIGUOUS: [Choice; 3] = [
    (Retry, "after you make them different in Odoo"),
    (Edit, "to name another one that is clear"),
    NOT_AT_ALL,
];
const ORDER_GONE: [Choice; 3] = [
    (Retry, "after you correct the order in Odoo"),
    (Edit, "to name the order that the goods went to"),
    (
        Discard,
        "if Odoo has the movement already, or must not get it",
    ),
];

/// The choices for a code that this version does not know.
pub const ANY: &[Choice] = &[
    (Retry, "after you correct what the message says"),
    (Edit, "to correct the document"),
    NOT_AT_ALL,
];

codes! {
/// Why a document is parked, waits or was ended.
ReasonCode, ReasonRow {
    UnknownProduct: parked("unknown-product", MasterData,
        "No product or packaging in Odoo has this barcode or internal reference.", &[
        (Retry, "after you enter the barcode in Odoo"),
        (Edit, "to name another product"),
        NOT_AT_ALL,
    ]),
    UnitMismatch: parked("unit-mismatch", MasterData,
        "The packaging and its product have units that cannot be converted, so the gateway does \
         not know how many products one packaging holds.", &[
        (Retry, "after you change the unit in Odoo"),
        (Edit, "to name the product and its quantity"),
        NOT_AT_ALL,
    ]),
    AmbiguousProduct: parked("ambiguous-product", MasterData,
        "More than one product in Odoo has this barcode or internal reference; the message names \
         the products.", &AMBIGUOUS),
    UnknownLocation: parked("unknown-location", MasterData,
        "No location in Odoo has this barcode.", &[
        (Retry, "after you enter the bin in Odoo"),
        (Edit, "to name another bin"),
        NOT_AT_ALL,
    ]),
    AmbiguousLocation: parked("ambiguous-location", MasterData,
        "More than one location in Odoo has this barcode; the message names \
         the locations.", &AMBIGUOUS),
    UnknownLot: parked("unknown-lot", MasterData,
        "The product has no lot or serial number with this name in Odoo.", &[
        (Retry, "after you enter the lot in Odoo"),
        (Edit, "to name another lot"),
        NOT_AT_ALL,
    ]),
    UnknownPackage: parked("unknown-package", MasterData,
        "No package in Odoo has this name.", &[
        (Retry, "after you enter the package in Odoo"),
        (Edit, "to name another package, or none"),
        NOT_AT_ALL,
    ]),
    AmbiguousPackage: parked("ambiguous-package", MasterData,
        "More than one package in Odoo has this name.", &AMBIGUOUS),
    UnknownPartner: parked("unknown-partner", MasterData,
        "No partner in Odoo has this name or reference, so the gateway does not know the owner of \
         the goods.", &[
        (Retry, "after you enter the partner in Odoo"),
        (Edit, "to name another owner, or none"),
        NOT_AT_ALL,
    ]),
    AmbiguousPartner: parked("ambiguous-partner", MasterData,
        "More than one partner in Odoo has the name or reference of the owner.", &AMBIGUOUS),
    OwnerAmbiguous: parked("owner-ambiguous", No,
        "Several owners keep this product in the bin, and the line does not name one.", &[
        (Edit, "to name the owner"),
        (Retry, "after only one owner has goods in the bin"),
        NOT_AT_ALL,
    ]),
    BinRequired: parked("bin-required", No,
        "The document does not name the bin of the goods.", &[
        (Edit, "to name the bin"),
        (Retry, "for a pick, after Odoo has the goods in stock and can reserve them"),
        NOT_AT_ALL,
    ]),
    PackageRequired: parked("package-required", No,
        "The bin holds the product in packages and too little of it loose, or a count is lower \
         than Odoo's stock in several packages; the line does not name the package.", &[
        (Edit, "to name the package"),
        (Retry, "after you correct the packages in Odoo"),
        NOT_AT_ALL,
    ]),
    NotDelivered: parked("not-delivered", No,
        "The goods that come back have not gone out yet.", &[
        (Retry, "after you validate the delivery in Odoo"),
        (Edit, "to name another order"),
        NOT_AT_ALL,
    ]),
    OverReturned: parked("over-returned", No,
        "More goods come back than went out and are still out.", &[
        (With(Allow), "to post this quantity all the same"),
        (Edit, "to correct the quantity or the order"),
        NOT_AT_ALL,
    ]),
    LotRequired: parked("lot-required", MasterData,
        "Odoo tracks the product by lot or serial number, and the line names none.", &[
        (Edit, "to name the lot"),
        (Retry, "after you turn tracking off in Odoo"),
        NOT_AT_ALL,
    ]),
    LotsOff: parked("lots-off", No,
        "The operation type of the receipt does not create lots in Odoo, so Odoo would refuse or \
         lose the new lot.", &[
        (Retry, "after you create the lot, or let the operation type create lots"),
        (Edit, "to name another lot"),
        NOT_AT_ALL,
    ]),
    NegativeStock: parked("negative-stock", No,
        "Odoo has less stock in the bin than the device took, and `stock.negative` refuses this \
         document.", &[
        (With(Allow), "to post it: Odoo's stock is below zero until somebody counts it"),
        (Retry, "after you correct the stock in Odoo"),
        (Edit, "to correct the bin, lot or quantity"),
        NOT_AT_ALL,
    ]),
    MeaningChanged: parked("meaning-changed", No,
        "At the scan, a code meant another product, packaging, bin or lot than it means in Odoo \
         now, or has no meaning there now; the message names both.", &[
        (With(Allow), "if the goods are what the code means in Odoo now"),
        (Edit, "to name the goods by a code that is still right"),
        (Retry, "after you give the code back in Odoo"),
        NOT_AT_ALL,
    ]),
    SerialQuantity: parked("serial-quantity", No,
        "A line has a quantity above 1 for one serial number.", &[
        (Edit, "to set the quantity to 1, or a serial number for each piece"),
        (Retry, "after you change the tracking of the product in Odoo"),
        NOT_AT_ALL,
    ]),
    SerialSeen: parked("serial-seen", No,
        "The serial number that comes in is in stock already, is on another receipt, or is in this \
         document twice; the message says which.", &[
        (Edit, "to name another serial number"),
        (Retry, "after you correct the stock in Odoo"),
        (Discard, "if you received it before"),
    ]),
    QuantityPrecision: parked("quantity-precision", No,
        "Odoo cannot store this quantity: it is too large, has more decimals than Odoo keeps, or \
         does not fit the unit of the product.", &[
        (Edit, "to correct the quantity"),
        (Retry, "after you change the unit or the precision in Odoo"),
        NOT_AT_ALL,
    ]),
    CountedSince: parked("counted-since", No,
        "Somebody counted the place between an event and its undo, and the gateway does not know \
         whether the goods were there.", &[
        (With(Allow), "if the event was real and the goods were not back yet at the count"),
        (Discard, "if you count the place again"),
    ]),
    CountedTwice: parked("counted-twice", No,
        "Two different counts of one place have the same time.", &[
        (With(Allow), "if this count is the right one"),
        (Discard, "if the other count is the right one"),
    ]),
    ClockInDoubt: parked("clock-in-doubt", Clock,
        "A device that counted the place, or moved goods there, has a clock that is in doubt or \
         unknown, so the gateway does not know what came first.", &[
        (With(Allow), "if the time in the message is right"),
        (Retry, "after the gateway knows the device's clock again"),
        (Discard, "if you count the place again"),
    ]),
    OpenPicks: parked("open-picks", Picks,
        "An order that is not validated picks goods from the counted bin or into it, so Odoo still \
         has them in their old place.", &[
        (Retry, "after you validate the order, or remove its lines"),
        (Edit, "to name another bin or product"),
        (Discard, "if you count the bin again"),
    ]),
    OverPicked: parked("over-picked", No,
        "The device picked more than the order asks for.", &MORE),
    UnderPicked: parked("under-picked", Goods,
        "The device validated the order before everything was picked.", &SHORT),
    OverReceived: parked("over-received", No,
        "The device received more than the order asks for.", &MORE),
    UnderReceived: parked("under-received", Goods,
        "The device validated the receipt before everything was received.", &SHORT),
    NothingPicked: parked("nothing-picked", Goods,
        "The device validated the order, and nothing is picked for it; or the device packed the \
         order, and all picked goods are in packages already.", &[
        (Retry, "after the picks of the order are posted"),
        (Edit, "to name another order"),
        NOT_AT_ALL,
    ]),
    OrderRequired: parked("order-required", MasterData,
        "Goods came without an order, and the rules of the site require one.", &[
        (Edit, "to name the order"),
        (Retry, "after you change the rules of the site"),
        NOT_AT_ALL,
    ]),
    UnknownOrder: parked("unknown-order", MasterData,
        "No picking of the warehouse has this name, and no order with a picking has it; or so many \
         open pickings belong to it that the gateway does not know which one is meant.", &[
        (Retry, "after you create or confirm the order in Odoo"),
        (Edit, "to name another order"),
        NOT_AT_ALL,
    ]),
    OrderDone: parked("order-done", No,
        "Odoo has completed the order without these lines or without this package; the message \
         names what Odoo has.", &[
        (Edit, "to name another order"),
        (Retry, "after you make a backorder in Odoo: the lines go there"),
        (Discard, "if Odoo has the movement already, or must not get it"),
    ]),
    OrderCancelled: parked("order-cancelled", No,
        "Somebody cancelled the order in Odoo.", &ORDER_GONE),
    OrderChanged: parked("order-changed", No,
        "Somebody changed the order in Odoo after the gateway put lines of this document on it, or \
         before all goods were in the package; the message names the change.", &ORDER_GONE),
    MovedUnscanned: parked("moved-unscanned", No,
        "Somebody changed the picking in Odoo while the gateway validated it, and Odoo moved goods \
         that no device scanned. The message names the goods, and the alarm moved-unscanned is \
         on.", &[
        (Retry, "if the goods moved, or after you reverse them in Odoo"),
        (Discard, "if Odoo does not have the lines of this document and must not get them"),
    ]),
    NotOnOrder: parked("not-on-order", No,
        "The order does not ask for this product, or no step of the order takes from all the \
         scanned bins.", &[
        (Retry, "after you add the product to the order in Odoo"),
        (Edit, "to name another product or order"),
        NOT_AT_ALL,
    ]),
    OdooRefused: parked("odoo-refused", No,
        "Odoo refused the document or the look-up of its barcodes, or lacks a setting that the \
         document needs; the message has Odoo's words or names the setting.", &[
        (Retry, "after you correct in Odoo what the message says"),
        (Edit, "to correct the document"),
        NOT_AT_ALL,
    ]),
    NotValidated: parked("not-validated", No,
        "Odoo did not validate the picking and reported no error: Odoo asks a person something.", &[
        (Retry, "after you validate the picking in Odoo"),
        (Edit, "to correct the document"),
        NOT_AT_ALL,
    ]),
    DiffersInOdoo: parked("differs-in-odoo", No,
        "The picking in Odoo is not as the gateway sent it: somebody edited or deleted it, Odoo \
         rounds the quantity to the precision of the unit, or Odoo did not store the carrier's \
         data.", &[
        (Retry, "after you correct the picking or the precision in Odoo"),
        (Edit, "if the lines in Odoo are right: make these the same"),
        (Discard, "if the picking in Odoo is right as it is"),
    ]),
    CancelledInOdoo: parked("cancelled-in-odoo", No,
        "Somebody cancelled the picking in Odoo.", &[
        (Edit, "if the goods moved: the gateway makes a new picking"),
        (Discard, "if the goods did not move"),
    ]),
    AlreadyPosted: parked("already-posted", No,
        "Odoo has already posted the document that this document corrects.", &[
        (Discard, "if the posted picking in Odoo is right"),
        (With(Allow), "after you reverse the posted picking in Odoo"),
    ]),
    PostedLate: parked("posted-late", No,
        "Odoo posted the document after a person or its device discarded it here, through a call \
         that the gateway had given up.", &[
        (Retry, "if the picking in Odoo is right"),
        (Discard, "after you reverse the picking in Odoo"),
    ]),
    NotWithdrawn: parked("not-withdrawn", No,
        "Odoo does not cancel the open picking, or does not remove the lines, of the document that \
         this document corrects or undoes.", &[
        (Retry, "after you cancel the picking or remove the lines in Odoo"),
        (Discard, "if the picking in Odoo is right"),
    ]),
    UnknownOutcome: parked("unknown-outcome", MasterData,
        "An interrupted send may have posted the document, and the gateway cannot find out: Odoo \
         has a done picking with its key and another number of lines, and its barcodes are unknown \
         now; or Odoo does not show the picking; or the stored plan cannot be read. The message \
         says which.", &[
        (Retry, "after you enter the barcodes in Odoo: nothing is posted twice"),
        (Discard, "if the pickings in Odoo with the key in their origin are right"),
    ]),
    MaybePosted: parked("maybe-posted", No,
        "The journal was restored from a backup or replaces a lost one, and the gateway before may \
         have posted the goods: their events are from before, and Odoo has nothing under the \
         document's key.", &[
        (With(Allow), "if Odoo does not have the movement"),
        (Discard, "if Odoo has the movement already, or must not get it"),
        (Retry, "to compare the document with Odoo again"),
    ]),
    UnknownEvent: parked("unknown-event", No,
        "The device sent no event with the id that this undo names, or the gateway has deleted the \
         event after its retention time.", &[
        (Discard, "after you correct in Odoo what the undo was for, if anything"),
    ]),
    NotUndone: parked("not-undone", No,
        "The gateway cannot undo an event of this type (a validation, a shipment, a package of a \
         whole order, a scan, an undo); or somebody in Odoo posted the goods of the order or \
         deleted the gateway's lines; or a recount corrected the count in another package or for \
         another owner.", &[
        (Discard, "after you correct in Odoo what the undo was for, if anything"),
    ]),
    UnsupportedType: parked("unsupported-type", No,
        "The version that sealed the document could store events of this type, but \
         not post them.", &[
        (Retry, "after you update the gateway"),
        NOT_AT_ALL,
    ]),
    HeldBack: plain("held-back", Stage::Waiting,
        "The document waits until another document, event or receipt is done; the message names \
         it. The document goes on by itself."),
    DocumentParked: plain("document-parked", Stage::Receipt,
        "Another line parks the document of this event, and the gateway posts nothing of it before \
         a person decides. Do not send the event again."),
    Discarded: plain("discarded", Stage::Ended,
        "A person discarded the document, or its device undid all events of it; the message has \
         the reason."),
    Replaced: plain("replaced", Stage::Ended,
        "A person corrected the document, its device undid an event of it, or the gateway knows \
         the true time of its events now: another document replaces it. The message has the \
         reason."),
}
}
