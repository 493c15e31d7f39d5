//! One session of a consumer: from the topology to the last acknowledgement.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use contracts::CloudEvent;
use futures_util::StreamExt;
use futures_util::future::{join3, try_join_all};
use kit::CancellationToken;
use lapin::Channel;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::Worker;
use super::lane::Incoming;
use crate::backoff::Backoff;
use crate::error::deadline;
use crate::{Error, metrics, topology};

const ASK: Duration = Duration::from_secs(10);
/// Handlers that are still at work this long after the stop are left to the next delivery of their message.
const DRAIN: Duration = Duration::from_secs(25);
const MEASURE_EVERY: Duration = Duration::from_secs(5);

impl Worker {
    /// Consumes until `stop` (which is `Ok`) or until something fails.
    pub(super) async fn session(&self, stop: &CancellationToken) -> Result<(), Error> {
        if !self.healthy(stop).await {
            return Ok(());
        }
        let spec = &self.consumer.spec;
        let broker = &self.consumer.broker;
        let channel = broker.consuming_channel().await?;
        topology::consumer(&channel, broker.names(), spec.queue, &self.consumer.handlers.keys()).await?;
        for former in &self.consumer.former {
            topology::unbind(&channel, broker.names(), spec.queue, contracts::routing_key(former)).await?;
        }
        deadline("basic.qos", ASK, channel.basic_qos(spec.prefetch, BasicQosOptions::default())).await?;
        let deliveries = self.consume(&channel).await?;
        tracing::info!(queue = spec.queue, "Consuming");

        // Ends with the session, whoever ends it: the stop, the broker, or a lane that cannot go on.
        let ending = stop.child_token();
        let (senders, lanes): (Vec<_>, Vec<_>) =
            (0..spec.concurrency.clamp(1, spec.prefetch.max(1).into())).map(|_| unbounded_channel()).unzip();
        let reading = async {
            let read = self.read(deliveries, &senders, &ending).await;
            ending.cancel();
            drop(senders);
            let tag = broker.names().queue(spec.queue)?;
            if channel.status().connected() {
                let cancelled = channel.basic_cancel(tag, BasicCancelOptions::default());
                deadline("basic.cancel", ASK, cancelled).await?;
            }
            read
        };
        let working = async {
            let work = try_join_all(lanes.into_iter().map(|lane| self.work(lane, &ending)));
            let late = async {
                ending.cancelled().await;
                tokio::time::sleep(DRAIN).await;
            };
            tokio::select! {
                done = work => done.map(drop),
                () = late => Ok(()),
            }
        };
        let (read, worked, ()) = join3(reading, working, self.measure(&ending)).await;
        if channel.status().connected() {
            // The answer to the close comes after every acknowledgement before it was taken; what is left goes back.
            deadline("channel.close", ASK, channel.close(200, "done".into())).await?;
        }
        worked.and(read)
    }

    async fn consume(&self, channel: &Channel) -> Result<lapin::Consumer, Error> {
        let queue = self.consumer.broker.names().queue(self.consumer.spec.queue)?;
        let consumed =
            channel.basic_consume(queue.clone(), queue, BasicConsumeOptions::default(), FieldTable::default());
        deadline("basic.consume", ASK, consumed).await
    }

    /// Hands each delivery to the lane of its subject.
    async fn read(
        &self,
        mut deliveries: lapin::Consumer,
        lanes: &[UnboundedSender<Incoming>],
        ending: &CancellationToken,
    ) -> Result<(), Error> {
        while let Some(delivery) = ending.run_until_cancelled(deliveries.next()).await {
            let message = delivery.ok_or_else(|| Error::ConsumerEnded(self.consumer.spec.queue.to_owned()))??;
            let event = CloudEvent::from_json(&message.data).map(Arc::new);
            let mut hasher = DefaultHasher::new();
            event.as_ref().ok().map(|event| &event.subject).hash(&mut hasher);
            let lane = hasher.finish() % u64::try_from(lanes.len()).unwrap_or(1);
            let lane = lanes.get(usize::try_from(lane).unwrap_or(0));
            // The prefetch bounds what can lie in a lane. One that has ended is ending the session.
            lane.and_then(|lane| lane.send(Incoming { message, event }).ok());
        }
        Ok(())
    }

    /// Waits until everything this consumer depends on is well; false when `stop` came first.
    pub(super) async fn healthy(&self, stop: &CancellationToken) -> bool {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
        for dependency in &self.consumer.dependencies {
            loop {
                match stop.run_until_cancelled(dependency.check()).await {
                    None => return false,
                    Some(Ok(())) => break,
                    Some(Err(error)) => tracing::warn!(
                        queue = self.consumer.spec.queue,
                        dependency = dependency.name(),
                        error,
                        "A consumer waits for what it depends on"
                    ),
                }
                if !backoff.wait(stop).await {
                    return false;
                }
            }
        }
        !stop.is_cancelled()
    }

    /// Keeps the gauges of queue lengths up to date; a broker that does not answer leaves them as they are.
    async fn measure(&self, ending: &CancellationToken) {
        let mut interval = tokio::time::interval(MEASURE_EVERY);
        while ending.run_until_cancelled(interval.tick()).await.is_some() {
            if let Some(Err(error)) = ending.run_until_cancelled(self.measure_once()).await {
                tracing::debug!(%error, "Cannot measure a queue");
            }
        }
    }

    async fn measure_once(&self) -> Result<(), Error> {
        let (broker, queue) = (&self.consumer.broker, self.consumer.spec.queue);
        let channel = broker.consuming_channel().await?;
        let labels = [broker.service(), queue];
        if let Some(depth) = topology::depth(&channel, broker.names().queue(queue)?).await? {
            metrics::CONSUMER_LAG.with_label_values(&labels).set(depth.into());
        }
        if let Some(depth) = topology::depth(&channel, broker.names().dead(queue)?).await? {
            metrics::DEAD_LETTERS.with_label_values(&labels).set(depth.into());
        }
        Ok(())
    }
}
