//! Types for the numbers that the journal assigns: one type for each sequence, so that the number
//! of an event cannot be passed for the number of a document.

/// Defines the type of the numbers of one sequence. In JSON it is the bare number.
macro_rules! number_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug,
            Clone,
            Copy,
            PartialEq,
            Eq,
            Hash,
            PartialOrd,
            Ord,
            Default,
            serde::Serialize,
            serde::Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// The number before the first: nothing has it.
            pub const ZERO: Self = Self(0);
            /// The largest number.
            pub const MAX: Self = Self(u64::MAX);

            #[must_use]
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The number after this one; after the largest, the largest.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }

            /// The number that is lower by `count`, or 0.
            #[must_use]
            pub const fn back_by(self, count: u64) -> Self {
                Self(self.0.saturating_sub(count))
            }
        }

        // For stored forms, which hold the bare number.
        impl From<u64> for $name {
            fn from(number: u64) -> Self {
                Self(number)
            }
        }

        impl From<$name> for u64 {
            fn from(number: $name) -> Self {
                number.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

pub(crate) use number_type;

#[cfg(test)]
mod tests {
    use crate::event::Seq;

    #[test]
    fn json_and_text_have_the_bare_number() {
        let seq = Seq::new(7);
        assert_eq!(serde_json::to_string(&[seq]).unwrap(), "[7]");
        assert_eq!(serde_json::from_str::<Seq>("7").unwrap(), seq);
        assert_eq!(format!("{seq} {seq:>3}"), "7   7");
        assert_eq!("7".parse(), Ok(seq));
        assert!("-7".parse::<Seq>().is_err());
    }

    #[test]
    fn a_number_stays_within_its_range() {
        assert_eq!(Seq::ZERO.next(), Seq::new(1));
        assert_eq!(Seq::MAX.next(), Seq::MAX);
        assert_eq!(Seq::new(7).back_by(3), Seq::new(4));
        assert_eq!(Seq::new(7).back_by(9), Seq::ZERO);
    }
}
