use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn framer(lines: &str) -> Framer {
    Framer::new(toml::from_str(&format!("max_bytes = 16\n{lines}")).unwrap())
}

fn whole_frame(bytes: &[u8]) -> Frame {
    Frame::Whole(bytes.to_vec())
}

#[test]
fn a_stream_is_cut_at_its_terminator_wherever_it_stops() {
    let mut framer = framer("terminator = \"\\r\\n\"");
    assert_eq!(framer.push(b"abc\r"), []);
    assert_eq!(
        framer.push(b"\n\r\nde\rf\r\ng"),
        [whole_frame(b"abc"), whole_frame(b"de\rf")]
    );
    assert!(framer.is_inside());
    assert_eq!(
        framer.silence(),
        Some(Frame::Unended(b"g".to_vec())),
        "half a code is none"
    );
    assert_eq!(framer.push(b"h\r\n"), [whole_frame(b"h")]);
}

#[test]
fn what_is_outside_of_stx_and_etx_is_dropped_and_told() {
    let mut framer = framer("stx = \"\\u0002\"\netx = \"\\u0003\"");
    assert_eq!(
        framer.push(b"noise\x02abc\x03\x02\x03\x02d"),
        [Frame::Dropped(5), whole_frame(b"abc")]
    );
    assert_eq!(framer.push(b"e\x03"), [whole_frame(b"de")]);
    assert_eq!(framer.silence(), None);
}

#[test]
fn line_ends_between_codes_are_none() {
    for lines in [
        "terminator = \"\\r\"",
        "terminator = \"\\n\"",
        "terminator = \"\\r\\n\"",
        "stx = \"\\u0002\"\netx = \"\\u0003\"",
        "silence_ms = 50",
    ] {
        let mut framer = framer(lines);
        assert_eq!(framer.push(b"\n\r\n\0\0\r"), [], "{lines}");
        assert_eq!(framer.silence(), None, "{lines}");
    }
    let mut cr = framer("terminator = \"\\r\"");
    assert_eq!(
        cr.push(b"a\r\n\0b\r\n"),
        [whole_frame(b"a"), whole_frame(b"b")]
    );
    assert!(!cr.is_inside());
    let mut enclosed = framer("stx = \"\\u0002\"\netx = \"\\u0003\"");
    assert_eq!(
        enclosed.push(b"\x02\na\x03\r\n\x02b\x03"),
        [whole_frame(b"\na"), whole_frame(b"b")]
    );
}

#[test]
fn a_code_without_its_end_mark_says_what_to_set() {
    let mut cr = framer("terminator = \"\\r\"");
    assert_eq!(cr.push(b"A-1\n"), []);
    assert_eq!(cr.silence(), Some(Frame::Unended(b"A-1\n".to_vec())));
    let explain = |lines: &str, bytes: &[u8]| framer(lines).framing.explain_unended(bytes);
    assert_eq!(
        explain("terminator = \"\\r\"", b"A-1\n"),
        r"4 bytes came without the end mark \r: set the scanner's suffix to \r, or connection.framing.terminator of the profile to \n, which it sent"
    );
    assert_eq!(
        explain("stx = \"\\u0002\"\netx = \"\\u0003\"", b"A"),
        r"1 bytes came without the end mark \x03: set the scanner's suffix to \x03, or connection.framing.etx of the profile to what the scanner sends"
    );
    let mut enclosed = framer("stx = \"\\u0002\"\netx = \"\\u0003\"");
    assert_eq!(enclosed.push(b"noise"), []);
    assert_eq!(
        enclosed.silence(),
        Some(Frame::Dropped(5)),
        "no code has begun"
    );
}

#[test]
fn silence_ends_a_code_where_nothing_else_does() {
    let mut framer = framer("silence_ms = 50");
    assert_eq!(framer.push(b"ab"), []);
    assert_eq!(framer.push(b"c"), []);
    assert_eq!(framer.silence(), Some(whole_frame(b"abc")));
    assert_eq!(framer.push(&[b'x'; 17]), []);
    assert_eq!(framer.silence(), Some(Frame::Dropped(17)));
}

#[test]
fn what_is_too_long_is_dropped_to_its_end_and_the_next_code_is_read() {
    let mut framer = framer("terminator = \"\\r\"");
    assert_eq!(framer.push(&[b'x'; 16]), []);
    assert_eq!(framer.push(b"\r"), [whole_frame(&[b'x'; 16])]);
    assert_eq!(framer.push(&[b'x'; 1_000]), []);
    assert_eq!(
        framer.push(b"y\rok\r"),
        [Frame::Dropped(1_001), whole_frame(b"ok")]
    );
}

proptest! {
    #[test]
    fn frames_do_not_depend_on_where_the_stream_stops(
        bytes in vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(0), Just(2), Just(3), any::<u8>()], 0..200),
        cuts in vec(1..20_usize, 1..40),
    ) {
        for lines in ["terminator = \"\\r\\n\"", "stx = \"\\u0002\"\netx = \"\\u0003\"", "silence_ms = 50"] {
            let (mut one, mut many) = (framer(lines), framer(lines));
            let mut expected = one.push(&bytes);
            let mut found = Vec::new();
            let (mut rest, mut cut) = (&bytes[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (part, behind) = rest.split_at((*cut.next().unwrap()).min(rest.len()));
                found.extend(many.push(part));
                rest = behind;
            }
            expected.extend(one.silence());
            found.extend(many.silence());
            prop_assert_eq!(&found, &expected);
            for frame in found {
                if let Frame::Whole(frame) = frame {
                    prop_assert!((1..=16).contains(&frame.len()), "{:?}", frame);
                }
            }
        }
    }
}
