//! From what a scanner sent to a [`Scan`], step by step.

use super::payload::Found;
use super::text::{decoded, shown, visible};
use super::{Connection, End, Key, Profile, Refusal, Sample, Scan, Step, Symbology, split_aim};

/// The longest code, in bytes: a QR code holds 4,296 characters.
const CODE_BYTES_MAX: usize = 4 << 10;

impl Profile {
    /// What one frame or payload says. A frame may still have its end marks.
    pub fn read(&self, bytes: &[u8]) -> Result<Scan, Refusal> {
        let mut reading = Reading::default();
        match self.scan(bytes, &mut reading) {
            Ok((text, aim, found)) => {
                let aim_symbology = aim.as_deref().and_then(Symbology::of_aim);
                Ok(Scan {
                    text,
                    symbology: aim_symbology.or(found.symbology),
                    aim,
                    id: found.id,
                    at: found.at,
                    operator: found.operator,
                    device: found.device,
                    steps: reading.steps,
                })
            }
            Err((code, message)) => Err(Refusal {
                code,
                message,
                steps: reading.steps,
            }),
        }
    }

    fn scan(
        &self,
        bytes: &[u8],
        reading: &mut Reading,
    ) -> Result<(String, Option<String>, Found), Wrong> {
        let max = self.connection.max_bytes();
        let frame = self.connection.unframed(bytes);
        reading.step("framing", &shown(bytes), &shown(frame));
        if frame.len() > max {
            return Err((
                "too-long",
                format!(
                    "{} bytes came; the profile takes at most {max} (max_bytes)",
                    frame.len()
                ),
            ));
        }
        if frame.is_empty() {
            return Err(("empty", "nothing came but end marks".to_owned()));
        }
        let (text, found) = if let Some(payload) = &self.payload {
            let found = payload.find(frame)?;
            reading.step("payload", &shown(frame), &found.code);
            (found.code.clone(), found)
        } else {
            let text = decoded(frame, self.code.encoding).map_err(|at| {
                ("bad-encoding", format!("byte {at} is no UTF-8: set the scanner to UTF-8, or code.encoding to what it sends"))
            })?;
            reading.step("encoding", &shown(frame), &text);
            (text, Found::default())
        };
        let text = self.cleaned(&text, reading)?;
        let (text, aim) = self.without_aim(text, found.aim.as_deref(), reading);
        if text.is_empty() {
            return Err((
                "empty",
                "there is no code between what the profile drops".to_owned(),
            ));
        }
        if text.len() > CODE_BYTES_MAX {
            return Err((
                "too-long",
                format!(
                    "the code has {} bytes; at most {CODE_BYTES_MAX} are in a barcode",
                    text.len()
                ),
            ));
        }
        if let Some(control) = text.chars().find(|&c| c.is_control() && !is_separator(c)) {
            let found = control.escape_default();
            return Err((
                "binary",
                format!(
                    "there is the control character {found} in the code; the separators GS, RS, FS, US and EOT are taken"
                ),
            ));
        }
        Ok((text, aim, found))
    }

    /// Without what the scanner puts around a code.
    fn cleaned(&self, text: &str, reading: &mut Reading) -> Result<String, Wrong> {
        let rules = &self.code;
        if let Some(no_read) = rules.no_read.iter().find(|no_read| *no_read == text.trim()) {
            return Err((
                "no-read",
                format!("the scanner says that it could not read: {no_read}"),
            ));
        }
        let inner = text.strip_prefix(rules.prefix.as_str()).ok_or_else(|| {
            (
                "no-prefix",
                format!(
                    "the code does not begin with {:?}, which the profile's prefix says",
                    rules.prefix
                ),
            )
        })?;
        let inner = reading.part("prefix", text, inner);
        let cut = inner.strip_suffix(rules.suffix.as_str()).ok_or_else(|| {
            (
                "no-suffix",
                format!(
                    "the code does not end with {:?}, which the profile's suffix says",
                    rules.suffix
                ),
            )
        })?;
        let mut text = reading.part("suffix", &inner, cut);
        if let Some(gs) = &rules.gs {
            let with = text.replace(gs.as_str(), "\x1d");
            text = reading.part("gs", &text, &with);
        }
        if rules.trim {
            text = reading.part("trim", &text, text.trim());
        }
        Ok(text)
    }

    /// Without its symbology identifier, which is given apart. One that the payload names counts, too.
    fn without_aim(
        &self,
        text: String,
        of_payload: Option<&str>,
        reading: &mut Reading,
    ) -> (String, Option<String>) {
        match split_aim(&text).filter(|_| self.code.aim) {
            Some((identifier, code)) => {
                let identifier = identifier.to_owned();
                let code = reading.part("symbology identifier", &text, code);
                (code, Some(identifier))
            }
            None => (text, of_payload.map(ToOwned::to_owned)),
        }
    }

    /// Which samples are not read as they must be; what is wrong with each.
    #[must_use]
    pub fn try_samples(&self) -> Vec<String> {
        let wrong = |(at, sample): (usize, &Sample)| {
            let bytes = self.sample_bytes(sample);
            let symbology = |scan: &Scan| {
                scan.symbology
                    .as_ref()
                    .map(|symbology| symbology.as_str().to_owned())
            };
            match self.read(&bytes) {
                Err(refusal) => Some(format!("sample[{at}] is refused: {refusal}")),
                Ok(scan) if scan.text != sample.code => Some(format!(
                    "sample[{at}] is read as {:?}, not as {:?}",
                    scan.text, sample.code
                )),
                Ok(scan) if symbology(&scan) != sample.symbology => Some(format!(
                    "sample[{at}] is of symbology {:?}, not {:?}",
                    symbology(&scan),
                    sample.symbology
                )),
                Ok(_) => None,
            }
        };
        self.samples.iter().enumerate().filter_map(wrong).collect()
    }

    fn sample_bytes(&self, sample: &Sample) -> Vec<u8> {
        let bytes = sample.input.chars().map(|c| u8::try_from(c).ok());
        match self.code.encoding {
            super::Encoding::Utf8 => sample.input.clone().into_bytes(),
            _ => bytes
                .collect::<Option<_>>()
                .unwrap_or_else(|| sample.input.clone().into_bytes()),
        }
    }
}

/// A refusal's code and message.
pub(super) type Wrong = (&'static str, String);

#[derive(Default)]
struct Reading {
    steps: Vec<Step>,
}

impl Reading {
    /// Keeps what a step made; nothing where it changed nothing.
    fn step(&mut self, what: &'static str, before: &str, after: &str) {
        let (before, after) = (visible(before), visible(after));
        if before != after {
            self.steps.push(Step {
                what,
                before,
                after,
            });
        }
    }

    fn part(&mut self, what: &'static str, before: &str, after: &str) -> String {
        self.step(what, before, after);
        after.to_owned()
    }
}

/// FS, GS, RS and US, and EOT, which ends an ISO/IEC 15434 message.
fn is_separator(c: char) -> bool {
    matches!(c, '\x1c'..='\x1f' | '\x04')
}

impl Connection {
    #[must_use]
    pub fn max_bytes(&self) -> usize {
        match self {
            Self::Serial(serial) => serial.framing.max_bytes,
            Self::Hid(hid) => hid.max_bytes,
            Self::Mqtt(mqtt) => mqtt.max_bytes,
        }
    }

    /// A frame without the marks that end it, be they there still or not.
    fn unframed<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        match self {
            Self::Mqtt(_) => bytes,
            Self::Hid(hid) => {
                let key = match hid.terminator {
                    Key::Enter => b"\n",
                    Key::Tab => b"\t",
                };
                bytes.strip_suffix(key).unwrap_or(bytes)
            }
            Self::Serial(serial) => match &serial.framing.end {
                End::Terminator(mark) => bytes.strip_suffix(mark.0.as_slice()).unwrap_or(bytes),
                End::Enclosed { stx, etx } => {
                    let inner = bytes.strip_prefix(stx.0.as_slice()).unwrap_or(bytes);
                    inner.strip_suffix(etx.0.as_slice()).unwrap_or(inner)
                }
                End::Silence { .. } => bytes,
            },
        }
    }
}
