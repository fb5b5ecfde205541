//! The arguments of `stockrelay setup`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Clone, Args)]
pub struct SetupArgs {
    /// The site's name: the second part of its MQTT topics, such as ams1
    #[arg(long, value_name = "NAME")]
    pub site: Option<String>,
    /// The address of Odoo
    #[arg(long, value_name = "URL")]
    pub odoo: Option<String>,
    /// The name of the Odoo database
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,
    /// The code of this site's warehouse in Odoo
    #[arg(long, value_name = "CODE")]
    pub warehouse: Option<String>,
    /// The login name of the API key's user; Odoo 17 and 18 need it
    #[arg(long, value_name = "LOGIN")]
    pub user: Option<String>,
    /// Read the API key from this file, or with - from standard input; without this option the
    /// terminal asks for it
    #[arg(long, value_name = "PATH")]
    pub api_key_file: Option<PathBuf>,
    /// The first device that may publish scans
    #[arg(long, value_name = "NAME", default_value = "pda-01")]
    pub device: String,
    /// Do not start the gateway
    #[arg(long)]
    pub no_start: bool,
}
