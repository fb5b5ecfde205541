//! The symbology of a barcode: by its symbology identifier (ISO/IEC 15424), or by a vendor's name.

use std::fmt;

/// A symbology, as `decode` and people name it: `code128`, `gs1-128`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Symbology {
    Known(&'static str),
    /// A vendor's name that the table does not have: its letters and digits, in lower case.
    Other(String),
}

impl Symbology {
    /// Finds a symbology by a vendor's name. Case, dashes and spaces do not matter, and
    /// `LABEL-TYPE-` of `DataWedge` is removed.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let letters = |text: &str| -> String {
            let kept = text.chars().filter(|c| c.is_alphanumeric());
            kept.flat_map(char::to_lowercase).collect()
        };
        let plain = letters(name);
        let plain = plain.strip_prefix("labeltype").unwrap_or(&plain);
        if plain.is_empty() {
            return None;
        }
        let known = NAMES.iter().find(|(own, others)| {
            letters(own) == plain || others.split(' ').any(|other| other == plain)
        });
        Some(match known {
            Some((own, _)) => Self::Known(own),
            None => Self::Other(plain.chars().take(32).collect()),
        })
    }

    /// Finds a symbology by an identifier such as `]C1`.
    #[must_use]
    pub fn of_aim(identifier: &str) -> Option<Self> {
        let [b']', letter, option] = *identifier.as_bytes() else {
            return None;
        };
        let known = match (letter, option) {
            (b'C', b'1') => "gs1-128",
            (b'C', _) => "code128",
            (b'e', _) => "databar",
            (b'd', b'2') => "gs1-datamatrix",
            (b'd', _) => "datamatrix",
            (b'Q', b'3') => "gs1-qr",
            (b'Q', _) => "qr",
            (b'J', b'1') => "gs1-dotcode",
            (b'J', _) => "dotcode",
            (b'E', b'4') => "ean8",
            (b'E', _) => "ean13",
            (b'I', _) => "itf",
            (b'A', _) => "code39",
            (b'G', _) => "code93",
            (b'F', _) => "codabar",
            (b'L', _) => "pdf417",
            (b'U', _) => "maxicode",
            (b'z', _) => "aztec",
            (b'M', _) => "msi",
            (b'H', _) => "code11",
            (b'S', _) => "industrial25",
            _ => return None,
        };
        Some(Self::Known(known))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(name) => name,
            Self::Other(name) => name,
        }
    }

    /// Whether the symbology marks its data as GS1 data.
    #[must_use]
    pub fn is_gs1(&self) -> bool {
        matches!(self, Self::Known(name) if name.starts_with("gs1-") || *name == "databar")
    }

    /// Whether each valid code of the symbology is an item number of GS1.
    #[must_use]
    pub fn is_item_number(&self) -> bool {
        matches!(
            self,
            Self::Known("ean13" | "ean8" | "upca" | "upce" | "itf14")
        )
    }
}

impl fmt::Display for Symbology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The names used here, and the vendors' names without case, dashes and spaces.
const NAMES: [(&str, &str); 25] = [
    ("code128", ""),
    ("gs1-128", "ean128 ucc128 uccean128 code128gs1 gs1code128"),
    (
        "databar",
        "gs1databar gs1databarexp gs1databarlim gs1databarexpanded gs1databarlimited rss rss14 rssexpanded rsslimited databarexpanded databarlimited",
    ),
    ("datamatrix", "dm"),
    ("gs1-datamatrix", "datamatrixgs1"),
    ("qr", "qrcode"),
    ("gs1-qr", "gs1qrcode qrcodegs1"),
    ("dotcode", ""),
    ("gs1-dotcode", "dotcodegs1"),
    ("ean13", "jan13 gtin13"),
    ("ean8", "jan8 gtin8"),
    ("upca", "upca gtin12"),
    ("upce", "upce0 upce1"),
    ("itf", "i2of5 interleaved2of5 interleaved25"),
    ("itf14", "gtin14"),
    ("code39", "code39fullascii"),
    ("code93", ""),
    ("codabar", ""),
    ("pdf417", ""),
    ("maxicode", ""),
    ("aztec", ""),
    ("msi", "msiplessey"),
    ("code11", ""),
    ("industrial25", "d2of5 discrete2of5"),
    ("micropdf417", "micropdf"),
];

/// Splits a text after the symbology identifier that it starts with.
#[must_use]
pub fn split_aim(text: &str) -> Option<(&str, &str)> {
    let (identifier, behind) = text.split_at_checked(3)?;
    let [b']', letter, option] = *identifier.as_bytes() else {
        return None;
    };
    (letter.is_ascii_alphabetic() && option.is_ascii_alphanumeric()).then_some((identifier, behind))
}
