//! Chores of this repository that need more than a shell line: `cargo xtask <verb>`.
//!
//! Depends on nothing heavy and on none of our own crates, so it builds in seconds and can repair a tree that does not
//! compile. Verbs with `--check` change nothing and fail when the committed files differ from what they would write.
#![expect(clippy::print_stdout, reason = "a command line tool talks on stdout")]

mod codegen;
mod drift;
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
    }
}
