//! The arguments of `stockrelay demo`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Print progress and a summary instead of the terminal UI
    #[arg(long)]
    pub headless: bool,
    /// Stop after N seconds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: Option<u64>,
    /// Use this Odoo instead of the stand-in
    #[arg(long, value_name = "URL", requires_all = ["database", "api_key_file"])]
    pub odoo: Option<String>,
    /// Database of that Odoo
    #[arg(long, value_name = "DB", requires = "odoo")]
    pub database: Option<String>,
    /// File that contains only the API key
    #[arg(long, value_name = "F", requires = "odoo")]
    pub api_key_file: Option<PathBuf>,
    /// Number of simulated devices, in addition to the two that only beep
    #[arg(long, value_name = "N", default_value = "8", value_parser = count_of_devices)]
    pub devices: usize,
    /// Events per second of each device
    #[arg(long, value_name = "R", default_value = "2", value_parser = rate)]
    pub rate: f64,
    /// Run only the stand-in Odoo, at this address of this machine, for gateways of your own
    #[arg(long, value_name = "IP:PORT", value_parser = own_address, exclusive = true)]
    pub only_odoo: Option<SocketAddr>,
    /// Keep the data in this directory, which must not contain data yet
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

fn count_of_devices(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=500).contains(count));
    count.ok_or_else(|| "give 1 to 500 devices".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text
        .parse()
        .ok()
        .filter(|rate| (0.01..=1_000.0).contains(rate));
    rate.ok_or_else(|| "give 0.01 to 1000 events per second".to_owned())
}

/// The stand-in's keys are public: other machines must not reach it.
fn own_address(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse().ok();
    let address = address.filter(|address: &SocketAddr| address.ip().is_loopback());
    address.ok_or_else(|| "give an address of this machine, such as 127.0.0.1:8069".to_owned())
}
