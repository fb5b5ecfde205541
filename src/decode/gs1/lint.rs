//! The rules for a part of a value, beyond its length and characters: GS1 calls such a rule a
//! linter.

use super::coupon;
use super::date;
use super::gtin::check_digit;
use super::lists::{CURRENCIES, PACKAGE_TYPES, is_country, is_country_alpha_2, is_listed};

/// The rules, by the names that GS1's syntax dictionary gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lint {
    CouponCode,
    CouponPosOffer,
    Csum,
    CsumAlpha,
    /// A GS1 company prefix at the start. It does not check that GS1 has assigned the prefix.
    GcpPos1,
    GcpPos2,
    HasNonDigit,
    Hh,
    Hhmi,
    Hyphen,
    Iban,
    ImporterIdx,
    Iso3166,
    Iso3166Alpha2,
    Iso3166Or999,
    Iso4217,
    Iso5218,
    Latitude,
    Longitude,
    MediaType,
    Mi,
    NonZero,
    NoZeroPrefix,
    PackageType,
    Pcenc,
    PieceOfTotal,
    PosInSeqSlash,
    Ss,
    Winding,
    YesNo,
    Yymmd0,
    Yymmdd,
    Yyyymmdd,
    Zero,
}

impl Lint {
    /// Whether a part of a value, of the right length and characters, keeps the rule.
    ///
    /// The year says in which century a date's two digits are.
    pub(super) fn accepts(self, value: &str, year: i16) -> bool {
        match self {
            Self::CouponCode => coupon::is_coupon_code(value, year),
            Self::CouponPosOffer => coupon::is_positive_offer(value),
            Self::Csum => value.len() > 1 && check_digit(body(value)) == value.bytes().last(),
            Self::CsumAlpha => has_check_characters(value),
            Self::GcpPos1 => has_company_prefix(value, 0),
            Self::GcpPos2 => has_company_prefix(value, 1),
            Self::HasNonDigit => value.bytes().any(|byte| !byte.is_ascii_digit()),
            Self::Hh => number(value) < 24,
            Self::Mi | Self::Ss => number(value) < 60,
            Self::Hhmi => date::time(value).is_some(),
            Self::Hyphen => value.bytes().all(|byte| byte == b'-'),
            Self::Iban => is_iban(value),
            Self::ImporterIdx => value
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)),
            Self::Iso3166 => is_country(value),
            Self::Iso3166Alpha2 => is_country_alpha_2(value),
            Self::Iso3166Or999 => value == "999" || is_country(value),
            Self::Iso4217 => is_listed(CURRENCIES, value),
            Self::Iso5218 => matches!(value, "0" | "1" | "2" | "9"),
            Self::Latitude => number(value) <= 1_800_000_000,
            Self::Longitude => number(value) <= 3_600_000_000,
            Self::MediaType => matches!(number(value), 1..=10 | 80..=99),
            Self::NonZero => number(value) > 0,
            Self::NoZeroPrefix => !value.starts_with('0'),
            Self::PackageType => is_listed(PACKAGE_TYPES, value),
            Self::Pcenc => has_whole_escapes(value),
            Self::PieceOfTotal => {
                let (piece, total) = value.split_at(value.len() / 2);
                (1..=number(total)).contains(&number(piece))
            }
            Self::PosInSeqSlash => is_position_in_sequence(value),
            Self::Winding => matches!(value, "0" | "1" | "9"),
            Self::YesNo => matches!(value, "0" | "1"),
            Self::Yymmd0 => date::day_or_month(value, year).is_some(),
            Self::Yymmdd => date::day(value, year).is_some(),
            Self::Yyyymmdd => date::day_of_full_year(value).is_some(),
            Self::Zero => value.bytes().all(|byte| byte == b'0'),
        }
    }

    /// Describes the values that the rule accepts, for a message.
    pub(super) fn accepted(self) -> &'static str {
        match self {
            Self::CouponCode => "a North American coupon code",
            Self::CouponPosOffer => "a North American positive offer coupon code",
            Self::Csum => "a number with the right check digit at its end",
            Self::CsumAlpha => "a GS1 key with the right pair of check characters at its end",
            Self::GcpPos1 | Self::GcpPos2 => "a GS1 key with a company prefix of 4 digits or more",
            Self::HasNonDigit => "a text that is not all digits",
            Self::Hh => "an hour from 00 to 23",
            Self::Hhmi => "a time HHMM",
            Self::Hyphen => "a hyphen",
            Self::Iban => "an IBAN",
            Self::ImporterIdx => "a letter, a digit, - or _",
            Self::Iso3166 => "a country of ISO 3166 in 3 digits",
            Self::Iso3166Alpha2 => "a country of ISO 3166 in 2 letters",
            Self::Iso3166Or999 => "a country of ISO 3166 in 3 digits, or 999",
            Self::Iso4217 => "a currency of ISO 4217 in 3 digits",
            Self::Iso5218 => "0, 1, 2 or 9",
            Self::Latitude => "a latitude from 0000000000 to 1800000000",
            Self::Longitude => "a longitude from 0000000000 to 3600000000",
            Self::MediaType => "a media type 01 to 10 or 80 to 99",
            Self::Mi | Self::Ss => "a number from 00 to 59",
            Self::NonZero => "a number that is not zero",
            Self::NoZeroPrefix => "a number that does not begin with 0",
            Self::PackageType => "a package type of GS1's PackageTypeCode list",
            Self::Pcenc => "a text in which each % begins %00 to %FF",
            Self::PieceOfTotal => "a piece and a total, neither of them 00, such as 0102",
            Self::PosInSeqSlash => "a position in a sequence such as 1/2",
            Self::Winding => "0, 1 or 9",
            Self::YesNo => "0 or 1",
            Self::Yymmd0 => "a date YYMMDD, where DD may be 00",
            Self::Yymmdd => "a date YYMMDD",
            Self::Yyyymmdd => "a date YYYYMMDD",
            Self::Zero => "0",
        }
    }
}

/// Returns an ASCII value without its last character.
fn body(value: &str) -> &str {
    &value[..value.len() - 1]
}

/// Reads digits as a number. Other text is greater than every limit.
fn number(digits: &str) -> u64 {
    digits.parse().unwrap_or(u64::MAX)
}

/// The shortest company prefixes have four digits.
fn has_company_prefix(value: &str, at: usize) -> bool {
    value
        .get(at..at + 4)
        .is_some_and(|prefix| prefix.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The characters of set 82 in the order of their values, GS1 General Specifications figure 7.11-1.
pub(super) const SET_82: &str =
    "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
const SET_32: &[u8] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// Check characters of alphanumeric keys, GS1 General Specifications section 7.9.
fn has_check_characters(value: &str) -> bool {
    let Some(split) = value.len().checked_sub(2) else {
        return false;
    };
    check_characters(&value[..split]).is_some_and(|pair| pair == value.as_bytes()[split..])
}

/// Each character's value times the prime of its place, counted from the right; modulo 1021, as two
/// times five bits.
pub(super) fn check_characters(key: &str) -> Option<[u8; 2]> {
    let mut sum = 0;
    for (character, prime) in key.chars().rev().zip(primes()) {
        sum += SET_82.find(character)? * prime;
    }
    let sum = sum % 1021;
    Some([SET_32[sum >> 5], SET_32[sum & 31]])
}

fn primes() -> impl Iterator<Item = usize> {
    (2..).filter(|&n| (2..n).take_while(|d| d * d <= n).all(|d| n % d != 0))
}

/// ISO 13616: a country, two check digits and an account, the whole modulo 97.
fn is_iban(value: &str) -> bool {
    value.len() > 10
        && value.get(..2).is_some_and(is_country_alpha_2)
        && iban_remainder(value) == Some(1)
}

/// Letters count as 10 to 35, and the first four characters come last.
pub(super) fn iban_remainder(iban: &str) -> Option<u32> {
    let (begin, account) = iban.split_at_checked(4)?;
    let mut remainder = 0;
    for character in account.chars().chain(begin.chars()) {
        let value = character
            .to_digit(36)
            .filter(|_| !character.is_ascii_lowercase())?;
        remainder = (remainder * if value < 10 { 10 } else { 100 } + value) % 97;
    }
    Some(remainder)
}

fn has_whole_escapes(value: &str) -> bool {
    value.split('%').skip(1).all(|after| {
        after
            .get(..2)
            .is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
    })
}

/// Such as `2/3`: numbers without leading zeros, the first at most the second.
fn is_position_in_sequence(value: &str) -> bool {
    let plain = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0') && !text.is_empty()
    };
    value.split_once('/').is_some_and(|(position, end)| {
        plain(position) && plain(end) && number(position) <= number(end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each rule with what keeps it and what does not. Most of the values are published ones.
    const CASES: &[(Lint, &[&str], &[&str])] = &[
        (
            Lint::Csum,
            &["04012345678901", "106141412345678908", "2112345678900"],
            &["04012345678902", "0"],
        ),
        (
            Lint::CsumAlpha,
            &[
                "1987654Ad4X4bL5ttr2310c2K",
                "12345678901234567890123NT",
                "22",
                "00000!HV",
            ],
            &[
                "1987654Ad4X4bL5ttr2310c2X",
                "33",
                "2",
                "",
                "12345678901234567890123N1",
            ],
        ),
        (Lint::GcpPos1, &["1234", "1234A"], &["123", "123A", ""]),
        (Lint::GcpPos2, &["X1234"], &["1234", "1A234", ""]),
        (Lint::HasNonDigit, &["12A"], &["12"]),
        (Lint::Hh, &["00", "23"], &["24"]),
        (Lint::Mi, &["00", "59"], &["60"]),
        (Lint::Ss, &["00", "59"], &["60"]),
        (Lint::Hhmi, &["0000", "2359"], &["2400", "2360"]),
        (Lint::Hyphen, &["-"], &["+"]),
        (
            Lint::Iban,
            &[
                "FR7630006000011234567890189",
                "DE91100000000123456789",
                "GB98MIDL07009312345678",
            ],
            &[
                "FR7630006000011234567890188",
                "XX361234567890",
                "BE71",
                "BE7109612345676x",
            ],
        ),
        (Lint::ImporterIdx, &["-", "_", "a", "Z", "9"], &["+", " "]),
        (Lint::Iso3166, &["276", "840"], &["000", "999"]),
        (Lint::Iso3166Alpha2, &["DE", "US"], &["XX", "de"]),
        (Lint::Iso3166Or999, &["276", "999"], &["998"]),
        (Lint::Iso4217, &["978", "840"], &["000", "002"]),
        (Lint::Iso5218, &["0", "1", "2", "9"], &["3"]),
        (
            Lint::Latitude,
            &["0000000000", "1800000000"],
            &["1800000001"],
        ),
        (Lint::Longitude, &["3600000000"], &["3600000001"]),
        (
            Lint::MediaType,
            &["01", "10", "80", "99"],
            &["00", "11", "79"],
        ),
        (Lint::NonZero, &["0001"], &["0000"]),
        (Lint::NoZeroPrefix, &["10"], &["01"]),
        (
            Lint::PackageType,
            &["PX", "201", "8", "APE"],
            &["0", "P", "px"],
        ),
        (Lint::Pcenc, &["", "A%20B", "%ff%00"], &["%", "%2", "%fg"]),
        (
            Lint::PieceOfTotal,
            &["0101", "0102", "9999"],
            &["0002", "0201", "0100"],
        ),
        (
            Lint::PosInSeqSlash,
            &["1/1", "2/3"],
            &["3/2", "0/1", "1/0", "1/", "/1", "111"],
        ),
        (Lint::Winding, &["0", "1", "9"], &["2"]),
        (Lint::YesNo, &["0", "1"], &["2"]),
        (
            Lint::Yymmd0,
            &["261200", "240229"],
            &["261300", "250229", "260431"],
        ),
        (Lint::Yymmdd, &["261231"], &["261200"]),
        (Lint::Yyyymmdd, &["20240229"], &["20250229", "20260100"]),
        (Lint::Zero, &["0"], &["1"]),
        (
            Lint::CouponCode,
            &["012345612345611110123"],
            &["01234561234561111012", "712345612345611110123"],
        ),
        (
            Lint::CouponPosOffer,
            &["001234561234560123456"],
            &["201234561234560123456", "0012345612345601234567"],
        ),
    ];

    #[test]
    fn each_rule_takes_what_keeps_it_and_nothing_else() {
        for &(lint, kept, broken) in CASES {
            for value in kept {
                assert!(lint.accepts(value, 2026), "{lint:?} refuses {value}");
            }
            for value in broken {
                assert!(!lint.accepts(value, 2026), "{lint:?} takes {value}");
            }
        }
    }
}
