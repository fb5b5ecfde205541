//! `stockrelay check`: prints the findings about this gateway.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use super::meter::Meter;
use super::{CommandError, EXIT_CONFIG, EXIT_DONE, EXIT_FAILED, Process, json_line};
use crate::choice::Otherwise;
use crate::config::{self, Loaded, last};
use crate::view::check::{self, CheckAnswer, Counts, Deep, Finding, OfRoot, Run};
use crate::view::cli::GatewayCheckArgs;
use crate::view::table::counted;

/// What `main` finds out before the command runs.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The finding about the user that the process runs as.
    pub whose: Finding,
    pub of_root: &'a OfRoot,
    /// The socket of the daemon. `None`: the configuration that names it cannot be read.
    pub socket: Option<&'a Path>,
}

/// The findings, and what `run` does.
struct Checked {
    site: Option<String>,
    findings: Vec<Finding>,
    run: Run,
}

/// Checks the gateway and returns the exit code. `say` prints a line before each check that may
/// take long.
pub async fn check(
    args: &GatewayCheckArgs,
    process: &Process<'_>,
    asked: Asked<'_>,
    out: &mut dyn Write,
    say: impl Fn(&str),
) -> Result<u8, CommandError> {
    let loaded = config::load(process.config, process.environment);
    let is_read = loaded.is_ok();
    let checked = match (loaded, asked.socket) {
        (Ok(loaded), Some(socket)) => gateway(args, &loaded, asked.of_root, socket, &say).await,
        (Ok(loaded), None) => {
            let socket = &loaded.config.control.socket;
            gateway(args, &loaded, asked.of_root, socket, &say).await
        }
        (Err(_), _) if is_denied(process.config) => denied(process.config),
        (Err(error), _) => {
            let last = last::find(process.config, process.environment);
            let of_run = match last {
                Ok(last) => Otherwise::Last(Box::new(last)),
                Err(none) => Otherwise::Person(none),
            };
            let mut findings = check::unreadable(&error);
            findings.extend(check::otherwise(&of_run));
            Checked {
                site: None,
                findings,
                run: Run::of(Some(&of_run), false),
            }
        }
    };
    let mut findings = vec![asked.whose];
    findings.extend(checked.findings);
    let counts = Counts::of(&findings);
    let exit_code = match counts.failed {
        _ if !is_read => EXIT_CONFIG,
        0 => EXIT_DONE,
        _ => EXIT_FAILED,
    };
    if args.json {
        let answer = CheckAnswer {
            version: env!("CARGO_PKG_VERSION"),
            at: process.now,
            config: process.config,
            site: checked.site.as_deref(),
            exit_code,
            run: checked.run,
            counts,
            findings: &findings,
        };
        json_line(out, &answer)?;
    } else {
        for finding in &findings {
            writeln!(out, "{finding}")?;
        }
        let warnings = counted(counts.warning as u64, "warning");
        let failed = counts.failed;
        writeln!(out, "\n{failed} failed, {warnings}, {} ok", counts.ok)?;
    }
    Ok(exit_code)
}

async fn gateway(
    args: &GatewayCheckArgs,
    loaded: &Loaded,
    of_root: &OfRoot,
    socket: &Path,
    say: &impl Fn(&str),
) -> Checked {
    let deep = args.deep.then(Deep::default);
    let meters = deep.as_ref().map(|deep| {
        (
            Meter::start("reading pages", "bytes", deep.pages.clone()),
            Meter::start("reading records", "records", deep.books.clone()),
        )
    });
    let report = check::gateway(loaded, of_root, socket, deep.as_ref(), say).await;
    drop(meters);
    Checked {
        site: Some(loaded.config.site.to_string()),
        run: report.run(),
        findings: report.findings,
    }
}

/// Whether this user may not read the configuration.
fn is_denied(config: &Path) -> bool {
    let is_denied = |error: io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    File::open(config).is_err_and(is_denied)
}

fn denied(config: &Path) -> Checked {
    let what = format!("this user may not read {}", config.display());
    let why = "nothing else was checked";
    let finding = Finding::fail("config", what, why, "run `sudo stockrelay check`");
    Checked {
        site: None,
        findings: vec![finding],
        run: Run::Unknown,
    }
}
