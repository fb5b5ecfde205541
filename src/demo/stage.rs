//! Prepares a demonstration: everything that must exist before the daemon starts.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use secrecy::SecretString;

use super::beepers::{self, Line};
use super::books::Books;
use super::devices::{self, Floor};
use super::link::Link;
use super::odoo::{self, Seed, StandIn};
use super::{DemoError, Options, print_line};
use crate::clock;
use crate::config::{self, Config};
use crate::event::Name;
use crate::source::devices::hash_password;

/// Locations and products that devices use, at most, so that the stock does not grow with time.
const BINS_MAX: usize = 40;
const PRODUCTS_MAX: usize = 100;
/// Time that the stand-in takes for a line of a transfer, so that batches become visible.
const STAND_IN_DELAY: Duration = Duration::from_millis(2);

/// Returns the first `max` barcodes.
fn take_first(mut barcodes: Vec<String>, max: usize) -> Vec<String> {
    barcodes.truncate(max);
    barcodes
}

/// The directory of the demonstration's data. A temporary one is removed at the end.
pub(super) struct Place {
    path: PathBuf,
    keep: bool,
}

impl Place {
    pub(super) fn new(keep: Option<PathBuf>) -> Result<Self, DemoError> {
        let keeps = keep.is_some();
        let temporary = || {
            let (pid, now) = (std::process::id(), clock::now().as_microsecond());
            std::env::temp_dir().join(format!("stockrelay-demo-{pid}-{now:x}"))
        };
        let path = keep.unwrap_or_else(temporary);
        std::fs::create_dir_all(&path).map_err(|error| file(&path, error))?;
        if path.join("data").join("journal.redb").exists() {
            return Err(DemoError::Used { path });
        }
        Ok(Self { path, keep: keeps })
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, DemoError> {
        let path = self.path.join(name);
        std::fs::write(&path, text).map_err(|error| file(&path, error))?;
        Ok(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.keep {
            drop(std::fs::remove_dir_all(&self.path));
        }
    }
}

fn file(path: &Path, error: io::Error) -> DemoError {
    DemoError::File {
        path: path.to_owned(),
        error,
    }
}

/// Everything that exists before the daemon starts.
pub(super) struct Stage {
    pub(super) config: Config,
    pub(super) devices: Vec<devices::Device>,
    /// `None`: the machine has no pseudo-terminal.
    pub(super) line: Option<Line>,
    password: String,
    pub(super) link: Link,
    pub(super) books: Books,
    /// The stand-in runs until this is dropped. `None`: a real Odoo.
    _stand_in: Option<StandIn>,
}

impl Stage {
    pub(super) async fn build(options: &Options, place: &Place) -> Result<Self, DemoError> {
        let stand_in = match options.odoo {
            None => Some(StandIn::start(Seed::default(), STAND_IN_DELAY).await),
            Some(_) => None,
        };
        let stand_in = stand_in.transpose().map_err(DemoError::Listen)?;
        let (url, database, key_file) = match (&options.odoo, &stand_in) {
            (Some(real), _) => (
                real.url.clone(),
                real.database.clone(),
                real.api_key_file.clone(),
            ),
            (None, stand_in) => {
                let url = stand_in.as_ref().map(StandIn::url).unwrap_or_default();
                let key_file = place.write("odoo.key", odoo::API_KEY)?;
                (url, odoo::DATABASE.to_owned(), key_file)
            }
        };
        let key = std::fs::read_to_string(&key_file).map_err(|error| file(&key_file, error))?;
        let key = SecretString::from(key.trim().to_owned());
        let books = Books::open(&url, &database, key).await?;
        let link = Link::start(&url).await.map_err(DemoError::Listen)?;
        let devices = devices::build_devices(options.devices);
        let password = format!("demo-{:x}", clock::now().as_nanosecond());
        let hash = hash_password(&password);
        let toml = devices::devices_toml(&devices, &hash) + "\n" + &beepers::devices_toml(&hash);
        let devices_file = place.write("devices.toml", &toml)?;
        let mut config = config(place, &link, &database, key_file, devices_file);
        let serial = Line::open()
            .inspect_err(|error| {
                print_line(&format!(
                    "this machine has no pseudo-terminal ({error}): the demonstration runs without a serial scanner"
                ));
            })
            .ok();
        if let Some(line) = &serial {
            config.scanners = Some(place.write("scanners.toml", &line.scanners_toml())?);
        }
        Ok(Self {
            config,
            devices,
            line: serial,
            password,
            link,
            books,
            _stand_in: stand_in,
        })
    }

    pub(super) fn floor(&self, options: &Options, address: SocketAddr) -> Floor {
        Floor {
            site: self.config.site.to_string(),
            address,
            password: self.password.clone(),
            bins: take_first(self.books.bins(), BINS_MAX),
            products: take_first(self.books.products(), PRODUCTS_MAX),
            rate: options.rate,
            stop: AtomicBool::new(false),
        }
    }
}

/// The daemon's usual configuration, but documents are sealed early, so that they become visible.
fn config(place: &Place, link: &Link, database: &str, key: PathBuf, devices: PathBuf) -> Config {
    // Event ids start from the beginning each time: the site's name distinguishes two
    // demonstrations on one Odoo.
    let site = format!("demo-{:x}", clock::now().as_millisecond());
    Config {
        site: Name::new(&site).unwrap_or_else(|bad| unreachable!("{bad}")),
        time_zone: None,
        shifts: config::Shifts::default(),
        data_dir: place.path.join("data"),
        listen: Some(config::Listen {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            devices: Some(devices),
            ..config::Listen::default()
        }),
        broker: None,
        scanners: None,
        odoo: config::Odoo {
            api_key_file: Some(key),
            ..config::Odoo::new(&link.url(), database)
        },
        documents: config::Documents {
            idle_s: 2,
            age_s: 4,
            ..config::Documents::default()
        },
        orders: config::Orders::default(),
        stock: config::Stock::default(),
        capture: config::Capture::default(),
        journal: config::Journal::default(),
        control: config::Control {
            socket: place.path.join("control.sock"),
            metrics: None,
        },
        log: config::Log::default(),
        fleet: config::Fleet::default(),
    }
}
