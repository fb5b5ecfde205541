//! Item numbers: GTIN-8, GTIN-12 (UPC), GTIN-13 (EAN) and GTIN-14, GS1 General Specifications
//! section 2.1.

use std::fmt;

/// A global trade item number: 14 digits with a valid check digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gtin([u8; 14]);

impl Gtin {
    /// Reads the 8, 12, 13 or 14 digits of an EAN-8, UPC-A, EAN-13 or ITF-14. `None`: another
    /// length, other characters, or a wrong check digit.
    ///
    /// Eight digits are an EAN-8 here: see [`Self::from_upc_e`].
    #[must_use]
    pub fn new(digits: &str) -> Option<Self> {
        if !matches!(digits.len(), 8 | 12..=14) {
            return None;
        }
        let (body, check) = digits.split_at_checked(digits.len() - 1)?;
        (check.bytes().next() == check_digit(body)).then_some(())?;
        let mut padded = [b'0'; 14];
        padded[14 - digits.len()..].copy_from_slice(digits.as_bytes());
        Some(Self(padded))
    }

    /// Reads the 8 digits of a UPC-E, or its 6 without number system and check digit.
    ///
    /// The last of the six says where the suppressed zeros stood: GS1 General Specifications
    /// section 5.2.2.
    #[must_use]
    pub fn from_upc_e(digits: &str) -> Option<Self> {
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let (system, six, check) = match digits.len() {
            6 => ("0", digits, None),
            8 => (&digits[..1], &digits[1..7], digits.bytes().last()),
            _ => return None,
        };
        if !matches!(system, "0" | "1") {
            return None;
        }
        let (head, tail) = match six.as_bytes()[5] {
            last @ b'0'..=b'2' => (format!("{}{}0000", &six[..2], char::from(last)), &six[2..5]),
            b'3' => (format!("{}00000", &six[..3]), &six[3..5]),
            b'4' => (format!("{}00000", &six[..4]), &six[4..5]),
            _ => (format!("{}0000", &six[..5]), &six[5..]),
        };
        let body = format!("{system}{head}{tail}");
        let right = check_digit(&body)?;
        if check.is_some_and(|check| check != right) {
            return None;
        }
        Self::new(&format!("{body}{}", char::from(right)))
    }

    /// The 14 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The forms under which it may be stored, the longest first: 14 digits, EAN-13, UPC-A, EAN-8.
    pub fn forms(&self) -> impl Iterator<Item = &str> {
        [14, 13, 12, 8].into_iter().filter_map(|length| {
            let (zeros, form) = self.as_str().split_at(14 - length);
            zeros.bytes().all(|byte| byte == b'0').then_some(form)
        })
    }

    /// Whether a shop or company assigned the number for itself, often with a weight or price in
    /// it. The site's nomenclature defines its meaning.
    ///
    /// GS1 prefixes 02, 04 and 20 to 29, and GS1-8 prefixes 0 and 2: General Specifications,
    /// section 1.4.
    #[must_use]
    pub fn is_restricted(&self) -> bool {
        match &self.0 {
            [b'0', b'0', b'0', b'0', b'0', b'0', first, ..] => matches!(first, b'0' | b'2'),
            [b'0', b'0', b'2' | b'4', ..] | [b'0', b'2', ..] => true,
            _ => false,
        }
    }
}

impl fmt::Display for Gtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether it is the 18 digits of a serial shipping container code, with the right check digit.
#[must_use]
pub fn is_sscc(digits: &str) -> bool {
    digits.len() == 18
        && digits
            .split_at_checked(17)
            .is_some_and(|(body, check)| check_digit(body) == check.bytes().next())
}

/// Calculates the check digit of these digits, General Specifications section 7.9.1: weights 3 and
/// 1 from the right. `None`: other characters than digits.
pub(in crate::decode) fn check_digit(body: &str) -> Option<u8> {
    let mut sum = 0;
    for (place, byte) in body.bytes().rev().enumerate() {
        let digit = usize::from(byte.is_ascii_digit().then(|| byte - b'0')?);
        sum += digit * if place % 2 == 0 { 3 } else { 1 };
    }
    u8::try_from((10 - sum % 10) % 10)
        .ok()
        .map(|digit| b'0' + digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gtin(digits: &str) -> Gtin {
        Gtin::new(digits).unwrap_or_else(|| panic!("{digits} is a GTIN"))
    }

    #[test]
    fn every_length_is_one_number() {
        // The example of General Specifications section 7.9.1.
        assert_eq!(check_digit("629104150021"), Some(b'3'));
        assert_eq!(gtin("4012345678901").as_str(), "04012345678901");
        assert_eq!(gtin("4012345678901"), gtin("04012345678901"));
        assert_eq!(gtin("036000291452").as_str(), "00036000291452");
        assert_eq!(gtin("96385074").as_str(), "00000096385074");
        for wrong in [
            "",
            "4012345678902",
            "401234567890",
            "40123456789011",
            "401234567890a",
            "ääääääää",
        ] {
            assert_eq!(Gtin::new(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_forms_are_those_that_lose_only_zeros() {
        let forms = |digits| gtin(digits).forms().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(forms("14012345678908"), ["14012345678908"]);
        assert_eq!(forms("4012345678901"), ["04012345678901", "4012345678901"]);
        assert_eq!(
            forms("036000291452"),
            ["00036000291452", "0036000291452", "036000291452"]
        );
        assert_eq!(
            forms("96385074"),
            [
                "00000096385074",
                "0000096385074",
                "000096385074",
                "96385074"
            ]
        );
    }

    #[test]
    fn upc_e_is_expanded_by_its_last_digit() {
        // The rows of that section, and published pairs.
        for (short, long) in [
            ("01234505", "012000003455"),
            ("04252614", "042100005264"),
            ("01278907", "012000007897"),
            ("01278916", "012100007896"),
            ("01278925", "012200007895"),
            ("01234531", "012300000451"),
            ("01234543", "012340000053"),
            ("01234565", "012345000065"),
            ("11234562", "112345000062"),
        ] {
            assert_eq!(Gtin::from_upc_e(short), Gtin::new(long), "{short}");
            assert!(Gtin::new(long).is_some(), "{long}");
        }
        assert_eq!(Gtin::from_upc_e("425261"), Gtin::new("042100005264"));
        for wrong in ["04252615", "24252614", "0425261", "", "ääää"] {
            assert_eq!(Gtin::from_upc_e(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn in_store_numbers_are_told_apart() {
        for digits in [
            "2112345000008",
            "0212345678909",
            "0412345678907",
            "20123451",
            "2912345678907",
        ] {
            let body = &digits[..digits.len() - 1];
            let digits = format!("{body}{}", char::from(check_digit(body).unwrap()));
            assert!(gtin(&digits).is_restricted(), "{digits}");
        }
        for digits in [
            "4012345678901",
            "036000291452",
            "96385074",
            "14012345678908",
        ] {
            assert!(!gtin(digits).is_restricted(), "{digits}");
        }
    }

    #[test]
    fn a_container_code_has_18_digits_and_its_check_digit() {
        assert!(is_sscc("106141412345678908"));
        assert!(!is_sscc("106141412345678909"));
        assert!(!is_sscc("06141412345678908"));
        assert!(!is_sscc("10614141234567890ä"));
    }
}
