//! The files of `[fleet]`: the gateway runs without its link to central IT.

use std::fs;

use stockrelay::fleet::signing::make_key;

use super::breakages::{
    Break, Breakage, Held, Run::Warns, both, by_user, change, no_right, of, other_key, remove,
    write,
};

pub fn all() -> Vec<Breakage> {
    // The names are those of the files of `[mqtt.broker]`, which stays in order.
    let with = |more: Break| {
        let add = change(|place| {
            let config = place.path("config.toml");
            let text = fs::read_to_string(&config).unwrap();
            let fleet = "[fleet]\nbroker = \"mqtts://127.0.0.1:9\"\nusername = \"u\"\n\
                password_file = \"fleet.password\"\nca = \"fleet.pem\"\n\
                client_cert = \"box.pem\"\nclient_key = \"box.key\"\n";
            fs::write(config, text + fleet).unwrap();
            // Without it, `check` finds that no bundle is accepted.
            let key = make_key(None).unwrap();
            let trust = format!(
                "threshold = 1\n[[key]]\nid = \"{}\"\npublic = \"{}\"\nname = \"anna\"\n",
                key.id, key.public
            );
            fs::write(place.path("trust.toml"), trust).unwrap();
            for (from, to) in [
                ("password", "fleet.password"),
                ("broker.pem", "fleet.pem"),
                ("me.pem", "box.pem"),
                ("me.key", "box.key"),
            ] {
                fs::copy(place.path(from), place.path(to)).unwrap();
            }
        });
        both(add, more)
    };
    vec![
        of(
            "fleet.broker",
            "fleet.broker",
            Warns,
            with(Box::new(|_| Held::default())),
        ),
        of(
            "fleet.password_file",
            "fleet.password_file",
            Warns,
            with(remove("fleet.password")),
        ),
        of(
            "fleet.password_file",
            "fleet.password_file",
            Warns,
            with(write("fleet.password", "\n")),
        ),
        of("fleet.ca", "fleet.ca", Warns, with(write("fleet.pem", ""))),
        of(
            "fleet.client_cert",
            "box.pem",
            Warns,
            with(remove("box.pem")),
        ),
        of(
            "fleet.client_cert",
            "fleet.client_cert",
            Warns,
            with(other_key("box.key")),
        ),
        of(
            "fleet.client_key",
            "fleet.client_key",
            Warns,
            with(write("box.key", "no PEM")),
        ),
        by_user(of(
            "fleet.client_key",
            "fleet.client_key",
            Warns,
            with(no_right("box.key")),
        )),
    ]
}
