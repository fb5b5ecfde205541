//! Chooses the configuration for `run`: the present files, or, while they cannot be used, the last
//! configuration that ran.
//!
//! **In**: the path and the environment. **Out**: a configuration with which the daemon can start,
//! or the exit code. So a new file in `config.d` that does not parse, or that names a missing file,
//! does not stop a site. A fault that passes by itself, such as a port in use, ends no bundle.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::channel::desired::DesiredConfig;
use crate::clock;
use crate::config::last::{self, Last, NoLast};
use crate::config::{self, ConfigError, Ground, Loaded};
use crate::event::Name;
use crate::fleet::agent::FleetStart;
use crate::fleet::disk::FolderStorage;
use crate::fleet::identity::GatewayKey;
use crate::fleet::local::LocalFiles;
use crate::fleet::machine::WallClock;
use crate::fleet::record::{BundleId, ConfigSet};
use crate::fleet::watch::FleetTimes;
use crate::opens::{self, Fault};

/// Why the written configuration is not used.
#[derive(Debug)]
pub enum Unusable {
    /// The file cannot be read or parsed.
    Config(ConfigError),
    /// Something that the configuration names cannot be opened.
    Opens(Vec<Fault>),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => write!(f, "{error}"),
            Self::Opens(faults) => {
                let texts: Vec<_> = faults.iter().map(|fault| fault.text.as_str()).collect();
                f.write_str(&texts.join("\n"))
            }
        }
    }
}

/// The last configuration that ran is used, and why the written one is not.
#[derive(Debug)]
pub struct Instead {
    pub why: Unusable,
    /// The file of the last configuration that ran.
    pub used: PathBuf,
    /// The serial of the bundle that set some of its keys. `None`: no bundle set any.
    pub bundle: Option<u64>,
}

impl Instead {
    /// Describes file, line and fault, and what to do, for the status.
    #[must_use]
    pub fn alarm(&self) -> String {
        let more = |count: usize| match count {
            0 | 1 => String::new(),
            many => format!(" (and {} more faults)", many - 1),
        };
        let what = match &self.why {
            Unusable::Config(ConfigError::Missing(path)) => {
                format!("There is no configuration file {}", path.display())
            }
            Unusable::Config(ConfigError::Faults(faults)) => format!(
                "The configuration has a fault: {}{}",
                faults.first().map(ToString::to_string).unwrap_or_default(),
                more(faults.len())
            ),
            Unusable::Opens(faults) => format!(
                "The gateway cannot start with the configuration: {}{}",
                faults.first().map_or("", |fault| &fault.text),
                more(faults.len())
            ),
        };
        format!(
            "{what}. The gateway uses the last good configuration ({}): correct the fault, run stockrelay check, and then stockrelay config reload.",
            self.used.display()
        )
    }
}

/// The decision of `run` while the written configuration has `faults` that prevent its start.
#[derive(Debug)]
pub enum Otherwise {
    /// The daemon uses the last good configuration.
    Last(Box<Last>),
    /// The daemon ends with exit code 1 and is started again: the configuration has run before, or
    /// the fault passes by itself.
    Retry,
    /// The daemon ends with exit code 64: a person must act. The value says why the last good
    /// configuration cannot be used.
    Person(NoLast),
}

/// Why there is no configuration to start with.
#[derive(Debug)]
pub struct NoChoice {
    pub why: Unusable,
    /// Whether another start may end better.
    pub may_end_better: bool,
    last: Option<NoLast>,
}

impl fmt::Display for NoChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)?;
        match self.last.as_ref().and_then(NoLast::text) {
            Some(text) => write!(f, "\n{text}"),
            None => Ok(()),
        }
    }
}

/// Decides what `run` does if the configuration is valid, but an entry in it cannot be opened.
/// `running` is the process of a running daemon, whose ports count as free.
#[must_use]
pub fn otherwise(written: &Loaded, faults: &[Fault], running: Option<i32>) -> Otherwise {
    match last::find_of(written) {
        Ok(last) if last.loaded.config != written.config => {
            if opens::faults(&last.loaded.config, running).is_empty() {
                Otherwise::Last(Box::new(last))
            } else {
                Otherwise::Retry
            }
        }
        Err(none) if faults.iter().any(|fault| fault.is_lasting) => Otherwise::Person(none),
        // This configuration has run before, or only time is needed.
        Ok(_) | Err(_) => Otherwise::Retry,
    }
}

/// The configuration to start with, and the state of bundles.
#[derive(Debug)]
pub struct Beginning {
    pub loaded: Loaded,
    /// `Some`: `loaded` is the last configuration that ran.
    pub instead: Option<Instead>,
    /// The configurations for floor devices.
    pub floor: BTreeMap<Name, DesiredConfig>,
    /// `None`: this process takes no bundles, because of [`Self::fleet_fault`].
    pub fleet: Option<FleetBeginning>,
    pub fleet_fault: Option<String>,
}

/// The state of bundles at the start.
#[derive(Debug)]
pub struct FleetBeginning {
    pub start: FleetStart<FolderStorage>,
    pub files: LocalFiles,
    pub fleet: config::Fleet,
    /// The configuration that [`Beginning::loaded`] is.
    pub set: ConfigSet,
    /// The bundle whose values are in the last configuration that ran, if that one is used.
    pub fallback: Option<BundleId>,
}

/// Chooses the configuration to start with. A bundle that is being watched and cannot be loaded is
/// rolled back here. A confirmed one that cannot be loaded leaves the local files, until a later
/// attempt of the agent. If only a fault that passes by itself is in the way, the process ends, and
/// its next start tries the same bundle.
pub fn begin(path: &Path, environment: &[(String, String)]) -> Result<Beginning, NoChoice> {
    let of_files = |first: Option<Chosen>, fleet, fleet_fault| {
        let (loaded, instead) = match first {
            Some(chosen) => chosen,
            None => choose(path, environment)?,
        };
        Ok(Beginning {
            loaded,
            instead,
            floor: BTreeMap::new(),
            fleet,
            fleet_fault,
        })
    };
    let Some(ground) = find_ground(path, environment) else {
        return of_files(None, None, None);
    };
    let mut first = None;
    if !ground.data_dir.exists() {
        // There is no bundle. The directory is created only if the process can start.
        first = Some(choose(path, environment)?);
        // A failure is the fault of the next step.
        drop(std::fs::create_dir_all(&ground.data_dir));
    }
    let (mut start, key) = match open_fleet(&ground) {
        Ok(opened) => opened,
        Err(fault) => return of_files(first, None, Some(fault)),
    };
    let files = LocalFiles {
        main: path.to_owned(),
        environment: environment.to_vec(),
        site: ground.site,
        group: ground.fleet.group.clone(),
        key,
    };
    let begun = |start, set| FleetBeginning {
        start,
        files: files.clone(),
        fleet: ground.fleet.clone(),
        set,
        fallback: None,
    };
    if let Some((set, (loaded, floor))) = read_running(&mut start, &files)? {
        return Ok(Beginning {
            loaded,
            instead: None,
            floor,
            fleet: Some(begun(start, set)),
            fleet_fault: None,
        });
    }
    let mut beginning = of_files(first, Some(begun(start, ConfigSet::Files)), None)?;
    if let (Some(instead), Some(fleet)) = (&beginning.instead, &mut beginning.fleet) {
        let serial = instead.bundle;
        fleet.fallback = serial.and_then(|serial| fleet.start.find_bundle(serial));
    }
    Ok(beginning)
}

/// Reads the configuration with the bundle that must run. A watched bundle that cannot be loaded is
/// rolled back, and the one before it is read. `None`: the local files alone must run.
fn read_running(
    start: &mut FleetStart<FolderStorage>,
    files: &LocalFiles,
) -> Result<Option<(ConfigSet, WithFloor)>, NoChoice> {
    while let Some(folder) = start.running_folder() {
        let set = start.running();
        match read_set(files, &folder) {
            Ok(read) => return Ok(Some((set, read))),
            Err(BadSet::Passing(faults)) => {
                // This start says nothing about the bundle.
                start.stop(unjudged());
                return Err(NoChoice {
                    why: Unusable::Opens(faults),
                    may_end_better: true,
                    last: None,
                });
            }
            Err(BadSet::Unreadable(why)) => start.cannot_load(unjudged(), why),
            Err(BadSet::Unopened(_, faults)) => {
                let texts: Vec<_> = faults.into_iter().map(|fault| fault.text).collect();
                start.cannot_load(unjudged(), texts.join("; "));
            }
        }
        if start.running() == set {
            break;
        }
    }
    Ok(None)
}

type Chosen = (Loaded, Option<Instead>);
type WithFloor = (Loaded, BTreeMap<Name, DesiredConfig>);

/// Why the process cannot start with a bundle.
enum BadSet {
    /// The files have faults.
    Unreadable(String),
    /// Something that the configuration names cannot be opened.
    Unopened(Box<Loaded>, Vec<Fault>),
    /// The same, and another start may end better.
    Passing(Vec<Fault>),
}

/// Reads the local files with those of a bundle. Faults that pass are the bundle's only if the last
/// good configuration does not have them.
fn read_set(files: &LocalFiles, folder: &Path) -> Result<WithFloor, BadSet> {
    match read_with(files, folder) {
        Err(BadSet::Unopened(loaded, faults)) if !faults.iter().any(|fault| fault.is_lasting) => {
            match otherwise(&loaded, &faults, None) {
                Otherwise::Retry => Err(BadSet::Passing(faults)),
                // The last good configuration was opened later: the fault may have passed since.
                Otherwise::Last(_) | Otherwise::Person(_) => read_with(files, folder),
            }
        }
        read => read,
    }
}

/// Reads the local files with those of a bundle, and opens what they name.
fn read_with(files: &LocalFiles, folder: &Path) -> Result<WithFloor, BadSet> {
    let local = files.read(Some(folder));
    let local = local.map_err(|faults| BadSet::Unreadable(faults.join("; ")))?;
    let faults = opens::faults(&local.loaded.config, None);
    if faults.is_empty() {
        return Ok((local.loaded, local.floor));
    }
    Err(BadSet::Unopened(Box::new(local.loaded), faults))
}

/// The time before the daemon judges its clock.
fn unjudged() -> WallClock {
    WallClock {
        now: clock::now(),
        is_trusted: false,
    }
}

/// Reads the keys that no bundle sets, from the last configuration if the files have a fault.
fn find_ground(path: &Path, environment: &[(String, String)]) -> Option<Ground> {
    let of_last = |last: Last| Ground {
        site: last.loaded.config.site,
        data_dir: last.loaded.config.data_dir,
        fleet: last.loaded.config.fleet,
    };
    let read = config::load_ground(path, environment).ok();
    read.or_else(|| last::find(path, environment).ok().map(of_last))
}

fn open_fleet(ground: &Ground) -> Result<(FleetStart<FolderStorage>, GatewayKey), String> {
    let mut storage = FolderStorage::create(&ground.data_dir).map_err(|error| {
        format!(
            "The gateway takes no configuration bundles, because it cannot open {}: {error}. Correct the directory, and restart.",
            ground.data_dir.display()
        )
    })?;
    let key = GatewayKey::open(&mut storage);
    let seconds = std::time::Duration::from_secs;
    let times = FleetTimes {
        watch: seconds(ground.fleet.watch_s),
        quiet: seconds(ground.fleet.quiet_s),
        quiet_max: seconds(ground.fleet.quiet_max_s),
    };
    let start = FleetStart::open(storage, unjudged(), times);
    let start = start.map_err(|error| {
        format!("The gateway runs with its local files, and takes no configuration bundles: {error}. Then restart.")
    })?;
    Ok((start, key))
}

/// Chooses among the local files and the last configuration that ran.
fn choose(
    path: &Path,
    environment: &[(String, String)],
) -> Result<(Loaded, Option<Instead>), NoChoice> {
    let use_last = |why, last: Last| {
        let Last {
            loaded,
            file: used,
            bundle,
        } = last;
        Ok((loaded, Some(Instead { why, used, bundle })))
    };
    let none = |why, may_end_better, last| {
        Err(NoChoice {
            why,
            may_end_better,
            last,
        })
    };
    let written = match config::load(path, environment) {
        Ok(written) => written,
        Err(error) => {
            let why = Unusable::Config(error);
            return match last::find(path, environment) {
                Ok(last) => use_last(why, last),
                Err(no_last) => none(why, false, Some(no_last)),
            };
        }
    };
    let faults = opens::faults(&written.config, None);
    if faults.is_empty() {
        return Ok((written, None));
    }
    match otherwise(&written, &faults, None) {
        Otherwise::Last(last) => use_last(Unusable::Opens(faults), *last),
        Otherwise::Retry => none(Unusable::Opens(faults), true, None),
        Otherwise::Person(no_last) => none(Unusable::Opens(faults), false, Some(no_last)),
    }
}
