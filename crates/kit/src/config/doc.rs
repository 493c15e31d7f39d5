//! The documentation side of [`Env`]: what was asked is what there is to set.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Env, Environment, HttpSettings, Settings, TelemetrySettings};
use crate::Service;

/// One variable that a service reads.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Variable {
    /// Its name in the environment.
    pub name: &'static str,
    /// What it is for.
    pub help: &'static str,
    /// What it holds, as a noun phrase.
    pub form: &'static str,
    /// Its value when it is not set.
    pub default: Option<&'static str>,
    /// A value that makes sense.
    pub example: Option<&'static str>,
    /// Whether the start stops without it.
    pub required: bool,
    /// Whether it must be kept from eyes.
    pub secret: bool,
}

impl Variable {
    pub(super) fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help, form: "", default: None, example: None, required: false, secret: false }
    }
}

/// Every variable that service `S` reads, kit's own first.
pub fn describe<S: Service>() -> Vec<Variable> {
    // An empty environment: everything is asked for, and what is missing does not matter here.
    let mut env = Env::from_map(BTreeMap::new());
    Environment::read(&mut env);
    HttpSettings::read(&mut env);
    TelemetrySettings::read(&mut env);
    S::Config::read(&mut env);
    env.asked
}

/// `docs/configuration.md`: one Markdown table over all `services` (name and variables), one row a variable.
pub fn table(services: &[(&str, Vec<Variable>)]) -> String {
    let mut rows: Vec<(&Variable, Vec<&str>)> = Vec::new();
    for (service, variables) in services {
        for variable in variables {
            match rows.iter_mut().find(|(known, _)| known.name == variable.name) {
                Some((_, readers)) => readers.push(service),
                None => rows.push((variable, vec![service])),
            }
        }
    }
    let mut out = String::from("| variable | read by | what it is | default |\n| --- | --- | --- | --- |\n");
    for (variable, readers) in rows {
        let readers = if readers.len() == services.len() { "all".to_owned() } else { readers.join(", ") };
        let default = match (variable.default, variable.example) {
            (Some(default), _) => format!("`{default}`"),
            (None, Some(example)) => format!("**required**, e.g. `{example}`"),
            (None, None) if variable.required => "**required**".to_owned(),
            (None, None) => "not set".to_owned(),
        };
        let secret = if variable.secret { " *Secret.*" } else { "" };
        let help = variable.help.replace('|', "\\|");
        // Writing to a string cannot fail.
        let _ = writeln!(out, "| `{}` | {readers} | {help} ({}){secret} | {default} |", variable.name, variable.form);
    }
    out
}
