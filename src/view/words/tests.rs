use super::*;

#[test]
fn values_fill_their_names_and_no_other() {
    assert_eq!(fill("{a} of {b}", &[("a", "1"), ("b", "2")]), "1 of 2");
    // A value with braces, a name without a value, and a brace alone stay as they are.
    assert_eq!(fill("{a} {c} {", &[("a", "{b}"), ("b", "2")]), "{b} {c} {");
}

#[test]
fn spans_have_at_most_two_parts() {
    let words = Words::ENGLISH;
    for (seconds, text) in [
        (0, "0 s"),
        (59, "59 s"),
        (64, "1 min 4 s"),
        (599, "9 min 59 s"),
        (3_599, "59 min"),
        (3_734, "1 h 2 min"),
        (36_000, "10 h"),
        (86_400 * 3 + 3_725, "3 d 1 h"),
        (86_400 * 12, "12 d"),
    ] {
        assert_eq!(words.span(seconds), text);
    }
    let at = Timestamp::UNIX_EPOCH;
    assert_eq!(words.ago(at, at), "now");
    assert_eq!(
        words.ago(at, Timestamp::from_second(64).unwrap()),
        "1 min 4 s ago"
    );
}
