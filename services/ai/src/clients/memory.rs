//! The memory service, asked in the caller's own name.

use std::time::Duration;

use kit::{InternalClient, Secret, outbound::CallError};
use serde::{Deserialize, Serialize};

/// Asks what is remembered. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Memory {
    http: InternalClient,
    /// How long a call waits for what is recalled.
    deadline: Duration,
}

/// What is looked for.
#[derive(Debug, Serialize)]
pub struct Occasion<'a> {
    pub query: &'a str,
    pub scope: Scope<'a>,
    /// Memories at most.
    pub top_k: u32,
    /// Tokens at most, about.
    pub token_budget: u64,
    /// A session whose turns the prompt has anyway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub except_external_id: Option<&'a str>,
}

/// Whose memories: this user's, and what the organization shares.
#[derive(Debug, Serialize)]
pub struct Scope<'a> {
    pub user: &'a str,
    pub shared: bool,
}

/// What is remembered.
#[derive(Debug, Deserialize)]
pub struct Recalled {
    /// Empty when there is nothing.
    pub text: String,
    citations: Vec<serde::de::IgnoredAny>,
}

impl Recalled {
    /// How many memories the text has.
    pub fn memories(&self) -> usize {
        self.citations.len()
    }
}

impl Memory {
    pub fn new(http: InternalClient, deadline: Duration) -> Self {
        Self { http, deadline }
    }

    /// What bears on a question, within the deadline.
    ///
    /// # Errors
    /// As the call's.
    pub async fn recall(&self, token: &Secret<String>, occasion: &Occasion<'_>) -> Result<Recalled, CallError> {
        let call = self.http.post("/v1/memory/context").bearer(token.expose()).deadline(self.deadline);
        call.body(occasion).json().await
    }
}
