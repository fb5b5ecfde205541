//! `config check`: the configuration of this gateway, or a bundle at any site.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::inspect::warn_if_expired;
use super::{Process, failed, read_bundle};
use crate::config;
use crate::decode::profiles;
use crate::event::Name;
use crate::fleet::every_site;
use crate::fleet::layout::{self, Whose};
use crate::fleet::site_check::{self, Checked, Credential};
use crate::fleet::{Bundle, BundleError, SiteSet};
use crate::reload::ReloadError;
use crate::view::cli::{CONFIG_DEFAULT, CheckArgs};
use crate::view::commands::{CommandError, EXIT_CONFIG, EXIT_DONE, json_line};
use crate::view::table::plain;

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
        return check_local(args, process, out);
    };
    if args.all {
        return check_all(file, args.json, process, out);
    }
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
    if !args.json {
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
    }
    let checked = check_bundle(
        &bundle,
        (site, group),
        own.as_deref(),
        process,
        directory.path(),
    );
    let mut checked = checked.map_err(failed)?;
    for fault in &mut checked.faults {
        if let Some(group) = find_group(fault, &bundle, group) {
            *fault = format!("{fault}; the bundle has it for group {group}: add --group {group}");
        }
    }
    warn_if_expired(&bundle, process.now)?;
    if args.json {
        let credentials: Vec<_> = checked.credentials.iter().map(name).collect();
        let found = (&checked.faults[..], &checked.warnings[..]);
        return list(found, ("credentials", json!(credentials)), out);
    }
    report(&checked, own.is_some(), out)
}

/// Checks a bundle for all its sites, without a gateway's own files.
fn check_all(
    file: &Path,
    json: bool,
    process: &Process,
    out: &mut dyn Write,
) -> Result<u8, CommandError> {
    let bundle = read_bundle(file)?;
    let found = every_site::check(&bundle).map_err(failed)?;
    let (serial, shown) = (bundle.manifest.serial, file.display());
    warn_if_expired(&bundle, process.now)?;
    let faults = found.all_faults();
    if json {
        return list((&faults, &found.warnings), ("serial", json!(serial)), out);
    }
    writeln!(out, "{shown}: serial {serial} at all its sites and groups")?;
    let warnings = found.warnings.iter().map(|text| ("warning", text));
    for (kind, text) in warnings.chain(faults.iter().map(|text| ("fault", text))) {
        writeln!(out, "{kind}: {}", plain(text))?;
    }
    if faults.is_empty() {
        writeln!(out, "no fault")?;
        return Ok(EXIT_DONE);
    }
    Ok(EXIT_CONFIG)
}

/// Finds the group for which the bundle brings the profile that a fault misses.
fn find_group(fault: &str, bundle: &Bundle, own: Option<&Name>) -> Option<Name> {
    let (before, _) = fault.split_once(&format!(", {}", profiles::NOT_FOUND))?;
    let name = before.strip_suffix('"')?.rsplit('"').next()?;
    let name = Path::new(name).file_stem()?.to_str()?;
    let wanted = format!("scanner-profiles/{name}.toml");
    bundle.files.keys().find_map(|path| {
        let placed = layout::place(path)?;
        match placed.whose {
            Whose::Group(group) if placed.path == wanted && own != Some(&group) => Some(group),
            _ => None,
        }
    })
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

/// The gateway's configuration. `None`: the default file does not exist, or the file is that of
/// central IT's desk, which has only `[fleet]`.
fn own_config(path: &Path) -> io::Result<Option<PathBuf>> {
    if path == Path::new(CONFIG_DEFAULT) && !path.exists() || config::has_only_fleet(path) {
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

/// Prints faults and warnings for programs, with one more value.
fn list(
    (faults, warnings): (&[String], &[String]),
    (name, value): (&str, Value),
    out: &mut dyn Write,
) -> Result<u8, CommandError> {
    let is_usable = faults.is_empty();
    json_line(
        out,
        &json!({ "faults": faults, "warnings": warnings, name: value }),
    )?;
    Ok(if is_usable { EXIT_DONE } else { EXIT_CONFIG })
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
        (Some(secret), _) => format!(
            "{}: {secret} of the bundle, which only the gateway can open: the check does not have its content",
            credential.key
        ),
        (None, Some(file)) => format!("{} = {}", credential.key, file.display()),
        (None, None) => format!("{}: the systemd credential odoo-api-key", credential.key),
    }
}

/// Checks the gateway's own files.
fn check_local(
    args: &CheckArgs,
    process: &Process,
    out: &mut dyn Write,
) -> Result<u8, CommandError> {
    let mut environment = process.environment.to_vec();
    environment.extend(
        args.site
            .as_ref()
            .map(|site| ("STOCKRELAY_SITE".to_owned(), site.to_string())),
    );
    let loaded = config::load(process.config, &environment);
    if args.json {
        let (faults, warnings, files) = match loaded {
            Ok(loaded) => (Vec::new(), loaded.warnings, loaded.files),
            Err(error) => (ReloadError::from(error).faults, Vec::new(), Vec::new()),
        };
        return list((&faults, &warnings), ("files", json!(files)), out);
    }
    let loaded = loaded.map_err(|error| CommandError::Config(error.to_string()))?;
    for warning in &loaded.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    for file in &loaded.files {
        writeln!(out, "{} is in order", file.display())?;
    }
    Ok(EXIT_DONE)
}
