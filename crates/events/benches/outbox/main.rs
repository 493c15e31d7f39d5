//! The way of an event from the outbox to a consumer, against the best that plain confirmed publishing does on the same
//! broker in the same run. `scripts/bench/outbox.sh` runs this and reports.
//!
//! Each round measures, one after the other and with the same payloads:
//! - **raw**: messages made beforehand, published with confirms to a bound quorum queue, with as many in flight
//!   as was fastest of [`WINDOWS`] before the rounds;
//! - **relay**: a backlog in the outbox, from the start of the relay to the deletion of the last row, nobody consuming;
//! - **consumer**: the queue full of that, from the start of the consumer to its last effect, each with its inbox row in a
//!   transaction of its own;
//! - **path**: another backlog, relay and consumer at the same time, from the start of the relay to the last effect.
//!
//! Then latency while nothing else happens: one event at a time, from just before its COMMIT is sent to the call of the
//! handler; with the relay in the process that commits, and with the relay in another replica, which learns by NOTIFY.
//!
//! PostgreSQL and RabbitMQ are private and keep what they confirm: fsync is on in both.

mod raw;
mod world;

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::json;
use tokio::sync::mpsc::UnboundedReceiver;

use raw::Raw;
use world::{Effect, World};

/// Raw messages without a confirmation at any time; the relay has 1000.
const WINDOWS: [usize; 4] = [250, 1000, 4000, 16_000];
/// What one step may take.
const PATIENCE: Duration = Duration::from_mins(2);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [out, rounds, events, samples] = arguments.as_slice() else {
        bail!("usage: outbox RESULT.json ROUNDS EVENTS SAMPLES");
    };
    let (rounds, events, samples): (u32, usize, usize) = (rounds.parse()?, events.parse()?, samples.parse()?);
    let world = World::new().await?;
    let raw = Raw::open(&world.amqp_url, world.messages(events)?).await?;
    let window = fastest_window(&raw).await?;
    let mut measured = Vec::new();
    // The first round warms up and is thrown away.
    for turn in 0..=rounds {
        let round = json!({
            "raw": rate(events, raw.publish(window).await?),
            "relay": rate(events, relay_backlog(&world, events).await?),
            "consumer": rate(events, consume_backlog(&world, events).await?),
            "path": rate(events, whole_path(&world, events).await?),
        });
        tracing::info!(turn, %round, "Measured a round");
        if turn > 0 {
            measured.push(round);
        }
    }
    let result = json!({
        "events": events,
        "window": window,
        "body_bytes": raw.body_bytes(),
        "rounds": measured,
        "latency_ms": {
            "same_process": latency(&world, &world.db, samples).await?,
            "other_replica": latency(&world, &world.replica, samples).await?,
        },
        "versions": { "postgresql": world.postgres_version().await?, "rabbitmq": world.rabbitmq_version()? },
    });
    world.check().await?;
    std::fs::write(out, serde_json::to_vec_pretty(&result)?).with_context(|| format!("cannot write {out}"))
}

/// Of two turns each, the second time counts.
async fn fastest_window(raw: &Raw) -> anyhow::Result<usize> {
    let mut fastest = (Duration::MAX, 0);
    for warm in [false, true] {
        for window in WINDOWS {
            let elapsed = raw.publish(window).await?;
            tracing::info!(window, elapsed_ms = elapsed.as_millis(), "Published raw messages");
            if warm {
                fastest = fastest.min((elapsed, window));
            }
        }
    }
    Ok(fastest.1)
}

async fn relay_backlog(world: &World, events: usize) -> anyhow::Result<Duration> {
    world.declare_queue().await?;
    world.append(events).await?;
    let begun = Instant::now();
    let relay = world.relay();
    world.outbox_is_empty().await?;
    let elapsed = begun.elapsed();
    relay.stop().await?;
    Ok(elapsed)
}

async fn consume_backlog(world: &World, events: usize) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let (consumer, mut effects) = world.consumer();
    take(&mut effects, events).await?;
    let elapsed = begun.elapsed();
    consumer.stop().await?;
    Ok(elapsed)
}

async fn whole_path(world: &World, events: usize) -> anyhow::Result<Duration> {
    world.append(events).await?;
    let (consumer, mut effects) = world.consumer();
    let begun = Instant::now();
    let relay = world.relay();
    take(&mut effects, events).await?;
    let elapsed = begun.elapsed();
    world.outbox_is_empty().await?;
    relay.stop().await?;
    consumer.stop().await?;
    Ok(elapsed)
}

/// Waits for `count` effects and gives the last.
async fn take(effects: &mut UnboundedReceiver<Effect>, count: usize) -> anyhow::Result<Option<Effect>> {
    tokio::time::timeout(PATIENCE, async {
        let mut last = None;
        for _ in 0..count {
            last = Some(effects.recv().await.context("the consumer ended")?);
        }
        Ok(last)
    })
    .await?
}

/// Events committed through `committing`, one at a time; the relay runs beside `world.db`.
async fn latency(world: &World, committing: &db::Db, samples: usize) -> anyhow::Result<serde_json::Value> {
    let (consumer, mut effects) = world.consumer();
    let relay = world.relay();
    let (mut handled, mut effective) = (Vec::new(), Vec::new());
    // The first ones find connections and caches that are not there yet.
    let warm_up = samples / 10;
    for sample in 0..warm_up + samples {
        // Not a multiple of anything that polls.
        tokio::time::sleep(Duration::from_millis(15) + Duration::from_micros(sample as u64 * 7919 % 20_000)).await;
        let (id, committing) = world.change(committing).await?;
        let effect = take(&mut effects, 1).await?.context("no effect")?;
        ensure!(effect.id == id, "another event came first");
        if sample >= warm_up {
            handled.push(effect.handled.duration_since(committing));
            effective.push(effect.committed.duration_since(committing));
        }
    }
    relay.stop().await?;
    consumer.stop().await?;
    Ok(json!({ "samples": samples, "to_handler": quantiles(handled), "to_effect": quantiles(effective) }))
}

fn quantiles(mut latencies: Vec<Duration>) -> serde_json::Value {
    latencies.sort_unstable();
    let at = |percent: usize| {
        let index = (latencies.len() * percent / 100).min(latencies.len().saturating_sub(1));
        latencies.get(index).map(|latency| (latency.as_secs_f64() * 1e6).round() / 1e3)
    };
    json!({ "min": at(0), "p50": at(50), "p90": at(90), "p99": at(99), "max": at(100) })
}

/// Events a second.
#[expect(clippy::cast_precision_loss, reason = "a count of events")]
fn rate(events: usize, elapsed: Duration) -> f64 {
    (events as f64 / elapsed.as_secs_f64()).round()
}
