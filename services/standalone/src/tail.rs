//! `brainops events tail`: what happens, as it happens.

use clap::Subcommand;
use contracts::CloudEvent;
use events::Tail;

use crate::{broker::Where, progress::say, signals::Signals};

#[derive(Subcommand)]
pub enum Command {
    /// Print events from now on until Ctrl-C, one line each
    Tail {
        /// Routing key pattern: `users.*.v1`, `auth.#`; everything when absent
        #[arg(long = "type", default_value = "#")]
        pattern: String,
        /// The whole event as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Where,
    },
    /// Print the address of the broker, for a consumer of your own; it holds a password
    Url {
        #[command(flatten)]
        place: Where,
    },
}

pub async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Tail { pattern, json, place } => tail(&pattern, json, &place).await,
        Command::Url { place } => {
            say(format_args!("{}", place.url()?));
            Ok(())
        }
    }
}

#[expect(clippy::print_stderr, reason = "standard output is for events")]
async fn tail(pattern: &str, json: bool, place: &Where) -> anyhow::Result<()> {
    let broker = place.broker()?;
    let mut signals = Signals::new()?;
    let mut tail = Tail::open(&broker, &[pattern]).await?;
    eprintln!("Waiting for {pattern}; Ctrl-C ends it.");
    loop {
        let event = tokio::select! {
            event = tail.next() => event,
            () = signals.next() => return Ok(()),
        };
        let Some(event) = event else { return Ok(()) };
        if json {
            say(format_args!("{}", serde_json::to_string(&event)?));
        } else {
            say(format_args!("{}", line(&event)));
        }
    }
}

fn line(event: &CloudEvent) -> String {
    let time = event.time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    format!("{time}  {}  {} #{}  {}", event.routing_key(), event.subject, event.sequence, event.data)
}
