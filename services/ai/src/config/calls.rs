//! How calls of models are made.

use std::time::Duration;

use kit::{
    Env, Settings,
    config::{Millis, Value},
};

use crate::routing::Policy;

#[derive(Clone, Copy, Debug)]
pub struct CallSettings {
    pub policy: Policy,
    /// Silence of a stream after which it gets a comment.
    pub heartbeat: Duration,
    /// How long streams go on once the service begins to leave.
    pub grace: Duration,
    /// Calls that are worked on at once.
    pub places: usize,
    /// Tokens that an answer is reckoned to have when the caller does not say.
    pub usual_answer: u32,
    /// Count by the vocabulary what providers do not tell.
    pub exact_tokens: bool,
    pub cache_bytes: u64,
    pub cache_ttl: Duration,
    /// Tokens of what is recalled for one call, at most.
    pub recall_tokens: u64,
}

impl Settings for CallSettings {
    fn read(env: &mut Env) -> Self {
        let mut time = |name, help, default| env.or::<Millis>(name, help, default).0;
        let first_byte = time(
            "BRAINOPS_AI_FIRST_BYTE_TIMEOUT_MS",
            "How long a provider may take until the first event of a stream, each attempt.",
            "60000",
        );
        let idle = time(
            "BRAINOPS_AI_IDLE_TIMEOUT_MS",
            "How long a provider may be silent within a stream before it is given up.",
            "60000",
        );
        let attempt = time(
            "BRAINOPS_AI_ATTEMPT_TIMEOUT_MS",
            "How long a provider may take for an answer that is not streamed, each attempt.",
            "300000",
        );
        let total = time(
            "BRAINOPS_AI_TOTAL_TIMEOUT_MS",
            "How long all attempts of a call may take together; of a stream, until its first event.",
            "600000",
        );
        let patience = time(
            "BRAINOPS_AI_PATIENCE_MS",
            "How long a call waits for providers that asked to be left alone (Retry-After) before it is refused with 429.",
            "5000",
        );
        let heartbeat = time(
            "BRAINOPS_AI_HEARTBEAT_MS",
            "After how much silence a stream gets a comment, so that nobody in between takes it for dead.",
            "15000",
        );
        let grace = time(
            "BRAINOPS_AI_STREAM_GRACE_MS",
            "How long streams may go on once the service begins to leave; those that are left end with an error that says \
             so. The process waits 30 s for them.",
            "25000",
        );
        let cache_ttl = time(
            "BRAINOPS_AI_CACHE_TTL_MS",
            "How long the response cache keeps an answer, for calls that ask for it.",
            "300000",
        );
        let attempts = env.or(
            "BRAINOPS_AI_ATTEMPTS",
            "How often a call is tried at most, over all routes of its model. Never again after the first byte.",
            "3",
        );
        if attempts == 0 {
            env.refuse("BRAINOPS_AI_ATTEMPTS", "0", "1 or more");
        }
        let places = env.or(
            "BRAINOPS_AI_MAX_CALLS",
            "How many calls one process works on at once; more are refused with 503. A stream is a call until it ends.",
            "10000",
        );
        let usual_answer = env.or(
            "BRAINOPS_AI_USUAL_ANSWER_TOKENS",
            "How many tokens are reserved for an answer whose length the caller does not limit (or the most that the \
             model can make, when that is less). What was really used is settled afterwards.",
            "4096",
        );
        let exact_tokens = env
            .or::<Counting>(
                "BRAINOPS_AI_TOKEN_COUNTING",
                "How tokens are counted that a provider does not tell of, such as those of a stream that its reader left: \
                 `exact` by OpenAI's o200k vocabulary, which is loaded when first needed and keeps some 60 MB; `estimate` \
                 by the length of the text.",
                "exact",
            )
            .0;
        let cache_bytes = env.or(
            "BRAINOPS_AI_CACHE_BYTES",
            "Memory for the response cache of one process, in bytes. 0 turns it off.",
            "67108864",
        );
        let recall_tokens = env.or(
            "BRAINOPS_AI_RECALL_TOKENS",
            "How many tokens of memories are put before a model at most; never more than half of what its window has left.",
            "1000",
        );
        let policy = Policy { attempts, first_byte, idle, attempt, total, patience };
        Self { policy, heartbeat, grace, places, usual_answer, exact_tokens, cache_bytes, cache_ttl, recall_tokens }
    }
}

struct Counting(bool);

impl Value for Counting {
    const EXPECTED: &'static str = "exact or estimate";

    fn parse(raw: &str) -> Result<Self, String> {
        match raw {
            "exact" => Ok(Self(true)),
            "estimate" => Ok(Self(false)),
            _ => Err(Self::EXPECTED.to_owned()),
        }
    }

    fn placeholder() -> Self {
        Self(false)
    }
}
