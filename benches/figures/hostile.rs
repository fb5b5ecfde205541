//! Honest devices while others attack, each attack against the quiet time before it on the same
//! gateway.
//!
//! `cargo bench -- hostile` runs all attacks; `cargo bench -- hostile NAME...` some of them.

mod attack;
mod honest;
mod packet;

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use stockrelay::source::devices::hash_password;

use crate::daemon::{Gateway, Setup};
use crate::percentile::Percentiles;
use attack::Order;
use honest::{Answers, Seen, Target, watch};

type Answer<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The variable that makes this program the attacker.
const ATTACKER: &str = "BENCH_ATTACK";
/// Five devices publish 20 events a second each, so that a phase has more than 1,000 events.
const QUIET: Duration = Duration::from_secs(11);
const ATTACK: Duration = Duration::from_secs(11);
/// After the end of an attack, and how long is looked at then.
const RECOVERY: Duration = Duration::from_secs(1);
const AFTER: Duration = Duration::from_secs(3);
const PASSWORD: &str = "the right one";

struct Plan {
    name: &'static str,
    about: &'static str,
    connections: usize,
    addresses: usize,
    /// More of the gateway's configuration.
    config: &'static str,
    /// A client publishes at most as fast as the defaults allow.
    is_limited: bool,
    with_passwords: bool,
}

const fn plan(
    name: &'static str,
    connections: usize,
    addresses: usize,
    about: &'static str,
) -> Plan {
    Plan {
        name,
        about,
        connections,
        addresses,
        config: "",
        is_limited: true,
        with_passwords: false,
    }
}

const PLANS: &[Plan] = &[
    plan(
        "burst",
        40,
        1,
        "40 connections send 64 arrays of 500 elements, once",
    ),
    plan(
        "flood",
        6,
        1,
        "6 connections send such arrays as fast as TCP takes them",
    ),
    Plan {
        name: "flood16",
        ..plan(
            "flood",
            64,
            16,
            "the same from 64 connections of 16 addresses",
        )
    },
    Plan {
        name: "flood200",
        ..plan(
            "flood",
            200,
            200,
            "the same from 200 connections of 200 addresses",
        )
    },
    Plan {
        config: "[journal]\nbudget = \"32 MiB\"\n",
        is_limited: false,
        ..plan(
            "events",
            1,
            1,
            "1 device sends arrays of events without a limit of its rate until its part of a 32 MiB journal is full",
        )
    },
    Plan {
        with_passwords: true,
        ..plan(
            "passwords",
            900,
            1,
            "900 wrong passwords at once from one address",
        )
    },
    Plan {
        name: "passwords16",
        with_passwords: true,
        ..plan("passwords", 900, 16, "the same from 16 addresses")
    },
    plan(
        "silent",
        1_100,
        16,
        "1,100 connections that say nothing, of 16 addresses",
    ),
    plan(
        "slow",
        900,
        16,
        "900 devices send one byte a second of a packet; keep-alive 2 s",
    ),
    plan(
        "unfinished",
        900,
        16,
        "900 devices send 200 KB of a packet and stop",
    ),
    plan(
        "deaf",
        900,
        16,
        "900 devices send arrays and do not read their receipts",
    ),
    plan(
        "small",
        300,
        16,
        "300 devices send PINGREQ, SUBSCRIBE and foreign publishes without end",
    ),
    plan(
        "churn",
        64,
        16,
        "64 clients of 16 addresses connect and leave without end",
    ),
    plan(
        "control",
        128,
        16,
        "64 half requests on the control socket, 64 readers of metrics that do not read",
    ),
];

impl Plan {
    /// The name of the plan, if two plans make the same attack.
    fn attack(&self) -> &'static str {
        self.name.trim_end_matches(char::is_numeric)
    }
}

/// The attacker's life, where this process is one.
pub fn attacker() -> Option<Answer<Order>> {
    let order = std::env::var(ATTACKER).ok()?;
    let arguments: Vec<String> = order.split('\n').map(str::to_owned).collect();
    Some(Order::parse(&arguments))
}

pub use attack::run;

pub async fn hostile(wanted: &[String]) -> Answer<()> {
    println!(
        "hostile: {} devices with 20 events/s each; a login, a status and a healthz each 0.5 s; attackers at nice 19",
        honest::DEVICES
    );
    for (round, plan) in PLANS.iter().enumerate() {
        if wanted.is_empty() || wanted.iter().any(|name| name == plan.name) {
            one(round, plan).await?;
        }
    }
    Ok(())
}

async fn one(round: usize, plan: &Plan) -> Answer<()> {
    println!("  {}: {}", plan.name, plan.about);
    let mut gateway = Gateway::start_as(&setup(plan))?;
    let target = Target {
        mqtt: gateway.address(),
        metrics: gateway.metrics(),
        socket: gateway.socket(),
    };
    let password = plan.with_passwords.then_some(PASSWORD);
    let round = round * 3;
    let quiet = watch(&target, round, QUIET, password).await;
    println!(
        "    quiet:  {}; {:.1} MiB resident",
        describe(&quiet),
        gateway.resident_mib()?
    );
    let memory = Memory::watch(&gateway);
    let order = Order {
        name: plan.attack().to_owned(),
        mqtt: target.mqtt,
        metrics: target.metrics,
        socket: target.socket.clone(),
        connections: plan.connections,
        addresses: plan.addresses,
    };
    let attackers = begin(&order)?;
    let attacked = watch(&target, round + 1, ATTACK, password).await;
    end(attackers)?;
    let most = memory.stop();
    println!(
        "    attack: {}; {most:.1} MiB resident at most",
        describe(&attacked)
    );
    tokio::time::sleep(RECOVERY).await;
    let resident = gateway.resident_mib();
    let after = watch(&target, round + 2, AFTER, password).await;
    println!(
        "    after:  {}; {:.1} MiB resident",
        describe(&after),
        resident.unwrap_or(f64::NAN)
    );
    if let (Some(quiet), Some(p99)) = (p99(&quiet), p99(&attacked)) {
        let allowed = 2.0 * quiet + 20.0;
        println!("    p99 {p99:.1} ms of {allowed:.1} ms");
    }
    if let Err(error) = gateway.stop() {
        println!("    the gateway did not stop well: {error}");
    }
    Ok(())
}

fn setup(plan: &Plan) -> Setup {
    let mut setup = Setup {
        is_limited: plan.is_limited,
        more: plan.config.to_owned(),
        ..Setup::default()
    };
    if plan.with_passwords {
        // One hash for all devices: a separate hash for each takes longer than the phase.
        let hash = hash_password(PASSWORD);
        let mut devices = String::new();
        for number in 0..20_000 {
            let _ = writeln!(devices, "[devices.new{number}]\npassword = \"{hash}\"");
        }
        setup.files.push(("devices.toml", devices));
    }
    setup
}

/// Starts the attackers; they are at work when this returns.
fn begin(order: &Order) -> Answer<Child> {
    let mut child = Command::new("nice")
        .args(["-n", "19"])
        .arg(std::env::current_exe()?)
        .env(ATTACKER, order.arguments().join("\n"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let out = child.stdout.take().ok_or("no output")?;
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line)?;
    if line.trim() == "ready" {
        Ok(child)
    } else {
        Err("the attackers did not begin".into())
    }
}

fn end(mut attackers: Child) -> Answer<()> {
    drop(attackers.stdin.take());
    attackers.wait()?;
    Ok(())
}

fn p99(seen: &Seen) -> Option<f64> {
    let times = &seen.acknowledged;
    (!times.is_empty()).then(|| Percentiles::of(times.clone()).p99)
}

fn describe(seen: &Seen) -> String {
    let mut text = format!("{} events", seen.acknowledged.len());
    if !seen.acknowledged.is_empty() {
        let times = Percentiles::of(seen.acknowledged.clone());
        let longest = seen.acknowledged.iter().max().copied().unwrap_or_default();
        let _ = write!(text, ", {times}, longest {:.0} ms", millis(longest));
    }
    for (count, what) in [
        (seen.unacknowledged, "without a PUBACK"),
        (seen.cut, "connections cut"),
    ] {
        if count > 0 {
            let _ = write!(text, ", {count} {what}");
        }
    }
    for (answers, what) in [
        (&seen.logins, "login"),
        (&seen.status, "status"),
        (&seen.healthz, "healthz"),
    ] {
        let _ = write!(text, "; {what} {}", describe_answers(answers));
    }
    text
}

fn describe_answers(answers: &Answers) -> String {
    let mut text = format!("{:.0} ms", millis(answers.longest()));
    if answers.none > 0 {
        let all = answers.none + answers.times.len();
        let _ = write!(text, " ({} of {all} without an answer)", answers.none);
    }
    text
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Looks at the resident memory all the time.
struct Memory {
    most_kib: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Memory {
    fn watch(gateway: &Gateway) -> Self {
        let memory = Self {
            most_kib: Arc::default(),
            stop: Arc::default(),
        };
        let (most, stop, pid) = (
            Arc::clone(&memory.most_kib),
            Arc::clone(&memory.stop),
            gateway.pid(),
        );
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let kib = crate::process::memory_kib(pid, "VmRSS:").unwrap_or(0);
                most.fetch_max(kib, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        memory
    }

    fn stop(self) -> f64 {
        self.stop.store(true, Ordering::Relaxed);
        self.most_kib.load(Ordering::Relaxed) as f64 / 1_024.0
    }
}
