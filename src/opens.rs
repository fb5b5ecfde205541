//! Everything that the daemon opens, in one list: `run` goes through it before it starts, and
//! `stockrelay check` shows it. So both find the same faults.
//!
//! Each entry opens its file or binds its address, and lets go of it. Nothing is created or changed.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::config::Config;
use crate::forward::odoo::key;
use crate::source::{broker, devices, scanners};
use crate::tls;

/// The entry of the API key's file.
pub const ODOO_KEY: &str = "odoo.api_key_file";

/// What a fault in an entry does to the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// `run` ends with exit code 1.
    NoStart,
    /// `run` starts, sends nothing to Odoo and raises the alarm `odoo-held`.
    LinkHeld,
}

/// One thing that the daemon opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The configuration key that names it.
    pub key: &'static str,
    /// The file or address.
    pub what: String,
    pub effect: Effect,
    /// What is wrong and what to do; `None` if it can be opened.
    pub fault: Option<String>,
}

/// Opens everything that `config` names. An address that process `running` holds is in order: it is
/// the daemon that `check` looks at.
#[must_use]
pub fn open_all(config: &Config, running: Option<i32>) -> Vec<Opened> {
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
    if let Some(address) = config.control.metrics {
        list.push(entry("control.metrics", &address, bind(address, running)));
    }
    if let Some(file) = &config.scanners {
        let read = scanners::list::read(file).map(drop);
        list.push(entry("scanners", &file.display(), shown(read)));
    }
    open_listen(config, running, &mut list);
    open_broker(config, &mut list);
    if let Some(file) = &config.odoo.ca {
        let read = tls::client_config(Some(file)).map(drop);
        list.push(held("odoo.ca", &file.display(), shown(read)));
    }
    if let Some(file) = &config.odoo.api_key_file {
        let read = key::read(Some(file)).map(drop);
        list.push(held(ODOO_KEY, &file.display(), shown(read)));
    }
    list
}

fn open_listen(config: &Config, running: Option<i32>, list: &mut Vec<Opened>) {
    let Some(listen) = &config.listen else { return };
    if let Some(file) = &listen.devices {
        let read = devices::check(file);
        list.push(entry("mqtt.listen.devices", &file.display(), shown(read)));
    }
    if let (Some(cert), Some(key)) = (&listen.tls_cert, &listen.tls_key) {
        let read = tls::server_config(cert, key, listen.client_ca.as_deref(), false).map(drop);
        list.push(entry("mqtt.listen.tls_cert", &cert.display(), shown(read)));
    }
    let bound = bind(listen.address, running);
    list.push(entry("mqtt.listen.address", &listen.address, bound));
}

fn open_broker(config: &Config, list: &mut Vec<Opened>) {
    let Some(broker) = &config.broker else { return };
    let read = broker::check(broker, &config.site);
    list.push(entry("mqtt.broker", &broker.url, shown(read)));
    let is_listed = (config.listen.as_ref()).is_some_and(|listen| listen.devices == broker.devices);
    if let (Some(file), false) = (&broker.devices, is_listed) {
        let read = devices::check(file);
        list.push(entry("mqtt.broker.devices", &file.display(), shown(read)));
    }
}

fn entry(key: &'static str, what: &impl ToString, opened: Result<(), String>) -> Opened {
    Opened {
        key,
        what: what.to_string(),
        effect: Effect::NoStart,
        fault: opened.err(),
    }
}

fn held(key: &'static str, what: &impl ToString, opened: Result<(), String>) -> Opened {
    Opened {
        effect: Effect::LinkHeld,
        ..entry(key, what, opened)
    }
}

fn shown<E: ToString>(result: Result<(), E>) -> Result<(), String> {
    result.map_err(|error| error.to_string())
}

/// The directory, the lock and the files in it.
fn data_dir(config: &Config, running: Option<i32>) -> Result<(), String> {
    let dir = &config.data_dir;
    let failed = |path: &Path, error: io::Error| {
        format!(
            "{} cannot be written by this user: {error}; give the daemon's user the file, or change data_dir",
            path.display()
        )
    };
    let Ok(metadata) = std::fs::metadata(dir) else {
        // `run` creates the directory: the nearest parent that exists must let it.
        let parent = dir.ancestors().skip(1).find(|path| path.exists());
        return match parent {
            Some(parent) => may_write(parent).map_err(|error| failed(dir, error)),
            None => Ok(()),
        };
    };
    if !metadata.is_dir() {
        return Err(format!(
            "{} is no directory; change data_dir",
            dir.display()
        ));
    }
    may_write(dir).map_err(|error| failed(dir, error))?;
    for name in ["journal.redb", "lock"] {
        let path = dir.join(name);
        match File::options().read(true).write(true).open(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed(&path, error));
            }
            Ok(file) if name == "lock" && running.is_none() => {
                if file.try_lock_shared().is_err() {
                    let pid = std::fs::read_to_string(&path).unwrap_or_default();
                    return Err(format!(
                        "journal in {} is in use by process {}: stop that one first, or give this one another data_dir",
                        dir.display(),
                        pid.trim()
                    ));
                }
                // A child process that is being started may have the file open, too.
                drop(file.unlock());
            }
            _ => {}
        }
    }
    Ok(())
}

fn may_write(dir: &Path) -> io::Result<()> {
    use rustix::fs::Access;
    Ok(rustix::fs::access(dir, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// The socket's directory, and that nobody else answers there.
fn socket(path: &Path, running: Option<i32>) -> Result<(), String> {
    let there = path.ancestors().skip(1).find(|parent| parent.exists());
    if let Some(parent) = there {
        may_write(parent).map_err(|error| {
            format!("control.socket {}: this user cannot create a file in {}: {error}; give the daemon's user the directory", path.display(), parent.display())
        })?;
    }
    match std::fs::symlink_metadata(path) {
        Ok(found) if !std::os::unix::fs::FileTypeExt::is_socket(&found.file_type()) => {
            Err(format!(
                "control.socket {}: something that is no socket is there; remove it or choose another path",
                path.display()
            ))
        }
        Ok(_) if running.is_none() && UnixStream::connect(path).is_ok() => Err(format!(
            "control.socket {}: another process answers there; stop it, or give this one a socket of its own",
            path.display()
        )),
        _ => Ok(()),
    }
}

fn bind(address: SocketAddr, running: Option<i32>) -> Result<(), String> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error)
            if error.kind() == io::ErrorKind::AddrInUse
                && running.is_some_and(|pid| is_held_by(pid, address.port())) =>
        {
            Ok(())
        }
        Err(error) => Err(format!(
            "cannot listen on {address}: {error}; choose a free address, or stop the process that has it"
        )),
    }
}

/// Whether the process has a listening socket on this port, by /proc. If /proc does not show the
/// process's files to this user, the daemon that answers is taken to have it.
fn is_held_by(pid: i32, port: u16) -> bool {
    let Ok(files) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
        return true;
    };
    let links: Vec<_> = files
        .filter_map(|file| std::fs::read_link(file.ok()?.path()).ok())
        .collect();
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(std::fs::read_to_string);
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
pub fn faults(config: &Config) -> Vec<String> {
    open_all(config, None)
        .into_iter()
        .filter(|opened| opened.effect == Effect::NoStart)
        .filter_map(|opened| opened.fault)
        .collect()
}
