//! How often callers may call. Generous by default: a limit is there for the one client in a loop, quotas of models are
//! the business of ai, and what a machine can bear is no matter of one caller.

use kit::{Env, Settings};

/// Calls a minute, and as many at once; 0 for no limit.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Of ordinary calls.
    pub ordinary: CallerRates,
    /// Of calls of language models.
    pub model: CallerRates,
    /// From one source address (a /64 of IPv6) whose caller is not known, or not yet.
    pub source: u32,
}

/// Calls of somebody who is known.
#[derive(Clone, Copy, Debug)]
pub struct CallerRates {
    /// Of one API key, or of one user without a key.
    pub caller: u32,
    /// Of everybody in one organization.
    pub organization: u32,
}

impl Settings for Rates {
    fn read(env: &mut Env) -> Self {
        Self {
            ordinary: CallerRates {
                caller: env.or(
                    "BRAINOPS_RATE_CALLER_PER_MINUTE",
                    "Calls a minute of one API key, or of one user without a key; 0 for no limit.",
                    "60000",
                ),
                organization: env.or(
                    "BRAINOPS_RATE_ORGANIZATION_PER_MINUTE",
                    "Calls a minute of everybody in one organization; 0 for no limit.",
                    "300000",
                ),
            },
            model: CallerRates {
                caller: env.or(
                    "BRAINOPS_RATE_MODEL_CALLER_PER_MINUTE",
                    "Calls of language models a minute of one API key, or of one user without a key; 0 for no limit.",
                    "60000",
                ),
                organization: env.or(
                    "BRAINOPS_RATE_MODEL_ORGANIZATION_PER_MINUTE",
                    "Calls of language models a minute of everybody in one organization; 0 for no limit.",
                    "300000",
                ),
            },
            source: env.or(
                "BRAINOPS_RATE_SOURCE_PER_MINUTE",
                "Calls a minute from one address by nobody who is known; a sign-in counts as five. 0 for no limit.",
                "12000",
            ),
        }
    }
}
