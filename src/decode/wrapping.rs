//! What scripts and scanners put around a payload: a byte order mark, quotes, line ends, NULs.

/// The byte order mark, U+FEFF: some scripts write it before UTF-8 text.
const BOM: char = '\u{feff}';

/// Returns the text without a byte order mark before it, and without line ends and NULs behind it.
///
/// Scanners end a code with what their suffix is set to. Programs written in C often send the NUL
/// that ends their texts as well.
pub(super) fn unwrap(text: &str) -> &str {
    unwrap_end(text.strip_prefix(BOM).unwrap_or(text))
}

/// Returns a code without line ends and NULs behind it.
pub(super) fn unwrap_end(code: &str) -> &str {
    code.trim_end_matches(['\r', '\n', '\0'])
}

/// The form that the payload of a scan has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The bare text of a barcode.
    Text,
    /// A text in double quotes, as JSON writes it.
    Quoted,
    /// A JSON object.
    Object,
    /// A JSON array of objects and quoted texts.
    Array,
}

impl Form {
    /// The form of an unwrapped payload, by its first characters.
    ///
    /// A barcode may begin with a bracket or a quote: an ISO/IEC 15434 envelope begins with `[)>`.
    /// So `[` begins an array only before an object, a quoted text or its end, and a quoted text
    /// has quotes at both ends.
    pub fn of(text: &str) -> Self {
        let text = text.trim();
        if text.starts_with('{') {
            return Self::Object;
        }
        if text.starts_with('"') && serde_json::from_str::<String>(text).is_ok() {
            return Self::Quoted;
        }
        match text.strip_prefix('[').map(str::trim_start) {
            Some("]") => Self::Array,
            Some(inner) if inner.starts_with(['{', '"']) => Self::Array,
            _ => Self::Text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_characters_tell_json_from_a_barcode() {
        for (text, form) in [
            ("4000000000006", Form::Text),
            ("[)>\u{1e}06\u{1d}P123", Form::Text),
            ("[12]", Form::Text),
            ("[] A", Form::Text),
            ("\"12", Form::Text),
            ("12\"", Form::Text),
            ("\"", Form::Text),
            ("", Form::Text),
            ("\"4000000000006\"", Form::Quoted),
            (" {\"code\": \"1\"}", Form::Object),
            ("[{\"code\": \"1\"}]", Form::Array),
            ("[\"1\", \"2\"]", Form::Array),
            ("[ ]", Form::Array),
        ] {
            assert_eq!(Form::of(text), form, "{text:?}");
        }
    }

    #[test]
    fn marks_around_a_payload_are_dropped_and_marks_inside_stay() {
        assert_eq!(unwrap("\u{feff}A\u{feff}B\r\n\0\0"), "A\u{feff}B");
        assert_eq!(unwrap("\0A"), "\0A");
        assert_eq!(unwrap("A\0\r\n"), "A");
    }
}
