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

/// Which check rejects a reading.
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

/// A reading without a scan: the scanner read no code or sent another message, or the message is
/// empty, such as one that clears a topic.
const fn no_fault(code: &'static str, judged_by: JudgedBy, meaning: &'static str) -> RejectionRow {
    RejectionRow {
        needs_person: false,
        ..rejected(code, judged_by, meaning)
    }
}

codes! {
/// Why a reading was rejected.
RejectionCode, RejectionRow {
    BadUtf8: rejected("bad-utf8", Payload,
        "The payload is not UTF-8 text."),
    BadJson: rejected("bad-json", Payload,
        "The payload is not JSON where the gateway expects JSON, or not an object."),
    Empty: no_fault("empty", Payload,
        "The payload is empty, or has no event and no scan."),
    TooLarge: rejected("too-large", Payload,
        "The payload is larger than 1 MiB. Send fewer events in a message."),
    TooManyEvents: rejected("too-many-events", Payload,
        "The message has more than 500 events or scans. Send at most 500 in each message."),
    UnknownType: rejected("unknown-type", Payload,
        "The event has a `type` that is not in [mqtt.md](mqtt.md)."),
    MissingField: rejected("missing-field", Payload,
        "The event lacks a field that its type needs; the message names the field."),
    BadField: rejected("bad-field", Payload,
        "A field has a value that the gateway does not accept; the message names the field, the \
         value and what is accepted."),
    NotYourTopic: rejected("not-your-topic", Payload,
        "The topic belongs to another site, another device or no channel; the message names the \
         topic."),
    AstrayState: no_fault("astray-state", Payload,
        "A state, a reported configuration or an empty message came under a topic of another \
         device."),
    Retained: rejected("retained", Payload,
        "A broker delivered a retained scan or event, and the gateway cannot tell whether it has \
         stored the same one before."),
    NotFinished: rejected("not-finished", Payload,
        "A device scanned products in a flow and did not end it within `idle_s` \
         ([flows.md](flows.md)); the payload has the events, and the message what they lack. Send \
         the reading again with what they lack, or scan again and dismiss the reading."),
    NoRead: no_fault("no-read", Profile,
        "The scanner reports that it could not read a barcode."),
    NotAScan: no_fault("not-a-scan", Profile,
        "The scanner sent a message that is not a read."),
    NoCode: rejected("no-code", Profile,
        "The payload has no code where the profile looks for it."),
    NoPrefix: rejected("no-prefix", Profile,
        "The code does not begin with the prefix that the profile names."),
    NoSuffix: rejected("no-suffix", Profile,
        "The code does not end with the suffix that the profile names."),
    NoEnd: rejected("no-end", Profile,
        "A serial scanner sent a code without the end mark that the profile names; the message \
         says what to set."),
    TooLong: rejected("too-long", Profile,
        "The scanner sent more bytes than `max_bytes` of the profile, or than a barcode has."),
    BadEncoding: rejected("bad-encoding", Profile,
        "The bytes are not text in the encoding that the profile names."),
    Binary: rejected("binary", Profile,
        "The code has a control character that is not a separator."),
    UnknownProduct: rejected("unknown-product", Check,
        "No product or packaging in Odoo has this barcode or internal reference."),
    AmbiguousProduct: rejected("ambiguous-product", Check,
        "More than one product in Odoo has this barcode or internal reference."),
    UnknownLocation: rejected("unknown-location", Check,
        "No location in Odoo has this barcode."),
    AmbiguousLocation: rejected("ambiguous-location", Check,
        "More than one location in Odoo has this barcode."),
    LotRequired: rejected("lot-required", Check,
        "Odoo tracks the product by lot or serial number, and the device scanned none."),
    LotsOff: rejected("lots-off", Check,
        "The lot is new, and the operation type of receipts neither creates nor uses lots, so Odoo \
         would lose the lot."),
    SerialQuantity: rejected("serial-quantity", Check,
        "The event has another quantity than 1 for a serial number."),
    SerialSeen: rejected("serial-seen", Check,
        "The serial number came in before and did not go out since, or went out and did not come \
         in since."),
    QuantityPrecision: rejected("quantity-precision", Check,
        "The quantity has more decimals than Odoo keeps."),
    NotOnOrder: rejected("not-on-order", Check,
        "The order does not ask for this product."),
    MoreThanOrdered: rejected("more-than-ordered", Check,
        "The quantity is more than what is left of the order."),
    UnknownOrder: rejected("unknown-order", Check,
        "No open order in Odoo has this name."),
    OrderDone: rejected("order-done", Check,
        "Odoo has completed the order."),
    OrderCancelled: rejected("order-cancelled", Check,
        "Somebody cancelled the order in Odoo."),
}
}
