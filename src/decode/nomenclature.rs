//! Applies Odoo's barcode nomenclatures: finds the rule that matches a code. Pure.
//!
//! Input: the rules as Odoo has them (`barcode.nomenclature`, `barcode.rule`), then codes. Output:
//! the first rule that matches, with its type, code and value; for a GS1 nomenclature one result
//! for each part of the code.
//!
//! **Promises:** the results are those of `parse_barcode` in Odoo 19, time and memory are in
//! proportion to rule and code, and no code causes a panic. If Odoo's server and client differ, the
//! result is the client's, which people see: UPC and EAN are converted (the server does not reach
//! that code), and a base code of EAN-8 gets its check digit.

use jiff::civil::Date;
use regex_lite::{Regex, RegexBuilder};
use rust_decimal::Decimal;
use thiserror::Error;

use super::gs1::{Gtin, TEXT_BYTES_MAX, Unit, check_digit, day_or_month};
use crate::odoo_id::UnitId;

#[cfg(test)]
mod tests;

/// The largest program that a pattern may become, in bytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;
/// The most digits of a number that a [`Decimal`] holds without rounding.
const DIGITS_MAX: usize = 28;
/// Text that Odoo removes from the beginning of a GS1 code: symbology identifiers and FNC1.
const GS1_BEGINS: [&str; 6] = ["]C1", "]e0", "]d2", "]Q3", "]J1", "\x1d"];

/// A rule, as Odoo has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub name: String,
    /// Rules are tried in this order, and those of one number in the order in which they were
    /// given.
    pub sequence: i32,
    pub encoding: Encoding,
    /// The type in Odoo: `product`, `lot`, `location`, `package`, `weight`, ... or `alias`.
    pub kind: String,
    pub pattern: String,
    /// The code that replaces the scanned one, if the kind is `alias`.
    pub alias: String,
    /// The content of a GS1 rule's second group.
    pub content: Content,
    /// The last digit of a GS1 rule's first group says how many digits of the second are decimals.
    pub decimals: bool,
    /// The id of the unit that a GS1 rule's quantity is in.
    pub uom: Option<UnitId>,
    /// The unit of a weight without such an id.
    pub weight: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Any,
    Ean13,
    Ean8,
    Upca,
    Gs1,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    Date,
    Measure,
    Identifier,
    Alpha,
}

/// Which of UPC-A and EAN-13 may be converted into the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conversion {
    None,
    EanToUpc,
    UpcToEan,
    Always,
}

/// Why rules are not a valid nomenclature.
#[derive(Debug, Error)]
#[error("barcode rule {rule:?}: pattern {pattern:?} cannot be used: {reason}; correct it in Odoo")]
pub struct PatternError {
    pub rule: String,
    pub pattern: String,
    pub reason: String,
}

/// The result for a code, or for a part of a GS1 code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<'a> {
    pub rule: &'a Rule,
    /// The application identifier of a part of a GS1 code.
    pub ai: Option<String>,
    pub code: String,
    /// The code with zeros instead of its number, as the product has it.
    pub base_code: String,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    None,
    Number(Decimal),
    Date(Date),
    Text(String),
}

/// The compiled rules, in order.
#[derive(Debug)]
pub struct Nomenclature {
    conversion: Conversion,
    gs1: bool,
    rules: Vec<Ready>,
}

#[derive(Debug)]
struct Ready {
    rule: Rule,
    regex: Regex,
    number: Option<Number>,
    /// Odoo compares no more characters of a code than the pattern has.
    characters: usize,
}

/// `{NNDDD}` in a pattern: where it begins, and how many digits are before and behind the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Number {
    at: usize,
    whole: usize,
    decimals: usize,
}

impl Nomenclature {
    /// A nomenclature of single codes.
    pub fn new(conversion: Conversion, rules: Vec<Rule>) -> Result<Self, PatternError> {
        let ready = |rule: Rule| {
            let number = Number::of(&rule.pattern);
            let pattern = number.map_or(rule.pattern.clone(), |number| {
                number.with_zeros(&rule.pattern)
            });
            let regex = compile(&rule, &format!("^(?:{pattern})"))?;
            Ok(Ready {
                rule,
                regex,
                number,
                characters: pattern.chars().count(),
            })
        };
        let rules = sort(rules)
            .into_iter()
            .filter(|rule| rule.encoding != Encoding::Gs1);
        Ok(Self {
            conversion,
            gs1: false,
            rules: rules.map(ready).collect::<Result<_, _>>()?,
        })
    }

    /// A GS1 nomenclature; the separator is a pattern for what may stand for FNC1, or empty for GS
    /// alone.
    pub fn gs1(separator: &str, rules: Vec<Rule>) -> Result<Self, PatternError> {
        let separator = match separator {
            "" => "\x1d?".to_owned(),
            separator => format!("(?:{separator})?"),
        };
        let ready = |rule: Rule| {
            let regex = compile(&rule, &format!("^{}{separator}", rule.pattern))?;
            Ok(Ready {
                rule,
                regex,
                number: None,
                characters: 0,
            })
        };
        let rules = sort(rules)
            .into_iter()
            .filter(|rule| rule.encoding == Encoding::Gs1);
        let rules = rules.map(ready).collect::<Result<_, _>>()?;
        Ok(Self {
            conversion: Conversion::None,
            gs1: true,
            rules,
        })
    }

    /// Matches a code: one result, or (GS1) one for each part. `None`: no rule matches.
    ///
    /// The year is the present one, for the century of dates.
    #[must_use]
    pub fn parse(&self, code: &str, year: i16) -> Option<Vec<Found<'_>>> {
        if code.is_empty() || code.len() > TEXT_BYTES_MAX {
            return None;
        }
        if self.gs1 {
            self.decompose(code, year)
        } else {
            self.first(code).map(|found| vec![found])
        }
    }

    /// Matches a text that is not marked as GS1 data. A GS1 nomenclature returns `None`.
    ///
    /// A GS1 rule would match any text that starts with its digits, and read `10000 bolts` as a
    /// lot.
    #[must_use]
    pub fn text(&self, text: &str) -> Option<Found<'_>> {
        let sized = !text.is_empty() && text.len() <= TEXT_BYTES_MAX;
        (!self.gs1 && sized).then(|| self.first(text))?
    }

    /// Matches an element of GS1 data as a whole. Only a GS1 nomenclature has such rules.
    #[must_use]
    pub fn element(&self, ai: &str, value: &str, year: i16) -> Option<Found<'_>> {
        if !self.gs1 {
            return None;
        }
        let element = format!("{ai}{value}");
        let taken = |ready| Ready::part(ready, &element, year).ok().flatten();
        let mut taken = self.rules.iter().filter_map(taken);
        let whole = taken.find(|(_, behind)| behind.is_empty());
        whole.map(|(found, _)| found)
    }

    /// Finds the first rule that matches a code. An alias continues with its own code, at the rules
    /// after it.
    fn first(&self, code: &str) -> Option<Found<'_>> {
        let mut code = code;
        for ready in &self.rules {
            let rule = &ready.rule;
            let Some(own) = self.convert(code, rule.encoding) else {
                continue;
            };
            let Some((base_code, value)) = ready.take(&own) else {
                continue;
            };
            if rule.kind == "alias" {
                code = &rule.alias;
                continue;
            }
            let base_code = with_check_digit(&base_code, rule.encoding);
            return Some(Found {
                rule,
                ai: None,
                code: own,
                base_code,
                value,
            });
        }
        None
    }

    /// Converts a code into this encoding. `None`: it has another encoding, or the rule is for GS1.
    fn convert(&self, code: &str, encoding: Encoding) -> Option<String> {
        use Conversion::{Always, EanToUpc, UpcToEan};
        let length = match encoding {
            Encoding::Any => return Some(code.to_owned()),
            Encoding::Gs1 => return None,
            Encoding::Ean13 => 13,
            Encoding::Upca => 12,
            Encoding::Ean8 => 8,
        };
        Gtin::new(code)?;
        let converted = match (encoding, code.len()) {
            (Encoding::Ean13, 12) if matches!(self.conversion, UpcToEan | Always) => {
                format!("0{code}")
            }
            (Encoding::Upca, 13) if matches!(self.conversion, EanToUpc | Always) => {
                code.strip_prefix('0')?.to_owned()
            }
            _ => code.to_owned(),
        };
        (converted.len() == length).then_some(converted)
    }

    /// Splits a GS1 code into parts, each by the first rule that matches. `None`: a rest remains.
    fn decompose<'s>(&'s self, code: &str, year: i16) -> Option<Vec<Found<'s>>> {
        let begin = GS1_BEGINS
            .into_iter()
            .find_map(|begin| code.strip_prefix(begin));
        let mut rest = begin.unwrap_or(code);
        let mut parts = Vec::new();
        while !rest.is_empty() {
            let next = |ready: &'s Ready| ready.part(rest, year).transpose();
            let (part, behind) = self.rules.iter().find_map(next)?.ok()?;
            (behind.len() < rest.len()).then_some(())?;
            parts.push(part);
            rest = behind;
        }
        Some(parts)
    }
}

impl Ready {
    /// Returns the base code and the number of a code, if the rule matches.
    fn take(&self, code: &str) -> Option<(String, Value)> {
        let (base_code, value) = match self.number {
            None => (code.to_owned(), Value::None),
            Some(number) => number.cut(code)?,
        };
        let begin: String = base_code.chars().take(self.characters).collect();
        self.regex.is_match(&begin).then_some((base_code, value))
    }

    /// Splits off the part with which a GS1 code starts. `None`: the rule does not match.
    fn part<'a>(
        &self,
        rest: &'a str,
        year: i16,
    ) -> Result<Option<(Found<'_>, &'a str)>, Unreadable> {
        let Some(captures) = self.regex.captures(rest) else {
            return Ok(None);
        };
        let [Some(all), Some(ai), Some(text)] = [0, 1, 2].map(|group| captures.get(group)) else {
            return Ok(None);
        };
        let (ai, text) = (ai.as_str(), text.as_str());
        let Some(value) = self.value(ai, text, year)? else {
            return Ok(None);
        };
        let found = Found {
            rule: &self.rule,
            ai: Some(ai.to_owned()),
            code: text.to_owned(),
            base_code: text.to_owned(),
            value,
        };
        Ok(Some((found, &rest[all.end()..])))
    }

    fn value(&self, ai: &str, text: &str, year: i16) -> Result<Option<Value>, Unreadable> {
        Ok(match self.rule.content {
            Content::Alpha => Some(Value::Text(text.to_owned())),
            Content::Measure => {
                let last = ai.chars().last().and_then(|last| last.to_digit(10));
                let decimals = if self.rule.decimals { last } else { Some(0) };
                let number = decimals.and_then(|decimals| measure(text, decimals));
                Some(Value::Number(number.ok_or(Unreadable)?))
            }
            Content::Date if text.len() != 6 => None,
            Content::Date => Some(Value::Date(day_or_month(text, year).ok_or(Unreadable)?)),
            Content::Identifier => {
                let split = text.len().checked_sub(1).ok_or(Unreadable)?;
                let (body, check) = text.split_at_checked(split).ok_or(Unreadable)?;
                let right = check_digit(body) == check.bytes().next();
                right.then(|| Value::Text(text.to_owned()))
            }
        })
    }
}

/// A rule matches a part of a code and cannot read it: then Odoo refuses the whole code.
struct Unreadable;

impl Number {
    /// The first braces with `N`s and then `D`s between them.
    fn of(pattern: &str) -> Option<Self> {
        pattern.match_indices('{').find_map(|(at, _)| {
            let (between, _) = pattern[at + 1..].split_once('}')?;
            let decimals = between.trim_start_matches('N');
            decimals.bytes().all(|byte| byte == b'D').then(|| Self {
                at: pattern[..at].chars().count(),
                whole: between.len() - decimals.len(),
                decimals: decimals.len(),
            })
        })
    }

    fn digits(self) -> usize {
        self.whole + self.decimals
    }

    fn with_zeros(self, pattern: &str) -> String {
        replace(pattern, self.at, self.digits() + 2, self.digits())
    }

    /// Returns the code with zeros instead of the number, and the number. `None`: the place has
    /// other characters than digits, or too many digits.
    ///
    /// Odoo counts places in the code with a backslash before each of `\ { } .`, and so does this.
    fn cut(self, code: &str) -> Option<(String, Value)> {
        let mut escaped = String::with_capacity(code.len());
        for character in code.chars() {
            if matches!(character, '\\' | '{' | '}' | '.') {
                escaped.push('\\');
            }
            escaped.push(character);
        }
        let number: String = escaped.chars().skip(self.at).take(self.digits()).collect();
        if number.len() > DIGITS_MAX || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let (whole, decimals) = number.split_at(self.whole.min(number.len()));
        let value = format!("{whole:0>1}.{decimals:0<1}")
            .parse::<Decimal>()
            .ok()?;
        let mut base_code = replace(&escaped, self.at, self.digits(), self.digits());
        for special in ["\\", "{", "}", "."] {
            base_code = base_code.replace(&format!("\\{special}"), special);
        }
        Some((base_code, Value::Number(value.normalize())))
    }
}

fn sort(mut rules: Vec<Rule>) -> Vec<Rule> {
    rules.sort_by_key(|rule| rule.sequence);
    rules
}

fn compile(rule: &Rule, pattern: &str) -> Result<Regex, PatternError> {
    RegexBuilder::new(pattern)
        .size_limit(PATTERN_BYTES_MAX)
        .build()
        .map_err(|error| PatternError {
            rule: rule.name.clone(),
            pattern: rule.pattern.clone(),
            reason: error.to_string(),
        })
}

/// Replaces some characters of a text by zeros.
fn replace(text: &str, at: usize, length: usize, zeros: usize) -> String {
    let (before, behind) = (text.chars().take(at), text.chars().skip(at + length));
    before
        .chain(std::iter::repeat_n('0', zeros))
        .chain(behind)
        .collect()
}

/// Reads digits with a decimal point before the last ones.
fn measure(digits: &str, decimals: u32) -> Option<Decimal> {
    let all = digits.bytes().all(|byte| byte.is_ascii_digit());
    let value = all.then(|| digits.parse::<i64>().ok())??;
    Some(Decimal::new(value, decimals).normalize())
}

/// Corrects the check digit of a base code after zeros were put in.
fn with_check_digit(base_code: &str, encoding: Encoding) -> String {
    let length = match encoding {
        Encoding::Ean13 => 13,
        Encoding::Upca => 12,
        Encoding::Ean8 => 8,
        Encoding::Any | Encoding::Gs1 => return base_code.to_owned(),
    };
    let body: String = base_code.chars().take(length - 1).collect();
    match check_digit(&body) {
        Some(digit) => format!("{body}{}", char::from(digit)),
        None => base_code.to_owned(),
    }
}
