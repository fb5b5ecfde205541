//! North American coupon codes: application identifiers 8110 and 8112.
//!
//! GS1 US's "North American Coupon Application Guideline" (for 8110) and "AI (8112) Coupon Data
//! Specification". Fields follow each other, many with their length before them.

use super::date;

/// Application identifier 8110.
pub(super) fn is_coupon_code(value: &str, year: i16) -> bool {
    let mut fields = Fields { rest: value };
    coupon_code(&mut fields, year).is_some() && fields.rest.is_empty()
}

/// Application identifier 8112.
pub(super) fn is_positive_offer(value: &str) -> bool {
    let mut fields = Fields { rest: value };
    let read = |fields: &mut Fields<'_>| {
        fields.one_of("01")?;
        fields.read_counted("0123456", 6)?;
        fields.digits(6)?;
        fields.read_counted("0123456789", 6)
    };
    read(&mut fields).is_some() && fields.rest.is_empty()
}

fn coupon_code(fields: &mut Fields<'_>, year: i16) -> Option<()> {
    fields.read_counted("0123456", 6)?; // company prefix
    fields.digits(6)?; // offer code
    fields.read_counted("12345", 0)?; // save value
    fields.requirement()?;
    if fields.option('1') {
        fields.one_of("0123")?; // rules for further purchases
        fields.requirement()?;
        fields.company_or_same()?;
    }
    if fields.option('2') {
        fields.requirement()?;
        fields.company_or_same()?;
    }
    let mut expiry = None;
    if fields.option('3') {
        let digits = fields.digits(6)?;
        date::day(digits, year)?;
        expiry = Some(digits);
    }
    if fields.option('4') {
        let start = fields.digits(6)?;
        date::day(start, year)?;
        expiry.is_none_or(|expiry| start <= expiry).then_some(())?;
    }
    if fields.option('5') {
        fields.read_counted("0123456789", 6)?; // serial number
    }
    if fields.option('6') {
        fields.read_counted("1234567", 6)?; // retailer
    }
    if fields.option('9') {
        fields.one_of("01256")?; // save value code
        fields.one_of("012")?; // the item that it applies to
        fields.digits(1)?; // store coupon
        fields.one_of("01")?; // not to be multiplied
    }
    Some(())
}

struct Fields<'a> {
    rest: &'a str,
}

impl<'a> Fields<'a> {
    fn digits(&mut self, length: usize) -> Option<&'a str> {
        let (field, rest) = self.rest.split_at_checked(length)?;
        field
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then_some(())?;
        self.rest = rest;
        Some(field)
    }

    fn one_of(&mut self, accepted: &str) -> Option<usize> {
        let digit = self.digits(1)?;
        accepted.contains(digit).then(|| digit.parse().ok())?
    }

    /// A field behind its length, which counts from `least` on.
    fn read_counted(&mut self, lengths: &str, least: usize) -> Option<()> {
        let length = self.one_of(lengths)?;
        self.digits(length + least).map(|_| ())
    }

    /// How much of what is to be bought: an amount, its unit and a product family.
    fn requirement(&mut self) -> Option<()> {
        self.read_counted("12345", 0)?;
        self.one_of("012349")?;
        self.digits(3).map(|_| ())
    }

    /// A company prefix; 9 says that it is the first one again.
    fn company_or_same(&mut self) -> Option<()> {
        if self.option('9') {
            return Some(());
        }
        self.read_counted("0123456", 6)
    }

    /// Whether an optional field begins here.
    fn option(&mut self, mark: char) -> bool {
        let rest = self.rest.strip_prefix(mark);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_optional_field_is_read_to_its_end() {
        let plain = "012345612345611110123";
        // Each optional field by its first digit; the first one of them comes in two parts.
        let parts = [
            ("11110123", false),
            ("0123456", true),
            ("21110129", true),
            ("3261231", true),
            ("4260101", true),
            ("50123456", true),
            ("611234567", true),
            ("90000", true),
        ];
        assert!(is_coupon_code(plain, 2026));
        let mut code = plain.to_owned();
        for (part, whole) in parts {
            code.push_str(part);
            assert_eq!(is_coupon_code(&code, 2026), whole, "{code}");
        }
        for length in 0..plain.len() {
            assert!(!is_coupon_code(&plain[..length], 2026));
        }
        assert!(!is_coupon_code(&format!("{code}7"), 2026));
        assert!(
            !is_coupon_code(&format!("{plain}32612014261231"), 2026),
            "it ends before it starts"
        );
        assert!(
            !is_coupon_code(&format!("{plain}3261301"), 2026),
            "there is no month 13"
        );
    }
}
