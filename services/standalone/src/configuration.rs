//! `brainops configuration`: what there is to set, as the program and its services themselves ask for it.

use std::{collections::BTreeMap, fmt::Write as _};

use kit::config;

use crate::{progress::say, services::SERVICES};

const INTRODUCTION: &str = "\
# Configuration

Everything is set by environment variables. This page is printed by the program itself
(`scripts/brainops configuration > docs/configuration.md`), so it is what the code reads; a test compares them.

- A wrong or missing value stops the start with one message that names every variable at fault, what was found (never a
  secret's value) and what is expected. An empty value counts as absent.
- Unless `BRAINOPS_ENVIRONMENT` is `production`, a file `.env` in the working directory adds what the environment does not
  set; `.env.example` names every variable. In production `.env` is ignored and weak secrets are refused.
- Secrets have no defaults. `head -c 32 /dev/urandom | base64` makes one.
";

const PROGRAM: &str = "
## The `brainops` program

`brainops up` decides addresses, database roles and secrets of its services by itself (secrets are made once, in
`secrets.json` of the data directory); of what is under *Services* it takes the rest. These are its own:

| variable | option | what it is | default |
| --- | --- | --- | --- |
";

const TABLE: &str = "
## Services

What each service reads when it runs as a process of its own; `<service> configuration` prints the same for one.

";

pub fn print(program: &clap::Command) {
    let variables: Vec<_> = SERVICES.iter().map(|part| (part.name, (part.variables)())).collect();
    let services = config::table(&variables);
    let mut own = BTreeMap::new();
    options(program, &mut own);
    let mut page = format!("{INTRODUCTION}{PROGRAM}");
    for row in own.values() {
        // Writing to a string cannot fail.
        let _ = writeln!(page, "{row}");
    }
    say(format_args!("{page}{TABLE}{}", services.trim_end()));
}

/// The row of every option of the program that has a variable, by its name. What a service reads too is in its table.
fn options(command: &clap::Command, rows: &mut BTreeMap<String, String>) {
    for argument in command.get_arguments() {
        let Some(name) = argument.get_env().and_then(|name| name.to_str()) else { continue };
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let option = argument.get_long().unwrap_or_default();
        // None of our options has several.
        let default = argument.get_default_values().first();
        let default = default.map_or_else(|| "not set".to_owned(), |value| format!("`{}`", value.display()));
        rows.entry(name.to_owned()).or_insert_with(|| format!("| `{name}` | `--{option}` | {help} | {default} |"));
    }
    for sub in command.get_subcommands() {
        options(sub, rows);
    }
}
