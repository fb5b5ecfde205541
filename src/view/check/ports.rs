//! The MQTT port: which of the machine's addresses it listens on, and whether the firewall lets
//! devices through.

use std::net::SocketAddr;
use std::process::Command;

use nix::ifaddrs::getifaddrs;

use super::Finding;
use crate::config::Listen;

/// The name of the finding about the firewall.
const FIREWALL: &str = "firewall";
const ADDRESS: &str = "mqtt.listen.address";

/// The rules of the firewall, which only root can read.
#[derive(Debug, Clone, Default)]
pub struct Firewall(Option<String>);

impl Firewall {
    /// Reads the rules of nftables, to which iptables, ufw and firewalld write as well. Call it
    /// before [`super::become_service`].
    #[must_use]
    pub fn find() -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self(None);
        }
        let listed = Command::new("nft").args(["list", "ruleset"]).output();
        let text = listed.ok().filter(|output| output.status.success());
        Self(text.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()))
    }

    /// Whether devices can connect to the port. `None`: the rules are unknown.
    fn finding(&self, address: SocketAddr) -> Option<Finding> {
        let rules = self.0.as_deref().filter(|_| !address.ip().is_loopback())?;
        let port = address.port();
        let is_closed = chains_of_input(rules).any(|chain| chain.contains("policy drop"));
        let words = rules.split(|c: char| !c.is_ascii_alphanumeric());
        let is_named = words.into_iter().any(|word| word == port.to_string());
        Some(if is_closed && !is_named {
            Finding::warn(
                FIREWALL,
                format!("the firewall drops what no rule accepts, and no rule names port {port}"),
                "devices cannot connect to mqtt.listen.address",
                format!(
                    "accept the port, for example: ufw allow {port}/tcp, or firewall-cmd --permanent --add-port={port}/tcp && firewall-cmd --reload"
                ),
            )
        } else if is_closed {
            Finding::ok(
                FIREWALL,
                format!("a rule of the firewall names port {port}"),
            )
        } else {
            Finding::ok(
                FIREWALL,
                format!(
                    "the firewall of this machine drops nothing by default, also on port {port}"
                ),
            )
        })
    }
}

/// The heads of the chains that judge incoming packets.
fn chains_of_input(rules: &str) -> impl Iterator<Item = &str> {
    rules.lines().filter(|line| line.contains("hook input"))
}

/// Lists the addresses to which devices can connect, and judges the firewall.
pub(super) fn ports(listen: &Listen, firewall: &Firewall) -> Vec<Finding> {
    let address = listen.address;
    let mut findings = Vec::new();
    if address.ip().is_loopback() {
        findings.push(Finding::ok(
            ADDRESS,
            format!("only programs of this machine can connect to mqtt.listen at {address}"),
        ));
    } else if address.ip().is_unspecified() {
        let found = own_addresses(address.is_ipv4());
        findings.push(judge_addresses(&found, address.port()));
    }
    findings.extend(firewall.finding(address));
    findings
}

fn judge_addresses(found: &[String], port: u16) -> Finding {
    if found.is_empty() {
        return Finding::warn(
            ADDRESS,
            "this machine has no network address but that of itself",
            "no device can connect to the MQTT port",
            "connect the network, then look at `ip address`",
        );
    }
    Finding::ok(
        ADDRESS,
        format!("devices connect to port {port} of {}", found.join(", ")),
    )
}

/// The addresses of this machine with their interfaces, such as `10.0.3.1 (eth0)`. `is_v4`: only
/// those of IPv4; an IPv6 listener also accepts IPv4.
fn own_addresses(is_v4: bool) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for interface in getifaddrs().into_iter().flatten() {
        let Some(address) = interface.address else {
            continue;
        };
        let v4 = address
            .as_sockaddr_in()
            .map(|of| std::net::IpAddr::V4(of.ip()));
        let v6 = address
            .as_sockaddr_in6()
            .filter(|of| !is_v4 && !of.ip().is_unicast_link_local())
            .map(|of| std::net::IpAddr::V6(of.ip()));
        let shown = v4.or(v6).filter(|ip| !ip.is_loopback());
        found.extend(shown.map(|ip| format!("{ip} ({})", interface.interface_name)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::check::Level;

    fn judge(rules: &str, address: &str) -> Option<Level> {
        let firewall = Firewall(Some(rules.to_owned()));
        let finding = firewall.finding(address.parse().unwrap());
        finding.map(|finding| finding.level)
    }

    #[test]
    fn a_firewall_that_names_no_rule_for_the_port_is_warned_about() {
        let closed = "chain input {\n type filter hook input priority filter; policy drop;\n tcp dport { 22, 8883 } accept\n}";
        assert_eq!(judge(closed, "0.0.0.0:1883"), Some(Level::Warn));
        assert_eq!(judge(closed, "0.0.0.0:8883"), Some(Level::Ok));
        assert_eq!(judge(closed, "127.0.0.1:1883"), None);
        let open = "chain input {\n type filter hook input priority filter; policy accept;\n}";
        assert_eq!(judge(open, "0.0.0.0:1883"), Some(Level::Ok));
        assert_eq!(
            Firewall(None).finding("0.0.0.0:1883".parse().unwrap()),
            None
        );
    }

    #[test]
    fn a_machine_without_a_network_is_warned_about() {
        assert_eq!(judge_addresses(&[], 1_883).level, Level::Warn);
        let one = judge_addresses(&["10.0.3.1 (eth0)".to_owned()], 1_883);
        assert_eq!(one.what, "devices connect to port 1883 of 10.0.3.1 (eth0)");
    }
}
