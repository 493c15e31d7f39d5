//! Handling one message after the other.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use contracts::{CloudEvent, EnvelopeError};
use futures_util::FutureExt;
use kit::CancellationToken;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;
use tracing::Instrument;

use super::Worker;
use crate::backoff::Backoff;
use crate::broker::chain;
use crate::delivery::Handled;
use crate::{Error, Failure, metrics, wire};

/// RabbitMQ takes a message back after 30 minutes without an acknowledgement, and the channel with it. Before that the
/// session ends by itself, and the next one begins only when the dependencies are well.
const PAUSE_LIMIT: Duration = Duration::from_mins(15);

/// A message in a lane.
pub(super) struct Incoming {
    pub(super) message: lapin::message::Delivery,
    pub(super) event: Result<Arc<CloudEvent>, EnvelopeError>,
}

/// What is to become of a message.
pub(super) enum Verdict {
    /// Its effect happened.
    Done,
    /// Another attempt later.
    Retry { error: String },
    /// None ever.
    Dead { reason: Reason, error: String },
    /// Nothing was decided; it goes back to the queue with the end of the session.
    GivenBack,
}

/// Why a message is dead; the value of the header `x-brainops-reason`.
#[derive(Clone, Copy)]
pub(super) enum Reason {
    Failed,
    AttemptsUsedUp,
    UnknownType,
    Undecodable,
}

impl Reason {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::AttemptsUsedUp => "attempts_used_up",
            Self::UnknownType => "unknown_type",
            Self::Undecodable => "undecodable",
        }
    }
}

impl Worker {
    /// Works off one lane. An error ends the session.
    pub(super) async fn work(
        &self,
        mut lane: UnboundedReceiver<Incoming>,
        ending: &CancellationToken,
    ) -> Result<(), Error> {
        while let Some(incoming) = lane.recv().await {
            if ending.is_cancelled() {
                break;
            }
            if let Err(error) = self.one(incoming, ending).await {
                ending.cancel();
                return Err(error);
            }
        }
        Ok(())
    }

    async fn one(&self, Incoming { message, event }: Incoming, ending: &CancellationToken) -> Result<(), Error> {
        let attempt = wire::attempt(&wire::headers(&message.properties));
        let queue = self.consumer.spec.queue;
        match event {
            Ok(event) => {
                let span = tracing::info_span!(
                    "consume",
                    otel.kind = "consumer",
                    messaging.system = "rabbitmq",
                    messaging.destination.name = queue,
                    event.id = %event.id,
                    event.r#type = event.event_type,
                    attempt,
                );
                if let Some(traceparent) = &event.traceparent {
                    kit::telemetry::continue_trace(&span, traceparent);
                }
                async {
                    let verdict = self.judge(&event, attempt, ending).await?;
                    self.settle(&message, &event.event_type, attempt, verdict, ending).await
                }
                .instrument(span)
                .await
            }
            Err(error) => {
                let verdict = Verdict::Dead { reason: Reason::Undecodable, error: chain(&error) };
                self.settle(&message, "", attempt, verdict, ending).await
            }
        }
    }

    /// Calls the handler, again and again while it answers that a dependency is down.
    async fn judge(&self, event: &Arc<CloudEvent>, attempt: u32, ending: &CancellationToken) -> Result<Verdict, Error> {
        let clock = &self.consumer.broker.core().clock;
        let labels = [self.consumer.broker.service(), self.consumer.spec.queue];
        if attempt == 1 {
            let age = (clock.now() - event.time).as_seconds_f64();
            metrics::EVENT_AGE.with_label_values(&labels).observe(age.max(0.0));
        }
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
        let begun = Instant::now();
        loop {
            let call = self.consumer.handlers.call(Arc::clone(event), attempt, clock.now());
            let failure = match AssertUnwindSafe(call).catch_unwind().await {
                Ok(Handled::Answered(Ok(()))) => return Ok(Verdict::Done),
                Ok(Handled::Answered(Err(failure))) => failure,
                Ok(Handled::Undecodable(error)) => {
                    return Ok(Verdict::Dead { reason: Reason::Undecodable, error: chain(&error) });
                }
                Ok(Handled::Unknown) if self.consumer.former.contains(&event.event_type.as_str()) => {
                    return Ok(Verdict::Done);
                }
                Ok(Handled::Unknown) => {
                    let error = format!("this consumer has no handler for `{}`", event.event_type);
                    return Ok(Verdict::Dead { reason: Reason::UnknownType, error });
                }
                Err(panic) => Failure::Retry(anyhow!("the handler panicked: {}", kit::tasks::panic_message(&*panic))),
            };
            let error = match failure {
                Failure::Retry(error) => return Ok(Verdict::Retry { error: format!("{error:#}") }),
                Failure::Fail(error) => {
                    return Ok(Verdict::Dead { reason: Reason::Failed, error: format!("{error:#}") });
                }
                Failure::Pause(error) => error,
            };
            tracing::warn!(error = format!("{error:#}"), "A dependency is down, the message waits in hand");
            if begun.elapsed() > PAUSE_LIMIT {
                return Err(Error::Paused(self.consumer.spec.queue.to_owned()));
            }
            let paused = metrics::PAUSED.with_label_values(&labels);
            paused.inc();
            let well = backoff.wait(ending).await && self.healthy(ending).await;
            paused.dec();
            if !well {
                return Ok(Verdict::GivenBack);
            }
        }
    }
}
