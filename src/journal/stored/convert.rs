//! The conversion between domain types and stored forms with the same fields.

/// Converts a domain type to its stored form and back, field by field. Both are destructured, so
/// the compiler reports a field that is missing here.
macro_rules! convert {
    ($domain:ident, $stored:ident, $($field:ident $(: $how:ident)?),+ $(,)?) => {
        impl From<$domain> for $stored {
            fn from(domain: $domain) -> Self {
                let $domain { $($field),+ } = domain;
                Self { $($field: convert!(@ $field $($how)?)),+ }
            }
        }
        impl From<$stored> for $domain {
            fn from(stored: $stored) -> Self {
                let $stored { $($field),+ } = stored;
                Self { $($field: convert!(@ $field $($how)?)),+ }
            }
        }
    };
    (@ $field:ident) => { $field };
    (@ $field:ident into) => { $field.into() };
    (@ $field:ident each) => { $field.into_iter().map(Into::into).collect() };
    (@ $field:ident option) => { $field.map(Into::into) };
}

pub(crate) use convert;
