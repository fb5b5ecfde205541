//! The table of notes on documents.

use super::code::codes;

/// What a flag says about a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlagRow {
    pub code: &'static str,
    pub meaning: &'static str,
}

codes! {
/// Notes for people about documents, in any state. A note stops no document; a `ReasonCode` does.
Flag, FlagRow {
    TimeCorrected: FlagRow {
        code: "time-corrected",
        meaning:
            "The clock of the device was wrong. The gateway worked the time of the movement out \
             from the arrival of the device's messages.",
    },
    ClockInDoubt: FlagRow {
        code: "clock-in-doubt",
        meaning:
            "The clock of the device was wrong and may have been set since, so the work has two \
             possible times. The first time counts until the gateway knows the device's clock \
             again.",
    },
    TimeUnknown: FlagRow {
        code: "time-unknown",
        meaning:
            "Neither the device nor the gateway had a right clock, so Odoo has the time of \
             posting.",
    },
    ClosedPeriod: FlagRow {
        code: "closed-period",
        meaning:
            "The movement happened in a period that is closed in Odoo, so Odoo has the time of \
             posting.",
    },
    NegativeStock: FlagRow {
        code: "negative-stock",
        meaning:
            "The device took more from the bin than Odoo had there. Count the bin.",
    },
    CountedSince: FlagRow {
        code: "counted-since",
        meaning:
            "Somebody counted the place between an event and this undo, and a person allowed the \
             undo. Count the place again.",
    },
    Superseded: FlagRow {
        code: "superseded",
        meaning:
            "A newer count of the same place holds, so this count changed nothing.",
    },
    Recounted: FlagRow {
        code: "recounted",
        meaning:
            "The gateway posted something older than this count after it, and a later document \
             corrects the count. The steps name the difference.",
    },
    Withdrawn: FlagRow {
        code: "withdrawn",
        meaning:
            "A person discarded or replaced the document, and Odoo has nothing open of it any \
             more.",
    },
    PostedInOdoo: FlagRow {
        code: "posted-in-odoo",
        meaning:
            "A person discarded or replaced the document, and Odoo posted it all the same. Reverse \
             the picking in Odoo if it is wrong.",
    },
    LeftInOdoo: FlagRow {
        code: "left-in-odoo",
        meaning:
            "A person discarded the document, and Odoo does not cancel its open picking. Cancel \
             the picking in Odoo.",
    },
    TakenBack: FlagRow {
        code: "taken-back",
        meaning:
            "An `undo` took a part of the document back. The steps name the document of the undo.",
    },
    PossibleRepeat: FlagRow {
        code: "possible-repeat",
        meaning:
            "The device may have sent an event of this document twice, without an id. Ask whether \
             the goods moved once or twice, and correct the stock if they moved once.",
    },
}
}
