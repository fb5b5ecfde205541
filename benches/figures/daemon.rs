//! The daemon under measurement: the real binary, in a process and a data directory of its own.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use stockrelay::catalog::{self, Catalog};
use stockrelay::clock;
use stockrelay::odoo::{Kind, Row};
use stockrelay::odoo_id::CompanyId;
use tempfile::TempDir;

use crate::disk_use::DiskUse;
use crate::process::{self, Usage, memory_kib};

type Answer<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// On the disk that the project is on: a temporary directory in memory would make fsync free.
pub fn scratch() -> Answer<PathBuf> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).to_owned();
    fs::create_dir_all(&path)?;
    Ok(path)
}

/// The binary under measurement: `BENCH_BINARY`, such as that of an older version, or that of this
/// package.
pub fn program() -> PathBuf {
    std::env::var_os("BENCH_BINARY")
        .map_or_else(|| env!("CARGO_BIN_EXE_stockrelay").into(), PathBuf::from)
}

pub struct Gateway {
    dir: TempDir,
    program: PathBuf,
    process: Child,
    address: SocketAddr,
    metrics: SocketAddr,
}

/// How the gateway is configured.
#[derive(Default, Clone)]
pub struct Setup {
    /// Files of the directory, by their names: scanners and devices.
    pub files: Vec<(&'static str, String)>,
    /// More of the configuration.
    pub more: String,
    /// A client publishes at most as fast as the defaults allow.
    pub is_limited: bool,
    /// The binary. `None`: that of [`program`].
    pub program: Option<PathBuf>,
}

/// A copy of Odoo's data that knows the barcodes of the load, so that what is captured is looked
/// up.
fn copy(data_dir: &Path, odoo: &str, database: &str) -> Answer<()> {
    fs::create_dir_all(data_dir)?;
    let copy = Catalog::open(
        data_dir,
        &catalog::identity(odoo, database, CompanyId::new(1)),
    )?;
    let row = |id: i64, barcode: String| Row {
        id,
        active: true,
        display_name: Some(format!("Thing {id}")),
        barcode: Some(barcode),
        ..Row::default()
    };
    let products: Vec<Row> = (0..500).map(|n| row(n, format!("4000000{n:06}"))).collect();
    let bins: Vec<Row> = (0..200)
        .map(|n| row(n, format!("LOC-BIN-{n:04}")))
        .collect();
    copy.apply(Kind::Product, &products)?;
    copy.apply(Kind::Location, &bins)?;
    Ok(())
}

impl Gateway {
    /// Without an Odoo: only the path into the journal is measured.
    pub fn start() -> Answer<Self> {
        Self::start_with("http://127.0.0.1:9", "none", None, "")
    }

    /// Starts a daemon with these files, by name, such as lists of scanners and devices.
    pub fn start_with_files(files: &[(&'static str, String)]) -> Answer<Self> {
        Self::start_as(&Setup {
            files: files.to_vec(),
            ..Setup::default()
        })
    }

    /// With an Odoo that is not there.
    pub fn start_as(setup: &Setup) -> Answer<Self> {
        Self::start_in("http://127.0.0.1:9", "none", None, setup)
    }

    pub fn start_with(odoo: &str, database: &str, key: Option<&str>, more: &str) -> Answer<Self> {
        let setup = Setup {
            more: more.to_owned(),
            ..Setup::default()
        };
        Self::start_in(odoo, database, key, &setup)
    }

    fn start_in(odoo: &str, database: &str, key: Option<&str>, setup: &Setup) -> Answer<Self> {
        let dir = tempfile::tempdir_in(scratch()?)?;
        for (name, text) in &setup.files {
            fs::write(dir.path().join(name), text)?;
        }
        let (mqtt, scrapes) = (
            TcpListener::bind("127.0.0.1:0")?,
            TcpListener::bind("127.0.0.1:0")?,
        );
        let (address, metrics) = (mqtt.local_addr()?, scrapes.local_addr()?);
        drop((mqtt, scrapes));
        fs::write(dir.path().join("odoo.key"), key.unwrap_or("none"))?;
        let named = |name: &str| setup.files.iter().any(|(file, _)| *file == name);
        let scanners = if named("scanners.toml") {
            "scanners = \"scanners.toml\"\n"
        } else {
            ""
        };
        let devices = if named("devices.toml") {
            "devices = \"devices.toml\"\n"
        } else {
            ""
        };
        let rate = if setup.is_limited {
            ""
        } else {
            "rate_per_s = 1000000\n"
        };
        let more = &setup.more;
        let config = format!(
            "site = \"bench\"\ndata_dir = \"data\"\n{scanners}\
             [mqtt.listen]\naddress = \"{address}\"\nanonymous = true\n{rate}{devices}\
             [odoo]\nurl = \"{odoo}\"\ndatabase = \"{database}\"\napi_key_file = \"odoo.key\"\n\
             [control]\nsocket = \"control.sock\"\nmetrics = \"{metrics}\"\n[log]\nlevel = \"warn\"\n{more}"
        );
        fs::write(dir.path().join("config.toml"), config)?;
        if key.is_none() {
            copy(&dir.path().join("data"), odoo, database)?;
        }
        let program = setup.program.clone().unwrap_or_else(program);
        // The gateway runs in a directory of its own.
        let program = fs::canonicalize(&program)
            .map_err(|error| format!("no binary {}: {error}", program.display()))?;
        let process = spawn(&program, dir.path())?;
        let mut gateway = Self {
            dir,
            program,
            process,
            address,
            metrics,
        };
        gateway.wait_ready()?;
        Ok(gateway)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn metrics(&self) -> SocketAddr {
        self.metrics
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("control.sock")
    }

    fn wait_ready(&mut self) -> Answer<()> {
        let begun = clock::instant();
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.process.try_wait()? {
                return Err(format!("the daemon ended with {status}: {}", self.log()).into());
            }
            if begun.elapsed() > Duration::from_secs(30) {
                return Err("the daemon does not listen after 30 s".into());
            }
            sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    pub fn kill(&mut self) -> Answer<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Starts it again; answers how long it took until it listened.
    pub fn restart(&mut self) -> Answer<Duration> {
        let begun = clock::instant();
        self.process = spawn(&self.program, self.dir.path())?;
        self.wait_ready()?;
        Ok(begun.elapsed())
    }

    /// SIGTERM, and the end that it must come to.
    pub fn stop(&mut self) -> Answer<()> {
        let pid = i32::try_from(self.process.id())?;
        let pid = rustix::process::Pid::from_raw(pid).ok_or("no process")?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let status = self.process.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the daemon ended with {status}: {}", self.log()).into())
        }
    }

    fn memory_mib(&self, field: &str) -> Answer<f64> {
        Ok(memory_kib(self.pid(), field)? as f64 / 1024.0)
    }

    pub fn resident_mib(&self) -> Answer<f64> {
        self.memory_mib("VmRSS:")
    }

    pub fn resident_most_mib(&self) -> Answer<f64> {
        self.memory_mib("VmHWM:")
    }

    pub fn usage(&self) -> Answer<Usage> {
        Usage::of(self.pid(), &self.data_dir())
    }

    pub fn disk_use(&self) -> Answer<DiskUse> {
        Ok(DiskUse::of(&self.data_dir())?)
    }

    /// Removes what the gateway stored from the page cache. Returns how.
    pub fn drop_page_cache(&self) -> Answer<&'static str> {
        process::drop_page_cache(&self.data_dir())
    }

    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // The process may have ended.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn spawn(program: &Path, dir: &Path) -> Answer<Child> {
    let log = fs::File::options()
        .append(true)
        .create(true)
        .open(dir.join("log"))?;
    Ok(Command::new(program)
        .args(["--config", "config.toml", "run"])
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()?)
}
