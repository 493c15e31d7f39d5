//! The names of exchanges and queues. One place builds them, so that a namespace separates everything or nothing.

use std::time::Duration;

use lapin::types::ShortString;

use crate::Error;

/// Builds names under a namespace (`BRAINOPS_AMQP_NAMESPACE`); installations and tests that share a broker use one each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    prefix: String,
}

impl Names {
    /// An empty namespace adds nothing; any other is set before each name with a dot.
    pub(crate) fn new(namespace: &str) -> Self {
        let prefix = if namespace.is_empty() { String::new() } else { format!("{namespace}.") };
        Self { prefix }
    }

    /// The topic exchange of all events.
    pub(crate) fn exchange(&self) -> Result<ShortString, Error> {
        self.short("brainops.events")
    }

    /// A consumer's queue.
    pub(crate) fn queue(&self, queue: &str) -> Result<ShortString, Error> {
        self.short(queue)
    }

    /// Where the failed messages of `queue` wait for `delay` before they go back to exactly that queue.
    pub(crate) fn delay(&self, queue: &str, delay: Duration) -> Result<ShortString, Error> {
        self.short(&format!("brainops.delay.{queue}.{}", delay.as_millis()))
    }

    /// Where the messages that `queue` gave up on wait for a person.
    pub(crate) fn dead(&self, queue: &str) -> Result<ShortString, Error> {
        self.short(&format!("brainops.dead.{queue}"))
    }

    /// A queue of one process that dies with it.
    pub(crate) fn transient(&self, purpose: &str, unique: &str) -> Result<ShortString, Error> {
        self.short(&format!("brainops.transient.{purpose}.{unique}"))
    }

    fn short(&self, name: &str) -> Result<ShortString, Error> {
        short(format!("{}{name}", self.prefix))
    }
}

/// `text` as an AMQP short string; lapin's own conversion panics past 255 bytes.
pub(crate) fn short(text: impl Into<String>) -> Result<ShortString, Error> {
    let text = text.into();
    ShortString::try_new(text.clone()).map_err(|_| Error::TooLong(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_in_every_name() {
        let plain = Names::new("");
        assert_eq!(plain.exchange().unwrap().as_str(), "brainops.events");
        assert_eq!(plain.queue("users.auth").unwrap().as_str(), "users.auth");
        let names = Names::new("t1");
        assert_eq!(names.exchange().unwrap().as_str(), "t1.brainops.events");
        assert_eq!(names.queue("users.auth").unwrap().as_str(), "t1.users.auth");
        assert_eq!(
            names.delay("users.auth", Duration::from_secs(5)).unwrap().as_str(),
            "t1.brainops.delay.users.auth.5000"
        );
        assert_eq!(names.dead("users.auth").unwrap().as_str(), "t1.brainops.dead.users.auth");
    }

    #[test]
    fn what_does_not_fit_is_an_error_not_a_panic() {
        assert!(matches!(Names::new("").queue(&"q".repeat(256)), Err(Error::TooLong(_))));
    }
}
