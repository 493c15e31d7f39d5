//! What can go wrong between a service and the broker.

use std::time::Duration;

/// Why the broker could not be used.
///
/// Everything in this crate that runs for ever (relay, consumers, broadcasts) treats each of these as "drop the session
/// and start a new one"; they reach a caller only from [`dlq`](crate::dlq) and [`tail`](crate::Tail).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `BRAINOPS_AMQP_URL` is not an AMQP URI.
    #[error("the broker's address is not an AMQP URI: {0}")]
    Address(String),
    /// The broker or the connection to it failed.
    #[error("the broker failed")]
    Broker(#[from] lapin::Error),
    /// The broker did not answer in time.
    #[error("the broker did not answer `{asked}` within {within:?}")]
    Timeout {
        /// What was asked of it.
        asked: &'static str,
        /// How long we waited.
        within: Duration,
    },
    /// The broker blocks publishers (memory or disk alarm).
    #[error("the broker accepts no messages at present (memory or disk alarm)")]
    Blocked,
    /// The broker answered a publish with `basic.nack`: the message is not stored.
    #[error("the broker refused a message")]
    Refused,
    /// A message for one queue came back: the queue does not exist.
    #[error("there is no queue `{0}`")]
    NoQueue(String),
    /// The broker ended a consumer, because its queue was deleted or its node left.
    #[error("the broker ended the consumer of `{0}`")]
    ConsumerEnded(String),
    /// A handler waits for a dependency for so long that its message was given back to the queue.
    #[error("the consumer of `{0}` waits for a dependency")]
    Paused(String),
    /// A name, header or event type does not fit AMQP's 255 bytes.
    #[error("`{0}` is too long for AMQP")]
    TooLong(String),
    /// An event could not be written as JSON.
    #[error("an event could not be encoded")]
    Encode(#[source] serde_json::Error),
    /// The outbox could not be read or written.
    #[error("the outbox failed")]
    Outbox(#[from] db::Error),
    /// No dead letter of the queue has this id.
    #[error("`{queue}` has no dead letter `{id}`")]
    NoDeadLetter {
        /// The consumer's queue.
        queue: String,
        /// The id that was asked for.
        id: String,
    },
}

/// Gives the broker `within` to answer; lapin itself waits for ever.
pub(crate) async fn deadline<T>(
    asked: &'static str,
    within: Duration,
    answer: impl Future<Output = lapin::Result<T>>,
) -> Result<T, Error> {
    match tokio::time::timeout(within, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Error::Timeout { asked, within }),
    }
}
