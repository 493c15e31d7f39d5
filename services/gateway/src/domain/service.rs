//! The services behind the gateway, one row each.

use std::fmt;

/// The environment variables that say where a service listens.
#[derive(Clone, Copy, Debug)]
pub struct Variables {
    /// Base URLs of the ports for callers.
    pub public: Variable,
    /// Base URLs of the private ports.
    pub private: Variable,
}

/// One environment variable.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// What it is called.
    pub name: &'static str,
    /// What it is.
    pub help: &'static str,
    /// What it could be.
    pub example: &'static str,
}

macro_rules! services {
    ($($(#[$doc:meta])* $service:ident = $name:literal, $upper:literal;)*) => {
        /// A service behind the gateway.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Service {
            $($(#[$doc])* $service,)*
        }

        impl Service {
            /// All of them, in the order of their declaration.
            pub const ALL: &[Self] = &[$(Self::$service),*];

            /// As in its schema, its metrics and its events.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$service => $name,)* }
            }

            /// The name of the task that watches its replicas.
            pub const fn watch_task(self) -> &'static str {
                match self { $(Self::$service => concat!("gateway.watch.", $name),)* }
            }

            /// Where an operator says where it listens.
            pub const fn variables(self) -> Variables {
                match self {
                    $(Self::$service => Variables {
                        public: Variable {
                            name: concat!("BRAINOPS_UPSTREAM_", $upper),
                            help: concat!("Base URLs of the replicas of ", $name, ", comma separated."),
                            example: concat!("http://", $name, ":8080"),
                        },
                        private: Variable {
                            name: concat!("BRAINOPS_UPSTREAM_", $upper, "_PRIVATE"),
                            help: concat!("Base URLs of the private ports of ", $name, ", in the same order."),
                            example: concat!("http://", $name, ":9090"),
                        },
                    },)*
                }
            }
        }
    };
}

// A new service is a row here and its prefixes in `route::ROUTES`.
services! {
    /// Identities and tokens.
    Auth = "auth", "AUTH";
    /// People and organizations.
    Users = "users", "USERS";
    /// Language models.
    Ai = "ai", "AI";
    /// Conversations, memories, documents.
    Memory = "memory", "MEMORY";
}

impl Service {
    /// Whether an installation can do without it. Without auth nobody could call anything.
    pub fn is_optional(self) -> bool {
        self != Self::Auth
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_named_after_their_service() {
        for service in Service::ALL {
            let Variables { public, private } = service.variables();
            assert_eq!(public.name, format!("BRAINOPS_UPSTREAM_{}", service.name().to_ascii_uppercase()));
            assert_eq!(private.name, format!("{}_PRIVATE", public.name));
        }
    }
}
