//! Summaries on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::{
    app::summarize_session::{Method, Summarized},
    domain::tokens,
};

/// How a conversation is to be summed up.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SummaryRequest {
    /// About how many tokens the summary may have.
    #[serde(default = "three_hundred")]
    #[schema(minimum = 50, maximum = 2000, default = 300)]
    #[validate(range(min = 50, max = 2000, message = "Give a number from 50 to 2000."))]
    pub token_budget: u32,
    /// Whether the session has it as its `summary` from now on, and the next one goes on from there.
    #[serde(default)]
    pub keep: bool,
}

/// What a conversation was about.
#[derive(Debug, Serialize, ToSchema)]
pub struct SummaryView {
    /// The summary; empty when nobody said anything.
    #[schema(example = "Caroline's red lamp is broken. It will be replaced by Friday.")]
    pub summary: String,
    /// How it was made.
    pub method: MethodView,
    /// About how many tokens it has.
    #[schema(example = 16)]
    pub tokens: usize,
    /// How many turns of the conversation it is about.
    #[schema(example = 12)]
    pub message_count: i64,
    /// Whether the session has it from now on. It does not when turns were forgotten while it was made.
    pub kept: bool,
}

/// How a summary was made.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SummaryMethod)]
pub enum MethodView {
    /// By a language model.
    Model,
    /// Of the conversation's own sentences: no language model is set up, it is away, or its tokens of this day are used.
    Extractive,
}

impl From<Summarized> for SummaryView {
    fn from(made: Summarized) -> Self {
        Self {
            tokens: tokens::estimate(&made.text),
            summary: made.text,
            method: match made.method {
                Method::Model => MethodView::Model,
                Method::Extractive => MethodView::Extractive,
            },
            message_count: made.covers,
            kept: made.kept,
        }
    }
}

fn three_hundred() -> u32 {
    300
}
