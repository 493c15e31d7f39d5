//! Watching events go by: `brainops events tail` and the recorder of the tests.

use contracts::CloudEvent;
use kit::CancellationToken;
use tokio::sync::mpsc::{Receiver, channel};
use tokio_util::sync::DropGuard;

use crate::broadcast::Transient;
use crate::session::forever;
use crate::{Broker, Error};

/// Events in hand that the watcher has not taken yet; past that the broker keeps them.
const BUFFER: usize = 1_000;

/// Every event whose routing key fits a pattern, from the moment [`open`](Self::open) returned, in the order in which the
/// broker routed them. It takes nothing from any consumer.
///
/// It comes back by itself after the broker was away, but what was published in between it does not see.
pub struct Tail {
    events: Receiver<CloudEvent>,
    _watching: DropGuard,
}

impl Tail {
    /// Binds `patterns` of routing keys, such as `users.*.v1` or `#`.
    pub async fn open(broker: &Broker, patterns: &[&str]) -> Result<Self, Error> {
        let keys: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        let mut first = Some(Transient::open(broker, "tail", &keys).await?);
        let (sender, events) = channel(BUFFER);
        let watching = CancellationToken::new();
        let (broker, stop) = (broker.clone(), watching.clone());
        kit::tasks::spawn("events.tail", async move {
            let first = std::sync::Mutex::new(first.take());
            forever("tail", broker.service(), &stop, async || {
                let opened = first.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
                let mut transient = match opened {
                    Some(opened) => opened,
                    None => Transient::open(&broker, "tail", &keys).await?,
                };
                while let Some(event) = stop.run_until_cancelled(transient.next()).await {
                    let event = event?;
                    if stop.run_until_cancelled(sender.send(event)).await.is_none_or(|sent| sent.is_err()) {
                        break;
                    }
                }
                Ok(())
            })
            .await;
        });
        Ok(Self { events, _watching: watching.drop_guard() })
    }

    /// The next event. `None` only when the runtime is going down.
    pub async fn next(&mut self) -> Option<CloudEvent> {
        self.events.recv().await
    }
}
