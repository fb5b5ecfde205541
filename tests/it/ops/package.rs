//! What a package takes from the binary: manual pages and completions.

use std::process::{Command, Stdio};

use clap::CommandFactory as _;
use stockrelay::view::cli::Cli;

use crate::commands::{run, stockrelay};

/// The names of the pages of a command and of all its subcommands that help shows.
fn pages(command: &clap::Command, parent: &str, names: &mut Vec<String>) {
    let name = match parent {
        "" => command.get_name().to_owned(),
        parent => format!("{parent}-{}", command.get_name()),
    };
    for command in command.get_subcommands().filter(|it| !it.is_hide_set()) {
        pages(command, &name, names);
    }
    names.push(name);
}

#[tokio::test]
async fn each_command_has_a_manual_page() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("man/man1");
    let mut command = stockrelay();
    command.arg("man").arg(&folder);
    assert_eq!(run(command).await, (0, String::new(), String::new()));
    let mut names = Vec::new();
    pages(&Cli::command(), "", &mut names);
    assert!(names.len() > 50, "{names:?}");
    for name in &names {
        let page = std::fs::read_to_string(folder.join(format!("{name}.1")));
        let page = page.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(page.contains(".SH NAME"), "{name}");
        assert!(page.contains(".SH SYNOPSIS"), "{name}");
    }
    let found = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(found, names.len(), "pages of no command");
    let mut command = stockrelay();
    command.arg("man");
    let (code, page, _) = run(command).await;
    assert_eq!(code, 0);
    assert_eq!(
        page,
        std::fs::read_to_string(folder.join("stockrelay.1")).unwrap()
    );
}

#[tokio::test]
async fn bash_accepts_the_completions_and_completes_a_command() {
    let mut command = stockrelay();
    command.args(["completions", "bash"]);
    let (code, script, stderr) = run(command).await;
    assert_eq!((code, stderr.as_str()), (0, ""));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("stockrelay.bash");
    std::fs::write(&file, script).unwrap();
    let bash = |arguments: &[&str]| {
        let mut bash = Command::new("bash");
        bash.args(["--norc", "--noprofile"])
            .args(arguments)
            .arg(&file);
        bash.stdin(Stdio::null()).output().unwrap()
    };
    let checked = bash(&["-n"]);
    assert!(checked.status.success(), "{checked:?}");
    // As bash calls it for `stockrelay par<Tab>` and `stockrelay parked ret<Tab>`.
    let ask = "source \"$0\"; COMP_WORDS=(stockrelay par); COMP_CWORD=1; _stockrelay stockrelay par stockrelay; echo \"${COMPREPLY[@]}\"; \
               COMP_WORDS=(stockrelay parked ret); COMP_CWORD=2; _stockrelay stockrelay ret parked; echo \"${COMPREPLY[@]}\"";
    let completed = bash(&["-c", ask]);
    let text = String::from_utf8(completed.stdout).unwrap();
    assert_eq!(
        text,
        "parked\nretry\n",
        "{:?}",
        String::from_utf8(completed.stderr)
    );
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        let mut command = stockrelay();
        command.args(["completions", shell]);
        let (code, script, _) = run(command).await;
        assert!(code == 0 && script.contains("support-bundle"), "{shell}");
    }
}
