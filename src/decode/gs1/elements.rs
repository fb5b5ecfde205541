//! Element strings: application identifiers with their values, which keep what GS1 laid down for
//! them.

use jiff::civil::{Date, DateTime};
use rust_decimal::Decimal;

use super::GS;
use super::ai::Ai;
use super::date;
use super::error::{Gs1Error, Gs1ErrorKind, shorten};
use super::gtin::{Gtin, check_digit};
use super::lint::Lint;
use super::table::{Charset, Part, Spec};

/// One application identifier with its value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Element {
    pub ai: Ai,
    /// As it was read, in printable ASCII.
    pub value: String,
}

/// What a GS1 code says. No application identifier is there twice, and each value is valid by
/// itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementString {
    elements: Vec<Element>,
    year: i16,
}

impl ElementString {
    /// An empty one, to read dates around this year.
    pub(super) fn empty(year: i16) -> Self {
        Self {
            elements: Vec::new(),
            year,
        }
    }

    /// From application identifiers and their values; the year is the present one, for the century
    /// of dates.
    pub fn new<'a>(
        elements: impl IntoIterator<Item = (&'a str, &'a str)>,
        year: i16,
    ) -> Result<Self, Gs1Error> {
        let mut new = Self::empty(year);
        for (ai, value) in elements {
            new.add(ai, value, None)?;
        }
        Ok(new)
    }

    /// One more element; the offset is its value's in the text that is read.
    ///
    /// A repetition of the same value is dropped, a second value refused: section 4.13.
    pub(super) fn add(
        &mut self,
        ai: &str,
        value: &str,
        offset: Option<usize>,
    ) -> Result<(), Gs1Error> {
        let (Some(ai), Some(spec)) = (Ai::new(ai), Spec::of(ai)) else {
            return Err(unknown(ai, offset));
        };
        check(spec, ai, value, offset, self.year)?;
        match self.get(ai.as_str()) {
            None => self.elements.push(Element {
                ai,
                value: value.to_owned(),
            }),
            Some(first) if first == value => {}
            Some(first) => {
                return Err(Gs1Error {
                    kind: Gs1ErrorKind::Repeated,
                    ai: Some(ai),
                    offset,
                    found: shorten(value),
                    accepted: format!("one value, and {} came before", shorten(first)),
                });
            }
        }
        Ok(())
    }

    /// What several codes on one label say together.
    pub fn join(mut self, other: &Self) -> Result<Self, Gs1Error> {
        for element in &other.elements {
            self.add(element.ai.as_str(), &element.value, None)?;
        }
        Ok(self)
    }

    /// Whether all that must stand together does, and nothing that must not.
    ///
    /// GS1 wants it of all the codes on an item *together* (section 4.13): one of two barcodes on a
    /// pallet label may well fail it alone, so reading does not ask.
    pub fn check_associations(&self) -> Result<(), Gs1Error> {
        for (ai, spec) in self.specs() {
            let has = |pattern| self.has(pattern);
            let mut groups = spec.needs.split(',');
            if !spec.needs.is_empty() && !groups.any(|group| group.split('+').all(has)) {
                return Err(Gs1Error {
                    kind: Gs1ErrorKind::Missing,
                    ai: Some(ai),
                    offset: None,
                    found: "it without what it belongs to".to_owned(),
                    accepted: format!("one of {} beside it", spec.needs),
                });
            }
            self.exclusion(ai, spec)?;
        }
        Ok(())
    }

    /// Whether nothing stands together that must not: no other code of the item can heal that.
    pub fn check_exclusions(&self) -> Result<(), Gs1Error> {
        self.specs()
            .try_for_each(|(ai, spec)| self.exclusion(ai, spec))
    }

    /// The same for all but one of the application identifiers.
    pub fn check_exclusions_without(&self, ai: &str) -> Result<(), Gs1Error> {
        let others = self.elements.iter().filter(|one| one.ai.as_str() != ai);
        let others = Self {
            elements: others.cloned().collect(),
            year: self.year,
        };
        others.check_exclusions()
    }

    fn specs(&self) -> impl Iterator<Item = (Ai, &'static Spec)> {
        let spec = |element: &Element| Some((element.ai, Spec::of(element.ai.as_str())?));
        self.elements.iter().filter_map(spec)
    }

    fn has(&self, pattern: &str) -> bool {
        let matches = |element: &Element| element.ai.matches(pattern);
        self.elements.iter().any(matches)
    }

    fn exclusion(&self, ai: Ai, spec: &Spec) -> Result<(), Gs1Error> {
        let excluded = |other: &&Element| {
            let mut patterns = spec.excludes.split(',');
            other.ai != ai && patterns.any(|pattern| other.ai.matches(pattern))
        };
        match self.elements.iter().find(excluded) {
            None => Ok(()),
            Some(other) => Err(Gs1Error {
                kind: Gs1ErrorKind::Excluded,
                ai: Some(ai),
                offset: None,
                found: format!("({}) beside it", other.ai),
                accepted: format!("none of {} beside it", spec.excludes),
            }),
        }
    }

    #[must_use]
    pub fn elements(&self) -> &[Element] {
        &self.elements
    }

    /// The value of an application identifier.
    #[must_use]
    pub fn get(&self, ai: &str) -> Option<&str> {
        let is_it = |element: &&Element| element.ai.as_str() == ai;
        self.elements
            .iter()
            .find(is_it)
            .map(|element| element.value.as_str())
    }

    /// (01): the item.
    #[must_use]
    pub fn gtin(&self) -> Option<Gtin> {
        Gtin::new(self.get("01")?)
    }

    /// (02): the item of which a logistic unit holds [`Self::count`].
    #[must_use]
    pub fn content(&self) -> Option<Gtin> {
        Gtin::new(self.get("02")?)
    }

    /// (00): the logistic unit itself.
    #[must_use]
    pub fn sscc(&self) -> Option<&str> {
        self.get("00")
    }

    /// (10)
    #[must_use]
    pub fn lot(&self) -> Option<&str> {
        self.get("10")
    }

    /// (21)
    #[must_use]
    pub fn serial(&self) -> Option<&str> {
        self.get("21")
    }

    /// (30): how many pieces an item of variable count is.
    #[must_use]
    pub fn variable_count(&self) -> Option<u32> {
        self.get("30")?.parse().ok()
    }

    /// (37): how many items a logistic unit holds.
    #[must_use]
    pub fn count(&self) -> Option<u32> {
        self.get("37")?.parse().ok()
    }

    /// (17), or else the day of (7003).
    #[must_use]
    pub fn expiry(&self) -> Option<Date> {
        self.date("17")
            .or_else(|| self.expiry_time().map(DateTime::date))
    }

    /// (7003): to the minute, in the time of where the item is.
    #[must_use]
    pub fn expiry_time(&self) -> Option<DateTime> {
        let (day, time) = self.get("7003")?.split_at_checked(6)?;
        Some(date::day(day, self.year)?.to_datetime(date::time(time)?))
    }

    /// (15)
    #[must_use]
    pub fn best_before(&self) -> Option<Date> {
        self.date("15")
    }

    /// (16)
    #[must_use]
    pub fn sell_by(&self) -> Option<Date> {
        self.date("16")
    }

    /// (11)
    #[must_use]
    pub fn produced(&self) -> Option<Date> {
        self.date("11")
    }

    /// (13)
    #[must_use]
    pub fn packed(&self) -> Option<Date> {
        self.date("13")
    }

    /// (310n), in kilograms.
    #[must_use]
    pub fn net_weight_kg(&self) -> Option<Decimal> {
        self.measure("310")
    }

    /// (330n), in kilograms.
    #[must_use]
    pub fn gross_weight_kg(&self) -> Option<Decimal> {
        self.measure("330")
    }

    /// A measure or an amount of money by the first three digits of its application identifier, the
    /// last of which says how many digits are decimals: 310 to 369, 390, 392, 394 and 395. With a
    /// currency: 391 and 393.
    #[must_use]
    pub fn measure(&self, first_three: &str) -> Option<Decimal> {
        let pattern = format!("{first_three}n");
        let element = self
            .elements
            .iter()
            .find(|element| element.ai.matches(&pattern))?;
        let digits = match first_three {
            "391" | "393" => element.value.get(3..)?,
            _ if matches!(first_three.as_bytes(), [b'3', b'1'..=b'6' | b'9', _]) => &element.value,
            _ => return None,
        };
        let decimals = u32::from(element.ai.fourth_digit());
        Some(Decimal::new(digits.parse().ok()?, decimals))
    }

    fn date(&self, ai: &str) -> Option<Date> {
        date::day_or_month(self.get(ai)?, self.year)
    }

    /// Writes the elements as a scanner sends them: after each value without a predefined length,
    /// except the last value, the text has the character GS for the symbol's FNC1 (section 7.8).
    #[must_use]
    pub fn to_element_string(&self) -> String {
        let mut text = String::new();
        let mut separate = false;
        for Element { ai, value } in &self.elements {
            if separate {
                text.push(GS);
            }
            text.push_str(ai.as_str());
            text.push_str(value);
            separate = Spec::of(ai.as_str()).is_none_or(|spec| !spec.predefined);
        }
        text
    }

    /// As it is printed under a code. A parenthesis that belongs to a value has a backslash before
    /// it.
    #[must_use]
    pub fn to_bracketed(&self) -> String {
        let bracketed =
            |Element { ai, value }: &Element| format!("({ai}){}", value.replace('(', "\\("));
        self.elements.iter().map(bracketed).collect()
    }
}

/// The application identifiers of dates that are a day, with what they say in these elements: the
/// days of production (11), payment (12), packing (13), best before (15), sell by (16) and expiry
/// (17).
#[must_use]
pub fn dates(elements: &ElementString) -> Vec<(&'static str, Date)> {
    let days = ["11", "12", "13", "15", "16", "17"];
    let day = |ai: &'static str| Some((ai, elements.date(ai)?));
    days.into_iter().filter_map(day).collect()
}

pub(super) fn unknown(ai: &str, offset: Option<usize>) -> Gs1Error {
    Gs1Error {
        kind: Gs1ErrorKind::UnknownAi,
        ai: None,
        offset,
        found: shorten(ai),
        accepted: "an application identifier of GS1".to_owned(),
    }
}

/// Whether a value is what its application identifier wants.
fn check(
    spec: &Spec,
    ai: Ai,
    value: &str,
    offset: Option<usize>,
    year: i16,
) -> Result<(), Gs1Error> {
    let refuse = |kind, at: usize, found: &str, accepted| {
        Err(Gs1Error {
            kind,
            ai: Some(ai),
            offset: offset.map(|offset| offset + at),
            found: shorten(found),
            accepted,
        })
    };
    let mut at = 0;
    for part in spec.format {
        if at == value.len() && part.optional {
            break;
        }
        // What was accepted so far is ASCII, and so is what is cut below: places are characters and
        // bytes alike.
        let rest = value.get(at..).unwrap_or_default();
        if let Some((place, wrong)) = rest
            .char_indices()
            .take(part.max)
            .find(|&(_, character)| !part.charset.has(character))
        {
            let accepted = describe(spec.format);
            return refuse(
                Gs1ErrorKind::Character,
                at + place,
                wrong.encode_utf8(&mut [0; 4]),
                accepted,
            );
        }
        let length = rest.len().min(part.max);
        if length < part.min {
            return refuse(Gs1ErrorKind::Length, 0, value, describe(spec.format));
        }
        let own = &rest[..length];
        if let Some(lint) = broken(part, own, year) {
            let (kind, accepted) = match lint {
                Lint::Csum => (Gs1ErrorKind::CheckDigit, right_digit(own)),
                Lint::CsumAlpha => (Gs1ErrorKind::CheckDigit, lint.accepted().to_owned()),
                _ => (Gs1ErrorKind::Content, lint.accepted().to_owned()),
            };
            return refuse(kind, at, own, accepted);
        }
        at += length;
    }
    if at < value.len() {
        return refuse(Gs1ErrorKind::Length, 0, value, describe(spec.format));
    }
    Ok(())
}

fn broken(part: &Part, value: &str, year: i16) -> Option<Lint> {
    part.lints
        .iter()
        .copied()
        .find(|lint| !lint.accepts(value, year))
}

fn right_digit(value: &str) -> String {
    let right = check_digit(&value[..value.len() - 1]).map_or('?', char::from);
    format!("check digit {right} at its end")
}

/// A format for a message.
fn describe(format: &[Part]) -> String {
    format
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", then ")
}

impl Charset {
    fn has(self, character: char) -> bool {
        match self {
            Self::Digits => character.is_ascii_digit(),
            Self::Set82 => super::lint::SET_82.contains(character),
            Self::Set39 => {
                matches!(character, 'A'..='Z' | '0'..='9' | '#' | '-' | '/')
            }
            Self::Base64Url => {
                character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '=')
            }
        }
    }
}
