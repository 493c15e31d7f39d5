//! What an operator sets about the broker.

use kit::{Env, Secret};

/// Where the broker is. The address holds a password, so it never prints.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `BRAINOPS_AMQP_URL`.
    pub url: Secret<String>,
    /// `BRAINOPS_AMQP_NAMESPACE`: prefix of the names of all exchanges and queues.
    pub namespace: String,
}

impl kit::Settings for Settings {
    fn read(env: &mut Env) -> Self {
        Self {
            url: env.secret(
                "BRAINOPS_AMQP_URL",
                "Address of RabbitMQ with user, password and virtual host: amqp://user:password@host:5672/%2f",
            ),
            namespace: env.or(
                "BRAINOPS_AMQP_NAMESPACE",
                "Prefix of all exchange and queue names, for several installations on one broker; empty for none",
                "",
            ),
        }
    }
}
