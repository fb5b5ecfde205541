//! Tests of the command line arguments.

use std::collections::BTreeMap;

use clap::CommandFactory as _;

use super::*;

#[test]
fn the_arguments_are_consistent() {
    Cli::command().debug_assert();
}

/// Splits a line as a shell does, up to its pipe, redirection, or remark after three spaces.
fn split(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let (mut quote, mut spaces) = (None, 0);
    for c in line.chars() {
        let last = words.len() - 1;
        match (quote, c) {
            (None, '|' | '<' | '>') => break,
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), close) if open == close => quote = None,
            (None, ' ') => {
                spaces += 1;
                if spaces == 3 {
                    break;
                }
                if !words[last].is_empty() {
                    words.push(String::new());
                }
                continue;
            }
            _ => words[last].push(c),
        }
        spaces = 0;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn each_example_of_the_help_is_a_command() {
    fn visit(command: &clap::Command, examples: &mut Vec<String>) {
        let help = command.get_after_help().map(ToString::to_string);
        let help = help.unwrap_or_default();
        let lines = help.lines().filter(|line| line.starts_with("  "));
        let example = |line: &str| line.find("stockrelay ").map(|at| line[at..].to_owned());
        examples.extend(lines.filter_map(example));
        for command in command.get_subcommands() {
            visit(command, examples);
        }
    }
    let mut examples = Vec::new();
    visit(&Cli::command(), &mut examples);
    assert!(examples.len() > 60, "{}", examples.len());
    for example in examples {
        if let Err(error) = Cli::try_parse_from(split(&example)) {
            panic!("{example}: {error}");
        }
    }
}

#[test]
fn help_shows_an_option_only_where_it_is_used_and_says_what_each_argument_is() {
    fn visit(command: &clap::Command, path: &str, shown: &mut BTreeMap<String, String>) {
        let path = format!("{path}{} ", command.get_name());
        let mut options = String::new();
        for argument in command.get_arguments().filter(|a| !a.is_hide_set()) {
            assert!(argument.get_help().is_some(), "{path}: {argument}");
            if ["config", "socket"].contains(&argument.get_id().as_str()) {
                options += argument.get_id().as_str();
            }
        }
        shown.insert(path.trim_end().to_owned(), options);
        for command in command.get_subcommands() {
            visit(command, &path, shown);
        }
    }
    let mut all = Cli::command();
    all.build();
    let mut shown = BTreeMap::new();
    visit(&all, "", &mut shown);
    for (command, options) in [
        ("status", "configsocket"),
        ("check", "configsocket"),
        ("profile test", "configsocket"),
        ("run", "config"),
        ("config show", "configsocket"),
        ("config check", "config"),
        ("config sign", ""),
        ("devices hash", "config"),
        ("fleet status", "config"),
        ("fleet watch", "config"),
        ("profile list", ""),
        ("profile sheet", ""),
        #[cfg(feature = "demo")]
        ("demo", ""),
    ] {
        assert_eq!(
            shown[&format!("stockrelay {command}")],
            options,
            "{command}"
        );
    }
    // A hidden option is still accepted.
    let words = ["stockrelay", "profile", "list", "--config", "x.toml"];
    let cli = Cli::try_parse_from(words).unwrap();
    assert_eq!(cli.config, PathBuf::from("x.toml"));
}

/// The commands that answer no question, each with the reason.
const WITHOUT_JSON: &[(&str, &str)] = &[
    ("run", "it is the daemon"),
    ("top", "it is a screen for a person"),
    (
        "demo",
        "it is a screen for a person; with --headless its exit code is the result",
    ),
    (
        "setup",
        "it asks in the terminal, and shows the output of `check`",
    ),
    (
        "check",
        "its findings are printed one by one, as they are made",
    ),
    ("man", "it prints manual pages"),
    ("completions", "it prints a script for a shell"),
    ("profile schema", "it prints a JSON Schema"),
    ("profile sheet", "it prints a picture"),
    (
        "fleet watch",
        "it shows a rollout until the end; `fleet status --json` has each gateway",
    ),
];

#[test]
fn each_command_that_answers_can_do_so_in_json() {
    fn visit(command: &clap::Command, path: &str, leaves: &mut BTreeMap<String, bool>) {
        let mut subcommands = command.get_subcommands().peekable();
        if subcommands.peek().is_none() {
            let has_json = (command.get_arguments()).any(|it| it.get_long() == Some("json"));
            leaves.insert(path.to_owned(), has_json);
        }
        for command in subcommands.filter(|command| command.get_name() != "help") {
            let path = format!("{path} {}", command.get_name());
            visit(command, path.trim_start(), leaves);
        }
    }
    let mut all = Cli::command();
    all.build();
    let mut leaves = BTreeMap::new();
    visit(&all, "", &mut leaves);
    assert!(leaves.len() > 40, "{leaves:?}");
    for (path, has_json) in &leaves {
        let reason = WITHOUT_JSON.iter().find(|(name, _)| name == path);
        assert_ne!(
            *has_json,
            reason.is_some(),
            "stockrelay {path}: give it --json, or take it from the list {reason:?}"
        );
    }
    for (name, _) in WITHOUT_JSON {
        assert!(leaves.contains_key(*name), "there is no command {name}");
    }
}
