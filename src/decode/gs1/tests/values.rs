//! Valid values for any application identifier, made from arbitrary bytes.

use super::super::gtin::check_digit;
use super::super::lint::{Lint, SET_82, check_characters, iban_remainder};
use super::super::lists::{COUNTRIES, CURRENCIES, PACKAGE_TYPES};
use super::super::table::{Charset, Part, Spec};

/// A value that the application identifiers of this row take; other bytes make another one.
pub fn value(spec: &Spec, bytes: &[u8]) -> String {
    let mut bytes = Bytes(bytes.iter().cycle());
    let optional = spec.format.iter().filter(|part| part.optional).count();
    let parts = spec.format.len() - bytes.below(optional + 1);
    spec.format[..parts]
        .iter()
        .map(|part| part_value(*part, &mut bytes))
        .collect()
}

/// An endless supply of small numbers.
struct Bytes<'a>(std::iter::Cycle<std::slice::Iter<'a, u8>>);

impl Bytes<'_> {
    fn below(&mut self, end: usize) -> usize {
        usize::from(*self.0.next().expect("there is a byte")) % end
    }

    fn of<'a>(&mut self, words: &'a str) -> &'a str {
        let words: Vec<_> = words.split_ascii_whitespace().collect();
        let wide = self.below(256) * 256 + self.below(256);
        words[wide % words.len()]
    }

    fn digits(&mut self, length: usize) -> String {
        (0..length)
            .map(|_| char::from(b'0' + u8::try_from(self.below(10)).unwrap()))
            .collect()
    }

    fn characters(&mut self, charset: Charset, length: usize) -> String {
        let set = match charset {
            Charset::Digits => "0123456789",
            Charset::Set82 => SET_82,
            Charset::Set39 => "#-/0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            Charset::Base64Url => "ABCXYZabcxyz0189-_",
        };
        (0..length)
            .map(|_| char::from(set.as_bytes()[self.below(set.len())]))
            .collect()
    }
}

fn part_value(part: Part, bytes: &mut Bytes<'_>) -> String {
    let least = if part.lints.is_empty() {
        part.min
    } else {
        part.min.max(6.min(part.max))
    };
    let length = least + bytes.below(part.max - least + 1);
    let value = bytes.characters(part.charset, length);
    part.lints
        .iter()
        .fold(value, |value, &lint| repair(lint, value, bytes))
}

/// Another value, which keeps the rule (and those before it).
fn repair(lint: Lint, value: String, bytes: &mut Bytes<'_>) -> String {
    let length = value.len();
    let two = |n: usize| format!("{n:02}");
    match lint {
        Lint::Csum => {
            let body = &value[..length - 1];
            format!("{body}{}", char::from(check_digit(body).unwrap()))
        }
        // The company prefix's digits come before the check characters, which are made for them.
        Lint::CsumAlpha => {
            let key = format!(
                "{}{}",
                bytes.digits(4),
                bytes.characters(Charset::Set82, length - 6)
            );
            let pair = check_characters(&key).unwrap().map(char::from);
            format!("{key}{}{}", pair[0], pair[1])
        }
        Lint::GcpPos1 if value.as_bytes()[..4].iter().all(u8::is_ascii_digit) => value,
        Lint::GcpPos1 => format!("{}{}", bytes.digits(4), &value[4..]),
        Lint::GcpPos2 | Lint::HasNonDigit => value,
        Lint::Hh => two(bytes.below(24)),
        Lint::Mi | Lint::Ss => two(bytes.below(60)),
        Lint::Hhmi => two(bytes.below(24)) + &two(bytes.below(60)),
        Lint::Hyphen => "-".to_owned(),
        Lint::Iban => {
            let account = bytes.digits(12);
            let country = &bytes.of(COUNTRIES)[..2];
            let check = 98 - iban_remainder(&format!("{country}00{account}")).unwrap();
            format!("{country}{check:02}{account}")
        }
        Lint::ImporterIdx => bytes.characters(Charset::Digits, 1),
        Lint::Iso3166 | Lint::Iso3166Or999 => bytes.of(COUNTRIES)[2..].to_owned(),
        Lint::Iso3166Alpha2 => bytes.of(COUNTRIES)[..2].to_owned(),
        Lint::Iso4217 => bytes.of(CURRENCIES).to_owned(),
        Lint::Iso5218 => bytes.of("0 1 2 9").to_owned(),
        Lint::Latitude | Lint::Longitude => format!("0{}", &value[1..]),
        Lint::MediaType => bytes.of("01 10 80 99").to_owned(),
        Lint::NonZero | Lint::NoZeroPrefix => format!("1{}", &value[1..]),
        Lint::PackageType => bytes.of(PACKAGE_TYPES).to_owned(),
        Lint::Pcenc => value.replace('%', "x"),
        Lint::PieceOfTotal => {
            let total = 1 + bytes.below(99);
            two(1 + bytes.below(total)) + &two(total)
        }
        Lint::PosInSeqSlash => bytes.of("1/1 1/2 2/3 9/9").to_owned(),
        Lint::Winding => bytes.of("0 1 9").to_owned(),
        Lint::YesNo => bytes.of("0 1").to_owned(),
        Lint::Yymmd0 => two(bytes.below(100)) + &two(1 + bytes.below(12)) + &two(bytes.below(29)),
        Lint::Yymmdd => {
            two(bytes.below(100)) + &two(1 + bytes.below(12)) + &two(1 + bytes.below(28))
        }
        Lint::Yyyymmdd => "20".to_owned() + &repair(Lint::Yymmdd, value, bytes),
        Lint::Zero => "0".to_owned(),
        Lint::CouponCode => {
            format!(
                "0{}1111{}{}",
                bytes.digits(12),
                bytes.of("0 1 2 3 4 9"),
                bytes.digits(3)
            )
        }
        Lint::CouponPosOffer => format!("00{}0{}", bytes.digits(12), bytes.digits(6)),
    }
}
