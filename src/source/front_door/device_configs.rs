//! The files in `mqtt.listen.device_config_dir`: `DEVICE.json` and `default.json`.

use std::io;
use std::path::Path;

use bytes::Bytes;

use crate::channel::desired::DESIRED_BYTES_MAX;

/// Reads one file. `None`: no such file. The error names the fault and what to do.
pub(super) fn read(file: &Path) -> Result<Option<Bytes>, String> {
    let fault = |why: String| {
        let file = file.display();
        format!(
            "mqtt.listen.device_config_dir: {file} cannot be used: {why}, so each device keeps its present configuration; write JSON into the file, and let the gateway's user read it"
        )
    };
    let bytes = match std::fs::metadata(file) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault(error.to_string())),
    };
    if bytes > DESIRED_BYTES_MAX as u64 {
        let why = format!("it has {bytes} bytes, more than {DESIRED_BYTES_MAX}");
        return Err(fault(why));
    }
    let text = std::fs::read(file).map_err(|error| fault(error.to_string()))?;
    serde_json::from_slice::<serde::de::IgnoredAny>(&text)
        .map_err(|error| fault(error.to_string()))?;
    Ok(Some(text.into()))
}

/// Reads every file of the directory. The error is the first fault, in the order of the names.
pub fn check(dir: &Path) -> Result<(), String> {
    let fault = |error: io::Error| {
        format!(
            "mqtt.listen.device_config_dir: {} cannot be read: {error}, so each device keeps its present configuration; create the directory, and let the gateway's user read it",
            dir.display()
        )
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(fault)? {
        let file = entry.map_err(fault)?.path();
        if file
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            files.push(file);
        }
    }
    files.sort();
    files.iter().try_for_each(|file| read(file).map(drop))
}
