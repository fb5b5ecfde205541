use super::*;
use crate::fleet::samples::{CAPTURE, MANIFEST_DRAFT, bundle};

const RINGS: &str = "\
not_before = \"2026-12-01T03:00:00Z\"
requires = \">=0.2, <0.4\"
[targets]
sites = [\"ams1\", \"ams2\"]
[[ring]]
sites = [\"ams1\"]
wait_s = 3600
[[ring]]
all = true
";

fn sample(rest: &str) -> Bundle {
    let head = MANIFEST_DRAFT.split("[targets]").next().unwrap();
    Bundle::read(&bundle(&format!("{head}{rest}"), &[CAPTURE])).unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

struct Site {
    name: Name,
    version: Version,
}

impl Site {
    fn new(name: &str) -> Self {
        let name = Name::new(name).unwrap();
        let version = Version::new(0, 2, 5);
        Self { name, version }
    }

    fn at(&self, now: &str) -> Gateway<'_> {
        Gateway {
            site: &self.name,
            group: None,
            version: &self.version,
            highest: None,
            stop: None,
            now: Some(time(now)),
        }
    }
}

#[test]
fn a_ring_is_due_after_the_waits_before_it() {
    let bundle = sample(RINGS);
    let (first, second) = (Site::new("ams1"), Site::new("ams2"));
    let wait = |ring, why| Admission::Wait { ring, why };
    let early = admit(&bundle, &first.at("2026-12-01T02:59:59Z")).unwrap();
    let start = time("2026-12-01T03:00:00Z");
    assert_eq!(early, wait(1, Wait::NotBefore(start)));
    let early = admit(&bundle, &second.at("2026-12-01T02:00:00Z")).unwrap();
    assert_eq!(early, wait(2, Wait::NotBefore(start)));
    let due = admit(&bundle, &first.at("2026-12-01T03:00:00Z")).unwrap();
    assert_eq!(
        (due.reason().as_str(), due),
        ("", Admission::Apply { ring: 1 })
    );
    let waits = admit(&bundle, &second.at("2026-12-01T03:59:59Z")).unwrap();
    let end = time("2026-12-01T04:00:00Z");
    assert_eq!(waits, wait(2, Wait::Ring { due: end }));
    assert_eq!(waits.reason(), "ring 2 is due at 2026-12-01T04:00:00Z");
    let due = admit(&bundle, &second.at("2026-12-01T04:00:00Z")).unwrap();
    assert_eq!(due, Admission::Apply { ring: 2 });
}

#[test]
fn a_gateway_whose_clock_is_not_trusted_waits() {
    let site = Site::new("ams1");
    for rest in [RINGS, "[targets]\nall = true\n[[ring]]\nall = true\n"] {
        let gateway = Gateway {
            now: None,
            ..site.at("1970-01-01T00:00:00Z")
        };
        let admission = admit(&sample(rest), &gateway).unwrap();
        let why = Wait::Clock;
        assert_eq!(admission, Admission::Wait { ring: 1, why });
    }
}

#[test]
fn a_stop_of_this_serial_holds_the_bundle_back() {
    let site = Site::new("ams1");
    let now = site.at("2026-12-02T00:00:00Z");
    let stop = |serial, stop| Stop {
        serial,
        stop,
        count: 1,
        reason: "wrong database".to_owned(),
        by: "anna".to_owned(),
    };
    let bundle = sample(RINGS);
    for (stop, waits) in [
        (stop(42, true), true),
        (stop(42, false), false),
        (stop(41, true), false),
    ] {
        let gateway = Gateway {
            stop: Some(&stop),
            ..now
        };
        let admission = admit(&bundle, &gateway).unwrap();
        let is_stopped = admission.reason() == "the rollout is stopped: wrong database";
        assert_eq!(is_stopped, waits, "{stop:?}");
    }
}

#[test]
fn an_older_serial_and_the_same_serial_with_other_content_are_refused() {
    let bundle = sample(RINGS);
    let site = Site::new("ams1");
    let code = |highest| {
        let gateway = Gateway {
            highest: Some(highest),
            ..site.at("2026-12-02T00:00:00Z")
        };
        admit(&bundle, &gateway).map_err(|error| error.code())
    };
    let apply = Ok(Admission::Apply { ring: 1 });
    assert_eq!(code((41, [0; 32])), apply);
    assert_eq!(code((42, bundle.hash())), apply);
    assert_eq!(code((42, [0; 32])), Err("same-serial"));
    assert_eq!(code((43, bundle.hash())), Err("older-serial"));
}

#[test]
fn other_sites_other_versions_and_expired_bundles_are_refused() {
    let code = |site: &Site, version: Version, now: &str| {
        let gateway = Gateway {
            version: &version,
            ..site.at(now)
        };
        admit(&sample(RINGS), &gateway).unwrap_err().code()
    };
    let (ours, other) = (Site::new("ams1"), Site::new("ber1"));
    let now = "2026-12-02T00:00:00Z";
    assert_eq!(code(&other, Version::new(0, 2, 0), now), "other-site");
    assert_eq!(code(&ours, Version::new(0, 4, 0), now), "other-version");
    assert_eq!(code(&ours, Version::new(0, 1, 9), now), "other-version");
    assert_eq!(
        code(&ours, Version::new(0, 2, 0), "2027-03-01T00:00:00Z"),
        "expired"
    );
    // A target group of which no ring has this site.
    let rest = "[targets]\nsites = [\"x\"]\ngroups = [\"nl\"]\n[[ring]]\ngroups = [\"nl\"]\n[[ring]]\nsites = [\"x\"]\n";
    let site = Site::new("ams1");
    assert_eq!(
        admit(&sample(rest), &site.at(now)).unwrap_err().code(),
        "other-site"
    );
}
