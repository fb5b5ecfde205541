//! The table of reasons of rejected readings.

use JudgedBy::{Check, Payload, Profile};

use super::code::codes;

/// What a code says about a rejected reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RejectionRow {
    pub code: &'static str,
    pub judged_by: JudgedBy,
    /// Whether a person must dismiss the reading or send it again: something was scanned.
    pub needs_person: bool,
    /// What happened.
    pub meaning: &'static str,
}

/// What found that no event can be made of a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JudgedBy {
    /// The payload or its topic, for each device.
    Payload,
    /// The scanner profile of the device.
    Profile,
    /// `capture.check = "strict"`.
    Check,
}

const fn rejected(code: &'static str, judged_by: JudgedBy, meaning: &'static str) -> RejectionRow {
    RejectionRow {
        code,
        judged_by,
        needs_person: true,
        meaning,
    }
}

/// A reading in which nothing was scanned: a scanner that read nothing, or that reported something
/// else than a read; and messages that hold nothing, such as those that clear a topic.
const fn no_fault(code: &'static str, judged_by: JudgedBy, meaning: &'static str) -> RejectionRow {
    RejectionRow {
        needs_person: false,
        ..rejected(code, judged_by, meaning)
    }
}

codes! {
/// Why no event could be made of a reading.
RejectionCode, RejectionRow {
    BadUtf8: rejected("bad-utf8", Payload,
        "the payload is no UTF-8 text"),
    BadJson: rejected("bad-json", Payload,
        "it is no JSON where JSON is wanted, or no object"),
    Empty: no_fault("empty", Payload,
        "it holds nothing, or an array without an event"),
    TooLarge: rejected("too-large", Payload,
        "it is larger than 1 MiB: send fewer events in a message"),
    TooManyEvents: rejected("too-many-events", Payload,
        "an array of more than 500 events: send more messages"),
    UnknownType: rejected("unknown-type", Payload,
        "`type` is none of those in [mqtt.md](mqtt.md)"),
    MissingField: rejected("missing-field", Payload,
        "the message names a field that the type needs"),
    BadField: rejected("bad-field", Payload,
        "the message names the field, what was found and what is accepted"),
    NotYourTopic: rejected("not-your-topic", Payload,
        "the message names the topic, which is not the device's own: another site, another device or an unknown channel"),
    AstrayState: no_fault("astray-state", Payload,
        "a state, a reported configuration or an empty message under a topic that is not the device's own"),
    Retained: rejected("retained", Payload,
        "a broker handed out a retained scan or event, and nobody can tell whether it is a copy of one that is stored"),
    NotFinished: rejected("not-finished", Payload,
        "products were scanned in a flow whose end never came within `idle_s` ([flows.md](flows.md)): the payload has their events, and the message what they lack. Send it again with that, or scan anew and dismiss it"),
    NoRead: no_fault("no-read", Profile,
        "the scanner says that it could not read"),
    NotAScan: no_fault("not-a-scan", Profile,
        "the message of the scanner is another one than a read"),
    NoCode: rejected("no-code", Profile,
        "the payload has no code where the profile looks for it"),
    NoPrefix: rejected("no-prefix", Profile,
        "the code does not begin with what the scanner is set to send before it"),
    NoSuffix: rejected("no-suffix", Profile,
        "the code does not end with what the scanner is set to send behind it"),
    NoEnd: rejected("no-end", Profile,
        "a serial scanner sent a code without the end mark that the profile names; the message says what to set"),
    TooLong: rejected("too-long", Profile,
        "more bytes came than the profile's `max_bytes`, or than a barcode has"),
    BadEncoding: rejected("bad-encoding", Profile,
        "the bytes are no text in the encoding that the profile names"),
    Binary: rejected("binary", Profile,
        "there is a control character in the code that is no separator"),
    UnknownProduct: rejected("unknown-product", Check,
        "no product has this barcode or internal reference, nor a packaging"),
    AmbiguousProduct: rejected("ambiguous-product", Check,
        "more than one product has it"),
    UnknownLocation: rejected("unknown-location", Check,
        "no location has this barcode"),
    AmbiguousLocation: rejected("ambiguous-location", Check,
        "more than one location has it"),
    LotRequired: rejected("lot-required", Check,
        "the product is tracked, and no lot or serial number was scanned"),
    LotsOff: rejected("lots-off", Check,
        "the operation type of receipts neither creates nor uses lots, and the lot is new: it would be lost"),
    SerialQuantity: rejected("serial-quantity", Check,
        "another quantity than 1 of a serial number"),
    SerialSeen: rejected("serial-seen", Check,
        "the serial number came in (or went out) before, and did not go out (or come in) since"),
    QuantityPrecision: rejected("quantity-precision", Check,
        "the quantity has more decimals than Odoo keeps"),
    NotOnOrder: rejected("not-on-order", Check,
        "the order does not ask for this product"),
    MoreThanOrdered: rejected("more-than-ordered", Check,
        "more of it than is still to be done of the order"),
    UnknownOrder: rejected("unknown-order", Check,
        "no open order has this name"),
    OrderDone: rejected("order-done", Check,
        "the order is done"),
    OrderCancelled: rejected("order-cancelled", Check,
        "the order is cancelled"),
}
}
