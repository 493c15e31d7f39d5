//! What becomes of a message after its handler: acknowledged, sent to wait, or sent to the dead.
//!
//! A message leaves its queue only after a copy of it is confirmed elsewhere. Between the two a crash makes a duplicate,
//! never a loss.

use std::time::Duration;

use kit::CancellationToken;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicRejectOptions};

use super::Worker;
use super::lane::{Reason, Verdict};
use crate::backoff::Backoff;
use crate::broker::chain;
use crate::wire::{self, Attempt};
use crate::{Error, metrics, topology};

impl Worker {
    pub(super) async fn settle(
        &self,
        message: &Delivery,
        event_type: &str,
        attempt: u32,
        verdict: Verdict,
        ending: &CancellationToken,
    ) -> Result<(), Error> {
        let outcome = match verdict {
            Verdict::Done => {
                acknowledge(message).await;
                "done"
            }
            Verdict::GivenBack => "given_back",
            Verdict::Retry { error } => match self.delay_after(attempt) {
                Some(delay) => {
                    tracing::warn!(error, delay_ms = delay.as_millis(), "An event failed and will be tried again");
                    if self.postpone(message, attempt, &error, delay, ending).await? {
                        acknowledge(message).await;
                        "retried"
                    } else {
                        "given_back"
                    }
                }
                None => self.bury(message, attempt, Reason::AttemptsUsedUp, &error).await?,
            },
            Verdict::Dead { reason, error } => self.bury(message, attempt, reason, &error).await?,
        };
        // A type nobody here knows comes from outside; as a label it could be anything.
        let label = if self.consumer.handlers.knows(event_type) { event_type } else { "unknown" };
        let labels = [self.consumer.broker.service(), self.consumer.spec.queue, label, outcome];
        metrics::CONSUMED.with_label_values(&labels).inc();
        Ok(())
    }

    fn delay_after(&self, attempt: u32) -> Option<Duration> {
        let index = usize::try_from(attempt.checked_sub(1)?).ok()?;
        self.consumer.spec.delays.get(index).copied()
    }

    /// Puts a copy into the delay queue; false when the session ended before that worked.
    ///
    /// While the broker takes no messages the copy is tried again here: giving the message back would bring it round at
    /// once, and each round counts against its delivery limit.
    async fn postpone(
        &self,
        message: &Delivery,
        attempt: u32,
        error: &str,
        delay: Duration,
        ending: &CancellationToken,
    ) -> Result<bool, Error> {
        let mut properties = self.failed(message, attempt, error)?;
        let mut headers = wire::headers(&properties);
        headers.insert(wire::ATTEMPT.into(), wire::number(attempt + 1));
        properties = properties.with_headers(headers);
        let mut backoff = Backoff::reconnect();
        loop {
            match self.send_to_delay(message, &properties, delay).await {
                Ok(()) => return Ok(true),
                Err(error) => tracing::warn!(error = chain(&error), "Cannot postpone a message yet"),
            }
            if !backoff.wait(ending).await {
                return Ok(false);
            }
        }
    }

    async fn send_to_delay(
        &self,
        message: &Delivery,
        properties: &BasicProperties,
        delay: Duration,
    ) -> Result<(), Error> {
        let (broker, queue) = (&self.consumer.broker, self.consumer.spec.queue);
        let target = broker.names().delay(queue, delay)?;
        match self.direct.send(&target, &message.data, properties.clone()).await {
            Err(Error::NoQueue(_)) => {
                topology::delay(&broker.publishing_channel().await?, broker.names(), queue, delay).await?;
                self.direct.send(&target, &message.data, properties.clone()).await
            }
            sent => sent,
        }
    }

    /// Puts a copy with the reason into the dead-letter queue. When that fails the broker does it without a reason.
    async fn bury(&self, message: &Delivery, attempt: u32, reason: Reason, error: &str) -> Result<&'static str, Error> {
        let (broker, queue) = (&self.consumer.broker, self.consumer.spec.queue);
        let properties = self.failed(message, attempt, error)?;
        let mut headers = wire::headers(&properties);
        headers.insert(wire::REASON.into(), wire::text(reason.as_str()));
        headers.insert(wire::DEAD_AT.into(), wire::moment(broker.core().clock.now()));
        tracing::error!(reason = reason.as_str(), error, "A message went to the dead letters");
        let dead = broker.names().dead(queue)?;
        match self.direct.send(&dead, &message.data, properties.with_headers(headers)).await {
            Ok(()) => acknowledge(message).await,
            Err(error) => {
                tracing::warn!(error = chain(&error), "The broker must bury a message itself");
                let rejected = message.reject(BasicRejectOptions { requeue: false }).await;
                note(rejected);
            }
        }
        metrics::DEAD_LETTERS.with_label_values(&[broker.service(), queue]).inc();
        Ok("dead")
    }

    /// The message's properties with this failure added to its history.
    fn failed(&self, message: &Delivery, attempt: u32, error: &str) -> Result<BasicProperties, Error> {
        let at = self.consumer.broker.core().clock.now();
        let headers = wire::without(&wire::headers(&message.properties), wire::is_broker_header);
        let headers = wire::with_attempt(headers, Attempt { attempt, at, error: wire::summary(error) })?;
        Ok(message.properties.clone().with_headers(headers))
    }
}

async fn acknowledge(message: &Delivery) {
    note(message.ack(BasicAckOptions::default()).await);
}

/// A lost channel brings the message round again; the inbox knows it then. The reader of the channel ends the session.
fn note(settled: lapin::Result<bool>) {
    if let Err(error) = settled {
        tracing::debug!(%error, "Could not settle a message");
    }
}
