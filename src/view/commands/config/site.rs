//! `config check`: the configuration of this gateway, or a bundle at any site.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Process, failed, load, read_bundle};
use crate::config;
use crate::event::Name;
use crate::fleet::site_check::{self, Checked, Credential};
use crate::fleet::{Bundle, BundleError, SiteSet};
use crate::view::cli::{CONFIG_DEFAULT, CheckArgs};
use crate::view::commands::{CommandError, EXIT_CONFIG, EXIT_DONE};

/// The configuration of a gateway whose own files are not on this machine.
const ANY_GATEWAY: &str = "\
[mqtt.listen]
devices = \"devices.toml\"
[odoo]
url = \"https://set-on-the-gateway.invalid\"
database = \"set-on-the-gateway\"
";

pub fn check(args: &CheckArgs, process: &Process, out: &mut dyn Write) -> Result<u8, CommandError> {
    let Some(file) = &args.file else {
        return check_local(args.site.as_ref(), process, out);
    };
    let own = own_config(process.config).map_err(failed)?;
    let (site, group) = choose_site(args, own.as_deref(), process)?;
    let (site, group) = (&site, group.as_ref());
    let bundle = read_bundle(file)?;
    let directory = tempfile::tempdir().map_err(failed)?;
    let manifest = &bundle.manifest;
    if !manifest.is_for(site, group) {
        let (site, group) = (site.clone(), group.cloned());
        return Err(super::refused(BundleError::OtherSite { site, group }));
    }
    writeln!(
        out,
        "{}: serial {} at site {site}{}, with {}",
        file.display(),
        manifest.serial,
        group.map_or(String::new(), |group| format!(", group {group}")),
        own.as_ref().map_or_else(
            || "no configuration of a gateway (--config FILE names one)".to_owned(),
            |own| own.display().to_string()
        ),
    )?;
    let checked = check_bundle(
        &bundle,
        (site, group),
        own.as_deref(),
        process,
        directory.path(),
    );
    let checked = checked.map_err(failed)?;
    report(&checked, own.is_some(), out)
}

/// Chooses the site and its group: the arguments, else those of the gateway's configuration.
fn choose_site(
    args: &CheckArgs,
    own: Option<&Path>,
    process: &Process,
) -> Result<(Name, Option<Name>), CommandError> {
    let ground = own.map(|own| config::load_ground(own, process.environment));
    let (site, own) = match (&args.site, ground) {
        (Some(site), ground) => {
            // The group of another site is unknown.
            let own = ground.and_then(Result::ok);
            (site.clone(), own.filter(|own| own.site == *site))
        }
        (None, Some(Ok(ground))) => (ground.site.clone(), Some(ground)),
        (None, Some(Err(error))) => return Err(CommandError::Config(error.to_string())),
        (None, None) => {
            let text = "name the site for which the bundle is checked: --as SITE, or its configuration with --config FILE";
            return Err(CommandError::Usage(text.to_owned()));
        }
    };
    let group = args.group.clone().or_else(|| own?.fleet.group);
    Ok((site, group))
}

/// The gateway's configuration. `None`: the default file does not exist.
fn own_config(path: &Path) -> io::Result<Option<PathBuf>> {
    if path == Path::new(CONFIG_DEFAULT) && !path.exists() {
        return Ok(None);
    }
    std::fs::metadata(path).map_err(|error| {
        let shown = path.display();
        io::Error::other(format!("{shown} cannot be read: {error}; correct --config"))
    })?;
    Ok(Some(path.to_owned()))
}

fn check_bundle(
    bundle: &Bundle,
    (site, group): (&Name, Option<&Name>),
    own: Option<&Path>,
    process: &Process,
    directory: &Path,
) -> io::Result<Checked> {
    let set = SiteSet::of(bundle, site, group);
    let unpacked = directory.join("files");
    set.unpack(&unpacked)?;
    let main = if let Some(own) = own {
        own.to_owned()
    } else {
        let local = directory.join("gateway");
        std::fs::create_dir(&local)?;
        let main = local.join("config.toml");
        std::fs::write(&main, ANY_GATEWAY)?;
        main
    };
    let mut environment = process.environment.to_vec();
    environment.push(("STOCKRELAY_SITE".to_owned(), site.to_string()));
    site_check::check(&set, &unpacked, &main, &environment)
}

/// Prints faults, warnings and credentials. `on_gateway`: the files of credentials may be here.
fn report(checked: &Checked, on_gateway: bool, out: &mut dyn Write) -> Result<u8, CommandError> {
    for warning in &checked.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    for fault in &checked.faults {
        writeln!(out, "fault: {fault}")?;
    }
    for credential in &checked.credentials {
        let missing = match credential.is_missing() {
            Some(true) if on_gateway => ", which is not on this machine",
            _ => "",
        };
        writeln!(out, "credential: {}{missing}", name(credential))?;
    }
    if checked.faults.is_empty() {
        writeln!(out, "no fault")?;
        Ok(EXIT_DONE)
    } else {
        Ok(EXIT_CONFIG)
    }
}

fn name(credential: &Credential) -> String {
    match (&credential.secret, &credential.file) {
        (Some(secret), _) => format!("{}: {secret} of the bundle", credential.key),
        (None, Some(file)) => format!("{} = {}", credential.key, file.display()),
        (None, None) => format!("{}: the systemd credential odoo-api-key", credential.key),
    }
}

/// Checks the gateway's own files.
fn check_local(
    site: Option<&Name>,
    process: &Process,
    out: &mut dyn Write,
) -> Result<u8, CommandError> {
    let mut environment = process.environment.to_vec();
    environment.extend(site.map(|site| ("STOCKRELAY_SITE".to_owned(), site.to_string())));
    let loaded = load(&Process {
        environment: &environment,
        ..*process
    })?;
    for warning in &loaded.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    for file in &loaded.files {
        writeln!(out, "{} is in order", file.display())?;
    }
    Ok(EXIT_DONE)
}
