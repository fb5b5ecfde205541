//! What an administrator does with an installed gateway: pause the sending, add devices, install
//! manual pages, collect a support bundle. The gateway is a process of its own.

mod devices;
mod package;
mod pause;
mod support;
mod take_over;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use stockrelay::clock;
use stockrelay::demo::odoo::{API_KEY, DATABASE, Seed, StandIn};
use stockrelay::view::client::Client;

use crate::commands::{run, stockrelay};
use crate::free_address::free_address;
use crate::reload::site::{Device, transfer};

const SOON: Duration = Duration::from_secs(30);

/// A gateway with its files, its process and its Odoo.
struct Installed {
    dir: tempfile::TempDir,
    address: SocketAddr,
    metrics: SocketAddr,
    odoo: Arc<StandIn>,
    process: Option<Child>,
}

impl Installed {
    /// The files of a gateway whose front door knows the devices of devices.toml alone.
    async fn prepare() -> Self {
        let odoo = StandIn::start(Seed::default(), Duration::ZERO);
        Self::prepare_at(Arc::new(odoo.await.unwrap()))
    }

    /// The same, of an Odoo that other gateways use, too.
    fn prepare_at(odoo: Arc<StandIn>) -> Self {
        let (address, metrics) = (free_address(), free_address());
        let dir = tempfile::tempdir().unwrap();
        let config = format!(
            "site = \"ams1\"\ndata_dir = \"data\"\n\
             [mqtt.listen]\naddress = \"{address}\"\ndevices = \"devices.toml\"\nanonymous = true\n\
             [odoo]\nurl = \"{}\"\ndatabase = \"{DATABASE}\"\napi_key_file = \"odoo.key\"\n\
             [documents]\nidle_s = 0\n\
             [control]\nsocket = \"control.sock\"\nmetrics = \"{metrics}\"\n",
            odoo.url()
        );
        let installed = Self {
            dir,
            address,
            metrics,
            odoo,
            process: None,
        };
        installed.write("config.toml", &config);
        installed.write("odoo.key", API_KEY);
        installed.write("devices.toml", "# Hall 3\n");
        installed
    }

    async fn start() -> Self {
        let mut installed = Self::prepare().await;
        installed.run().await;
        installed
    }

    /// Starts the process, and waits until it answers.
    async fn run(&mut self) {
        let process = crate::process::command(self.dir.path()).spawn();
        self.process = Some(process.unwrap());
        let begun = clock::instant();
        while self.client().get::<Value>("/v1/status").await.is_err() {
            assert!(begun.elapsed() < SOON, "the daemon does not answer");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn client(&self) -> Client {
        Client::new(&self.path("control.sock"))
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.client().get(path).await;
        answer.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// A command as an administrator types it in the directory of the configuration.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = stockrelay();
        command.args(["--config", "config.toml"]).args(arguments);
        command.current_dir(self.dir.path());
        command
    }

    /// Exit code, standard output and standard error of a command.
    async fn output(&self, arguments: &[&str]) -> (i32, String, String) {
        run(self.command(arguments)).await
    }

    /// What a command prints that is done.
    async fn done(&self, arguments: &[&str]) -> String {
        let (code, stdout, stderr) = self.output(arguments).await;
        assert_eq!((code, stderr.as_str()), (0, ""), "{arguments:?}: {stdout}");
        stdout
    }

    async fn until(&self, what: &str, so: impl Fn(&Value) -> bool) -> Value {
        let begun = clock::instant();
        loop {
            let status = self.get("/v1/status").await;
            if so(&status) {
                return status;
            }
            assert!(begun.elapsed() < SOON, "never: {what}: {status}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A device moves a piece, and has its PUBACK.
    async fn scan(&self, id: &str) {
        let mut device = Device::connect(self.address, "pda-1").await;
        device.publish("event", &transfer(id)).await;
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // The process may have ended by itself, which the test then reports.
            drop(process.kill());
            drop(process.wait());
        }
    }
}
