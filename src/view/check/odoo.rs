//! Odoo, as far as `check` may go: it asks, and changes nothing.

use jiff::Timestamp;

use super::Finding;
use crate::clock;
use crate::config;
use crate::forward::odoo::{Client, Kind, Warehouse};
use crate::outcome::Failure;

/// So much between the two clocks is the network; more shows in the movements' times.
const SKEW_S_MAX: i64 = 30;

/// Reachable, the right version, database and key, rights, warehouse, clock, barcodes: in the order in which
/// each needs the one before.
pub async fn odoo(config: &config::Odoo) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(failure) = ask(config, &mut findings).await {
        findings.push(failed(&failure));
    }
    findings
}

async fn ask(config: &config::Odoo, findings: &mut Vec<Finding>) -> Result<(), Failure> {
    let mut client = Client::new(config)?;
    let version = client.version().await?;
    findings.push(Finding::ok(format!(
        "Odoo {version} answers at {}, and is spoken to by {}",
        config.url,
        client.api().unwrap_or_default()
    )));
    let warehouse = client.warehouse(&config.warehouse).await?;
    findings.push(Finding::ok(format!(
        "Odoo accepts the key for database {:?} and has the warehouse {:?}",
        config.database, config.warehouse
    )));
    // Right after an answer, so that its age is not taken for a difference.
    findings.push(skew(clock::now(), client.server_time()));
    findings.push(rights(&client.missing_rights().await?));
    findings.extend(barcodes(&mut client, &warehouse).await?);
    Ok(())
}

fn failed(failure: &Failure) -> Finding {
    match failure {
        Failure::Stop { message, remedy } => Finding::fail(format!("Odoo: {message}"), remedy),
        // In rustls' words, which the client hands on.
        Failure::Wait { message, .. } if message.contains("invalid peer certificate") => {
            Finding::fail(
                format!("Odoo: {message}"),
                "name the server's authority in odoo.ca, if it is not one that all trust, and the server in odoo.url as its certificate does",
            )
        }
        Failure::Wait { message, .. } => Finding::fail(
            format!("Odoo: {message}"),
            "see that it runs and can be reached from here; what is scanned meanwhile is kept",
        ),
        Failure::Person { message, .. } => Finding::fail(
            format!("Odoo: {message}"),
            "see that the key's user is an Inventory / User of this company",
        ),
    }
}

fn skew(now: Timestamp, server: Timestamp) -> Finding {
    let seconds = now.duration_since(server).as_secs();
    if seconds.abs() > SKEW_S_MAX {
        Finding::warn(
            format!("this clock differs from Odoo's by {seconds} s"),
            "keep both with NTP: movements carry the time at which they were done",
        )
    } else {
        Finding::ok("this clock and Odoo's agree")
    }
}

fn rights(missing: &[String]) -> Finding {
    if missing.is_empty() {
        return Finding::ok("the key's user has the rights that sending needs");
    }
    Finding::fail(
        format!("the key's user may not: {}", missing.join(", ")),
        "make the user an Inventory / User in Odoo",
    )
}

async fn barcodes(client: &mut Client, warehouse: &Warehouse) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    for (kind, things) in [(Kind::Product, "products"), (Kind::Location, "locations")] {
        let count = client.count(kind, warehouse.company).await?;
        let what = format!("Odoo has {count} {things} in this company");
        findings.push(if count == 0 {
            Finding::warn(
                what,
                format!("make {things} with barcodes; what is scanned before is parked"),
            )
        } else {
            Finding::ok(what)
        });
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::check::Level;

    #[test]
    fn clocks_that_differ_are_told() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(skew(at(1_000), at(1_020)).level, Level::Ok);
        assert_eq!(skew(at(1_000), at(900)).level, Level::Warn);
        assert_eq!(skew(at(900), at(1_000)).level, Level::Warn);
    }
}
