//! The table of notes on documents.

use super::code::codes;

/// What a flag says about a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlagRow {
    pub code: &'static str,
    pub meaning: &'static str,
}

codes! {
/// What a person should know of a document although it is not refused.
Flag, FlagRow {
    TimeCorrected: FlagRow {
        code: "time-corrected",
        meaning: "the device's clock was off, and the time of the movement was worked out from when its messages came",
    },
    ClockInDoubt: FlagRow {
        code: "clock-in-doubt",
        meaning: "the device's clock was known to be wrong and may have been set since, so there are two times at which the work may have been done; the first one counts until a message of the device shows its clock",
    },
    TimeUnknown: FlagRow {
        code: "time-unknown",
        meaning: "neither the device nor the gateway had a clock that was right, so the time of posting stands in Odoo",
    },
    ClosedPeriod: FlagRow {
        code: "closed-period",
        meaning: "the movement was done in a period that is closed in Odoo, so the time of posting stands there",
    },
    NegativeStock: FlagRow {
        code: "negative-stock",
        meaning: "more was taken from the bin than Odoo held there: count it",
    },
    CountedSince: FlagRow {
        code: "counted-since",
        meaning: "the place was counted between an event and this undo, and a person allowed it all the same: count it again",
    },
    Superseded: FlagRow {
        code: "superseded",
        meaning: "a newer count of the same place holds, so this count changes nothing",
    },
    Recounted: FlagRow {
        code: "recounted",
        meaning: "something older than this count was posted after it, and a later document corrects the count: the steps say by how much",
    },
    Withdrawn: FlagRow {
        code: "withdrawn",
        meaning: "it was discarded or replaced, and Odoo holds nothing open of it any more",
    },
    PostedInOdoo: FlagRow {
        code: "posted-in-odoo",
        meaning: "it was discarded or replaced, and Odoo had posted it all the same: if it must not stand, reverse it there",
    },
    LeftInOdoo: FlagRow {
        code: "left-in-odoo",
        meaning: "it was discarded, and Odoo does not take back what it holds open of it: cancel it there",
    },
    TakenBack: FlagRow {
        code: "taken-back",
        meaning: "something of it was taken back since, by an `undo`: the steps say by which document",
    },
    PossibleRepeat: FlagRow {
        code: "possible-repeat",
        meaning: "the device may have sent an event of it twice, without an id: ask whether the goods moved once or twice, and put the stock right if once",
    },
}
}
