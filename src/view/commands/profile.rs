//! `stockrelay profile`: checks scanner profiles and shows how a profile reads a code. Only
//! `--copy`, which uses the site's copy of Odoo's data, needs a daemon.

mod code128;
mod sheet;

use std::fs::File;
use std::io::{self, BufRead, Read as _, Write};
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::{CommandError, EXIT_CONFIG, EXIT_DONE, EXIT_FAILED, EXIT_USAGE, json_line};
use crate::decode::meaning::{Context, EmptyCatalog, Explanation, SourceAnswer};
use crate::decode::profile::{
    Connection, End, FlowControl, Parity, Payload, Profile, SCHEMA, SHIPPED, Scan, Serial, Step,
};
use crate::view::cli::ProfileCommand;
use crate::view::client::Client;
use crate::view::control::Code;

/// The most that is read of a profile file, in bytes: every profile is shorter.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// The longest line of standard input, in bytes.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// Runs the command. With a `daemon`, its data explain the codes.
pub async fn profile(
    command: &ProfileCommand,
    daemon: Option<Client>,
    now: Timestamp,
    input: impl BufRead,
    out: &mut dyn Write,
) -> Result<u8, CommandError> {
    let year = now.to_zoned(TimeZone::UTC).year();
    match command {
        ProfileCommand::Check { files, json } => check(files, *json, out),
        ProfileCommand::Test {
            file,
            code,
            last,
            json,
            ..
        } => match load(file) {
            Ok(profile) => {
                let settings = Test {
                    profile,
                    daemon,
                    last: last.clone(),
                    year,
                    json: *json,
                };
                test(&settings, code, input, out).await
            }
            Err(faults) => write_faults(&faults, out),
        },
        ProfileCommand::List { json } => list(*json, out),
        ProfileCommand::Schema => {
            write!(out, "{SCHEMA}")?;
            Ok(EXIT_DONE)
        }
        ProfileCommand::Sheet { operators } => match sheet::draw_sheet(operators) {
            Ok(svg) => {
                write!(out, "{svg}")?;
                Ok(EXIT_DONE)
            }
            Err(wrong) => {
                writeln!(io::stderr(), "stockrelay: {wrong}")?;
                Ok(EXIT_USAGE)
            }
        },
    }
}

/// Loads a profile from a file, or a shipped one by its name. Else returns the faults, one per
/// line.
fn load(file: &str) -> Result<Profile, Vec<String>> {
    let faults = |wrong: String| vec![format!("{file}: {wrong}")];
    let text = match SHIPPED.iter().find(|(name, _)| *name == file) {
        Some((_, text)) if !Path::new(file).is_file() => (*text).to_owned(),
        _ => read(file).map_err(|error| {
            faults(format!(
                "cannot be read: {error}; give a readable file, or a name that `stockrelay profile list` shows"
            ))
        })?,
    };
    Profile::parse(&text)
        .map_err(|all| all.iter().map(|fault| format!("{file}: {fault}")).collect())
}

fn read(file: &str) -> io::Result<String> {
    let mut text = String::new();
    File::open(file)?
        .take(FILE_BYTES_MAX)
        .read_to_string(&mut text)?;
    Ok(text)
}

fn write_faults(faults: &[String], out: &mut dyn Write) -> Result<u8, CommandError> {
    for fault in faults {
        writeln!(out, "{fault}")?;
    }
    Ok(EXIT_CONFIG)
}

fn check(files: &[String], json: bool, out: &mut dyn Write) -> Result<u8, CommandError> {
    let mut code = EXIT_DONE;
    for file in files {
        let faults = match load(file) {
            Ok(profile) => profile
                .try_samples()
                .into_iter()
                .map(|wrong| format!("{file}: {wrong}"))
                .collect(),
            Err(faults) => faults,
        };
        if json {
            json_line(out, &json!({ "file": file, "faults": faults }))?;
            if !faults.is_empty() {
                code = EXIT_CONFIG;
            }
        } else if faults.is_empty() {
            writeln!(out, "{file} is in order")?;
        } else {
            code = write_faults(&faults, out)?;
        }
    }
    Ok(code)
}

fn list(json: bool, out: &mut dyn Write) -> Result<u8, CommandError> {
    for (name, text) in SHIPPED {
        let family = Profile::parse(text).map(|profile| profile.about.family);
        let family = family.unwrap_or_default();
        if json {
            json_line(out, &json!({ "name": name, "family": family }))?;
        } else {
            writeln!(out, "{name:<22} {family}")?;
        }
    }
    Ok(EXIT_DONE)
}

/// The settings of `profile test`.
struct Test {
    profile: Profile,
    /// The daemon that explains codes. `None`: codes are explained without Odoo's data.
    daemon: Option<Client>,
    last: Option<String>,
    year: i16,
    json: bool,
}

/// The result of one code.
struct Trial {
    steps: Vec<Step>,
    symbology: Option<String>,
    /// The error is why the profile refuses the code.
    explained: Result<Explanation, String>,
}

/// Tries the code of the command line, or each line of standard input. Only a refused code of the
/// command line fails the command.
async fn test(
    test: &Test,
    code: &str,
    mut input: impl BufRead,
    out: &mut dyn Write,
) -> Result<u8, CommandError> {
    if code != "-" {
        let all = test.try_code(code).await?;
        for trial in &all {
            test.write(trial, out)?;
        }
        let is_refused = all.iter().any(|trial| trial.refusal().is_some());
        return Ok(if is_refused { EXIT_FAILED } else { EXIT_DONE });
    }
    loop {
        let mut line = Vec::new();
        if input
            .by_ref()
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)?
            == 0
        {
            return Ok(EXIT_DONE);
        }
        let line = String::from_utf8_lossy(&line);
        for trial in test.try_code(line.trim_end_matches(['\r', '\n'])).await? {
            test.write(&trial, out)?;
        }
    }
}

impl Test {
    /// Tries each scan that the profile reads from a typed code.
    async fn try_code(&self, code: &str) -> Result<Vec<Trial>, CommandError> {
        let mut bytes = unescape(code);
        if let Some(payload) = &self.profile.payload
            && !code.trim_start().starts_with(['{', '['])
        {
            bytes = wrap_in_payload(payload, &String::from_utf8_lossy(&bytes));
        }
        let mut all = Vec::new();
        for read in self.profile.read_all(&bytes) {
            all.push(match read {
                Ok(scan) => self.explain(scan).await?,
                Err(refusal) => Trial {
                    symbology: None,
                    explained: Err(refusal.to_string()),
                    steps: refusal.steps,
                },
            });
        }
        Ok(all)
    }

    async fn explain(&self, scan: Scan) -> Result<Trial, CommandError> {
        let explained = if let Some(daemon) = &self.daemon {
            daemon
                .post("/v1/meaning", &self.build_request(&scan))
                .await?
        } else {
            let context = Context {
                means: &self.profile.code.means,
                nomenclature: None,
                known: &EmptyCatalog,
                data_identifiers: self.profile.code.data_identifiers,
                year: self.year,
            };
            context.explain(&scan.text, scan.symbology.as_ref())
        };
        Ok(Trial {
            explained: Ok(explained),
            symbology: scan.symbology.map(|symbology| symbology.to_string()),
            steps: scan.steps,
        })
    }

    fn build_request(&self, scan: &Scan) -> Value {
        json!(Code {
            text: scan.text.clone(),
            symbology: scan.symbology.as_ref().map(ToString::to_string),
            means: self.profile.code.means.clone(),
            data_identifiers: self.profile.code.data_identifiers,
            last: self.last.clone(),
        })
    }

    fn write(&self, trial: &Trial, out: &mut dyn Write) -> io::Result<()> {
        if self.json {
            return json_line(out, &trial.json(self.daemon.is_some()));
        }
        let mut line = |what: &str, text: &str| writeln!(out, "{what:<21} {text}");
        line("connection", &describe_connection(&self.profile.connection))?;
        for Step {
            what,
            before,
            after,
        } in &trial.steps
        {
            line(what, &format!("{before} -> {after}"))?;
        }
        line(
            "symbology",
            trial.symbology.as_deref().unwrap_or("not reported"),
        )?;
        line(
            "repeats",
            &match self.profile.repeats.within_ms {
                0 => "each scan counts".to_owned(),
                ms => format!("the same code within {ms} ms is a duplicate of its first"),
            },
        )?;
        line(
            "flow",
            &match &self.profile.flow.start {
                Some(flow) => format!("starts with {flow}"),
                None => "none: codes are stored unchanged".to_owned(),
            },
        )?;
        if let Ok(explained) = &trial.explained {
            if let Some(elements) = &explained.gs1 {
                line("GS1 elements", elements)?;
            }
            // Without a copy of Odoo's data the steps add nothing to the meaning.
            for asked in explained.asked.iter().filter(|_| self.daemon.is_some()) {
                line(&asked.who, &describe_answer(asked))?;
            }
            if let Some((meaning, by)) = explained.meaning.as_ref().zip(explained.by.as_ref()) {
                line("meaning", &format!("{}: {by}", meaning.get()))?;
            }
        }
        match trial.refusal() {
            Some(reason) => line("refused", reason),
            None => Ok(()),
        }
    }
}

/// Describes the answer of one source.
fn describe_answer(asked: &SourceAnswer) -> String {
    match (&asked.meaning, &asked.refused) {
        (Some(meaning), _) => meaning.get().to_owned(),
        (None, Some(reason)) => format!("refuses the code: {reason}"),
        (None, None) => "nothing".to_owned(),
    }
}

impl Trial {
    fn refusal(&self) -> Option<&String> {
        match &self.explained {
            Ok(explained) => explained.reason.as_ref(),
            Err(reason) => Some(reason),
        }
    }

    /// The JSON that scripts rely on.
    fn json(&self, steps: bool) -> Value {
        let explained = self.explained.as_ref().ok();
        let mut json = json!({
            "accepted": self.refusal().is_none(),
            "symbology": self.symbology,
            "elements": explained.map_or(&[][..], |explained| &explained.elements),
            "meaning": explained.and_then(|explained| explained.meaning.as_ref()),
            "reason": self.refusal(),
        });
        if steps {
            json["asked"] = json!(explained.map(|explained| &explained.asked));
        }
        json
    }
}

/// Replaces the escapes in a typed code with their bytes.
fn unescape(code: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(code.len());
    let mut rest = code;
    while let Some((before, behind)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let hex = behind
            .strip_prefix('x')
            .and_then(|behind| u8::from_str_radix(behind.get(..2)?, 16).ok());
        let (byte, taken) = match (hex, behind.as_bytes().first()) {
            (Some(byte), _) => (byte, 3),
            (None, Some(b'r')) => (b'\r', 1),
            (None, Some(b'n')) => (b'\n', 1),
            (None, Some(b't')) => (b'\t', 1),
            (None, Some(b'\\')) => (b'\\', 1),
            // Any other backslash belongs to the code.
            _ => (b'\\', 0),
        };
        bytes.push(byte);
        rest = &behind[taken..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// Builds the JSON payload that has the code where the profile reads it, and the other fields that
/// a scan must have.
fn wrap_in_payload(payload: &Payload, code: &str) -> Vec<u8> {
    let mut json = Value::Object(Map::new());
    let others = payload
        .only
        .iter()
        .map(|(pointer, text)| (pointer, text.as_str()));
    // Without an array, the payload is a single scan.
    let each = payload.each.as_deref().unwrap_or_default();
    let at = format!("{each}{}", payload.code);
    for (pointer, text) in others.chain([(&at, code)]) {
        let mut place = &mut json;
        for name in pointer.split('/').skip(1) {
            let name = name.replace("~1", "/").replace("~0", "~");
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            place = &mut place[name];
        }
        *place = Value::from(text);
    }
    json.to_string().into_bytes()
}

fn describe_connection(connection: &Connection) -> String {
    match connection {
        Connection::Serial(serial) => {
            format!(
                "serial, {}, {}",
                describe_line(serial),
                describe_end(&serial.framing.end)
            )
        }
        Connection::Hid(hid) => format!(
            "USB keyboard, layout {:?}, ends with {:?}",
            hid.layout, hid.terminator
        )
        .to_lowercase(),
        Connection::Mqtt(mqtt) => format!(
            "MQTT, {}",
            mqtt.topic.as_deref().unwrap_or("any topic of the gateway")
        ),
    }
}

/// Describes a serial line, such as `9600 8N1`.
fn describe_line(serial: &Serial) -> String {
    let parity = match serial.parity {
        Parity::None => 'N',
        Parity::Even => 'E',
        Parity::Odd => 'O',
    };
    let control = match serial.flow_control {
        FlowControl::None => "",
        FlowControl::Hardware => " RTS/CTS",
        FlowControl::Software => " XON/XOFF",
    };
    format!(
        "{} {}{parity}{}{control}",
        serial.baud, serial.data_bits, serial.stop_bits
    )
}

fn describe_end(end: &End) -> String {
    match end {
        End::Terminator(mark) => format!("ends with {}", mark.0.escape_ascii()),
        End::Enclosed { stx, etx } => format!(
            "between {} and {}",
            stx.0.escape_ascii(),
            etx.0.escape_ascii()
        ),
        End::Silence { ms } => format!("ends after {ms} ms of silence"),
    }
}

#[cfg(test)]
mod tests;
