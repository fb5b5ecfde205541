//! GS1 codes: what a barcode says about item, lot, date and quantity. Pure.
//!
//! Comes in: the text of a scan, and the present year, around which dates of two digits are. Goes
//! out: an [`ElementString`] whose every value keeps what GS1 laid down for it, or a [`Gs1Error`]
//! that says where it does not, what was found and what is accepted.
//!
//! Promised: it never panics, it takes memory in proportion to a text of at most [`TEXT_BYTES_MAX`]
//! bytes, and the three ways of writing the same elements give the same [`ElementString`] (a
//! Digital Link may change their order).
//!
//! - `table`: what is laid down for each application identifier; `lint`, `lists`, `coupon`, `date`:
//!   what values are.
//! - `elements`: the elements, what they mean, and how they are written.
//! - `measures`: weights and dimensions, and their units.
//! - `digital_link`: the third way of writing them.
//! - `gtin`: item numbers, which have codes of their own as well.

mod ai;
mod coupon;
mod date;
mod digital_link;
mod elements;
mod error;
mod gtin;
mod lint;
mod lists;
mod measures;
mod table;
#[cfg(test)]
mod tests;

pub use ai::Ai;
pub use elements::{Element, ElementString, dates};
pub use error::{Gs1Error, Gs1ErrorKind};
pub use gtin::{Gtin, is_sscc};
pub use measures::{MEASURES, MeasureKind, Unit};

pub(super) use date::day_or_month;
pub(super) use gtin::check_digit;

use elements::unknown;
use table::Spec;

/// The longest text that is read, in bytes. The largest DataMatrix holds 2,335 characters, a QR
/// code 4,296.
pub const TEXT_BYTES_MAX: usize = 4 << 10;

/// What scanners send for FNC1 between two elements.
const GS: char = '\x1d';

/// ISO/IEC 15424's symbology identifiers for GS1-128, GS1's `DataBar`, DataMatrix, QR code and
/// `DotCode`.
const SYMBOLOGIES: [&str; 5] = ["]C1", "]e0", "]d2", "]Q3", "]J1"];

/// How elements are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// `]C1010401234567890110ABC`, with GS in the place of FNC1.
    ElementString,
    /// `(01)04012345678901(10)ABC`
    Bracketed,
    /// `https://example.com/01/04012345678901/10/ABC`
    DigitalLink,
}

/// Whether a text begins with a symbology identifier that says GS1.
#[must_use]
pub fn is_marked(text: &str) -> bool {
    strip_symbology(text).0
}

/// How a text may be GS1 data; `None` where it may not.
///
/// A text of digits may be an element string, too, but says so only with a symbology identifier. A
/// GS may be in a text of any other kind as well.
#[must_use]
pub fn carrier(text: &str) -> Option<Carrier> {
    let (gs1, data) = strip_symbology(text);
    if gs1 {
        Some(Carrier::ElementString)
    } else if digital_link::is_digital_link(data) {
        Some(Carrier::DigitalLink)
    } else if bracket(data).is_some() {
        Some(Carrier::Bracketed)
    } else {
        data.contains(GS).then_some(Carrier::ElementString)
    }
}

/// Reads GS1 data in any of its three forms; a text that names no form is read as an element
/// string.
///
/// Whether all that must stand together does is another question:
/// [`ElementString::check_associations`].
pub fn parse(text: &str, year: i16) -> Result<ElementString, Gs1Error> {
    let (_, data) = strip_symbology(text);
    let offset = text.len() - data.len();
    if data.is_empty() || text.len() > TEXT_BYTES_MAX {
        return Err(Gs1Error {
            kind: Gs1ErrorKind::Size,
            ai: None,
            offset: None,
            found: format!("{} bytes", text.len()),
            accepted: format!("GS1 data of at most {TEXT_BYTES_MAX} bytes"),
        });
    }
    match carrier(text) {
        Some(Carrier::Bracketed) => read_bracketed(data, offset, year),
        Some(Carrier::DigitalLink) => digital_link::read(data, offset, year),
        None if digital_link::is_address(data) => digital_link::read(data, offset, year),
        Some(Carrier::ElementString) | None => read_element_string(data, offset, year),
    }
}

/// Whether the symbology identifier at the text's begin says GS1, and the text behind it.
fn strip_symbology(text: &str) -> (bool, &str) {
    match text.split_at_checked(3) {
        Some((identifier, data)) if SYMBOLOGIES.contains(&identifier) => (true, data),
        Some((identifier, data)) if is_symbology(identifier) => (false, data),
        _ => (false, text),
    }
}

/// `]`, a letter for the symbology and a digit or letter for its options.
fn is_symbology(identifier: &str) -> bool {
    matches!(identifier.as_bytes(), [b']', symbology, option]
        if symbology.is_ascii_alphabetic() && option.is_ascii_alphanumeric())
}

/// Elements follow each other; GS ends a value whose length is not predefined, and is let pass
/// behind the others.
fn read_element_string(data: &str, offset: usize, year: i16) -> Result<ElementString, Gs1Error> {
    let mut elements = ElementString::empty(year);
    let mut rest = data.trim_start_matches(GS);
    if rest.is_empty() {
        return Err(unknown(data, Some(offset)));
    }
    while !rest.is_empty() {
        let at = offset + data.len() - rest.len();
        let length = rest.get(..2).and_then(Spec::ai_length);
        let spec = length.and_then(|length| Spec::of(rest.get(..length)?));
        let (Some(length), Some(spec)) = (length, spec) else {
            let found: String = rest.chars().take(4).collect();
            return Err(unknown(&found, Some(at)));
        };
        let (ai, behind) = rest.split_at(length);
        let end = behind.find(GS).unwrap_or(behind.len());
        let end = match spec.predefined_length() {
            // Where the cut would be inside of a character, the value is wrong anyway: it is
            // refused as a whole.
            Some(length) if behind.is_char_boundary(length) => end.min(length),
            _ => end,
        };
        elements.add(ai, &behind[..end], Some(at + length))?;
        rest = behind[end..].trim_start_matches(GS);
    }
    Ok(elements)
}

/// Such as `(01)04012345678901(10)ABC`. `\(` is a parenthesis of a value, and so is one that
/// encloses no application identifier.
fn read_bracketed(data: &str, offset: usize, year: i16) -> Result<ElementString, Gs1Error> {
    let mut elements = ElementString::empty(year);
    let mut rest = data;
    while let Some((ai, behind)) = bracket(rest) {
        let opens = |&(at, _): &(usize, &str)| {
            !behind[..at].ends_with('\\') && bracket(&behind[at..]).is_some()
        };
        let end = behind
            .match_indices('(')
            .find(opens)
            .map_or(behind.len(), |(at, _)| at);
        let at = offset + data.len() - behind.len();
        elements.add(ai, &behind[..end].replace("\\(", "("), Some(at))?;
        rest = &behind[end..];
    }
    Ok(elements)
}

/// The application identifier in parentheses with which a text begins, and what is behind it.
fn bracket(text: &str) -> Option<(&str, &str)> {
    let begin = text.strip_prefix('(')?;
    let digits = begin.bytes().take_while(u8::is_ascii_digit).take(5).count();
    let (ai, behind) = begin.split_at(digits);
    let behind = behind.strip_prefix(')')?;
    (2..=4).contains(&digits).then_some((ai, behind))
}
