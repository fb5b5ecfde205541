//! The expiry date and the best before date of a new lot: the dates of a label as Odoo stores them.
//!
//! Odoo stores times, in UTC. A day without a time begins at midnight in the site's time zone. If a
//! label has a best before date, the gateway creates the lot before it sends the document, because
//! a line of a picking (`stock.move.line`) has a field for the expiry date only.

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

use super::{Ground, Prepared, Resolved};
use crate::catalog::Product;
use crate::catalog::refresh::Trouble;
use crate::document::{DocumentKey, Line};
use crate::forward::job::Work;
use crate::forward::order::Task;
use crate::odoo::{BestBefore, LotDates, LotRef};
use crate::odoo::{Client, ExpiryRule, NewLot};
use crate::odoo_id::ProductId;

/// Odoo's rules for the dates of lots, by product. `None`: Odoo has no dates of lots, because the
/// app *Products Expiration Date* is not installed.
pub(super) type ExpiryRules = Option<BTreeMap<ProductId, ExpiryRule>>;

/// A lot that Odoo does not have, with the dates of its label.
pub(super) fn new_lot(
    line: &Line,
    product: &Product,
    zone: &TimeZone,
    rules: &ExpiryRules,
) -> LotRef {
    let name = line.goods.lot.clone().unwrap_or_default();
    let rule = rules.as_ref().and_then(|rules| rules.get(&product.id));
    let Some(rule) = rule else {
        return LotRef::New { name, dates: None };
    };
    let time = |text: &String| Some(Day::of(text)?.in_utc(zone));
    // Odoo clears the best before date of a product without dates.
    let best_before = line.goods.best_before.as_ref().filter(|_| rule.is_used);
    let later = || {
        let later = Day::of(best_before?)?.plus_days(rule.use_days)?;
        Some(later.in_utc(zone))
    };
    let expiry = line.goods.expiry.as_ref().and_then(time).or_else(later);
    let dates = expiry.map(|expiry| {
        // As Odoo calculates the dates: days of 24 hours.
        let before = |days: i64| {
            let span = SignedDuration::from_hours(days.checked_mul(24)?);
            Some(written(expiry.checked_sub(span).ok()?))
        };
        let best_before = || {
            Some(BestBefore {
                best_before: written(time(best_before?)?),
                removal: before(rule.removal_days)?,
                alert: before(rule.alert_days)?,
            })
        };
        Box::new(LotDates {
            expiry: written(expiry),
            best_before: best_before(),
        })
    });
    LotRef::New { name, dates }
}

/// A date from a label or from a device's event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Day {
    At(Timestamp),
    /// A time of day at the place of the goods.
    Local(DateTime),
}

impl Day {
    fn of(text: &str) -> Option<Self> {
        // A text that is a time would also parse as a date, and a date is not a time.
        if let Ok(at) = text.parse() {
            return Some(Self::At(at));
        }
        let local = if text.contains(':') {
            text.parse::<DateTime>()
        } else {
            text.parse::<Date>().map(DateTime::from)
        };
        local.ok().map(Self::Local)
    }

    fn plus_days(self, days: i64) -> Option<Self> {
        let days = Span::new().try_days(days).ok()?;
        match self {
            Self::At(at) => {
                let later = at.to_zoned(TimeZone::UTC).checked_add(days).ok()?;
                Some(Self::At(later.timestamp()))
            }
            Self::Local(local) => local.checked_add(days).ok().map(Self::Local),
        }
    }

    /// The date and time in UTC. The last days of the year 9999 stand for "never", and are the same
    /// in every time zone.
    fn in_utc(self, zone: &TimeZone) -> DateTime {
        let utc = |at: Timestamp| at.to_zoned(TimeZone::UTC).datetime();
        match self {
            Self::At(at) => utc(at),
            Self::Local(local) => {
                let zoned = local.to_zoned(zone.clone());
                zoned.map_or(local, |zoned| utc(zoned.timestamp()))
            }
        }
    }
}

/// The date in the format of Odoo's fields.
fn written(at: DateTime) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Creates the lots that have a best before date, so that the documents name lots that Odoo has. If
/// the lot exists already, because an earlier call had an unknown outcome, its id was found with
/// the names.
pub(super) async fn make_lots(
    odoo: &mut Client,
    ground: Ground<'_>,
    resolved: &mut [Resolved<Prepared>],
) -> Result<(), Trouble> {
    let mut made = BTreeMap::new();
    for prepared in resolved.iter_mut().flatten() {
        let Some((document, lots)) = lots_of(prepared) else {
            continue;
        };
        for (product, lot) in lots {
            let LotRef::New {
                name,
                dates: Some(dates),
            } = lot
            else {
                continue;
            };
            // If the operation type creates no lots, the document is parked for that.
            let is_off = || ground.warehouse.lots.refusal(name).is_some();
            let Some(best_before) = dates.best_before.as_ref().filter(|_| !is_off()) else {
                continue;
            };
            let key = (product, name.clone());
            let id = if let Some(id) = made.get(&key) {
                *id
            } else {
                let new = NewLot {
                    product,
                    name,
                    expiry: &dates.expiry,
                    dates: best_before,
                };
                odoo.make_lot(ground.warehouse.company, document, &new)
                    .await?
            };
            made.insert(key, id);
            let name = std::mem::take(name);
            *lot = LotRef::Known { id, name };
        }
    }
    Ok(())
}

/// The lots of a document's lines, each with the product.
fn lots_of(prepared: &mut Prepared) -> Option<(DocumentKey, Vec<(ProductId, &mut LotRef)>)> {
    match prepared.work.as_mut()? {
        Work::Transfer(transfer) => {
            let lines = transfer.lines.iter_mut();
            let lots = lines.map(|line| (line.product, &mut line.lot));
            Some((transfer.key, lots.collect()))
        }
        Work::Order(job) => match &mut job.task {
            Task::Lines { lines, .. } => {
                let lots = lines.iter_mut().map(|line| (line.product, &mut line.lot));
                Some((job.key, lots.collect()))
            }
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Measure;
    use crate::event::Goods;
    use crate::odoo_id::UnitId;

    const PRODUCT: ProductId = ProductId::new(7);

    fn new_york() -> TimeZone {
        TimeZone::get("America/New_York").unwrap()
    }

    /// The expiry date and the best before date of a new lot, as Odoo gets them.
    fn dates(
        rule: Option<ExpiryRule>,
        zone: &TimeZone,
        expiry: Option<&str>,
        best_before: Option<&str>,
    ) -> [Option<String>; 2] {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let line = Line {
            goods: Goods {
                lot: owned(Some("L")),
                expiry: owned(expiry),
                best_before: owned(best_before),
                ..Goods::default()
            },
            events: Vec::new(),
        };
        let product = Product {
            id: PRODUCT,
            unit: UnitId::new(1),
            name: "Milk".to_owned(),
            tracked: true,
            serial: false,
            measure: Measure::OWN,
            has_dates: true,
        };
        let rules = rule.map(|rule| BTreeMap::from([(PRODUCT, rule)]));
        match new_lot(&line, &product, zone, &rules) {
            LotRef::New {
                dates: Some(dates), ..
            } => {
                let LotDates {
                    expiry,
                    best_before,
                } = *dates;
                if let Some(best_before) = &best_before {
                    assert_eq!(best_before.removal, expiry, "0 days before the expiry date");
                }
                [Some(expiry), best_before.map(|dates| dates.best_before)]
            }
            LotRef::New { dates: None, .. } => [None, None],
            other => panic!("{other:?}"),
        }
    }

    const USED: Option<ExpiryRule> = Some(ExpiryRule {
        is_used: true,
        use_days: 30,
        removal_days: 0,
        alert_days: 10,
    });

    #[expect(
        clippy::unnecessary_wraps,
        reason = "dates that may be missing are compared with it"
    )]
    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn a_day_begins_at_midnight_in_the_sites_time_zone() {
        for (zone, scanned, told) in [
            ("UTC", "2027-05-31", "2027-05-31 00:00:00"),
            ("America/New_York", "2027-05-31", "2027-05-31 04:00:00"),
            ("America/New_York", "2027-12-31", "2027-12-31 05:00:00"),
            ("Europe/Brussels", "2027-05-31", "2027-05-30 22:00:00"),
            // No clock shows this midnight: the day begins at 01:00.
            ("Africa/Cairo", "2027-04-30", "2027-04-29 22:00:00"),
            ("America/New_York", "20270531", "2027-05-31 04:00:00"),
            (
                "America/New_York",
                "2027-05-31T14:30",
                "2027-05-31 18:30:00",
            ),
            (
                "America/New_York",
                "2027-05-31T00:00:00+02:00",
                "2027-05-30 22:00:00",
            ),
            (
                "America/New_York",
                "2027-05-31T23:59:59.999Z",
                "2027-05-31 23:59:59",
            ),
            ("UTC", "2027-05-01 12:00:00+01", "2027-05-01 11:00:00"),
            ("America/New_York", "9999-12-31", "9999-12-31 00:00:00"),
        ] {
            let zone_named = TimeZone::get(zone).unwrap();
            let found = dates(USED, &zone_named, Some(scanned), None);
            let found = found[0].as_deref().unwrap_or("none");
            assert_eq!(found, told, "{scanned} in {zone}");
        }
    }

    #[test]
    fn the_expiry_is_the_best_before_date_and_the_products_use_time() {
        let zone = new_york();
        assert_eq!(
            dates(USED, &zone, None, Some("2027-05-31")),
            [some("2027-06-30 04:00:00"), some("2027-05-31 04:00:00")]
        );
        // Both at midnight, also where the clocks change between them.
        assert_eq!(
            dates(USED, &zone, None, Some("2027-10-20")),
            [some("2027-11-19 05:00:00"), some("2027-10-20 04:00:00")]
        );
        assert_eq!(
            dates(USED, &zone, Some("2027-06-15"), Some("2027-05-31")),
            [some("2027-06-15 04:00:00"), some("2027-05-31 04:00:00")],
            "each date as printed"
        );
        assert_eq!(dates(USED, &zone, None, None), [None, None]);
        assert_eq!(
            dates(USED, &zone, None, Some("2027-05-31T10:00:00Z")),
            [some("2027-06-30 10:00:00"), some("2027-05-31 10:00:00")]
        );
    }

    #[test]
    fn dates_that_odoo_has_no_place_for_are_not_sent() {
        let zone = TimeZone::UTC;
        let unused = Some(ExpiryRule {
            is_used: false,
            use_days: 0,
            removal_days: 0,
            alert_days: 0,
        });
        assert_eq!(
            dates(unused, &zone, Some("2027-06-15"), Some("2027-05-31")),
            [some("2027-06-15 00:00:00"), None]
        );
        let without_app = dates(None, &zone, Some("2027-06-15"), Some("2027-05-31"));
        assert_eq!(without_app, [None, None]);
    }
}
