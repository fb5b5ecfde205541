//! Reads GS1 codes: item, lot, date and quantity in a barcode. Pure.
//!
//! Input: the text of a scan, and the present year for the century of dates. Output: an
//! [`ElementString`] whose values are valid by GS1's rules, or a [`Gs1Error`] with the place, the
//! value that was found and what is accepted.
//!
//! **Promises:** it never panics, memory is in proportion to a text of at most [`TEXT_BYTES_MAX`]
//! bytes, and the three forms of the same elements give the same [`ElementString`] (a Digital Link
//! may change their order).
//!
//! - `table`: the rules for each application identifier; `lint`, `lists`, `coupon`, `date`: the
//!   rules for values.
//! - `elements`: the elements, their meaning, and their forms.
//! - `measures`: weights and dimensions, and their units.
//! - `digital_link`: the third form.
//! - `gtin`: item numbers, which are also barcodes by themselves.

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

/// Length of a text in bytes, at most. The largest DataMatrix holds 2,335 characters, a QR code
/// 4,296.
pub const TEXT_BYTES_MAX: usize = 4 << 10;

/// What scanners send for FNC1 between two elements.
const GS: char = '\x1d';

/// ISO/IEC 15424's symbology identifiers for GS1-128, GS1's `DataBar`, DataMatrix, QR code and
/// `DotCode`.
const SYMBOLOGIES: [&str; 5] = ["]C1", "]e0", "]d2", "]Q3", "]J1"];

/// The form of GS1 data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// `]C1010401234567890110ABC`, with GS for FNC1.
    ElementString,
    /// `(01)04012345678901(10)ABC`
    Bracketed,
    /// `https://example.com/01/04012345678901/10/ABC`
    DigitalLink,
}

/// Whether a text starts with a symbology identifier for GS1 data.
#[must_use]
pub fn is_marked(text: &str) -> bool {
    strip_symbology(text).0
}

/// Finds the form in which a text may be GS1 data. `None`: nothing in the text marks it as GS1
/// data.
///
/// Digits may be an element string, but only a symbology identifier shows that. Other data may have
/// a GS, too.
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

/// Reads GS1 data in any of its three forms. A text without a mark is read as an element string.
///
/// It does not check that required elements are present: [`ElementString::check_associations`].
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

/// Splits off the symbology identifier at the beginning. The flag is `true` if it marks GS1 data.
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

/// Reads an element string. GS ends a value whose length is not predefined, and is skipped after
/// other values.
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
            // A cut inside of a character means that the value is wrong: it is refused as a whole.
            Some(length) if behind.is_char_boundary(length) => end.min(length),
            _ => end,
        };
        elements.add(ai, &behind[..end], Some(at + length))?;
        rest = behind[end..].trim_start_matches(GS);
    }
    Ok(elements)
}

/// Reads a text such as `(01)04012345678901(10)ABC`. `\(` is a parenthesis in a value, and so is a
/// parenthesis without an application identifier.
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

/// Splits off the application identifier in parentheses at the beginning of a text.
fn bracket(text: &str) -> Option<(&str, &str)> {
    let begin = text.strip_prefix('(')?;
    let digits = begin.bytes().take_while(u8::is_ascii_digit).take(5).count();
    let (ai, behind) = begin.split_at(digits);
    let behind = behind.strip_prefix(')')?;
    (2..=4).contains(&digits).then_some((ai, behind))
}
