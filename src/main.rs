//! Parses the arguments, reads the configuration, runs the command, and returns its exit code.

mod life;

use std::io::{self, BufRead as _, BufWriter, IsTerminal as _, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use stockrelay::choice;
use stockrelay::clock;
use stockrelay::config::{self, ConfigError};
#[cfg(feature = "demo")]
use stockrelay::demo;
use stockrelay::view::check::{self, Finding, OfRoot};
#[cfg(feature = "demo")]
use stockrelay::view::cli::demo::DemoArgs;
use stockrelay::view::cli::{
    CONFIG_DEFAULT, Cli, Command, ConfigCommand, DevicesCommand, FleetArgs, GatewayCheckArgs,
    JournalCommand, ProfileCommand, SOCKET_DEFAULT, SetupArgs, SupportArgs, TopArgs,
};
use stockrelay::view::client::Client;
#[cfg(not(feature = "demo"))]
use stockrelay::view::commands::EXIT_USAGE;
use stockrelay::view::commands::{
    self, CommandError, Consent, Console, EXIT_CONFIG, EXIT_DONE, EXIT_FAILED, Process,
};
use stockrelay::view::support::Sources;
use stockrelay::view::tui;
use tokio::runtime::Runtime;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The answer to `stockrelay demo` in a gateway package.
#[cfg(not(feature = "demo"))]
const WITHOUT_DEMO: &str = "this package was built without the demo; run it from the source code: `cargo run --release -- demo`";

fn main() -> ExitCode {
    let cli = Cli::parse();
    stockrelay::tls::install_provider();
    // Before there are threads: rights are given up by the thread.
    let checker = match &cli.command {
        Command::Check(args) => {
            let directory = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
            let of_root = OfRoot::find(directory.as_deref());
            let whose = check::become_service(&args.user);
            Some((args, (whose, of_root)))
        }
        _ => None,
    };
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("cannot start threads: {error}"));
            return ExitCode::from(EXIT_FAILED);
        }
    };
    let code = runtime.block_on(async {
        match checker {
            Some((args, checker)) => Box::pin(check(&cli, args, checker)).await,
            None => Box::pin(run(&cli)).await,
        }
    });
    let code = code.unwrap_or_else(|code| code);
    // A read that hangs on a dying disk must not keep the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    ExitCode::from(code)
}

/// Runs one command and returns its exit code. It has already reported every error.
async fn run(cli: &Cli) -> Result<u8, u8> {
    match &cli.command {
        Command::Run => {
            let chosen = choice::begin(&cli.config, &environment());
            let beginning = chosen.map_err(|none| {
                say(&none.to_string());
                if none.may_end_better {
                    EXIT_FAILED
                } else {
                    EXIT_CONFIG
                }
            })?;
            let files = life::Files {
                config: cli.config.clone(),
                environment: environment(),
            };
            Box::pin(life::run(beginning, files)).await
        }
        #[cfg(feature = "demo")]
        Command::Demo(args) => Box::pin(demo(args)).await,
        #[cfg(not(feature = "demo"))]
        Command::Demo { .. } => {
            say(WITHOUT_DEMO);
            Err(EXIT_USAGE)
        }
        Command::Config {
            command: ConfigCommand::Reload { json },
        } => reload(&socket(cli)?, *json).await,
        Command::Config {
            command:
                command @ (ConfigCommand::Apply(_)
                | ConfigCommand::Rollback { .. }
                | ConfigCommand::History { .. }),
        } => bundles(command, &socket(cli)?).await,
        Command::Config { command } => configuration(cli, command).await,
        Command::Fleet(args) => fleet(args, &cli.config).await,
        Command::Setup(args) => setup(args, &cli.config),
        Command::Profile { command } => profile(cli, command).await,
        Command::Devices { command } => devices(cli, command).await,
        Command::SupportBundle(args) => support(cli, args).await,
        Command::Man(args) => {
            let mut out = BufWriter::new(io::stdout());
            end(commands::man(args, &mut out), out)
        }
        Command::Completions(args) => {
            let mut out = BufWriter::new(io::stdout());
            commands::completions(args, &mut out);
            end(Ok(()), out)
        }
        Command::Top(args) => top(&socket(cli)?, args).await,
        Command::Backup(_) | Command::Journal { .. } => journal(cli).await,
        _ => ask(cli).await,
    }
}

/// Runs the demo. The exit code is 0 only if the devices' lists and Odoo agree.
#[cfg(feature = "demo")]
async fn demo(args: &DemoArgs) -> Result<u8, u8> {
    if let Some(address) = args.only_odoo {
        let served = demo::run_only_odoo(address).await;
        return served.map(|()| EXIT_DONE).map_err(|error| {
            say(&error.to_string());
            EXIT_FAILED
        });
    }
    let real = args.odoo.clone().zip(args.database.clone());
    let odoo = real.zip(args.api_key_file.clone());
    let options = demo::Options {
        headless: args.headless,
        seconds: args.seconds,
        devices: args.devices,
        rate: args.rate,
        odoo: odoo.map(|((url, database), api_key_file)| demo::RealOdoo {
            url,
            database,
            api_key_file,
        }),
        keep: args.keep.clone(),
    };
    match Box::pin(demo::run(options)).await {
        Ok(summary) => {
            print(&summary);
            let right = summary.faults().is_empty();
            Ok(if right { EXIT_DONE } else { EXIT_FAILED })
        }
        Err(error) => {
            say(&error.to_string());
            Err(EXIT_FAILED)
        }
    }
}

/// Runs the commands that send a request to the daemon and print the answer.
async fn ask(cli: &Cli) -> Result<u8, u8> {
    let client = Client::new(&socket(cli)?);
    let mut out = BufWriter::new(io::stdout());
    let done = match &cli.command {
        Command::Status { since, json } => commands::status(&client, *json, since, &mut out).await,
        Command::Events(args) => commands::events(&client, args, &mut out).await,
        Command::Documents(args) => commands::documents(&client, args, &mut out).await,
        Command::Find(args) => commands::find(&client, args, &mut out).await,
        Command::Trace { id, json } => commands::trace(&client, id, *json, &mut out).await,
        Command::Rejected { command } => commands::rejected(&client, command, &mut out).await,
        Command::Parked { command } => commands::parked(&client, command, &mut out).await,
        Command::Pause(args) => commands::pause(&client, args, &mut out).await,
        Command::Resume(args) => commands::resume(&client, args, &mut out).await,
        Command::TakeOver(args) => commands::take_over(&client, args, &mut out).await,
        _ => Ok(()),
    };
    end(done, out)
}

/// Runs the commands about the whole journal: through the daemon, or on its files.
async fn journal(cli: &Cli) -> Result<u8, u8> {
    let loaded = config::load(&cli.config, &environment()).map_err(|error| {
        say(&error.to_string());
        EXIT_CONFIG
    })?;
    let config = &loaded.config;
    let client = Client::new(&socket(cli)?);
    let mut out = BufWriter::new(io::stdout());
    let done = match &cli.command {
        Command::Backup(args) => commands::back_up(&client, config, args, &mut out).await,
        Command::Journal { command } => match command {
            JournalCommand::Verify { deep, json } => {
                commands::verify(config, *deep, *json, &mut out)
            }
            JournalCommand::Export { file, force, json } => {
                let to = (file.as_path(), *force, *json);
                commands::export(&client, config, to, &mut out).await
            }
            JournalCommand::Import { file, json, .. } => {
                commands::import(config, file.as_deref(), *json, &mut out)
            }
        },
        _ => Ok(()),
    };
    end(done, out)
}

async fn top(socket: &Path, args: &TopArgs) -> Result<u8, u8> {
    let options = tui::Options {
        quit: tui::QUIT,
        is_read_only: args.read_only,
        language: args.language,
    };
    match tui::run(socket, options).await {
        Ok(()) => Ok(EXIT_DONE),
        Err(error) => {
            say(&format!("cannot use the terminal: {error}"));
            Err(EXIT_FAILED)
        }
    }
}

async fn check(cli: &Cli, args: &GatewayCheckArgs, checker: (Finding, OfRoot)) -> Result<u8, u8> {
    let environment = environment();
    let process = process(&cli.config, &environment);
    let socket = find_socket(cli).ok();
    let mut out = BufWriter::new(io::stdout());
    let (whose, of_root) = checker;
    let asked = commands::Asked {
        whose,
        of_root: &of_root,
        socket: socket.as_deref(),
    };
    let done = commands::check(args, &process, asked, &mut out, say).await;
    let flushed = out.flush().map_err(CommandError::from);
    drop(out.into_parts());
    report(done.and_then(|code| flushed.map(|()| code)))
}

async fn configuration(cli: &Cli, command: &ConfigCommand) -> Result<u8, u8> {
    let environment = environment();
    let process = process(&cli.config, &environment);
    // A configuration with a fault may name no socket: the command shows the fault.
    let client = match command {
        ConfigCommand::Show { files: false, .. } | ConfigCommand::Diff { second: None, .. } => {
            find_socket(cli).ok().map(|socket| Client::new(&socket))
        }
        _ => None,
    };
    let mut out = BufWriter::new(io::stdout());
    let done = commands::config(command, &process, client.as_ref(), &mut out).await;
    let flushed = out.flush().map_err(CommandError::from);
    drop(out.into_parts());
    report(done.and_then(|code| flushed.map(|()| code)))
}

async fn fleet(args: &FleetArgs, path: &Path) -> Result<u8, u8> {
    let environment = environment();
    let process = process(path, &environment);
    let mut out = BufWriter::new(io::stdout());
    let done = commands::fleet(args, &process, &mut out).await;
    let flushed = out.flush().map_err(CommandError::from);
    drop(out.into_parts());
    match (done, flushed) {
        // A closed pipe must not turn the code of a stopped rollout into 0.
        (Ok(EXIT_DONE), Err(error)) => report(Err(error)),
        (done, _) => report(done),
    }
}

fn setup(args: &SetupArgs, path: &Path) -> Result<u8, u8> {
    let environment = environment();
    let process = process(path, &environment);
    report(commands::setup(args, &process, &mut io::stdout()))
}

/// Prints the error of a command, and returns its exit code.
fn report(done: Result<u8, CommandError>) -> Result<u8, u8> {
    done.map_err(|error| {
        if !error.is_silent() {
            say(&error.to_string());
        }
        error.exit_code()
    })
}

/// Has the daemon reload its configuration. The exit code is 0 only if it did.
async fn reload(socket: &Path, json: bool) -> Result<u8, u8> {
    let mut out = BufWriter::new(io::stdout());
    let done = commands::reload(&Client::new(socket), json, &mut out).await;
    let flushed = out.flush().map_err(CommandError::from);
    drop(out.into_parts());
    done.and(flushed).map(|()| EXIT_DONE).map_err(|error| {
        say(&error.to_string());
        error.exit_code()
    })
}

/// Runs the commands about bundles that need the daemon.
async fn bundles(command: &ConfigCommand, socket: &Path) -> Result<u8, u8> {
    let (client, mut out) = (Client::new(socket), io::stdout());
    report(match command {
        ConfigCommand::Apply(args) => commands::apply(&client, args, &mut out).await,
        ConfigCommand::History { json } => commands::history(&client, *json, &mut out).await,
        ConfigCommand::Rollback { json } => commands::roll_back(&client, *json, &mut out).await,
        _ => Ok(EXIT_DONE),
    })
}

async fn profile(cli: &Cli, command: &ProfileCommand) -> Result<u8, u8> {
    // Only this needs a daemon.
    let daemon = match command {
        ProfileCommand::Test { copy: true, .. } => Some(Client::new(&socket(cli)?)),
        _ => None,
    };
    let mut out = BufWriter::new(io::stdout());
    let input = io::stdin().lock();
    let done = commands::profile(command, daemon, clock::now(), input, &mut out).await;
    let flushed = out.flush().map_err(CommandError::from);
    drop(out.into_parts());
    report(done.and_then(|code| flushed.map(|()| code)))
}

/// Adds, lists and disables devices. Only a daemon that runs is asked which list it uses.
async fn devices(cli: &Cli, command: &DevicesCommand) -> Result<u8, u8> {
    let environment = environment();
    let process = process(&cli.config, &environment);
    let client = match command {
        DevicesCommand::Hash { .. } => None,
        _ => find_socket(cli).ok().map(|socket| Client::new(&socket)),
    };
    let colours = io::stdout().is_terminal();
    let mut out = BufWriter::new(io::stdout());
    let (client, to) = (client.as_ref(), (colours, &mut out as &mut dyn Write));
    let done = commands::devices(command, &process, client, &mut Console, to).await;
    end(done, out)
}

/// Collects a support bundle, also without a daemon and with a wrong configuration.
async fn support(cli: &Cli, args: &SupportArgs) -> Result<u8, u8> {
    let loaded = config::load(&cli.config, &environment());
    let socket = find_socket(cli).unwrap_or_else(|_| PathBuf::from(SOCKET_DEFAULT));
    let directory = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let sources = Sources {
        client: &Client::new(&socket),
        socket: &socket,
        loaded: &loaded,
        of_root: &OfRoot::find(directory.as_deref()),
        now: clock::now(),
    };
    let mut out = BufWriter::new(io::stdout());
    let done = commands::support_bundle(args, &sources, &mut Person, &mut out).await;
    end(done, out)
}

/// The person at the terminal of this process.
struct Person;

impl Consent for Person {
    fn is_terminal(&self) -> bool {
        io::stdin().is_terminal() && io::stdout().is_terminal()
    }

    fn ask(&mut self, question: &str) -> bool {
        let mut out = io::stdout();
        drop(write!(out, "{question}").and_then(|()| out.flush()));
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
    }
}

/// Writes the rest of the output, and returns the exit code.
fn end(done: Result<(), CommandError>, mut out: BufWriter<io::Stdout>) -> Result<u8, u8> {
    let flushed = out.flush().map_err(CommandError::from);
    // After a failed write the buffered text would fail again, loudly, when it is dropped.
    drop(out.into_parts());
    report(done.and(flushed).map(|()| EXIT_DONE))
}

fn process<'a>(config: &'a Path, environment: &'a [(String, String)]) -> Process<'a> {
    Process {
        config,
        environment,
        now: clock::now(),
    }
}

/// The environment variables for the configuration, without the variable that names its file.
fn environment() -> Vec<(String, String)> {
    let text = |(key, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((key.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os()
        .filter_map(text)
        .filter(|(key, _)| key != "STOCKRELAY_CONFIG")
        .collect()
}

/// The control socket: from the arguments, from the configuration, or the default.
fn socket(cli: &Cli) -> Result<PathBuf, u8> {
    find_socket(cli).map_err(|error| {
        say(&error.to_string());
        EXIT_CONFIG
    })
}

fn find_socket(cli: &Cli) -> Result<PathBuf, ConfigError> {
    if let Some(socket) = &cli.socket {
        return Ok(socket.clone());
    }
    if cli.config == Path::new(CONFIG_DEFAULT) && !cli.config.exists() {
        return Ok(PathBuf::from(SOCKET_DEFAULT));
    }
    let environment = environment();
    let written =
        config::load(&cli.config, &environment).map(|loaded| loaded.config.control.socket);
    if let Ok(socket) = &written
        && UnixStream::connect(socket).is_ok()
    {
        return Ok(socket.clone());
    }
    // A daemon that runs with the last configuration is asked what is wrong with the new one.
    let last = config::last::find(&cli.config, &environment);
    let last = last.ok().map(|last| last.loaded.config.control.socket);
    match (written, last) {
        (_, Some(last)) if UnixStream::connect(&last).is_ok() => Ok(last),
        (Ok(socket), _) | (Err(_), Some(socket)) => Ok(socket),
        (Err(error), None) => Err(error),
    }
}

/// Prints to standard error. A closed standard error is not a failure.
fn say(text: &str) {
    drop(writeln!(io::stderr(), "stockrelay: {text}"));
}

#[cfg(feature = "demo")]
fn print(text: &impl std::fmt::Display) {
    drop(writeln!(io::stdout(), "{text}"));
}

#[cfg(all(test, not(feature = "demo")))]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[tokio::test]
    async fn a_gateway_package_refuses_the_demo() {
        for arguments in ["demo", "demo --headless --seconds 30", "demo --help"] {
            let words = ["stockrelay"].into_iter().chain(arguments.split(' '));
            let cli = Cli::try_parse_from(words).unwrap();
            assert_eq!(run(&cli).await, Err(EXIT_USAGE), "{arguments}");
        }
    }

    #[test]
    fn the_help_of_a_gateway_package_does_not_name_the_demo() {
        let help = Cli::command().render_long_help().to_string();
        assert!(!help.contains("demo"), "{help}");
    }
}
