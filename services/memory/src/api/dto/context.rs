//! Texts for a prompt on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

use super::search::{FilterView, RankingView, ScopeView, a_question, wanted};
use crate::{
    app::{
        build_context::{Context, Occasion},
        search::Hit,
    },
    domain::{
        access::{Allowed, Read},
        entry::Kind,
    },
    error::Error,
};

/// What a text for a prompt is needed for.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContextRequest {
    /// What is asked: 1 to 4000 characters.
    #[schema(example = "Where does Caroline live?", min_length = 1, max_length = 4000)]
    #[validate(custom(function = "a_question"))]
    pub query: String,
    /// Where it is searched.
    #[serde(default)]
    #[validate(nested)]
    pub scope: ScopeView,
    /// Conditions beside the scope.
    #[serde(default)]
    #[validate(nested)]
    pub filter: FilterView,
    /// What is preferred when not everything fits.
    #[serde(default)]
    #[validate(nested)]
    pub ranking: RankingView,
    /// How many facts, turns and chunks at most.
    #[serde(default = "a_hundred")]
    #[schema(minimum = 1, maximum = 100, default = 100)]
    #[validate(range(min = 1, max = 100, message = "Give a number from 1 to 100."))]
    pub top_k: u32,
    /// A session, by its `external_id`, whose turns are left out: the prompt has them anyway.
    #[schema(min_length = 1, max_length = 255)]
    #[validate(length(min = 1, max = 255, message = "Give 1 to 255 characters."))]
    pub except_external_id: Option<String>,
    /// About how many tokens the text may have. What does not fit is left out.
    #[serde(default = "a_thousand")]
    #[schema(minimum = 1, maximum = 32_000, default = 1000)]
    #[validate(range(min = 1, max = 32_000, message = "Give a number from 1 to 32000."))]
    pub token_budget: u32,
}

impl ContextRequest {
    pub fn into_occasion(self, allowed: &Allowed<Read>) -> Result<Occasion, Error> {
        Ok(Occasion {
            question: self.query,
            wanted: wanted(self.scope, self.filter, allowed)?,
            ranking: self.ranking.into(),
            limit: self.top_k as usize,
            except: self.except_external_id,
            budget_tokens: self.token_budget as usize,
        })
    }
}

/// A text for a prompt, and what it is made of.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContextView {
    /// Facts, then turns, then documents; empty when there is nothing, or nothing that fits.
    #[schema(example = "Facts:\n[1] Lives in Lisbon.")]
    pub text: String,
    /// About how many tokens the text has.
    #[schema(example = 8)]
    pub tokens: usize,
    /// What the numbers in the text stand for, in their order.
    pub citations: Vec<CitationView>,
    /// Whether vectors took part. They do not while the embedding server is away; words alone find less.
    pub semantic: bool,
    /// Whether a model compared what was found with the question once more. It did not when nobody asked for it, or it did not
    /// answer.
    pub reranked: bool,
}

/// What a number in the text stands for.
#[derive(Debug, Serialize, ToSchema)]
pub struct CitationView {
    /// The number in brackets, from 1.
    #[schema(example = 1)]
    pub number: usize,
    /// The id of the turn, the memory or the chunk.
    pub id: Uuid,
    /// What it is.
    pub kind: Kind,
    /// How well it answers; good answers have about 1.
    #[schema(example = 0.93)]
    pub score: f64,
    /// The session it was said in.
    pub session_id: Option<Uuid>,
    /// The document it is a part of.
    pub document_id: Option<Uuid>,
}

impl From<Context> for ContextView {
    fn from(context: Context) -> Self {
        let citation = |(place, hit): (usize, Hit)| CitationView {
            number: place + 1,
            id: hit.entry.id.0,
            kind: hit.entry.attributes.kind,
            score: hit.score,
            session_id: hit.entry.attributes.session,
            document_id: hit.entry.attributes.document,
        };
        Self {
            text: context.text,
            tokens: context.tokens,
            citations: context.citations.into_iter().enumerate().map(citation).collect(),
            semantic: context.semantic,
            reranked: context.reranked,
        }
    }
}

fn a_thousand() -> u32 {
    1_000
}

fn a_hundred() -> u32 {
    100
}
