//! Checks Odoo without changing anything there.

use jiff::Timestamp;
use secrecy::SecretString;

use super::certificates::judge_days;
use super::{Finding, Level};
use crate::clock;
use crate::config::{self, Under};
use crate::odoo::order::Backorders;
use crate::odoo::{ApiKey, Client, Direction, Kind, OperationType, Warehouse, key};
use crate::outcome::Failure;
use crate::tls;
use crate::view::table::counted;

/// The name of the finding about a failed call.
const ODOO: &str = "odoo";
const CLOCKS: &str = "clock.odoo";
const RIGHTS: &str = "odoo.rights";
const GIVE_ROLE: &str = "in Odoo, give the user of the API key the role Inventory / User";
/// The difference of the two clocks that the network explains; a larger one shows in the times of
/// movements.
const SKEW_S_MAX: i64 = 30;
/// How long `check` waits for one answer of Odoo.
pub(super) const ANSWER_S_MAX: u64 = 10;

/// Checks address, version, database and key, rights, warehouse, clock and barcodes, in this order:
/// each check needs the one before.
pub async fn odoo(config: &config::Odoo, orders: &config::Orders) -> Vec<Finding> {
    odoo_with_key(config, None, orders).await
}

/// Checks Odoo with the key of a systemd credential, if the configuration names no file.
pub async fn odoo_with_key(
    config: &config::Odoo,
    key: Option<SecretString>,
    orders: &config::Orders,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if tls::client_config(config.ca.as_deref()).is_err() {
        // The list of `opens` has this fault.
        return findings;
    }
    let config = &config::Odoo {
        timeout_s: config.timeout_s.min(ANSWER_S_MAX),
        ..config.clone()
    };
    let client = Client::new(config).map(|client| match key {
        Some(key) => client.with_key(key),
        None => client,
    });
    let asked = match client {
        Ok(client) => ask(client, config, orders, &mut findings).await,
        Err(failure) => Err(failure),
    };
    if let Err(failure) = asked {
        findings.push(failed(&failure));
    }
    findings
}

async fn ask(
    mut client: Client,
    config: &config::Odoo,
    orders: &config::Orders,
    findings: &mut Vec<Finding>,
) -> Result<(), Failure> {
    let version = client.version().await?;
    findings.push(Finding::ok(
        "odoo.url",
        format!(
            "Odoo {version} answers at {}; the gateway uses its API {}",
            config.url,
            client.api().unwrap_or_default()
        ),
    ));
    let file = config.api_key_file.as_deref();
    if file.is_some_and(|file| key::read(Some(file)).is_err()) {
        // The list of `opens` has this fault.
        return Ok(());
    }
    let warehouse = client.warehouse(&config.warehouse).await?;
    findings.push(Finding::ok(
        "odoo.warehouse",
        format!(
            "Odoo accepts the key for database {:?} and has the warehouse {:?}",
            config.database, config.warehouse
        ),
    ));
    // Right after an answer, so that its age does not count as a difference.
    findings.push(skew(clock::now(), client.server_time()));
    findings.extend(rights(&mut client).await?);
    if client.lacks_email().await? {
        findings.push(Finding::warn(
            RIGHTS,
            "the user of the API key has no e-mail address",
            format!("Odoo {version} refuses each validation that creates a backorder"),
            "set the user's e-mail address in Odoo",
        ));
    }
    findings.extend(barcodes(&mut client, &warehouse).await?);
    let types = client.operation_types(&warehouse).await?;
    findings.extend(types.iter().filter_map(|of| backorders(of, orders)));
    findings.extend(apps_and_expiry(&mut client, clock::now()).await);
    Ok(())
}

/// Finds a rule of the site that Odoo does not follow, because the operation type is set
/// differently.
fn backorders(of: &OperationType, orders: &config::Orders) -> Option<Finding> {
    let (key, under) = match of.code {
        Direction::Incoming => ("orders.receive_under", orders.receive_under),
        _ => ("orders.pick_under", orders.pick_under),
    };
    let (value, is_followed) = match under {
        Under::AsOdoo | Under::Refuse => return None,
        Under::Ask => ("ask", of.backorders == Backorders::Ask),
        Under::Backorder => ("backorder", of.backorders != Backorders::Never),
        Under::NoBackorder => ("no-backorder", of.backorders != Backorders::Always),
    };
    let setting = match of.backorders {
        Backorders::Always => "always",
        Backorders::Never => "never",
        Backorders::Ask => "ask",
    };
    (!is_followed).then(|| {
        Finding::warn(
            key,
            format!(
                "{key} is \"{value}\", but Odoo's operation type {:?} has Create Backorder {setting:?}",
                of.name
            ),
            "Odoo follows its operation type, not the configuration of the gateway",
            format!("set {key} = \"as-odoo\", or change Create Backorder in Odoo's operation type"),
        )
    })
}

/// The finding about a call that failed. The daemon reports the same message.
fn failed(failure: &Failure) -> Finding {
    const HELD: &str = "the gateway stores scans, but sends nothing to Odoo";
    let name = |message: &str| {
        let prefix = if message.contains("Odoo") {
            ""
        } else {
            "Odoo: "
        };
        format!("{prefix}{message}")
    };
    match failure {
        Failure::Stop { message, remedy } => Finding::fail(ODOO, name(message), HELD, remedy),
        Failure::Wait { message, .. } => Finding::of_message(
            Level::Fail,
            ODOO,
            &name(message),
            "the gateway stores scans, and sends them when Odoo answers",
            "check that Odoo runs, and correct odoo.url",
        ),
        Failure::Person { message, .. } => Finding::fail(
            ODOO,
            name(message),
            HELD,
            "in Odoo, give the user of the API key the role Inventory / User in this company",
        ),
    }
}

fn skew(now: Timestamp, server: Timestamp) -> Finding {
    let seconds = now.duration_since(server).as_secs();
    if seconds.abs() > SKEW_S_MAX {
        let side = if seconds > 0 { "ahead of" } else { "behind" };
        let much = human(seconds.unsigned_abs());
        Finding::warn(
            CLOCKS,
            format!("the clock of this gateway is {much} {side} Odoo's"),
            "movements have the time of the gateway's clock",
            "turn on NTP for both: `timedatectl set-ntp true`",
        )
    } else {
        Finding::ok(CLOCKS, "the clocks of this gateway and of Odoo agree")
    }
}

/// Describes a span in its two largest units: `3 minutes 20 seconds`, `2 hours`, `12 days 4 hours`.
fn human(seconds: u64) -> String {
    let units = [
        (seconds / 86_400, "day"),
        (seconds / 3_600 % 24, "hour"),
        (seconds / 60 % 60, "minute"),
        (seconds % 60, "second"),
    ];
    let first = units.iter().position(|(count, _)| *count > 0).unwrap_or(3);
    let shown = units.iter().skip(first).take(2);
    let parts: Vec<String> = shown
        .enumerate()
        .filter(|(place, (count, _))| *place == 0 || *count > 0)
        .map(|(_, (count, unit))| counted(*count, unit))
        .collect();
    parts.join(" ")
}

/// Asks for each right that the gateway needs. Odoo answers and changes nothing.
async fn rights(client: &mut Client) -> Result<Vec<Finding>, Failure> {
    let missing = client.missing_rights().await?;
    if !missing.is_empty() {
        let what = format!(
            "the user of the API key lacks the rights: {}",
            missing.join(", ")
        );
        let why = "Odoo refuses the calls of the gateway, which then sends nothing";
        return Ok(vec![Finding::fail(RIGHTS, what, why, GIVE_ROLE)]);
    }
    let has = format!(
        "the user of the API key has the rights that posting needs: {}",
        Client::needed_rights().join(", ")
    );
    let mut findings = vec![Finding::ok(RIGHTS, has)];
    // An Odoo that does not answer these questions still posts.
    let lacking = client.sometimes_lacking().await.unwrap_or_default();
    findings.extend(lacking.into_iter().map(|lack| {
        Finding::warn(
            RIGHTS,
            format!("the user of the API key lacks the right: {}", lack.right),
            format!("{} needs it: such documents are parked", lack.work),
            GIVE_ROLE,
        )
    }));
    Ok(findings)
}

/// The optional apps of this Odoo, and the end of the API key. What Odoo does not answer is left
/// out: posting does not need it.
async fn apps_and_expiry(client: &mut Client, now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Ok(apps) = client.apps().await {
        let apps: Vec<_> = ["Inventory"].into_iter().chain(apps).collect();
        let what = format!(
            "Odoo has the apps that the gateway uses: {}",
            apps.join(", ")
        );
        findings.push(Finding::ok("odoo.apps", what));
    }
    let keys = client.api_keys().await.unwrap_or_default();
    findings.extend(expiry(&keys, now));
    findings
}

fn expiry(keys: &[ApiKey], now: Timestamp) -> Option<Finding> {
    let (expires, key) = ApiKey::first_expiry(keys, now)?;
    let name = key.name.as_deref().unwrap_or_default();
    Some(judge_days(
        "odoo.api_key",
        &format!("the API key {name:?} of the gateway's user in Odoo"),
        expires,
        now,
        "without a valid key the gateway stores scans, but sends nothing to Odoo",
        "create a new key in Odoo (Preferences, Account Security) and write it into odoo.api_key_file, or into /etc/credstore/odoo-api-key and restart the service; then delete the old key",
    ))
}

async fn barcodes(client: &mut Client, warehouse: &Warehouse) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    for (kind, things) in [(Kind::Product, "products"), (Kind::Location, "locations")] {
        let count = client.count(kind, warehouse.company).await?;
        let what = format!("Odoo has {count} {things} in this company");
        findings.push(if count == 0 {
            Finding::warn(
                "odoo.stock",
                what,
                "the gateway parks every movement",
                format!("create {things} with barcodes in Odoo"),
            )
        } else {
            Finding::ok("odoo.stock", what)
        });
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_an_operation_type_overrides_is_reported() {
        let is_reported = |under, backorders| {
            let of = OperationType {
                name: "Pick".to_owned(),
                code: Direction::Internal,
                backorders,
            };
            let orders = config::Orders {
                pick_under: under,
                ..config::Orders::default()
            };
            super::backorders(&of, &orders).is_some()
        };
        for (under, warns) in [
            (Under::AsOdoo, [false, false, false]),
            (Under::Refuse, [false, false, false]),
            (Under::Ask, [false, true, true]),
            (Under::Backorder, [false, false, true]),
            (Under::NoBackorder, [false, true, false]),
        ] {
            let kinds = [Backorders::Ask, Backorders::Always, Backorders::Never];
            assert_eq!(
                kinds.map(|kind| is_reported(under, kind)),
                warns,
                "{under:?}"
            );
        }
    }

    #[test]
    fn a_key_that_expires_soon_is_named_with_its_days() {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        let key = |name: &str, date: Option<&str>| ApiKey {
            name: Some(name.to_owned()),
            expiration_date: date.map(str::to_owned),
        };
        assert_eq!(expiry(&[key("never", None)], now), None);
        let over = key("over", Some("2026-11-01 00:00:00"));
        let soon = key("gateway", Some("2026-12-05 13:00:00"));
        let found = expiry(&[over, soon], now).unwrap();
        assert_eq!(found.level, Level::Warn);
        let said =
            "\"gateway\" of the gateway's user in Odoo is valid until 2026-12-05: 5 days left";
        assert!(found.what.ends_with(said), "{found}");
        let far = expiry(&[key("far", Some("2027-12-05 13:00:00"))], now).unwrap();
        assert_eq!(far.level, Level::Ok);
    }

    #[test]
    fn clocks_that_differ_are_reported() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(skew(at(1_000), at(1_020)).level, Level::Ok);
        assert_eq!(skew(at(1_000), at(900)).level, Level::Warn);
        assert_eq!(skew(at(900), at(1_000)).level, Level::Warn);
        let what = |now, server| skew(at(now), at(server)).what;
        assert_eq!(
            what(200, 0),
            "the clock of this gateway is 3 minutes 20 seconds ahead of Odoo's"
        );
        assert_eq!(
            what(0, 7_200),
            "the clock of this gateway is 2 hours behind Odoo's"
        );
        assert_eq!(
            what(0, 90_001),
            "the clock of this gateway is 1 day 1 hour behind Odoo's"
        );
        assert_eq!(
            what(0, 86_400 * 9_000),
            "the clock of this gateway is 9,000 days behind Odoo's"
        );
    }
}
