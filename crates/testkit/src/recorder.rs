//! The events that came of what a test did.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use contracts::{CloudEvent, Event};
use events::{Broker, Settings, Tail};
use kit::{Core, Secret};
use tokio::{sync::watch, time::timeout};

use crate::infra;

/// Longer than anything takes on a busy machine; only a test that fails waits for all of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Every event published in a namespace since it was started.
pub struct Recorder {
    seen: Arc<Mutex<Vec<CloudEvent>>>,
    count: watch::Receiver<usize>,
}

impl Recorder {
    /// Records everything on the exchange of `namespace` from now on.
    pub async fn start(namespace: &str) -> Self {
        let broker = broker(namespace);
        let mut tail = Tail::open(&broker, &["#"]).await.expect("a queue for the recorder");
        let seen: Arc<Mutex<Vec<CloudEvent>>> = Arc::default();
        let (sender, count) = watch::channel(0);
        let all = Arc::clone(&seen);
        kit::tasks::spawn("testkit.recorder", async move {
            while let Some(event) = tail.next().await {
                let mut all = all.lock().expect("no panic");
                all.push(event);
                if sender.send(all.len()).is_err() {
                    break;
                }
            }
        });
        Self { seen, count }
    }

    /// The first `E` that fits, recorded already or yet to come.
    pub async fn wait<E: Event>(&self, fits: impl Fn(&E) -> bool) -> (CloudEvent, E) {
        let find = || {
            let seen = self.seen.lock().expect("no panic");
            seen.iter().find_map(|event| {
                let payload = event.decode::<E>().ok().filter(&fits)?;
                Some((event.clone(), payload))
            })
        };
        let found = async {
            let mut count = self.count.clone();
            loop {
                count.borrow_and_update();
                if let Some(found) = find() {
                    return found;
                }
                count.changed().await.expect("the recorder runs");
            }
        };
        let found = timeout(PATIENCE, found).await;
        found.unwrap_or_else(|_| panic!("no fitting {} among {:#?}", E::TYPE, self.types()))
    }

    /// All that was recorded so far, in the broker's order.
    pub fn all(&self) -> Vec<CloudEvent> {
        self.seen.lock().expect("no panic").clone()
    }

    /// The types of all that was recorded so far.
    pub fn types(&self) -> Vec<String> {
        self.all().into_iter().map(|event| event.event_type).collect()
    }
}

/// A broker handle for tests that publish or look by themselves.
pub(crate) fn broker(namespace: &str) -> Broker {
    let settings = Settings { url: Secret::new(infra().amqp_url.clone()), namespace: namespace.to_owned() };
    Broker::open(&settings, &Core::outside("testkit")).expect("the broker's address")
}
