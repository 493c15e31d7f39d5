//! What a handler is given, and how handlers of different events stand in one table.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use contracts::{CloudEvent, Event, EventId, OrgId, Origin};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use uuid::Uuid;

use crate::Failure;

/// One event on its way to a handler.
///
/// Delivery is at least once: the handler does its work inside `db::inbox::once(conn, queue, delivery.id, ..)`, in the
/// transaction of the effect.
#[derive(Clone, Debug)]
pub struct Delivery<E> {
    /// The event.
    pub event: E,
    /// Names this occurrence; equal for every redelivery.
    pub id: EventId,
    /// The aggregate's id.
    pub subject: String,
    /// The aggregate's version after the change. An older one must not overwrite a newer state.
    pub sequence: i64,
    /// When the change happened.
    pub time: DateTime<Utc>,
    /// The tenant it happened in.
    pub org: Option<OrgId>,
    /// Who caused it.
    pub actor: Option<Uuid>,
    /// 1 on the first delivery, one more after each [`Failure::Retry`].
    pub attempt: u32,
    /// For events that follow from this one: same actor and tenant, this handler's trace, the present.
    pub origin: Origin,
}

/// Handles the event `E`; implemented for every `Fn(Delivery<E>) -> impl Future<Output = Result<(), Failure>>`.
pub trait Handler<E>: Send + Sync + 'static {
    /// Does the work. A panic counts as [`Failure::Retry`].
    fn handle(&self, delivery: Delivery<E>) -> impl Future<Output = Result<(), Failure>> + Send;
}

impl<E, F, Fut> Handler<E> for F
where
    F: Fn(Delivery<E>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Failure>> + Send,
{
    fn handle(&self, delivery: Delivery<E>) -> impl Future<Output = Result<(), Failure>> + Send {
        self(delivery)
    }
}

/// What came of calling a handler.
pub(crate) enum Handled {
    /// The handler ran.
    Answered(Result<(), Failure>),
    /// Its payload is not what its type promises.
    Undecodable(contracts::DecodeError),
    /// Nobody handles this type.
    Unknown,
}

type Erased = Arc<dyn Fn(Arc<CloudEvent>, u32, DateTime<Utc>) -> BoxFuture<'static, Handled> + Send + Sync>;

/// The handlers of one consumer by event type.
#[derive(Clone, Default)]
pub(crate) struct Handlers(BTreeMap<&'static str, Erased>);

impl Handlers {
    /// Adds a handler; the last one of a type counts.
    pub(crate) fn insert<E: Event>(&mut self, handler: impl Handler<E>) {
        let handler = Arc::new(handler);
        let erased: Erased = Arc::new(move |event, attempt, now| {
            let handler = Arc::clone(&handler);
            async move {
                match event.decode::<E>() {
                    Ok(payload) => Handled::Answered(handler.handle(delivery(payload, &event, attempt, now)).await),
                    Err(error) => Handled::Undecodable(error),
                }
            }
            .boxed()
        });
        self.0.insert(E::TYPE, erased);
    }

    /// The routing keys of all types here.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.0.keys().map(|event_type| contracts::routing_key(event_type).to_owned()).collect()
    }

    pub(crate) fn knows(&self, event_type: &str) -> bool {
        self.0.contains_key(event_type)
    }

    /// Calls the handler of the event's type. Dropping the future abandons it like a crash would.
    pub(crate) async fn call(&self, event: Arc<CloudEvent>, attempt: u32, now: DateTime<Utc>) -> Handled {
        match self.0.get(event.event_type.as_str()) {
            Some(handler) => handler(event, attempt, now).await,
            None => Handled::Unknown,
        }
    }
}

fn delivery<E>(payload: E, event: &CloudEvent, attempt: u32, now: DateTime<Utc>) -> Delivery<E> {
    let origin = Origin {
        actor: event.actor,
        org: event.org,
        traceparent: kit::telemetry::traceparent().or_else(|| event.traceparent.clone()),
        at: now,
    };
    Delivery {
        event: payload,
        id: event.id,
        subject: event.subject.clone(),
        sequence: event.sequence,
        time: event.time,
        org: event.org,
        actor: event.actor,
        attempt,
        origin,
    }
}
