//! Decodes the bytes of a scanner into a [`Scan`], step by step.

use super::payload::{self, FoundCode, PartOfPayload, READS_MAX, Wrong};
use super::text::{decode, describe_bytes, describe_text};
use super::{Connection, End, Key, Profile, Refusal, Sample, Scan, Step, Symbology, split_aim};
use crate::reason::RejectionCode;

/// The longest code, in bytes: a QR code holds 4,296 characters.
const CODE_BYTES_MAX: usize = 4 << 10;

/// U+FEFF in UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

impl Profile {
    /// Reads a frame or payload that holds one code. A frame may still have its end marks.
    ///
    /// Returns the first code of a payload with several; [`Self::read_all`] reads them all.
    pub fn read(&self, bytes: &[u8]) -> Result<Scan, Refusal> {
        self.read_all(bytes).swap_remove(0)
    }

    /// Reads all codes of a frame or payload, in their order. Never empty.
    #[must_use]
    pub fn read_all(&self, bytes: &[u8]) -> Vec<Result<Scan, Refusal>> {
        let mut reading = Reading::default();
        let parts = match self.parts(bytes, &mut reading) {
            Ok(parts) => parts,
            Err(wrong) => return vec![Err(reading.refuse(wrong))],
        };
        let scan = |part: Result<FoundCode, Wrong>| {
            let mut reading = reading.clone();
            let scan = part.and_then(|found| {
                if found.is_field {
                    reading.step("payload", &describe_bytes(bytes), &found.code);
                }
                self.scan(found, &mut reading)
            });
            match scan {
                Ok(scan) => Ok(Scan {
                    steps: reading.steps,
                    ..scan
                }),
                Err(wrong) => Err(reading.refuse(wrong)),
            }
        };
        parts.into_iter().map(scan).collect()
    }

    /// Splits a frame or payload into parts with one code each. Never empty.
    fn parts(&self, bytes: &[u8], reading: &mut Reading) -> Result<Vec<PartOfPayload>, Wrong> {
        let max = self.connection.max_bytes();
        let frame = self.unwrap(bytes);
        reading.step("framing", &describe_bytes(bytes), &describe_bytes(frame));
        if frame.len() > max {
            return Err((
                RejectionCode::TooLong,
                format!(
                    "{} bytes came; the profile takes at most {max} (max_bytes)",
                    frame.len()
                ),
            ));
        }
        if frame.is_empty() {
            return Err((
                RejectionCode::Empty,
                "nothing came but end marks".to_owned(),
            ));
        }
        let parts = if self.connection.has_lines() {
            let lines = frame.split(|byte| matches!(byte, b'\r' | b'\n'));
            let lines = lines.filter(|line| !line.trim_ascii().is_empty());
            let read = |line| match self.part(line, reading) {
                Ok(parts) => parts,
                Err(wrong) => vec![Err(wrong)],
            };
            lines.take(READS_MAX + 1).flat_map(read).collect()
        } else {
            self.part(frame, reading)?
        };
        match parts.len() {
            0 => Err((RejectionCode::Empty, "the message holds no read".to_owned())),
            1..=READS_MAX => Ok(parts),
            _ => Err((
                RejectionCode::TooManyEvents,
                format!(
                    "the message has more than {READS_MAX} reads: send at most {READS_MAX} in each message"
                ),
            )),
        }
    }

    /// Finds the codes of a frame, or of one of its lines.
    fn part(&self, frame: &[u8], reading: &mut Reading) -> Result<Vec<PartOfPayload>, Wrong> {
        if let Some(payload) = &self.payload {
            return payload.find(frame);
        }
        let text = decode(frame, self.code.encoding).map_err(|at| {
            (RejectionCode::BadEncoding, format!("byte {at} is no UTF-8: set the scanner to UTF-8, or code.encoding to what it sends"))
        })?;
        let of_contract = match &self.connection {
            Connection::Mqtt(_) => payload::of_contract(&text),
            Connection::Serial(_) | Connection::Hid(_) => None,
        };
        if let Some(parts) = of_contract {
            return Ok(parts);
        }
        reading.step("encoding", &describe_bytes(frame), &text);
        Ok(vec![Ok(FoundCode {
            code: text,
            ..FoundCode::default()
        })])
    }

    /// Removes the marks of a frame, and what programs add around a text.
    fn unwrap<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        // A NUL may be before or after the mark that ends a frame.
        let mut frame = strip_nuls(self.connection.strip_marks(strip_nuls(bytes)));
        if self.payload.is_some() || self.code.encoding == super::TextEncoding::Utf8 {
            frame = frame.strip_prefix(BOM).unwrap_or(frame);
        }
        frame
    }

    fn scan(&self, found: FoundCode, reading: &mut Reading) -> Result<Scan, Wrong> {
        let text = self.clean(&found.code, reading)?;
        let (text, aim) = self.split_off_aim(text, found.aim.as_deref(), reading);
        if text.is_empty() {
            return Err((
                RejectionCode::Empty,
                "there is no code between what the profile drops".to_owned(),
            ));
        }
        if text.len() > CODE_BYTES_MAX {
            return Err((
                RejectionCode::TooLong,
                format!(
                    "the code has {} bytes; at most {CODE_BYTES_MAX} are in a barcode",
                    text.len()
                ),
            ));
        }
        if let Some(control) = text.chars().find(|&c| c.is_control() && !is_separator(c)) {
            let found = control.escape_default();
            return Err((
                RejectionCode::Binary,
                format!(
                    "there is the control character {found} in the code; the separators GS, RS, FS, US and EOT are taken"
                ),
            ));
        }
        if let Some("]E1" | "]E2") = aim.as_deref() {
            return Err((
                RejectionCode::NotAScan,
                "it is the add-on of an EAN or UPC alone, which names no product: set the scanner to read such codes without their add-ons".to_owned(),
            ));
        }
        let aim_symbology = aim.as_deref().and_then(Symbology::of_aim);
        Ok(Scan {
            text,
            symbology: aim_symbology.or(found.symbology),
            aim,
            id: found.id,
            at: found.at,
            operator: found.operator,
            device: found.device,
            steps: Vec::new(),
        })
    }

    /// Removes what the scanner adds around a code.
    fn clean(&self, text: &str, reading: &mut Reading) -> Result<String, Wrong> {
        let rules = &self.code;
        if let Some(no_read) = rules.no_read.iter().find(|no_read| *no_read == text.trim()) {
            return Err((
                RejectionCode::NoRead,
                format!("the scanner says that it could not read: {no_read}"),
            ));
        }
        let inner = text.strip_prefix(rules.prefix.as_str()).ok_or_else(|| {
            (
                RejectionCode::NoPrefix,
                format!(
                    "the code does not begin with {:?}, which the profile's prefix says",
                    rules.prefix
                ),
            )
        })?;
        let inner = reading.part("prefix", text, inner);
        let cut = inner.strip_suffix(rules.suffix.as_str()).ok_or_else(|| {
            (
                RejectionCode::NoSuffix,
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
        let is_end = |c: char| c == '\0' || rules.trim && c.is_whitespace();
        let trimmed = if rules.trim { text.trim_start() } else { &text };
        text = reading.part("trim", &text, trimmed.trim_end_matches(is_end));
        Ok(text)
    }

    /// Splits off the symbology identifier. An identifier in the payload counts, too.
    fn split_off_aim(
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

    /// Describes each sample that is not read as expected.
    #[must_use]
    pub fn try_samples(&self) -> Vec<String> {
        let wrong = |(at, sample): (usize, &Sample)| {
            let bytes = self.sample_bytes(sample);
            let symbology = |scan: &Scan| {
                scan.symbology
                    .as_ref()
                    .map(|symbology| symbology.as_str().to_owned())
            };
            let mut reads = self.read_all(&bytes);
            let codes: Vec<_> = std::iter::once(&sample.code).chain(&sample.more).collect();
            if reads.len() != codes.len() {
                let (found, wanted) = (reads.len(), codes.len());
                return Some(format!("sample[{at}] holds {found} reads, not {wanted}"));
            }
            let others = reads.split_off(1);
            if let Some((scan, code)) = (others.iter().zip(&sample.more))
                .find(|(scan, code)| scan.as_ref().map_or(true, |scan| scan.text != **code))
            {
                let found = match scan {
                    Ok(scan) => format!("{:?}", scan.text),
                    Err(refusal) => refusal.to_string(),
                };
                return Some(format!("sample[{at}] has {found} instead of {code:?}"));
            }
            match reads.swap_remove(0) {
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
            super::TextEncoding::Utf8 => sample.input.clone().into_bytes(),
            _ => bytes
                .collect::<Option<_>>()
                .unwrap_or_else(|| sample.input.clone().into_bytes()),
        }
    }
}

/// Removes the NULs at the end.
fn strip_nuls(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte != 0);
    &bytes[..end.map_or(0, |end| end + 1)]
}

#[derive(Clone, Default)]
struct Reading {
    steps: Vec<Step>,
}

impl Reading {
    fn refuse(self, (code, message): Wrong) -> Refusal {
        Refusal {
            code,
            message,
            steps: self.steps,
        }
    }

    /// Records a step that changed something.
    fn step(&mut self, what: &'static str, before: &str, after: &str) {
        let (before, after) = (describe_text(before), describe_text(after));
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

    /// Whether each line of a message is a scan.
    fn has_lines(&self) -> bool {
        matches!(self, Self::Mqtt(mqtt) if mqtt.lines)
    }

    /// Removes the end marks of a frame, if it still has them.
    fn strip_marks<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
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
