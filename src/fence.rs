//! Which gateway of a site may post: a number in Odoo that only grows. Pure.
//!
//! Each start of a gateway writes the next number to one record in Odoo. A gateway that finds the
//! number of another one has been replaced, so it sends nothing more: its documents may be in Odoo
//! already, from devices that sent their events again to the new gateway. A person who knows better
//! orders it to take over.

use std::fmt;
use std::str::FromStr;

use crate::event::Name;

/// How the name of the record begins.
const BEGIN: &str = "stockrelay";

/// The record in Odoo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    pub site: Name,
    pub number: u64,
    /// The random id of the gateway's journal.
    pub gateway: u64,
    /// The host name of the gateway, for people.
    pub host: String,
}

/// The name of the record: `stockrelay/ams1/7/00c0ffee00c0ffee/gw-ams-1`.
impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            site,
            number,
            gateway,
            host,
        } = self;
        write!(f, "{BEGIN}/{site}/{number}/{gateway:016x}/{host}")
    }
}

/// The text is not the name of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoFence;

impl FromStr for Fence {
    type Err = NoFence;

    fn from_str(name: &str) -> Result<Self, NoFence> {
        let mut parts = name.splitn(5, '/');
        let mut next = || parts.next().ok_or(NoFence);
        if next()? != BEGIN {
            return Err(NoFence);
        }
        Ok(Self {
            site: Name::new(next()?).map_err(|_| NoFence)?,
            number: next()?.parse().map_err(|_| NoFence)?,
            gateway: u64::from_str_radix(next()?, 16).map_err(|_| NoFence)?,
            host: next()?.to_owned(),
        })
    }
}

/// What this gateway has stored of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Own {
    pub gateway: u64,
    /// The hash of the database in Odoo to which the number belongs.
    pub database: u64,
    /// The number that it wrote last. `None`: it has never posted there, or a person ordered it to
    /// take over.
    pub number: Option<u64>,
}

/// Where this process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Standing {
    /// It has not looked yet.
    #[default]
    Begun,
    /// It wrote this number.
    Has(u64),
    /// It found that another gateway has replaced it.
    Replaced,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Keep,
    /// Write this number.
    Claim(u64),
    Replaced,
}

/// Decides by what Odoo has (`seen`; `None`: no record).
#[must_use]
pub fn judge(own: Own, standing: Standing, seen: Option<&Fence>) -> Verdict {
    let Some(seen) = seen else {
        let last = match standing {
            Standing::Has(number) => Some(number),
            Standing::Begun | Standing::Replaced => own.number,
        };
        return Verdict::Claim(last.unwrap_or(0) + 1);
    };
    let is_own = seen.gateway == own.gateway;
    match standing {
        Standing::Has(number) if is_own && seen.number == number => Verdict::Keep,
        Standing::Has(_) => Verdict::Replaced,
        Standing::Begun if is_own => Verdict::Claim(seen.number + 1),
        _ if own.number.is_none() => Verdict::Claim(seen.number + 1),
        Standing::Begun | Standing::Replaced => Verdict::Replaced,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fence(number: u64, gateway: u64) -> Fence {
        Fence {
            site: Name::new("ams1").unwrap(),
            number,
            gateway,
            host: "gw/odd".to_owned(),
        }
    }

    fn own(number: Option<u64>) -> Own {
        Own {
            gateway: 1,
            database: 9,
            number,
        }
    }

    #[test]
    fn the_record_is_read_as_it_was_written() {
        let fence = fence(7, 0xc0_ffee);
        let name = fence.to_string();
        assert_eq!(name, "stockrelay/ams1/7/0000000000c0ffee/gw/odd");
        assert_eq!(name.parse(), Ok(fence));
        for other in ["", "PACK-1", "stockrelay/ams1", "stockrelay/ams1/x/1/h"] {
            assert_eq!(other.parse::<Fence>(), Err(NoFence), "{other}");
        }
    }

    #[test]
    fn a_start_takes_the_next_number() {
        let begun = Standing::Begun;
        assert_eq!(judge(own(None), begun, None), Verdict::Claim(1));
        assert_eq!(judge(own(Some(4)), begun, None), Verdict::Claim(5));
        let mine = fence(4, 1);
        assert_eq!(judge(own(Some(4)), begun, Some(&mine)), Verdict::Claim(5));
        // It stopped after it had written to Odoo and before it stored the number.
        assert_eq!(judge(own(Some(3)), begun, Some(&mine)), Verdict::Claim(5));
    }

    #[test]
    fn a_new_gateway_replaces_the_old_one_and_the_old_one_sends_nothing_more() {
        let old = fence(4, 2);
        let new = judge(own(None), Standing::Begun, Some(&old));
        assert_eq!(new, Verdict::Claim(5));
        let taken = fence(5, 1);
        let old = Own {
            gateway: 2,
            database: 9,
            number: Some(4),
        };
        for standing in [Standing::Begun, Standing::Has(4), Standing::Replaced] {
            assert_eq!(judge(old, standing, Some(&taken)), Verdict::Replaced);
        }
        // Until a person orders it.
        let ordered = Own {
            number: None,
            ..old
        };
        for standing in [Standing::Begun, Standing::Replaced] {
            let verdict = judge(ordered, standing, Some(&taken));
            assert_eq!(verdict, Verdict::Claim(6));
        }
    }

    #[test]
    fn of_two_machines_with_a_copy_of_one_disk_the_later_start_posts() {
        let copy = fence(5, 1);
        let first = judge(own(Some(4)), Standing::Has(4), Some(&copy));
        assert_eq!(first, Verdict::Replaced);
        let again = judge(own(Some(4)), Standing::Replaced, Some(&copy));
        assert_eq!(again, Verdict::Replaced);
    }

    #[test]
    fn a_record_that_somebody_deleted_is_written_again() {
        let has = Standing::Has(7);
        assert_eq!(judge(own(Some(7)), has, None), Verdict::Claim(8));
        assert_eq!(judge(own(Some(7)), has, Some(&fence(7, 1))), Verdict::Keep);
    }
}
