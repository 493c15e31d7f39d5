//! Configuration from the environment. Reading **is** documentation: each call names the variable, says what it is for
//! and gives its default, and the same calls write `docs/configuration.md`.
//!
//! Reading never fails on the spot. [`Env`] collects every problem and [`Env::finish`] gives them in one message, so
//! that a wrong deployment is mended in one round.

mod common;
mod doc;
mod value;

use std::collections::BTreeMap;
use std::fmt;

pub use common::{Environment, HttpSettings, IdentitySettings, TelemetrySettings};
pub use doc::{Variable, describe, table};
pub use value::{Millis, Value};

use crate::Secret;

/// What a part of the system reads from the environment.
pub trait Settings: Sized + Send + Sync + 'static {
    /// Reads every variable, whether or not an earlier one was wrong. The result may only be used after
    /// [`Env::finish`] agreed.
    fn read(env: &mut Env) -> Self;
}

/// For a service that reads nothing of its own.
impl Settings for () {
    fn read(_env: &mut Env) {}
}

/// The environment, what was asked of it, and what was wrong with it.
pub struct Env {
    values: BTreeMap<String, String>,
    asked: Vec<Variable>,
    problems: Vec<Problem>,
}

impl Env {
    /// The process environment. Outside production a file `.env` in the working directory adds what is not set.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn from_process() -> Self {
        // What is not UTF-8 becomes unreadable text, which then fails its own check under its own name.
        let values: BTreeMap<_, _> = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect();
        let mut env = Self::from_map(values);
        if env.values.get(Environment::NAME).is_none_or(|name| name != "production") {
            env.add_file(".env");
        }
        env
    }

    /// Exactly these variables; for tests and for the binary that runs every service.
    pub fn from_map(values: BTreeMap<String, String>) -> Self {
        Self { values, asked: Vec::new(), problems: Vec::new() }
    }

    /// The variables as they were given, to derive the environment of another service from.
    pub fn values(&self) -> &BTreeMap<String, String> {
        &self.values
    }

    fn add_file(&mut self, path: &str) {
        let Ok(lines) = dotenvy::from_path_iter(path) else { return };
        for line in lines {
            match line {
                Ok((name, value)) => {
                    self.values.entry(name).or_insert(value);
                }
                Err(error) => {
                    // The parser's message quotes the line, which may hold a secret: only where, not what.
                    let at = match error {
                        dotenvy::Error::LineParse(_, at) => format!("a line with a mistake near its character {at}"),
                        _ => "a file that cannot be read".to_owned(),
                    };
                    self.problems.push(Problem {
                        name: path.to_owned(),
                        found: at,
                        expected: "lines of NAME=value, with quotes around a value that has spaces".into(),
                    });
                    return;
                }
            }
        }
    }

    /// A variable that must be set. `example` goes into the documentation.
    pub fn required<T: Value>(&mut self, name: &'static str, help: &'static str, example: &'static str) -> T {
        self.ask::<T>(Variable { example: Some(example), required: true, ..Variable::new(name, help) });
        self.read(name, false).unwrap_or_else(|| {
            self.missing::<T>(name, Some(example));
            T::placeholder()
        })
    }

    /// A variable that may be absent.
    pub fn optional<T: Value>(&mut self, name: &'static str, help: &'static str) -> Option<T> {
        self.ask::<T>(Variable::new(name, help));
        self.read(name, false)
    }

    /// A variable with a default, written as it would be in the environment.
    pub fn or<T: Value>(&mut self, name: &'static str, help: &'static str, default: &'static str) -> T {
        self.ask::<T>(Variable { default: Some(default), ..Variable::new(name, help) });
        if let Some(value) = self.read(name, false) {
            return value;
        }
        T::parse(default).unwrap_or_else(|expected| {
            self.problems.push(Problem { name: name.to_owned(), found: format!("the default {default:?}"), expected });
            T::placeholder()
        })
    }

    /// A secret that must be set. Its value appears in no message.
    pub fn secret(&mut self, name: &'static str, help: &'static str) -> Secret<String> {
        Secret::new(self.secret_of(name, help))
    }

    /// A secret that may be absent.
    pub fn optional_secret(&mut self, name: &'static str, help: &'static str) -> Option<Secret<String>> {
        self.ask::<String>(Variable { secret: true, ..Variable::new(name, help) });
        self.read(name, true).map(Secret::new)
    }

    /// A required secret with a form of its own, such as a [`Keyring`](crate::seal::Keyring). `T` must not print it.
    pub fn secret_of<T: Value>(&mut self, name: &'static str, help: &'static str) -> T {
        self.ask::<T>(Variable { required: true, secret: true, ..Variable::new(name, help) });
        self.read(name, true).unwrap_or_else(|| {
            self.missing::<T>(name, None);
            T::placeholder()
        })
    }

    /// Records that values which are fine alone do not go together, or that one is unfit in production.
    /// `found` must not hold a secret.
    pub fn refuse(&mut self, name: &'static str, found: impl Into<String>, expected: impl Into<String>) {
        self.problems.push(Problem { name: name.to_owned(), found: found.into(), expected: expected.into() });
    }

    /// Ok when every variable read so far was right; otherwise all that were not.
    pub fn finish(self) -> Result<(), ConfigErrors> {
        if self.problems.is_empty() { Ok(()) } else { Err(ConfigErrors(self.problems)) }
    }

    /// An empty value counts as absent: that is what `NAME=${UNSET}` in a compose file gives.
    fn read<T: Value>(&mut self, name: &'static str, secret: bool) -> Option<T> {
        let raw = self.values.get(name).filter(|raw| !raw.is_empty())?;
        match T::parse(raw) {
            Ok(value) => Some(value),
            Err(expected) => {
                let found =
                    if secret { "a value that does not fit (not shown)".to_owned() } else { format!("{raw:?}") };
                self.problems.push(Problem { name: name.to_owned(), found, expected });
                // Reported once: a required variable with a wrong value is not missing as well.
                Some(T::placeholder())
            }
        }
    }

    fn missing<T: Value>(&mut self, name: &'static str, example: Option<&str>) {
        let example = example.map(|example| format!(", for example {example}")).unwrap_or_default();
        self.problems.push(Problem {
            name: name.to_owned(),
            found: "nothing".into(),
            expected: format!("{}{example}", T::EXPECTED),
        });
    }

    fn ask<T: Value>(&mut self, mut variable: Variable) {
        if !self.asked.iter().any(|known| known.name == variable.name) {
            variable.form = T::EXPECTED;
            self.asked.push(variable);
        }
    }
}

/// Names only: the values hold secrets.
impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env")
            .field("set", &self.values.keys().collect::<Vec<_>>())
            .field("problems", &self.problems)
            .finish_non_exhaustive()
    }
}

/// One thing wrong with the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    name: String,
    found: String,
    expected: String,
}

/// Every variable that stops the start, in one message.
#[derive(Clone, Debug, thiserror::Error)]
pub struct ConfigErrors(Vec<Problem>);

impl ConfigErrors {
    /// The names of the variables, in the order they were read.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|problem| problem.name.as_str())
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, plural) = (self.0.len(), if self.0.len() == 1 { "" } else { "s" });
        write!(f, "The configuration has {n} problem{plural}:")?;
        for Problem { name, found, expected } in &self.0 {
            write!(f, "\n  {name}: found {found}; expected {expected}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
