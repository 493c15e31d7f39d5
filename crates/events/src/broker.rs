//! The connections to RabbitMQ. They are made when first needed and again after every loss; nothing here gives up.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use kit::HealthCheck;
use lapin::options::ConfirmSelectOptions;
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties};
use tokio::sync::Mutex;

use crate::error::deadline;
use crate::names::Names;
use crate::{Error, Settings};

/// Seconds; a peer that is silent for two of these is gone (lapin watches, the broker too).
const HEARTBEAT: u16 = 10;
const CONNECT: Duration = Duration::from_secs(10);
const OPEN: Duration = Duration::from_secs(10);
const CHECK: Duration = Duration::from_secs(2);

/// A handle on the broker; cloning shares the connections.
///
/// Publishing and consuming have a connection each: under a memory alarm RabbitMQ stops reading from publishers, and
/// acknowledgements must not be stuck behind them. lapin's own recovery is off: whoever uses a channel owns a session
/// (channel, topology, consumer) and starts a new one when anything in it fails, which is one path for every fault.
#[derive(Clone)]
pub struct Broker(Arc<Inner>);

struct Inner {
    uri: AMQPUri,
    names: Names,
    core: kit::Core,
    publishing: Link,
    consuming: Link,
}

impl Broker {
    /// Checks the address; connects when first used.
    pub fn open(settings: &Settings, core: &kit::Core) -> Result<Self, Error> {
        let mut uri: AMQPUri = settings.url.expose().parse().map_err(Error::Address)?;
        uri.query.heartbeat = Some(HEARTBEAT);
        Ok(Self(Arc::new(Inner {
            uri,
            names: Names::new(&settings.namespace),
            core: core.clone(),
            publishing: Link::new("publish"),
            consuming: Link::new("consume"),
        })))
    }

    /// A new channel in confirm mode on the publishing connection.
    ///
    /// While the broker blocks publishers this fails with [`Error::Blocked`]: what would be written now would sit in the
    /// socket, time out, and be published a second time.
    pub(crate) async fn publishing_channel(&self) -> Result<Channel, Error> {
        let connection = self.0.publishing.connection(self).await?;
        if connection.status().blocked() {
            return Err(Error::Blocked);
        }
        let channel = deadline("channel.open", OPEN, connection.create_channel()).await?;
        deadline("confirm.select", OPEN, channel.confirm_select(ConfirmSelectOptions::default())).await?;
        Ok(channel)
    }

    /// A new channel on the consuming connection.
    pub(crate) async fn consuming_channel(&self) -> Result<Channel, Error> {
        let connection = self.0.consuming.connection(self).await?;
        deadline("channel.open", OPEN, connection.create_channel()).await
    }

    pub(crate) fn names(&self) -> &Names {
        &self.0.names
    }

    pub(crate) fn core(&self) -> &kit::Core {
        &self.0.core
    }

    /// The service this handle belongs to; the `service` label of metrics.
    pub(crate) fn service(&self) -> &'static str {
        self.0.core.service
    }
}

impl HealthCheck for Broker {
    fn name(&self) -> &'static str {
        "broker"
    }

    fn required(&self) -> bool {
        false
    }

    /// Healthy when both connections stand or can be made. A blocked publisher is not ill: its events wait in the outbox.
    fn check(&self) -> BoxFuture<'_, Result<(), String>> {
        async {
            let both = async {
                self.0.publishing.connection(self).await?;
                self.0.consuming.connection(self).await
            };
            match tokio::time::timeout(CHECK, both).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(chain(&error)),
                Err(_) => Err(format!("no connection within {CHECK:?}")),
            }
        }
        .boxed()
    }
}

/// One connection and how to have it again. The lock makes reconnecting single flight.
struct Link {
    purpose: &'static str,
    current: Mutex<Option<Arc<Connection>>>,
}

impl Link {
    fn new(purpose: &'static str) -> Self {
        Self { purpose, current: Mutex::new(None) }
    }

    async fn connection(&self, broker: &Broker) -> Result<Arc<Connection>, Error> {
        let mut current = self.current.lock().await;
        if let Some(connection) = current.as_ref().filter(|connection| connection.status().connected()) {
            return Ok(Arc::clone(connection));
        }
        *current = None;
        let name = format!("brainops {} {}", broker.service(), self.purpose);
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let connected = Connection::connect_uri(broker.0.uri.clone(), properties);
        let connection = Arc::new(deadline("connect", CONNECT, connected).await?);
        tracing::info!(broker.purpose = self.purpose, "Connected to the broker");
        *current = Some(Arc::clone(&connection));
        Ok(connection)
    }
}

/// An error with its causes, in one line for people.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
