//! The list of everything that the daemon opens. `run` checks it before it starts, and `stockrelay
//! check` shows it, so both find the same faults.
//!
//! Each entry opens its file or port, or binds its address, and closes it again. It creates
//! nothing. [`crate::view::check`] calls Odoo and the MQTT broker over the network.

use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::config::Config;
use crate::odoo::key;
use crate::source::broker::{Account, FLEET_KEYS, client_tls};
use crate::source::scanners::list::Scanner;
use crate::source::{LastLists, broker, devices, front_door, scanners};
use crate::tls;

// Keys of entries: the lists of devices (the front door also uses the broker's), IT's broker.
const LIST_KEYS: [&str; 2] = ["mqtt.listen.devices", "mqtt.broker.devices"];
pub const FLEET_BROKER: &str = "fleet.broker";

/// The effect of an entry's fault on the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// `run` does not start with this configuration.
    NoStart,
    /// `run` starts, sends nothing to Odoo and raises the alarm `odoo-held`.
    LinkHeld,
    /// `run` starts without it, says the same in the status, and tries again.
    Without,
    /// `run` starts with the last good list, and raises an alarm.
    LastList,
}

/// A file, directory, port or address that the daemon opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The configuration key that names it.
    pub key: &'static str,
    /// The file or address.
    pub what: String,
    pub effect: Effect,
    /// The fault and what to do. `None`: the entry can be opened.
    pub fault: Option<Fault>,
}

/// A fault of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The fault and what to do, for a person.
    pub text: String,
    /// Whether another start ends in the same way until a person has done something. A port in use
    /// gets free, a disk gets room, and a file system may be mounted later.
    pub is_lasting: bool,
}

impl Fault {
    fn lasting(text: String) -> Self {
        Self {
            text,
            is_lasting: true,
        }
    }

    fn passing(text: String) -> Self {
        Self {
            text,
            is_lasting: false,
        }
    }
}

/// Opens everything that `config` names. An address, journal or port that process `running` has is
/// in order: that process is the daemon beside which `check` runs.
#[must_use]
pub fn open_all(config: &Config, running: Option<i32>) -> Vec<Opened> {
    let mut list = open_needed(config, running);
    if let Some(dir) = config
        .listen
        .as_ref()
        .and_then(|listen| listen.device_config_dir.as_ref())
    {
        let read = front_door::check_device_configs(dir);
        let opened = entry(
            "mqtt.listen.device_config_dir",
            &dir.display(),
            check_files(&[dir], read),
        );
        list.push(make_optional(opened));
    }
    list.extend(open_fleet(config).map(make_optional));
    let file = config.scanners.as_deref();
    for scanner in file
        .and_then(|file| scanners::list::read(file).ok())
        .unwrap_or_default()
    {
        let opened = entry(
            "scanners",
            &describe_scanner(&scanner),
            port(&scanner, running),
        );
        list.push(make_optional(opened));
    }
    list
}

/// Opens what the daemon cannot start or send without.
fn open_needed(config: &Config, running: Option<i32>) -> Vec<Opened> {
    let mut list = vec![
        entry(
            "data_dir",
            &config.data_dir.display(),
            data_dir(config, running),
        ),
        entry(
            "control.socket",
            &config.control.socket.display(),
            socket(&config.control.socket, running),
        ),
    ];
    // Held to the end: two keys that name the same port leave none for the second.
    let mut bound = Vec::new();
    if let Some(address) = config.control.metrics {
        let opened = bind(("control.metrics", address), running, &mut bound);
        list.push(entry("control.metrics", &address, opened));
    }
    if let Some(file) = &config.scanners {
        let read = scanners::list::read(file).map(drop);
        let opened = entry("scanners", &file.display(), check_files(&[file], read));
        let has_last = scanners::list::has_last(file, &LastLists::new(&config.data_dir));
        list.push(with_list_effect(opened, has_last));
    }
    open_listen(config, running, &mut bound, &mut list);
    open_broker(config, &mut list);
    if let Some(file) = &config.odoo.ca {
        let read = tls::client_config(Some(file)).map(drop);
        list.push(link_entry(
            "odoo.ca",
            &file.display(),
            check_files(&[file], read),
        ));
    }
    if let Some(file) = &config.odoo.api_key_file {
        let read = check_files(&[file], key::read(Some(file)).map(drop));
        list.push(link_entry("odoo.api_key_file", &file.display(), read));
    }
    list
}

fn open_listen(
    config: &Config,
    running: Option<i32>,
    bound: &mut Vec<Bound>,
    list: &mut Vec<Opened>,
) {
    let Some(listen) = &config.listen else { return };
    if let Some(file) = &listen.devices {
        let of_broker = config.broker.as_ref().and_then(|it| it.devices.as_ref());
        let key = LIST_KEYS[usize::from(of_broker == Some(file))];
        list.push(device_list(key, file, config));
    }
    if let (Some(cert), Some(key)) = (&listen.tls_cert, &listen.tls_key) {
        let read = tls::server_config(cert, key, listen.client_ca.as_deref(), false).map(drop);
        let mut files: Vec<&Path> = vec![cert, key];
        files.extend(listen.client_ca.as_deref());
        let read = check_files(&files, read);
        list.push(entry("mqtt.listen.tls_cert", &cert.display(), read));
    }
    let key = "mqtt.listen.address";
    let opened = bind((key, listen.address), running, bound);
    list.push(entry(key, &listen.address, opened));
}

fn open_broker(config: &Config, list: &mut Vec<Opened>) {
    let Some(broker) = &config.broker else { return };
    let files = [
        &broker.password_file,
        &broker.ca,
        &broker.client_cert,
        &broker.client_key,
    ];
    let files: Vec<&Path> = files.into_iter().flatten().map(AsRef::as_ref).collect();
    let read = check_files(&files, broker::check(broker, &config.site));
    list.push(entry("mqtt.broker", &broker.url, read));
    let is_listed = (config.listen.as_ref()).is_some_and(|listen| listen.devices == broker.devices);
    if let (Some(file), false) = (&broker.devices, is_listed) {
        list.push(device_list(LIST_KEYS[1], file, config));
    }
}

/// Reads the files of `[fleet]`. `None`: the section names no server. The gateway runs without
/// the link, and a bundle for it must not depend on the link.
#[must_use]
pub fn open_fleet(config: &Config) -> Option<Opened> {
    let fleet = &config.fleet;
    let files = [&fleet.tls.ca, &fleet.tls.client_cert, &fleet.tls.client_key];
    let files = files.into_iter().flatten().map(AsRef::as_ref);
    if let Some(server) = &fleet.broker {
        let files: Vec<&Path> = files.chain(server.password_file.as_deref()).collect();
        let read = Account::of_fleet(server).options(String::new()).map(drop);
        return Some(entry(FLEET_BROKER, &server.url, check_files(&files, read)));
    }
    let url = fleet.url.as_ref()?;
    let files: Vec<&Path> = files.collect();
    let tls = &fleet.tls;
    let certificate = (tls.client_cert.as_deref(), tls.client_key.as_deref());
    let read = client_tls(tls.ca.as_deref(), certificate, &FLEET_KEYS).map(drop);
    Some(entry("fleet.url", url, check_files(&files, read)))
}

fn entry(key: &'static str, what: &impl ToString, opened: Result<(), Fault>) -> Opened {
    Opened {
        key,
        what: what.to_string(),
        effect: Effect::NoStart,
        fault: opened.err(),
    }
}

fn device_list(key: &'static str, file: &Path, config: &Config) -> Opened {
    let read = check_files(
        &[file],
        devices::check(file).map_err(|why| format!("{key}: {why}")),
    );
    let has_last = devices::has_last(file, &LastLists::new(&config.data_dir));
    with_list_effect(entry(key, &file.display(), read), has_last)
}

/// A list of devices or scanners.
fn with_list_effect(opened: Opened, has_last: bool) -> Opened {
    let effect = if has_last {
        Effect::LastList
    } else {
        Effect::NoStart
    };
    Opened { effect, ..opened }
}

fn link_entry(key: &'static str, what: &impl ToString, opened: Result<(), Fault>) -> Opened {
    Opened {
        effect: Effect::LinkHeld,
        ..entry(key, what, opened)
    }
}

fn make_optional(opened: Opened) -> Opened {
    Opened {
        effect: Effect::Without,
        ..opened
    }
}

/// The fault of an entry that reads files. It lasts, unless a file may be on a file system that is
/// not mounted yet: its directory is missing or empty.
fn check_files<E: ToString>(files: &[&Path], read: Result<(), E>) -> Result<(), Fault> {
    let may_be_mounted_later = |file: &&Path| {
        let is_empty = |dir: &Path| fs::read_dir(dir).is_ok_and(|mut files| files.next().is_none());
        let is_missing = |dir: &Path| !dir.exists();
        is_missing(file)
            && file
                .parent()
                .is_some_and(|dir| is_missing(dir) || is_empty(dir))
    };
    read.map_err(|error| Fault {
        text: error.to_string(),
        is_lasting: !files.iter().any(may_be_mounted_later),
    })
}

/// The name of the scanner as in the status.
fn describe_scanner(scanner: &Scanner) -> String {
    format!("scanner:{}", scanner.name)
}

/// A scanner's port, opened as the daemon opens it.
fn port(scanner: &Scanner, running: Option<i32>) -> Result<(), Fault> {
    let found = scanners::find(scanner);
    if let (Some(pid), Ok(path)) = (running, &found)
        && has_open(pid, path)
    {
        return Ok(());
    }
    found
        .and_then(|path| scanners::open(scanner, &path))
        .map_err(|why| Fault::passing(format!("{} is down: {why}", describe_scanner(scanner))))
}

/// Whether the process has the device file open, by /proc. If /proc does not show the process's
/// files to this user, the answer is `true`: the daemon's status shows otherwise.
fn has_open(pid: i32, path: &Path) -> bool {
    let (Ok(files), Ok(path)) = (fs::read_dir(format!("/proc/{pid}/fd")), path.canonicalize())
    else {
        return true;
    };
    files
        .flatten()
        .any(|file| fs::read_link(file.path()).is_ok_and(|open| open == path))
}

/// The directory, the lock and the files in it.
fn data_dir(config: &Config, running: Option<i32>) -> Result<(), Fault> {
    let dir = &config.data_dir;
    let failed = |path: &Path, error: io::Error| {
        Fault::passing(format!(
            "{} cannot be written by this user: {error}; make the daemon's user its owner, or change data_dir",
            path.display()
        ))
    };
    if let Some(fault) = dead_link(dir) {
        return Err(fault);
    }
    let Ok(metadata) = fs::metadata(dir) else {
        // `run` creates the directory: the nearest parent that exists must let it.
        let parent = dir.ancestors().skip(1).find(|path| path.exists());
        return match parent {
            Some(parent) => may_write(parent).map_err(|error| {
                let (dir, parent) = (dir.display(), parent.display());
                Fault::passing(format!(
                    "data_dir {dir} does not exist, and this user cannot create it in {parent}: {error}; correct data_dir, or create the directory: install -d -m 700 -o stockrelay -g stockrelay {dir}"
                ))
            }),
            None => Ok(()),
        };
    };
    if !metadata.is_dir() {
        return Err(Fault::lasting(format!(
            "{} is not a directory; change data_dir",
            dir.display()
        )));
    }
    may_write(dir).map_err(|error| failed(dir, error))?;
    for name in ["journal.redb", "journal.log", "lock"] {
        let path = dir.join(name);
        if let Some(fault) = dead_link(&path) {
            return Err(fault);
        }
        match File::options().read(true).write(true).open(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed(&path, error));
            }
            Ok(file) if name == "lock" && running.is_none() => {
                if file.try_lock_shared().is_err() {
                    let pid = fs::read_to_string(&path).unwrap_or_default();
                    return Err(Fault::passing(format!(
                        "journal in {} is in use by process {}; stop that process first, or give this one another data_dir",
                        dir.display(),
                        pid.trim()
                    )));
                }
                // A child process that is being started may have the file open, too.
                drop(file.unlock());
            }
            _ => {}
        }
    }
    Ok(())
}

/// The fault of a link to a file or directory that is not there: its disk is not mounted, perhaps.
fn dead_link(path: &Path) -> Option<Fault> {
    let target = fs::read_link(path).ok()?;
    let error = fs::metadata(path).err()?;
    Some(Fault::passing(format!(
        "{} is a link to {}, which cannot be opened: {error}; mount its disk, or correct the link",
        path.display(),
        target.display()
    )))
}

fn may_write(dir: &Path) -> io::Result<()> {
    use rustix::fs::Access;
    Ok(rustix::fs::access(dir, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// Checks the socket's directory, and that no other process answers on the socket.
fn socket(path: &Path, running: Option<i32>) -> Result<(), Fault> {
    let there = path.ancestors().skip(1).find(|parent| parent.exists());
    if let Some(parent) = there {
        may_write(parent).map_err(|error| {
            Fault::passing(format!("control.socket {}: this user cannot create a file in {}: {error}; make the daemon's user its owner", path.display(), parent.display()))
        })?;
    }
    match fs::symlink_metadata(path) {
        Ok(found) if !std::os::unix::fs::FileTypeExt::is_socket(&found.file_type()) => {
            Err(Fault::lasting(format!(
                "control.socket {}: this file is not a socket; remove it or choose another path",
                path.display()
            )))
        }
        Ok(_) if running.is_none() && is_answered(path) => Err(Fault::passing(format!(
            "control.socket {}: another process uses this socket; stop it, or set another path",
            path.display()
        ))),
        _ => Ok(()),
    }
}

/// Whether somebody has the socket: also where its queue is full, or this user may not connect.
fn is_answered(socket: &Path) -> bool {
    use io::ErrorKind::{ConnectionRefused, NotFound};
    let connected = UnixStream::connect(socket);
    !connected.is_err_and(|error| matches!(error.kind(), ConnectionRefused | NotFound))
}

/// The key of an address, and what listens there.
type Bound = (&'static str, SocketAddr, TcpListener);

fn bind(
    (key, address): (&'static str, SocketAddr),
    running: Option<i32>,
    bound: &mut Vec<Bound>,
) -> Result<(), Fault> {
    use io::ErrorKind::{AddrInUse, AddrNotAvailable, PermissionDenied};
    let error = match TcpListener::bind(address) {
        Ok(listener) => {
            bound.push((key, address, listener));
            return Ok(());
        }
        Err(error) => error,
    };
    let cannot = format!("{key}: cannot listen on {address}: {error}");
    let same = bound.iter().find(|(_, at, _)| at.port() == address.port());
    Err(match (error.kind(), same) {
        (AddrInUse, Some((other, at, _))) => Fault::lasting(format!(
            "{cannot}; {other} has the same port with {at}: give one of the two another port"
        )),
        (AddrInUse, None) if running.is_some_and(|pid| is_held_by(pid, address.port())) => {
            return Ok(());
        }
        (PermissionDenied, _) if address.port() < 1024 => Fault::passing(format!(
            "{cannot}; only root may listen on ports below 1024: choose a port from 1024 on"
        )),
        (PermissionDenied, _) => Fault::passing(format!(
            "{cannot}; a rule of this machine, such as SELinux, forbids the port: choose another port, or change the rule"
        )),
        (AddrNotAvailable, _) => Fault::passing(format!(
            "{cannot}; this machine has no address {}: write one that `ip address` shows, or 0.0.0.0",
            address.ip()
        )),
        _ => Fault::passing(format!(
            "{cannot}; choose a free port, or stop the process that uses it"
        )),
    })
}

/// Whether the process has a listening socket on this port, by /proc. If /proc does not show the
/// process's files to this user, the daemon that answers is taken to have it.
fn is_held_by(pid: i32, port: u16) -> bool {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return true;
    };
    let links: Vec<_> = files
        .filter_map(|file| fs::read_link(file.ok()?.path()).ok())
        .collect();
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
    tables
        .iter()
        .flatten()
        .flat_map(|table| table.lines())
        .any(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            // Local address, state (0A listens), inode: proc_pid_net(5).
            let [local, state, inode] =
                [1, 3, 9].map(|field| fields.get(field).copied().unwrap_or(""));
            local.ends_with(&format!(":{port:04X}"))
                && state == "0A"
                && links
                    .iter()
                    .any(|link| link == Path::new(&format!("socket:[{inode}]")))
        })
}

/// Why `run` does not start: every fault of the list that prevents it.
#[must_use]
pub fn faults(config: &Config, running: Option<i32>) -> Vec<Fault> {
    preventing(&open_needed(config, running))
}

/// What a reload cannot open, with process `running` as in [`open_all`]. A fault of any effect
/// prevents a reload: the gateway runs, and must not run worse with the new configuration.
#[must_use]
pub fn unopened(config: &Config, running: i32) -> Vec<Opened> {
    let mut list = open_needed(config, Some(running));
    list.retain(|opened| opened.fault.is_some());
    list
}

/// The faults in a list that prevent the start.
#[must_use]
pub fn preventing(list: &[Opened]) -> Vec<Fault> {
    list.iter()
        .filter(|opened| opened.effect == Effect::NoStart)
        .filter_map(|opened| opened.fault.clone())
        .collect()
}

#[cfg(test)]
mod tests;
