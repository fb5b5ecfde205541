//! Published examples, what is refused and how, and what holds for all elements.

use jiff::civil::date;
use rust_decimal::Decimal;

use super::*;

mod dictionary;
mod round_trips;
mod values;

const YEAR: i16 = 2026;

fn read(text: &str) -> ElementString {
    parse(text, YEAR).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn refused(text: &str) -> Gs1Error {
    parse(text, YEAR).expect_err(text)
}

/// The elements as bracketed text, which is easy to compare.
fn bracketed(text: &str) -> String {
    read(text).to_bracketed()
}

#[test]
fn an_element_string_is_cut_by_predefined_lengths_and_separators() {
    // General Specifications section 7.8.5: lengths of 31 and 15 need no FNC1, that of 10 does.
    for text in [
        "]C1010401234567890115261231310300275010ABC\x1d21S1",
        "]d2010401234567890115261231310300275010ABC\x1d21S1",
        "]Q3010401234567890115261231310300275010ABC\x1d21S1",
        "]e0010401234567890115261231310300275010ABC\x1d21S1",
        "]J1010401234567890115261231310300275010ABC\x1d21S1",
        "\x1d010401234567890115261231310300275010ABC\x1d21S1",
        "010401234567890115261231310300275010ABC\x1d21S1",
        "]C1\x1d0104012345678901\x1d15261231\x1d\x1d310300275010ABC\x1d21S1\x1d",
    ] {
        assert_eq!(
            bracketed(text),
            "(01)04012345678901(15)261231(3103)002750(10)ABC(21)S1",
            "{text:?}"
        );
    }
}

#[test]
fn what_elements_mean_is_typed() {
    let label = read("(01)04012345678901(10)L-7(17)261200(3103)002750(30)12(21)S9(11)991231");
    assert_eq!(label.gtin(), Gtin::new("4012345678901"));
    assert_eq!(label.lot(), Some("L-7"));
    assert_eq!(label.serial(), Some("S9"));
    assert_eq!(label.expiry(), Some(date(2026, 12, 31)));
    assert_eq!(label.produced(), Some(date(1999, 12, 31)));
    assert_eq!(label.net_weight_kg(), Some(Decimal::new(2750, 3)));
    assert_eq!(label.variable_count(), Some(12));
    assert_eq!(label.measure("330"), None);
    assert_eq!(label.best_before(), None);

    let pallet = read("(00)106141412345678908(02)04012345678901(37)48(3302)001234(7003)2612312359");
    assert_eq!(pallet.sscc(), Some("106141412345678908"));
    assert_eq!(
        (pallet.content(), pallet.gtin()),
        (Gtin::new("4012345678901"), None)
    );
    assert_eq!(pallet.count(), Some(48));
    assert_eq!(pallet.gross_weight_kg(), Some(Decimal::new(1234, 2)));
    assert_eq!(
        pallet.expiry_time(),
        Some(date(2026, 12, 31).at(23, 59, 0, 0))
    );
    assert_eq!(pallet.expiry(), Some(date(2026, 12, 31)));

    let money = read("(3932)978001999(3922)1999(15)280229");
    assert_eq!(money.measure("393"), Some(Decimal::new(1999, 2)));
    assert_eq!(money.measure("392"), Some(Decimal::new(1999, 2)));
    assert_eq!(money.measure("401"), None);
}

#[test]
fn a_digital_link_is_read_under_any_host_and_path() {
    // The last ones are those of the standard "GS1 Digital Link: URI Syntax", section 5.
    for (link, elements) in [
        (
            "https://any.host/some/path/01/04012345678901/10/ABC?17=261231",
            "(01)04012345678901(10)ABC(17)261231",
        ),
        ("HTTP://h/01/4012345678901/", "(01)04012345678901"),
        ("]Q1https://h/01/96385074", "(01)00000096385074"),
        (
            "https://h/01/04012345678901/10/A%2fB%28%25/21/1+1#top",
            "(01)04012345678901(10)A/B\\(%(21)1+1",
        ),
        (
            "https://h/01/04012345678901?linkType=gs1:pip&x&17=261231&3103=000195",
            "(01)04012345678901(17)261231(3103)000195",
        ),
        (
            "https://h/01/04012345678901?91=A;B",
            "(01)04012345678901(91)A;B",
        ),
        (
            "https://h/00/106141412345678908?02=4012345678901&37=5&10=L",
            "(00)106141412345678908(02)04012345678901(37)5(10)L",
        ),
        (
            "https://h/00/106141412345678908?01=96385074",
            "(00)106141412345678908(01)00000096385074",
        ),
        (
            "https://h/00/01/00/106141412345678908",
            "(00)106141412345678908",
        ),
        (
            "https://id.gs1.org/01/09520123456788/22/2A",
            "(01)09520123456788(22)2A",
        ),
        (
            "https://id.gs1.org/01/09520123456788/10/ABC1/21/12345?17=180426",
            "(01)09520123456788(10)ABC1(21)12345(17)180426",
        ),
        (
            "https://id.gs1.org/414/9520123456788/254/32a%2Fb",
            "(414)9520123456788(254)32a/b",
        ),
        (
            "https://id.gs1.org/8006/095201234567880102",
            "(8006)095201234567880102",
        ),
    ] {
        assert_eq!(carrier(link), Some(Carrier::DigitalLink), "{link}");
        assert_eq!(bracketed(link), elements, "{link}");
    }
}

#[test]
fn parentheses_of_a_value_stay_in_it() {
    assert_eq!(read("(10)A\\(21)B").lot(), Some("A(21)B"));
    assert_eq!(read("(10)A(B)(21)C").lot(), Some("A(B)"));
    assert_eq!(read("(10)A(21)B").serial(), Some("B"));
}

#[test]
fn a_text_says_itself_that_it_is_gs1_data() {
    for (text, said) in [
        ("]C10104012345678901", Some(Carrier::ElementString)),
        ("10ABC\x1d21S", Some(Carrier::ElementString)),
        ("(01)04012345678901", Some(Carrier::Bracketed)),
        ("]d1(01)04012345678901", Some(Carrier::Bracketed)),
        ("https://h/01/04012345678901", Some(Carrier::DigitalLink)),
        ("0104012345678901", None),
        ("]E04012345678901", None),
        ("4012345678901", None),
        ("https://example.com/shop", None),
        ("(red) paint", None),
        ("", None),
        ("]C", None),
    ] {
        assert_eq!(carrier(text), said, "{text:?}");
    }
}

/// Each text is refused, for this reason, at this application identifier and byte.
fn assert_refused(cases: &[(&str, Gs1ErrorKind, Option<&str>, Option<usize>)]) {
    for &(text, kind, ai, offset) in cases {
        let error = refused(text);
        let ai = ai.and_then(Ai::new);
        assert_eq!(
            (error.kind, error.ai, error.offset),
            (kind, ai, offset),
            "{text:?}: {error}"
        );
    }
}

#[test]
fn what_is_refused_is_named() {
    use Gs1ErrorKind as Kind;
    let long = "1".repeat(TEXT_BYTES_MAX + 1);
    assert_refused(&[
        ("", Kind::Size, None, None),
        ("]C1", Kind::Size, None, None),
        (long.as_str(), Kind::Size, None, None),
        ("\x1d\x1d", Kind::UnknownAi, None, Some(0)),
        ("]C1050000", Kind::UnknownAi, None, Some(3)),
        ("]C1ä", Kind::UnknownAi, None, Some(3)),
        ("]C13107000001", Kind::UnknownAi, None, Some(3)),
        ("10ABC\x1d0", Kind::UnknownAi, None, Some(6)),
        ("01040123456789", Kind::Length, Some("01"), Some(2)),
        (
            "17261231\x1d0104012\x1d10A",
            Kind::Length,
            Some("01"),
            Some(11),
        ),
        ("(10)", Kind::Length, Some("10"), Some(4)),
        (
            "(10)123456789012345678901",
            Kind::Length,
            Some("10"),
            Some(4),
        ),
        ("4222760104012345678901", Kind::Length, Some("422"), Some(3)),
        ("(10)A C", Kind::Character, Some("10"), Some(5)),
        ("(10)Aä", Kind::Character, Some("10"), Some(5)),
        ("]C10104012345ä8901", Kind::Character, Some("01"), Some(13)),
        ("(37)1A", Kind::Character, Some("37"), Some(5)),
        ("(01)04012345678902", Kind::CheckDigit, Some("01"), Some(4)),
        ("(17)261301", Kind::Content, Some("17"), Some(4)),
        ("(7003)2612312400", Kind::Content, Some("7003"), Some(12)),
        ("(422)999", Kind::Content, Some("422"), Some(5)),
        ("(10)A(10)B", Kind::Repeated, Some("10"), Some(9)),
    ]);
}

#[test]
fn what_is_refused_of_a_link_is_named() {
    use Gs1ErrorKind as Kind;
    assert_refused(&[
        ("https://h/shop", Kind::Link, None, Some(0)),
        ("https://h/gtin/04012345678901", Kind::Link, None, Some(0)),
        ("https://h/10/ABC", Kind::Link, None, Some(0)),
        (
            "https://h/01/04012345678901/21/S/10/L",
            Kind::Link,
            None,
            Some(31),
        ),
        (
            "https://h/01/04012345678901/10/L/235/T",
            Kind::Link,
            None,
            Some(31),
        ),
        (
            "https://h/00/106141412345678908/10/L",
            Kind::Link,
            None,
            Some(35),
        ),
        (
            "https://h/01/04012345678901?21=S",
            Kind::Link,
            None,
            Some(31),
        ),
        (
            "https://h/01/04012345678901?10=L",
            Kind::Link,
            None,
            Some(31),
        ),
        (
            "https://h/01/04012345678901/21/S?10=L",
            Kind::Link,
            None,
            Some(36),
        ),
        (
            "https://h/414/9520123456788?7040=1ABC",
            Kind::Link,
            None,
            Some(33),
        ),
        (
            "https://h/01/04012345678901?17=261231&17=261231",
            Kind::Repeated,
            Some("17"),
            Some(41),
        ),
        (
            "https://h/01/04012345678901?01=04012345678901",
            Kind::Repeated,
            Some("01"),
            Some(31),
        ),
        (
            "https://h/01/04012345678901?17=261231;3103=000195",
            Kind::Length,
            Some("17"),
            Some(31),
        ),
        (
            "https://h/01/04012345678901?05=S",
            Kind::UnknownAi,
            None,
            Some(28),
        ),
        (
            "https://h/01/04012345678901/10/A%4",
            Kind::Link,
            None,
            Some(32),
        ),
        (
            "https://h/01/04012345678901/10/A%C3%A4",
            Kind::Link,
            None,
            Some(32),
        ),
        (
            "https://h/01/04012345678901/10/A%20B",
            Kind::Character,
            Some("10"),
            Some(32),
        ),
        (
            "https://id.gs1.org/ARFKk4XBoCgAAA",
            Kind::Compressed,
            None,
            Some(0),
        ),
    ]);
}

#[test]
fn a_refusal_reads_well() {
    for (text, message) in [
        (
            "(01)04012345678902",
            "application identifier (01) at byte 4: found 04012345678902; accepted is check digit 1 at its end",
        ),
        (
            "(17)261301",
            "application identifier (17) at byte 4: found 261301; accepted is a date YYMMDD, where DD may be 00",
        ),
        (
            "(10)A\tB",
            "application identifier (10) at byte 5: found \\t; accepted is 1 to 20 characters of GS1's set 82",
        ),
        (
            "]C1050000",
            "at byte 3: found 0500; accepted is an application identifier of GS1",
        ),
        (
            "(7003)26123",
            "application identifier (7003) at byte 6: found 26123; accepted is 6 digits, then 4 digits",
        ),
        (
            "",
            "found 0 bytes; accepted is GS1 data of at most 4096 bytes",
        ),
    ] {
        assert_eq!(refused(text).to_string(), message);
    }
}

#[test]
fn what_must_stand_together_is_asked_of_all_codes_of_a_label() {
    let content = read("(02)04012345678901(37)48");
    let unit = read("(00)106141412345678908");
    assert_eq!(
        content.check_associations().unwrap_err().kind,
        Gs1ErrorKind::Missing
    );
    assert_eq!(
        unit.clone().join(&content).unwrap().check_associations(),
        Ok(())
    );

    for (text, kind, ai) in [
        ("(10)A", Some(Gs1ErrorKind::Missing), "10"),
        (
            "(01)04012345678901(250)A",
            Some(Gs1ErrorKind::Missing),
            "250",
        ),
        ("(01)04012345678901(250)A(21)B", None, ""),
        (
            "(01)04012345678901(3922)1999",
            Some(Gs1ErrorKind::Missing),
            "3922",
        ),
        ("(01)04012345678901(3922)1999(3103)000100", None, ""),
        (
            "(01)04012345678901(3103)000100(3102)000010",
            Some(Gs1ErrorKind::Excluded),
            "3103",
        ),
        (
            "(01)04012345678901(37)1(00)106141412345678908(02)04012345678901",
            Some(Gs1ErrorKind::Excluded),
            "01",
        ),
    ] {
        let error = read(text).check_associations().err();
        assert_eq!(error.as_ref().map(|error| error.kind), kind, "{text}");
        assert_eq!(error.and_then(|error| error.ai), Ai::new(ai), "{text}");
    }
    assert_eq!(
        read("(10)A").join(&read("(10)B")).unwrap_err().kind,
        Gs1ErrorKind::Repeated
    );
    assert_eq!(
        bracketed("(10)A(10)A"),
        "(10)A",
        "the same again says nothing new"
    );
}

#[test]
fn elements_are_written_in_three_forms() {
    let item = read("(10)A(1/2)(01)04012345678901(17)261231");
    assert_eq!(
        item.to_element_string(),
        "10A(1/2)\x1d010401234567890117261231"
    );
    assert_eq!(
        item.to_bracketed(),
        "(10)A\\(1/2)(01)04012345678901(17)261231"
    );
    assert_eq!(
        item.to_digital_link("https://id.gs1.org/").unwrap(),
        "https://id.gs1.org/01/04012345678901/10/A%281%2F2%29?17=261231"
    );
    for (text, stem) in [
        ("(10)A", "https://h"),
        ("(01)04012345678901", "ftp://h"),
        ("(01)04012345678901", "https://h?a"),
        ("(01)04012345678901(90)A(254)B", "https://h"),
    ] {
        assert_eq!(
            read(text).to_digital_link(stem).unwrap_err().kind,
            Gs1ErrorKind::Link,
            "{text} {stem}"
        );
    }
}
