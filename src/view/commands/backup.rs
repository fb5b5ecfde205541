//! `stockrelay backup` and `stockrelay journal export`: write everything that the journal holds.
//!
//! **In**: the lines of a running daemon, or of the files while no daemon runs. **Out**: a file
//! that has its name only after it is complete, synced and verified, with mode 0600.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::Serialize;

use super::meter::Meter;
use super::{Client, ClientError, CommandError, Done, json_line};
use crate::clock;
use crate::config::Config;
use crate::journal::{ExportError, Exported, ImportError, WorkDone, check_export, export_closed};
use crate::view::cli::BackupArgs;
use crate::view::table::{grouped, size};

/// The end of the name of a file that is not complete yet.
const UNFINISHED: &str = ".unfinished";
const FILE_MODE: u32 = 0o600;
const BUFFER_BYTES: usize = 256 << 10;

/// Where the lines come from, and whether open documents are sealed first.
struct LineSource<'a> {
    client: &'a Client,
    config: &'a Config,
    is_backup: bool,
}

/// The result for those who asked for JSON.
#[derive(Serialize)]
struct Written<'a> {
    file: &'a Path,
    bytes: u64,
    records: u64,
    events: u64,
    documents: u64,
    seconds: f64,
    /// Whether a daemon sealed its open documents first.
    sealed: bool,
}

/// Writes a backup, compressed.
pub async fn back_up(
    client: &Client,
    config: &Config,
    args: &BackupArgs,
    out: &mut dyn Write,
) -> Done {
    if args.file == Path::new("-") {
        return Err(CommandError::Usage(
            "a backup cannot go to standard output, because it is read again to verify it: name a file, or use `stockrelay journal export`".to_owned(),
        ));
    }
    let source = LineSource {
        client,
        config,
        is_backup: true,
    };
    let to = (args.file.as_path(), args.force, true);
    source.write_file(to, args.json, out).await
}

/// Writes an export to a file, or to standard output.
pub async fn export(
    client: &Client,
    config: &Config,
    (file, force, json): (&Path, bool, bool),
    out: &mut dyn Write,
) -> Done {
    let source = LineSource {
        client,
        config,
        is_backup: false,
    };
    if file == Path::new("-") {
        if json {
            return Err(CommandError::Usage(
                "--json needs a file: standard output has the lines".to_owned(),
            ));
        }
        source.write_to(out, &WorkDone::default()).await?;
        return Ok(());
    }
    let is_compressed = file.extension().is_some_and(|end| end == "gz");
    source
        .write_file((file, force, is_compressed), json, out)
        .await
}

impl LineSource<'_> {
    /// Writes the lines. Returns whether a daemon sent them.
    async fn write_to(
        &self,
        out: &mut dyn Write,
        progress: &WorkDone,
    ) -> Result<bool, CommandError> {
        let path = if self.is_backup {
            "/v1/journal/backup"
        } else {
            "/v1/journal/export"
        };
        let sent = self.client.download(path, out, progress).await;
        match sent {
            Ok(()) => return Ok(true),
            Err(ClientError::NotRunning { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let (data_dir, site) = (&self.config.data_dir, &self.config.site);
        let read = tokio::task::block_in_place(|| export_closed(data_dir, site, out, progress));
        read.map_err(refuse)?;
        Ok(false)
    }

    async fn write_file(
        &self,
        (file, force, is_compressed): (&Path, bool, bool),
        json: bool,
        out: &mut dyn Write,
    ) -> Done {
        if !force && file.symlink_metadata().is_ok() {
            return Err(CommandError::Failed(exists(file)));
        }
        let begun = clock::instant();
        let unfinished = add_end(file, UNFINISHED);
        let written = self.write_and_verify(&unfinished, is_compressed).await;
        let named = written.and_then(|written| {
            name_file(&unfinished, file, force)?;
            Ok(written)
        });
        let (exported, sealed) = named.inspect_err(|_| {
            drop(std::fs::remove_file(&unfinished));
        })?;
        let written = Written {
            file,
            bytes: std::fs::metadata(file)?.len(),
            records: exported.records.values().sum(),
            events: exported.of("events"),
            documents: exported.of("documents"),
            seconds: begun.elapsed().as_secs_f64(),
            sealed,
        };
        if json {
            json_line(out, &written)?;
            return Ok(());
        }
        write_summary(&written, self.is_backup, out)?;
        Ok(())
    }

    /// Writes the file, syncs it and reads it again.
    async fn write_and_verify(
        &self,
        path: &Path,
        is_compressed: bool,
    ) -> Result<(Exported, bool), CommandError> {
        let failed = |error: io::Error| cannot_write(path, &error);
        // What an interrupted command left.
        drop(std::fs::remove_file(path));
        let mut options = File::options();
        options.write(true).create_new(true).mode(FILE_MODE);
        let file = options.open(path).map_err(failed)?;
        let progress = WorkDone::default();
        let meter = Meter::start("writing", "bytes", progress.clone());
        let mut buffered = BufWriter::with_capacity(BUFFER_BYTES, file);
        let sealed = if is_compressed {
            let mut packed = GzEncoder::new(&mut buffered, Compression::fast());
            let sealed = self.write_to(&mut packed, &progress).await?;
            packed.finish().map_err(failed)?;
            sealed
        } else {
            self.write_to(&mut buffered, &progress).await?
        };
        let file = buffered
            .into_inner()
            .map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)?;
        drop(meter);
        let progress = WorkDone::default();
        let _meter = Meter::start("verifying", "records", progress.clone());
        let read = tokio::task::block_in_place(|| read_export(path, &progress));
        let exported = read.map_err(|error| {
            let file = path.display();
            CommandError::Failed(format!(
                "{file} was written and cannot be read again: {error}"
            ))
        })?;
        Ok((exported, sealed && self.is_backup))
    }
}

/// Reads a whole export, plain or compressed, and verifies each line.
pub fn read_export(path: &Path, progress: &WorkDone) -> Result<Exported, ImportError> {
    let file = File::open(path).map_err(ImportError::Input)?;
    let mut input = open_packed(file)?;
    check_export(&mut *input, progress)
}

/// Unpacks an export if it is compressed, whatever its name.
pub fn open_packed(input: impl io::Read + 'static) -> Result<Box<dyn io::BufRead>, ImportError> {
    use io::BufRead as _;
    const GZIP: [u8; 2] = [0x1f, 0x8b];
    let mut input = BufReader::with_capacity(BUFFER_BYTES, input);
    let begin = input.fill_buf().map_err(ImportError::Input)?;
    if !begin.starts_with(&GZIP) {
        return Ok(Box::new(input));
    }
    let unpacked = MultiGzDecoder::new(input);
    Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, unpacked)))
}

/// Gives the complete file its name, and makes the name durable.
fn name_file(unfinished: &Path, file: &Path, force: bool) -> Result<(), CommandError> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let failed = |error: io::Error| cannot_write(file, &error);
    if force {
        std::fs::rename(unfinished, file).map_err(failed)?;
    } else {
        match renameat_with(CWD, unfinished, CWD, file, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(rustix::io::Errno::EXIST) => return Err(CommandError::Failed(exists(file))),
            // The file system has no such call.
            Err(rustix::io::Errno::INVAL) if file.symlink_metadata().is_err() => {
                std::fs::rename(unfinished, file).map_err(failed)?;
            }
            Err(error) => return Err(failed(error.into())),
        }
    }
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = File::open(folder.unwrap_or(Path::new(".")));
    folder.and_then(|folder| folder.sync_all()).map_err(failed)
}

fn add_end(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn exists(file: &Path) -> String {
    format!(
        "{} exists: name another file, or replace it with --force",
        file.display()
    )
}

fn cannot_write(path: &Path, error: &io::Error) -> CommandError {
    CommandError::Failed(format!(
        "cannot write {}: {error}; check the disk and the rights of this user",
        path.display()
    ))
}

fn refuse(error: ExportError) -> CommandError {
    match error {
        ExportError::Damaged(damage) => CommandError::Damaged(damage.to_string()),
        ExportError::Output(error) => CommandError::Output(error),
        other => CommandError::Failed(other.to_string()),
    }
}

fn write_summary(written: &Written<'_>, is_backup: bool, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{}: {} events, {} documents, {} in {:.1} s; read again, and every line is right",
        written.file.display(),
        grouped(written.events),
        grouped(written.documents),
        size(written.bytes),
        written.seconds
    )?;
    if is_backup && !written.sealed {
        writeln!(
            out,
            "No daemon runs, so open documents were not sealed: after a restore their events are parked as maybe-posted."
        )?;
    }
    Ok(())
}
