//! Chores of this repository that need more than a shell line: `cargo xtask <verb>`.
//!
//! Depends on nothing heavy and on none of our own crates, so it builds in seconds and can repair a tree that does not
//! compile. Verbs with `--check` change nothing and fail when the committed files differ from what they would write.
#![expect(clippy::print_stdout, reason = "a command line tool talks on stdout")]

mod arrows;
mod codegen;
mod drift;
mod errors;
mod new_service;
mod openapi;
mod services;
mod sizes;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Chores of this repository")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Generate Rust types, the AsyncAPI document and the catalogue in docs/events.md from proto/.
    Codegen {
        /// Change nothing; fail when a committed file is out of date.
        #[arg(long)]
        check: bool,
    },
    /// Check who may depend on whom (docs/architecture.md, "Arrows").
    Arrows,
    /// Write services/<name>/openapi.json from what the built services say.
    Openapi {
        /// Change nothing; fail when a committed file is out of date.
        #[arg(long)]
        check: bool,
    },
    /// List the error codes of all services; each needs a page docs/errors/<code>.md.
    Errors {
        /// Fail when a code has no page, a page no code, or two services disagree about a code.
        #[arg(long)]
        check: bool,
    },
    /// List hand-written Rust files of more than 600 lines.
    Sizes,
    /// Stamp a new service with one example noun and add it to the workspace.
    NewService {
        /// Its name: one word in lower case, also its schema and the first part of its event types.
        name: String,
        /// The noun of its example: one word in lower case, in the singular.
        #[arg(long, default_value = "note")]
        noun: String,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> anyhow::Result<()> {
    let root = workspace::root();
    match verb {
        Verb::Codegen { check } => drift::settle(&root, &codegen::generate(&root)?, check, "cargo xtask codegen"),
        Verb::Arrows => arrows::check(&root),
        Verb::Openapi { check } => drift::settle(&root, &openapi::generate(&root)?, check, "cargo xtask openapi"),
        Verb::Errors { check } => errors::list(&root, check),
        Verb::Sizes => sizes::report(&root),
        Verb::NewService { name, noun } => new_service::run(&root, &name, &noun),
    }
}
