//! `brainops dlq`: messages that no consumer could handle.

use clap::Subcommand;
use events::dlq;

use crate::{broker::Where, progress::say};

/// Every consumer's queue in this system; AMQP cannot enumerate them.
const QUEUES: [&str; 3] = [auth::events::USERS_QUEUE, users::AUTH_QUEUE, ai::USERS_QUEUE];

#[derive(Subcommand)]
pub enum Command {
    /// How many dead letters each consumer has
    List {
        #[command(flatten)]
        place: Where,
    },
    /// The dead letters of a consumer, oldest first, as JSON
    Show {
        /// The consumer's queue, such as users.auth
        queue: String,
        /// How many at most
        #[arg(long, default_value_t = 20)]
        limit: usize,
        #[command(flatten)]
        place: Where,
    },
    /// Send dead letters back to their consumer with all attempts before them
    Redrive {
        /// The consumer's queue, such as users.auth
        queue: String,
        /// One event's id; all of them when absent
        #[arg(long)]
        id: Option<String>,
        #[command(flatten)]
        place: Where,
    },
    /// Delete one dead letter for good, and print it
    Drop {
        /// The consumer's queue, such as users.auth
        queue: String,
        /// The event's id
        id: String,
        #[command(flatten)]
        place: Where,
    },
}

pub async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::List { place } => {
            for found in dlq::list(&place.broker()?, &QUEUES).await? {
                match found.messages {
                    Some(messages) => say(format_args!("{messages:>7}  {}", found.queue)),
                    None => say(format_args!("      -  {} (no such queue yet)", found.queue)),
                }
            }
        }
        Command::Show { queue, limit, place } => {
            let letters = dlq::show(&place.broker()?, &queue, limit).await?;
            say(format_args!("{}", serde_json::to_string_pretty(&letters)?));
        }
        Command::Redrive { queue, id, place } => {
            let moved = dlq::redrive(&place.broker()?, &queue, id.as_deref()).await?;
            say(format_args!("{moved} sent back to {queue}"));
        }
        Command::Drop { queue, id, place } => {
            let letter = dlq::drop(&place.broker()?, &queue, &id).await?;
            say(format_args!("{}", serde_json::to_string_pretty(&letter)?));
        }
    }
    Ok(())
}
