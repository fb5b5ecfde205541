//! The table of reason codes.

use super::Action::{Discard, Edit, Retry, With};
use super::{Choice, Code, DISCARDED, REPLACED};

const NOT_AT_ALL: Choice = (Discard, "it is not to be posted");
const ALLOW_MORE: Choice = (
    With("allow"),
    "what was scanned is right: post more than was ordered",
);
const SHORT: [Choice; 4] = [
    (
        With("backorder"),
        "what is missing comes later: Odoo makes a backorder of it",
    ),
    (
        With("no-backorder"),
        "what is missing does not come any more",
    ),
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

/// Documents that are parked: each waits for a person.
pub const PARKED: &[Code] = &[
    Code {
        code: "unknown-product",
        meaning: "no product has this barcode or internal reference, nor a packaging",
        choices: &[
            (Retry, "the barcode was entered in Odoo"),
            (Edit, "another product was meant"),
            NOT_AT_ALL,
        ],
    },
    Code {
        code: "unit-mismatch",
        meaning: "the unit of the packaging has no common reference with that of its product, so nobody knows how many one holds",
        choices: &[
            (Retry, "the unit was changed in Odoo"),
            (Edit, "name the product, and how many of it were moved"),
            NOT_AT_ALL,
        ],
    },
    Code {
        code: "ambiguous-product",
        meaning: "more than one product has it; the message names them",
        choices: &AMBIGUOUS,
    },
    Code {
        code: "unknown-location",
        meaning: "no location has this barcode",
        choices: &[
            (Retry, "the bin was entered in Odoo"),
            (Edit, "another bin was meant"),
            NOT_AT_ALL,
        ],
    },
    Code {
        code: "ambiguous-location",
        meaning: "more than one location has it; the message names them",
        choices: &AMBIGUOUS,
    },
    Code {
        code: "unknown-lot",
        meaning: "the product has no lot or serial number of this name",
        choices: &[
            (Retry, "the lot was entered in Odoo"),
            (Edit, "another lot was meant"),
            NOT_AT_ALL,
        ],
    },
    Code {
        code: "unknown-package",
        meaning: "no package has this name",
        choices: &[
            (Retry, "the package was entered in Odoo"),
            (Edit, "another package was meant, or none"),
            NOT_AT_ALL,
        ],
    },
    Code {
        code: "ambiguous-package",
        meaning: "more than one package has this name",
        choices: &AMBIGUOUS,
    },
    Code {
        code: "unknown-partner",
        meaning: "no partner has this name or reference, so the owner of the goods is not known",
        choices: &[
            (Retry, "the partner was entered in Odoo"),
            (Edit, "another owner was meant, or none"),
            NOT_AT_ALL,
        ],
    },
    Code {
        code: "ambiguous-partner",
        meaning: "more than one partner has the name or reference that the owner is given by",
        choices: &AMBIGUOUS,
    },
    Code {
        code: "owner-ambiguous",
        meaning: "several parties keep this product in the bin, and the line does not say whose goods were moved",
        choices: &[
            (Edit, "say the owner"),
            (Retry, "only one of them has goods there by now"),
            NOT_AT_ALL,
        ],
    },
    Code {
        code: "bin-required",
        meaning: "it is not said in which bin the goods lie",
        choices: &[
            (Edit, "say the bin"),
            (
                Retry,
                "Odoo has the goods in stock now, and can reserve them",
            ),
            NOT_AT_ALL,
        ],
    },
    Code {
        code: "package-required",
        meaning: "less was counted than lies in the bin in several packages, or goods were taken out of it and nobody knows out of which package",
        choices: &[
            (
                Edit,
                "say which package was counted, or which one the goods were taken out of",
            ),
            (Retry, "the packages were put right in Odoo"),
            NOT_AT_ALL,
        ],
    },
    Code {
        code: "not-delivered",
        meaning: "the goods that come back have not gone out yet",
        choices: &[
            (Retry, "the delivery was validated"),
            (Edit, "another order was meant"),
            NOT_AT_ALL,
        ],
    },
    Code {
        code: "over-returned",
        meaning: "more comes back than went out and has not come back yet",
        choices: &[
            (With("allow"), "so many came back: post it"),
            (Edit, "the quantity or the order was scanned wrong"),
            NOT_AT_ALL,
        ],
    },
    Code {
        code: "lot-required",
        meaning: "the product is tracked, and no lot was scanned",
        choices: &[
            (Edit, "say the lot"),
            (Retry, "tracking was turned off in Odoo"),
            NOT_AT_ALL,
        ],
    },
    Code {
        code: "lots-off",
        meaning: "the operation type of the receipt does not make lots in Odoo, so the new lot would be refused or lost",
        choices: &[
            (
                Retry,
                "the lot was created in Odoo, or the operation type creates lots now",
            ),
            (Edit, "another lot was meant"),
            NOT_AT_ALL,
        ],
    },
    Code {
        code: "negative-stock",
        meaning: "Odoo holds less in the bin than was taken from it; `stock.negative` refuses that",
        choices: &[
            (
                With("allow"),
                "what was scanned is right: post it, the stock goes below zero until it is counted",
            ),
            (Retry, "the stock was put right in Odoo"),
            (Edit, "another bin, lot or quantity was meant"),
            NOT_AT_ALL,
        ],
    },
    Code {
        code: "meaning-changed",
        meaning: "a code meant another product, packaging, bin or lot when it was scanned than it does in Odoo now; the message names both",
        choices: &[
            (
                With("allow"),
                "the goods are what the code means in Odoo now",
            ),
            (Edit, "name what was moved by a code that is still right"),
            (Retry, "the code was given back in Odoo"),
            NOT_AT_ALL,
        ],
    },
    Code {
        code: "serial-quantity",
        meaning: "more than one was scanned of a serial number, which stands for one thing",
        choices: &[
            (Edit, "it was one, or each has a number of its own"),
            (Retry, "the product's tracking was changed in Odoo"),
            NOT_AT_ALL,
        ],
    },
    Code {
        code: "serial-seen",
        meaning: "the serial number that came in is in stock already, or is being received; the message says where",
        choices: &[
            (Edit, "another serial number was meant"),
            (Retry, "the stock was put right in Odoo"),
            (Discard, "it was received before"),
        ],
    },
    Code {
        code: "quantity-precision",
        meaning: "Odoo cannot hold the quantity as it was scanned: it has more decimals than Odoo keeps, or is no number of the product's unit",
        choices: &[
            (Edit, "another quantity was meant"),
            (Retry, "the unit or the precision was changed in Odoo"),
            NOT_AT_ALL,
        ],
    },
    Code {
        code: "counted-since",
        meaning: "the place was counted between an event and its undo, and nobody knows whether the goods were there",
        choices: &[
            (
                With("allow"),
                "the goods were gone when they were counted: post it",
            ),
            (Discard, "the place is counted again"),
        ],
    },
    Code {
        code: "counted-twice",
        meaning: "two different counts of one place have the same time",
        choices: &[
            (With("allow"), "this count is the right one: post it"),
            (Discard, "the other count is the right one"),
        ],
    },
    Code {
        code: "clock-in-doubt",
        meaning: "the clock of the device that counted, or of a device that moved goods there, is in doubt or unknown, so nobody knows which came first",
        choices: &[
            (
                With("allow"),
                "the time in the message is right: post the count",
            ),
            (Retry, "the device has shown its clock"),
            (Discard, "the place is counted again"),
        ],
    },
    Code {
        code: "open-picks",
        meaning: "goods are picked from the counted bin, or into it, for an order that is not validated: Odoo still holds them where they were",
        choices: &[
            (Retry, "the order was validated, or its lines were removed"),
            (Edit, "another bin or product was counted"),
            (Discard, "the bin is counted again"),
        ],
    },
    Code {
        code: "over-picked",
        meaning: "more was picked than the order asks for",
        choices: &MORE,
    },
    Code {
        code: "under-picked",
        meaning: "less was picked than the order asks for when it was to be completed",
        choices: &SHORT,
    },
    Code {
        code: "over-received",
        meaning: "more was received than was ordered",
        choices: &MORE,
    },
    Code {
        code: "under-received",
        meaning: "less was received than was ordered when the receipt was to be completed",
        choices: &SHORT,
    },
    Code {
        code: "nothing-picked",
        meaning: "the order is to be completed, and nothing was picked for it",
        choices: &[
            (Retry, "what was picked has been posted by now"),
            (Edit, "name the order that was meant"),
            NOT_AT_ALL,
        ],
    },
    Code {
        code: "order-required",
        meaning: "goods came without an order, and the rules of the site want one",
        choices: &[
            (Edit, "name the order"),
            (Retry, "the rules were changed"),
            NOT_AT_ALL,
        ],
    },
    Code {
        code: "unknown-order",
        meaning: "no picking, nor an order with one, has this name",
        choices: &[
            (Retry, "the order was made or confirmed in Odoo"),
            (Edit, "another order was meant"),
            NOT_AT_ALL,
        ],
    },
    Code {
        code: "order-done",
        meaning: "the order was completed in Odoo with other lines than these; the message has what it holds",
        choices: &[
            (Edit, "name another order"),
            (Retry, "a backorder was made in Odoo: work goes on there"),
            (
                Discard,
                "Odoo has the movement already, or it is not to be posted",
            ),
        ],
    },
    Code {
        code: "order-cancelled",
        meaning: "the order was cancelled in Odoo",
        choices: &ORDER_GONE,
    },
    Code {
        code: "order-changed",
        meaning: "the order was changed in Odoo after lines of this document were put on it; the message has what it holds",
        choices: &ORDER_GONE,
    },
    Code {
        code: "moved-unscanned",
        meaning: "somebody changed the picking in Odoo while the gateway validated it, and Odoo moved goods that nobody scanned; the message names them, and the alarm moved-unscanned is on",
        choices: &[
            (
                Retry,
                "what was not moved was reversed in Odoo, or it was moved: the document itself is in Odoo, and is posted",
            ),
            (
                Discard,
                "the document itself is not in Odoo, and is not to be posted",
            ),
        ],
    },
    Code {
        code: "not-on-order",
        meaning: "the order does not ask for this product",
        choices: &[
            (Retry, "the product was added to the order in Odoo"),
            (Edit, "another product or order was meant"),
            NOT_AT_ALL,
        ],
    },
    Code {
        code: "odoo-refused",
        meaning: "Odoo refused it, or refused to look its barcodes up, in the words of the message",
        choices: &[
            (Retry, "what Odoo says was put right"),
            (Edit, "something was scanned wrong"),
            NOT_AT_ALL,
        ],
    },
    Code {
        code: "not-validated",
        meaning: "Odoo did not post it when told to, without an error: it asks a person something",
        choices: &[
            (Retry, "the picking was validated in Odoo"),
            (Edit, "something was scanned wrong"),
            NOT_AT_ALL,
        ],
    },
    Code {
        code: "differs-in-odoo",
        meaning: "the picking in Odoo has other lines than were sent: somebody edited it, or Odoo rounds the quantity to the unit's precision",
        choices: &[
            (Retry, "the picking or the precision was put right in Odoo"),
            (Edit, "the lines in Odoo are right: make these the same"),
            (Discard, "what Odoo holds stands"),
        ],
    },
    Code {
        code: "cancelled-in-odoo",
        meaning: "somebody cancelled the picking in Odoo",
        choices: &[
            (
                Edit,
                "it was done: a new picking is made of it, as it was or with changes",
            ),
            (Discard, "whoever cancelled it was right"),
        ],
    },
    Code {
        code: "already-posted",
        meaning: "Odoo turned out to hold the document that this one corrects as done",
        choices: &[
            (Discard, "what Odoo holds stands"),
            (With("allow"), "it was reversed in Odoo: post this one"),
        ],
    },
    Code {
        code: "posted-late",
        meaning: "Odoo posted it after it was discarded here, by a call that the gateway had given up",
        choices: &[
            (Retry, "what Odoo holds stands"),
            (Discard, "it was reversed in Odoo"),
        ],
    },
    Code {
        code: "not-withdrawn",
        meaning: "Odoo does not take back what it holds open of the document that this one corrects, or takes something back of",
        choices: &[
            (Retry, "it was cancelled in Odoo"),
            (Discard, "what Odoo holds stands"),
        ],
    },
    Code {
        code: "unknown-outcome",
        meaning: "its send was begun before a stop, its barcodes resolve no more, and Odoo holds a done picking of its key with another number of lines; no `refused` receipt is sent",
        choices: &[
            (
                Retry,
                "the barcodes were entered in Odoo: it finds what Odoo holds and posts nothing twice",
            ),
            (
                Discard,
                "you have looked for the key in the origin of Odoo's pickings, and what is there stands",
            ),
        ],
    },
    Code {
        code: "unknown-event",
        meaning: "the device sent no event with the id that this one takes back, or that is past its time here",
        choices: &[(
            Discard,
            "what was meant was put right in Odoo, or needs not be",
        )],
    },
    Code {
        code: "not-undone",
        meaning: "nothing takes back an event of that type (a validation, a shipment, a package of a whole order, a scan, an undo), or somebody did in Odoo what it says",
        choices: &[(Discard, "it was put right in Odoo, or needs not be")],
    },
    Code {
        code: "unsupported-type",
        meaning: "the version that sealed it kept events of this type but could not post them",
        choices: &[(Retry, "after an update"), NOT_AT_ALL],
    },
];

/// Documents that wait, for another document or for the link.
pub const WAITING: &[Code] = &[Code {
    code: "held-back",
    meaning: "another document must be done first, or what it takes is on its way: the message names the document, event or receipt; it goes on by itself then",
    choices: &[],
}];

/// Events without a fault, in a document that is parked for other lines: receipts alone have it.
pub const TOLD: &[Code] = &[Code::plain(
    "document-parked",
    "the document of the event is parked for another line, and nothing of it is posted before a person decided: do not send the event again",
)];

/// Notes on documents that are not refused.
pub const FLAGS: &[Code] = &[
    Code::plain(
        "time-corrected",
        "the device's clock was off, and the time of the movement was worked out from when its messages came",
    ),
    Code::plain(
        "clock-in-doubt",
        "the device's clock was known to be wrong and may have been set since, so there are two times at which the work may have been done; the first one counts until a message of the device shows its clock",
    ),
    Code::plain(
        "time-unknown",
        "neither the device nor the gateway had a clock that was right, so the time of posting stands in Odoo",
    ),
    Code::plain(
        "closed-period",
        "the movement was done in a period that is closed in Odoo, so the time of posting stands there",
    ),
    Code::plain(
        "negative-stock",
        "more was taken from the bin than Odoo held there: count it",
    ),
    Code::plain(
        "counted-since",
        "the place was counted between an event and this undo, and a person allowed it all the same: count it again",
    ),
    Code::plain(
        "superseded",
        "a newer count of the same place holds, so this count changes nothing",
    ),
    Code::plain(
        "recounted",
        "something older than this count was posted after it, and a later document corrects the count: the steps say by how much",
    ),
    Code::plain(
        "withdrawn",
        "it was discarded or replaced, and Odoo holds nothing open of it any more",
    ),
    Code::plain(
        "posted-in-odoo",
        "it was discarded or replaced, and Odoo had posted it all the same: if it must not stand, reverse it there",
    ),
    Code::plain(
        "left-in-odoo",
        "it was discarded, and Odoo does not take back what it holds open of it: cancel it there",
    ),
    Code::plain(
        "taken-back",
        "something of it was taken back since, by an `undo`: the steps say by which document",
    ),
    Code::plain(
        "possible-repeat",
        "the device may have sent an event of it twice, without an id: ask whether the goods moved once or twice, and put the stock right if once",
    ),
];

/// Readings that no event could be made of, by the payload or by the profile of the scanner.
pub const REJECTED: &[Code] = &[
    Code::plain("bad-utf8", "the payload is no UTF-8 text"),
    Code::plain(
        "bad-json",
        "it is no JSON where JSON is wanted, or no object",
    ),
    Code::plain(
        "empty",
        "it holds nothing, or an array without an event. No fault",
    ),
    Code::plain(
        "too-large",
        "it is larger than 1 MiB: send fewer events in a message",
    ),
    Code::plain(
        "too-many-events",
        "an array of more than 500 events: send more messages",
    ),
    Code::plain(
        "unknown-type",
        "`type` is none of those in [mqtt.md](mqtt.md)",
    ),
    Code::plain(
        "missing-field",
        "the message names a field that the type needs",
    ),
    Code::plain(
        "bad-field",
        "the message names the field, what was found and what is accepted",
    ),
    Code::plain(
        "not-your-topic",
        "the message names the topic, which is not the device's own: another site, another device or an unknown channel",
    ),
    Code::plain(
        "astray-state",
        "a state, a reported configuration or an empty message under a topic that is not the device's own. No fault",
    ),
    Code::plain(
        "retained",
        "a broker handed out a retained scan or event, and nobody can tell whether it is a copy of one that is stored",
    ),
    Code::plain(
        "not-finished",
        "products were scanned in a flow whose end never came within `idle_s` ([flows.md](flows.md)): the payload has their events, and the message what they lack. Send it again with that, or scan anew and dismiss it",
    ),
    Code::plain(
        "no-read",
        "by profile: the scanner says that it could not read. No fault",
    ),
    Code::plain(
        "not-a-scan",
        "by profile: the message of the scanner is another one than a read. No fault",
    ),
    Code::plain(
        "no-code",
        "by profile: the payload has no code where the profile looks for it",
    ),
    Code::plain(
        "no-prefix",
        "by profile: the code does not begin with what the scanner is set to send before it",
    ),
    Code::plain(
        "no-suffix",
        "by profile: the code does not end with what the scanner is set to send behind it",
    ),
    Code::plain(
        "no-end",
        "by profile: a serial scanner sent a code without the end mark that the profile names; the message says what to set",
    ),
    Code::plain(
        "too-long",
        "by profile: more bytes came than the profile's `max_bytes`, or than a barcode has",
    ),
    Code::plain(
        "bad-encoding",
        "by profile: the bytes are no text in the encoding that the profile names",
    ),
    Code::plain(
        "binary",
        "by profile: there is a control character in the code that is no separator",
    ),
];

/// Readings that are turned away with `capture.check = "strict"`.
pub const TURNED_AWAY: &[Code] = &[
    Code::plain(
        "unknown-product",
        "no product has this barcode or internal reference, nor a packaging",
    ),
    Code::plain("ambiguous-product", "more than one product has it"),
    Code::plain("unknown-location", "no location has this barcode"),
    Code::plain("ambiguous-location", "more than one location has it"),
    Code::plain(
        "lot-required",
        "the product is tracked, and no lot or serial number was scanned",
    ),
    Code::plain(
        "lots-off",
        "the operation type of receipts neither creates nor uses lots, and the lot is new: it would be lost",
    ),
    Code::plain(
        "serial-quantity",
        "another quantity than 1 of a serial number",
    ),
    Code::plain(
        "serial-seen",
        "the serial number came in (or went out) before, and did not go out (or come in) since",
    ),
    Code::plain(
        "quantity-precision",
        "the quantity has more decimals than Odoo keeps",
    ),
    Code::plain("not-on-order", "the order does not ask for this product"),
    Code::plain(
        "more-than-ordered",
        "more of it than is still to be done of the order",
    ),
    Code::plain("unknown-order", "no open order has this name"),
    Code::plain("order-done", "the order is done"),
    Code::plain("order-cancelled", "the order is cancelled"),
];

/// How a person ended a parked document.
pub const ENDED: &[Code] = &[
    Code {
        code: DISCARDED,
        meaning: "a person decided that it is not to be posted, or its device took it back; the message has why",
        choices: &[],
    },
    Code {
        code: REPLACED,
        meaning: "a person put a corrected document in its place, or its device took some of it back; the message has why",
        choices: &[],
    },
];

/// For a code of a version that this one does not know.
pub const ANY: &[Choice] = &[
    (Retry, "what the message says was put right"),
    (Edit, "something was scanned wrong"),
    NOT_AT_ALL,
];
