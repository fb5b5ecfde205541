//! Each thing that the daemon opens, broken in each way, and what `check` and `run` are to do.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};

use tokio_serial::SerialStream;

use super::Place;

/// What `run` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// It ends with 64: a person must act.
    Ends64,
    /// It ends with 1: systemd starts it again.
    Ends1,
    /// It starts, sends nothing to Odoo and raises the alarm `odoo-held`.
    Holds,
    /// It starts, and its status says the same as `check`; with exit code 0 and a warning of
    /// `check`.
    Warns,
    /// The same, with exit code 1 and a FAIL: nothing reaches Odoo.
    Fails,
}

use Run::{Ends1, Ends64, Fails, Holds, Warns};

/// What keeps a thing broken.
#[derive(Debug, Default)]
#[expect(dead_code, reason = "held until it is dropped")]
pub struct Held(Option<TcpListener>, Option<SerialStream>);

pub type Break = Box<dyn Fn(&Place) -> Held>;

pub struct Breakage {
    pub key: &'static str,
    /// A part of its message.
    pub word: &'static str,
    pub run: Run,
    pub break_it: Break,
    /// By a user without root's rights: root may open everything.
    pub is_unprivileged: bool,
}

pub fn of(key: &'static str, word: &'static str, run: Run, break_it: Break) -> Breakage {
    Breakage {
        key,
        word,
        run,
        break_it,
        is_unprivileged: false,
    }
}

pub fn by_user(breakage: Breakage) -> Breakage {
    Breakage {
        is_unprivileged: true,
        ..breakage
    }
}

pub fn change(break_it: impl Fn(&Place) + 'static) -> Break {
    Box::new(move |place| {
        break_it(place);
        Held::default()
    })
}

pub fn remove(name: &'static str) -> Break {
    change(move |place| fs::remove_file(place.path(name)).unwrap())
}

pub fn write(name: &'static str, text: &'static str) -> Break {
    change(move |place| {
        drop(fs::remove_file(place.path(name)));
        fs::write(place.path(name), text).unwrap();
    })
}

/// Another text in the configuration.
fn configure(from: &'static str, to: &'static str) -> Break {
    change(move |place| {
        let text = fs::read_to_string(place.path("config.toml")).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(place.path("config.toml"), text.replace(from, to)).unwrap();
    })
}

pub fn both(one: Break, other: Break) -> Break {
    Box::new(move |place| {
        one(place);
        other(place)
    })
}

pub fn no_right(name: &'static str) -> Break {
    change(move |place| {
        let path = place.path(name).canonicalize().unwrap();
        fs::set_permissions(path, PermissionsExt::from_mode(0o000)).unwrap();
    })
}

/// A key that belongs to no certificate here.
pub fn other_key(name: &'static str) -> Break {
    change(move |place| {
        let key = rcgen::KeyPair::generate().unwrap();
        fs::write(place.path(name), key.serialize_pem()).unwrap();
    })
}

/// `scanners.toml` with one keyboard scanner.
const HAND: &str = "[scanners.hand]\nprofile = \"generic-hid\"\nport = \"keys\"\n";

pub fn all() -> Vec<Breakage> {
    let mut all = of_the_gateway();
    all.extend(of_odoo());
    all.extend(of_listen());
    all.extend(of_the_broker());
    all.extend(of_scanners());
    all.extend(super::centre_files::all());
    all
}

fn of_the_gateway() -> Vec<Breakage> {
    let socket_dir = both(
        configure("\"control.sock\"", "\"run/control.sock\""),
        change(|place| {
            fs::create_dir(place.path("run")).unwrap();
            fs::set_permissions(place.path("run"), PermissionsExt::from_mode(0o500)).unwrap();
        }),
    );
    vec![
        of("data_dir", "not a directory", Ends64, write("data", "")),
        by_user(of(
            "data_dir",
            "cannot be written",
            Ends1,
            both(
                change(|place| fs::create_dir(place.path("data")).unwrap()),
                no_right("data"),
            ),
        )),
        of(
            "control.socket",
            "not a socket",
            Ends64,
            write("control.sock", ""),
        ),
        of(
            "control.socket",
            "a path of data_dir",
            Ends64,
            configure("\"control.sock\"", "\"data\""),
        ),
        of(
            "data_dir",
            "is a link to",
            Ends1,
            change(|place| {
                fs::create_dir(place.path("data")).unwrap();
                symlink("/nowhere/journal.redb", place.path("data/journal.redb")).unwrap();
            }),
        ),
        by_user(of(
            "data_dir",
            "does not exist",
            Ends1,
            both(
                configure("data_dir = \"data\"", "data_dir = \"shut/data\""),
                change(|place| {
                    fs::create_dir(place.path("shut")).unwrap();
                    fs::set_permissions(place.path("shut"), PermissionsExt::from_mode(0o500))
                        .unwrap();
                }),
            ),
        )),
        by_user(of(
            "control.socket",
            "cannot create a file",
            Ends1,
            socket_dir,
        )),
        of(
            "control.metrics",
            "cannot listen",
            Ends1,
            Box::new(|place| {
                let address = place.config().control.metrics.unwrap();
                Held(TcpListener::bind(address).ok(), None)
            }),
        ),
        of(
            "control.metrics",
            "the port of mqtt.listen.address",
            Ends64,
            change(|place| {
                let config = place.config();
                let metrics = format!("metrics = \"{}\"", config.control.metrics.unwrap());
                let same = format!(
                    "metrics = \"0.0.0.0:{}\"",
                    config.listen.unwrap().address.port()
                );
                let text = fs::read_to_string(place.path("config.toml")).unwrap();
                fs::write(place.path("config.toml"), text.replace(&metrics, &same)).unwrap();
            }),
        ),
    ]
}

fn of_odoo() -> Vec<Breakage> {
    vec![
        of("odoo.ca", "ca.pem", Holds, remove("ca.pem")),
        of("odoo.ca", "ca.pem", Holds, write("ca.pem", "no PEM")),
        of("odoo.api_key_file", "odoo.key", Holds, remove("odoo.key")),
        of(
            "odoo.api_key_file",
            "odoo.key",
            Holds,
            write("odoo.key", "\n"),
        ),
        by_user(of(
            "odoo.api_key_file",
            "odoo.key",
            Holds,
            no_right("odoo.key"),
        )),
        of(
            "odoo.url",
            "127.0.0.1:9",
            Fails,
            change(|place| {
                let text = fs::read_to_string(place.path("config.toml")).unwrap();
                let away = text.replace(&place.odoo.url(), "http://127.0.0.1:9");
                fs::write(place.path("config.toml"), away).unwrap();
            }),
        ),
    ]
}

fn of_listen() -> Vec<Breakage> {
    let not_mounted = both(
        configure(
            "devices = \"devices.toml\"",
            "devices = \"mnt/devices.toml\"",
        ),
        change(|place| fs::create_dir(place.path("mnt")).unwrap()),
    );
    vec![
        of(
            "mqtt.listen.devices",
            "devices.toml",
            Ends64,
            remove("devices.toml"),
        ),
        of(
            "mqtt.listen.devices",
            "devices.toml",
            Ends64,
            write("devices.toml", "[["),
        ),
        of(
            "mqtt.listen.devices",
            "gone.toml",
            Ends64,
            write("devices.toml", "[devices.a]\nprofile = \"gone.toml\"\n"),
        ),
        of(
            "mqtt.listen.devices",
            "mnt/devices.toml",
            Ends1,
            not_mounted,
        ),
        by_user(of(
            "mqtt.listen.devices",
            "devices.toml",
            Ends64,
            no_right("devices.toml"),
        )),
        of(
            "mqtt.listen.tls_cert",
            "cert.pem",
            Ends64,
            write("cert.pem", ""),
        ),
        of("mqtt.listen.tls_key", "key.pem", Ends64, remove("key.pem")),
        of(
            "mqtt.listen.tls_key",
            "do not belong together",
            Ends64,
            other_key("key.pem"),
        ),
        of(
            "mqtt.listen.client_ca",
            "clients.pem",
            Ends64,
            remove("clients.pem"),
        ),
        of(
            "mqtt.listen.client_ca",
            "clients.pem",
            Ends64,
            write("clients.pem", "no PEM"),
        ),
        of(
            "mqtt.listen.address",
            "cannot listen",
            Ends1,
            Box::new(|place| {
                Held(
                    TcpListener::bind(place.config().listen.unwrap().address).ok(),
                    None,
                )
            }),
        ),
        of(
            "mqtt.listen.device_config_dir",
            "No such file",
            Warns,
            change(|place| fs::remove_dir_all(place.path("configs")).unwrap()),
        ),
        of(
            "mqtt.listen.device_config_dir",
            "pda-07.json",
            Warns,
            write("configs/pda-07.json", "{"),
        ),
        by_user(of(
            "mqtt.listen.device_config_dir",
            "default.json",
            Warns,
            no_right("configs/default.json"),
        )),
        by_user(of(
            "mqtt.listen.device_config_dir",
            "configs",
            Warns,
            no_right("configs"),
        )),
    ]
}

fn of_the_broker() -> Vec<Breakage> {
    let own_list = || {
        both(
            configure("devices = \"devices.toml\"", ""),
            configure("[mqtt.broker]", "[mqtt.broker]\ndevices = \"devices.toml\""),
        )
    };
    vec![
        of(
            "mqtt.broker.url",
            "127.0.0.1:9",
            Warns,
            Box::new(|_| Held::default()),
        ),
        of(
            "mqtt.broker.password_file",
            "password",
            Ends64,
            remove("password"),
        ),
        of(
            "mqtt.broker.password_file",
            "password",
            Ends64,
            write("password", "\n"),
        ),
        of(
            "mqtt.broker.ca",
            "mqtt.broker.ca",
            Ends64,
            write("broker.pem", ""),
        ),
        of(
            "mqtt.broker.client_cert",
            "me.pem",
            Ends64,
            remove("me.pem"),
        ),
        of(
            "mqtt.broker.client_cert",
            "me.pem",
            Ends64,
            other_key("me.key"),
        ),
        of(
            "mqtt.broker.client_key",
            "me.key",
            Ends64,
            write("me.key", "no PEM"),
        ),
        by_user(of(
            "mqtt.broker.client_key",
            "me.key",
            Ends64,
            no_right("me.key"),
        )),
        of(
            "mqtt.broker.devices",
            "devices.toml",
            Ends64,
            both(own_list(), remove("devices.toml")),
        ),
        of(
            "mqtt.broker.devices",
            "devices.toml",
            Ends64,
            both(own_list(), write("devices.toml", "[[")),
        ),
    ]
}

fn of_scanners() -> Vec<Breakage> {
    vec![
        of("scanners", "scanners.toml", Ends64, remove("scanners.toml")),
        of(
            "scanners",
            "scanners.toml",
            Ends64,
            write("scanners.toml", "[["),
        ),
        of("scanners", "own.toml", Ends64, remove("own.toml")),
        of(
            "scanners",
            "scanners.dock.profile",
            Ends64,
            write("own.toml", "[profile]\n"),
        ),
        of("scanners", "plug the scanner in", Warns, remove("port")),
        of(
            "scanners",
            "cannot open",
            Warns,
            write("port", "not a terminal"),
        ),
        by_user(of("scanners", "Permission denied", Warns, no_right("port"))),
        by_user(of(
            "scanners",
            "busy",
            Warns,
            Box::new(|place| {
                let port = tokio_serial::new(place.path("port").to_string_lossy(), 115_200);
                Held(None, Some(SerialStream::open(&port).unwrap()))
            }),
        )),
        of(
            "scanners",
            "plug the scanner in",
            Warns,
            write("scanners.toml", HAND),
        ),
        of(
            "scanners",
            "cannot grab",
            Warns,
            both(write("keys", "no keyboard"), write("scanners.toml", HAND)),
        ),
    ]
}
