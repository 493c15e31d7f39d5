//! Searches on the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::{Validate, ValidationError};

use super::{a_label, check, named, some_tags};
use crate::{
    app::search::{Found, Hit, Ranking, Search, Wanted},
    domain::{
        access::{Allowed, Read},
        entry::{self, Entry, Kind},
    },
    error::Error,
    recall::{
        rank::{Boosts, Fusion, Recency},
        score::Parts,
    },
};

const QUESTION_CHARS: usize = 4_000;

/// A search.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchRequest {
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
    /// How many hits at most.
    #[serde(default = "ten")]
    #[schema(minimum = 1, maximum = 100, default = 10)]
    #[validate(range(min = 1, max = 100, message = "Give a number from 1 to 100."))]
    pub top_k: u32,
    /// How hits are put in order.
    #[serde(default)]
    #[validate(nested)]
    pub ranking: RankingView,
    /// Turns or chunks before and after each hit that come along.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 5, default = 0)]
    #[validate(range(max = 5, message = "Give a number from 0 to 5."))]
    pub neighbours: u32,
    /// About how many tokens the texts of all hits may have together. What does not fit is left out.
    #[schema(minimum = 1, maximum = 200_000, example = 2000)]
    #[validate(range(min = 1, max = 200_000, message = "Give a number from 1 to 200000."))]
    pub token_budget: Option<u32>,
    /// Whether each hit tells what its score is made of.
    #[serde(default)]
    pub explain: bool,
}

/// Where it is searched. At least one of these has to be given; all that are given hold at once.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScopeView {
    /// Everything that you reach: what is yours, what the organization shares and, for admins, what belongs to the users of
    /// applications.
    #[serde(default)]
    pub organization: bool,
    /// What belongs to this user; `me` is you.
    #[schema(example = "me", min_length = 1, max_length = 128)]
    #[validate(custom(function = "a_label"))]
    pub user: Option<String>,
    /// With `user`: also what the organization shares.
    #[serde(default)]
    pub shared: bool,
    /// What belongs to this agent.
    #[schema(min_length = 1, max_length = 128)]
    #[validate(custom(function = "a_label"))]
    pub agent: Option<String>,
    /// What was said in this session.
    pub session_id: Option<Uuid>,
    /// What belongs to this project.
    pub project_id: Option<Uuid>,
    /// Documents of these collections.
    #[serde(default)]
    #[schema(max_items = 100)]
    #[validate(length(max = 100, message = "Give at most 100 collections."))]
    pub collections: Vec<Uuid>,
}

/// Conditions that hold at once.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FilterView {
    /// Only these kinds; any when empty.
    #[serde(default)]
    #[schema(max_items = 3)]
    #[validate(length(max = 3, message = "There are three kinds."))]
    pub kinds: Vec<Kind>,
    /// Only what has all of these tags.
    #[serde(default)]
    #[schema(max_items = 32)]
    #[validate(custom(function = "some_tags"))]
    pub tags: Vec<String>,
    /// Only what has these fields in its metadata, with these texts, numbers or booleans.
    #[serde(default)]
    #[schema(value_type = Object)]
    #[validate(custom(function = "scalars"))]
    pub metadata: Map<String, Value>,
    /// Only what was said or became true at this moment or later.
    pub occurred_from: Option<DateTime<Utc>>,
    /// Only what was said or became true before this moment.
    pub occurred_to: Option<DateTime<Utc>>,
    /// What held at this moment, instead of what holds now.
    pub as_of: Option<DateTime<Utc>>,
}

/// How hits are put in order.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RankingView {
    /// How likeness and words become one score.
    #[serde(default)]
    pub fusion: FusionView,
    /// Added to what happens now, half of it to what happened a half-life ago, and so on.
    #[validate(nested)]
    pub recency: Option<RecencyView>,
    /// Added to what is pinned, from 0 to 1.
    #[serde(default = "pinned")]
    #[schema(minimum = 0, maximum = 1, default = 0.1)]
    #[validate(custom(function = "a_share"))]
    pub pinned: f64,
    /// Trades likeness to the question against difference from each other, from 0 (only different) to 1 (only like).
    #[schema(minimum = 0, maximum = 1)]
    #[validate(custom(function = "a_share"))]
    pub diversity: Option<f64>,
    /// Leaves out hits with a smaller score. Good answers have about 1.
    #[schema(minimum = -1, maximum = 4)]
    #[validate(range(min = -1.0, max = 4.0, message = "Give a number from -1 to 4."))]
    pub min_score: Option<f64>,
    /// Whether a model, if one is set up, compares the 50 best hits with the question once more and puts them in order. It takes
    /// time. When it does not answer, they stay in their order.
    #[serde(default)]
    pub rerank: bool,
}

/// How likeness and words become one score.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FusionView {
    /// A weighted sum of calibrated scores.
    #[default]
    Scores,
    /// Reciprocal ranks, for comparison.
    Rrf,
}

/// A boost for what is new.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecencyView {
    /// From 0 to 1.
    #[schema(minimum = 0, maximum = 1, example = 0.1)]
    #[validate(custom(function = "a_share"))]
    pub weight: f64,
    /// In days, more than 0.
    #[schema(minimum = 0.01, maximum = 36500, example = 30)]
    #[validate(range(min = 0.01, max = 36_500.0, message = "Give a number from 0.01 to 36500."))]
    pub half_life_days: f64,
}

impl SearchRequest {
    /// The search, and whether it is to be explained.
    pub fn into_search(self, allowed: &Allowed<Read>) -> Result<(Search, bool), Error> {
        let wanted = wanted(self.scope, self.filter, allowed)?;
        let search = Search {
            question: self.query,
            wanted,
            limit: self.top_k as usize,
            ranking: self.ranking.into(),
            neighbours: self.neighbours,
            budget_tokens: self.token_budget.map(|tokens| tokens as usize),
        };
        Ok((search, self.explain))
    }
}

pub(super) fn wanted(scope: ScopeView, filter: FilterView, allowed: &Allowed<Read>) -> Result<Wanted, Error> {
    let ScopeView { organization, user, shared, agent, session_id: session, project_id: project, collections } = scope;
    let some = user.is_some() || agent.is_some() || session.is_some() || project.is_some() || !collections.is_empty();
    if !organization && !some {
        return Err(Error::ScopeRequired);
    }
    Ok(Wanted {
        kinds: filter.kinds,
        subject: named(user.as_deref(), allowed)?,
        shared,
        agent,
        session,
        project,
        collections,
        labels: entry::labels(&filter.tags, &filter.metadata),
        occurred_from: filter.occurred_from,
        occurred_to: filter.occurred_to,
        as_of: filter.as_of,
    })
}

impl From<RankingView> for Ranking {
    fn from(ranking: RankingView) -> Self {
        let recency =
            ranking.recency.map(|recency| Recency { weight: recency.weight, half_life_days: recency.half_life_days });
        Self {
            fusion: match ranking.fusion {
                FusionView::Scores => Fusion::Scores,
                FusionView::Rrf => Fusion::Rrf,
            },
            boosts: Boosts { recency, pinned: ranking.pinned },
            diversity: ranking.diversity,
            threshold: ranking.min_score,
            rerank: ranking.rerank,
        }
    }
}

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
pub struct SearchView {
    /// Best first.
    pub hits: Vec<HitView>,
    /// Whether vectors took part. They do not while the embedding server is away; words alone find less.
    pub semantic: bool,
    /// Whether the hits are in the order of a model that compared them with the question once more. They are not when nobody
    /// asked for it, or the model did not answer.
    pub reranked: bool,
}

/// Something that was found.
#[derive(Debug, Serialize, ToSchema)]
pub struct HitView {
    /// The turn, memory or chunk.
    #[serde(flatten)]
    pub entry: EntryView,
    /// How well it answers; good answers have about 1.
    #[schema(example = 0.93)]
    pub score: f64,
    /// What the score is made of, when that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explain: Option<ExplainView>,
    /// What stands around it in its session or document, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub neighbours: Vec<EntryView>,
}

/// A turn of a conversation, a memory, or a chunk of a document.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntryView {
    /// The id of the turn, the memory or the chunk.
    pub id: Uuid,
    /// What it is.
    pub kind: Kind,
    /// What it says.
    #[schema(example = "I moved to Lisbon last week.")]
    pub text: String,
    /// Who said it, if that is known by name.
    #[schema(example = "Caroline")]
    pub author: Option<String>,
    /// Whose it is; `null` is shared by the organization.
    pub user: Option<String>,
    /// The agent it belongs to.
    pub agent: Option<String>,
    /// The session it was said in.
    pub session_id: Option<Uuid>,
    /// The project it belongs to.
    pub project_id: Option<Uuid>,
    /// The collection of its document.
    pub collection_id: Option<Uuid>,
    /// The document it is a part of.
    pub document_id: Option<Uuid>,
    /// Its place in the session or the document, from 0.
    #[schema(example = 3)]
    pub position: i64,
    /// When it was said or became true.
    pub occurred_at: DateTime<Utc>,
    /// Until when it held; `null` while it does.
    pub valid_to: Option<DateTime<Utc>>,
}

/// What a score is made of. The score is cosine + 0.15 words + 0.3 surroundings + 0.15 name + 0.15 date, and the boosts.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExplainView {
    /// Place among the hits, from 1.
    #[schema(example = 1)]
    pub rank: usize,
    /// Which indexes it was found by.
    #[schema(example = json!(["vectors", "words"]))]
    pub channels: Vec<&'static str>,
    /// Likeness of the vectors of question and entry; `null` without them.
    #[schema(example = 0.61)]
    pub cosine: Option<f64>,
    /// Words of the question in the entry and in the question that it answers (BM25).
    #[schema(example = 1.2)]
    pub words: f64,
    /// Words of the question in what was said around it.
    #[schema(example = 0.4)]
    pub surroundings: f64,
    /// 1 if the question names who said it.
    #[schema(example = 1.0)]
    pub name: f64,
    /// 1 if the question names the month in which it was said, 2 if also the day.
    #[schema(example = 0.0)]
    pub date: f64,
    /// What boosts added.
    #[schema(example = 0.0)]
    pub boosts: f64,
    /// What the model says that compared it with the question once more, in its own scale; `null` without one.
    #[schema(example = 0.93)]
    pub rerank: Option<f64>,
}

impl SearchView {
    pub fn new(found: Found, explain: bool) -> Self {
        let hit = |(place, hit): (usize, Hit)| HitView {
            explain: explain.then(|| ExplainView::new(place + 1, &hit)),
            entry: hit.entry.into(),
            score: hit.score,
            neighbours: hit.neighbours.into_iter().map(EntryView::from).collect(),
        };
        Self {
            hits: found.hits.into_iter().enumerate().map(hit).collect(),
            semantic: found.semantic,
            reranked: found.reranked,
        }
    }
}

impl ExplainView {
    fn new(rank: usize, hit: &Hit) -> Self {
        let parts: Parts = hit.parts;
        let by_words = parts.field + parts.surroundings > 0.0;
        let channels = [("vectors", parts.cosine.is_some()), ("words", by_words)];
        Self {
            rank,
            channels: channels.into_iter().filter(|(_, found)| *found).map(|(channel, _)| channel).collect(),
            cosine: parts.cosine,
            words: parts.field,
            surroundings: parts.surroundings,
            name: parts.name,
            date: parts.date,
            boosts: hit.score - parts.sum(),
            rerank: hit.reranked,
        }
    }
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        let attributes = entry.attributes;
        Self {
            id: entry.id.0,
            kind: attributes.kind,
            text: entry.text,
            author: entry.author,
            user: attributes.subject,
            agent: attributes.agent,
            session_id: attributes.session,
            project_id: attributes.project,
            collection_id: attributes.collection,
            document_id: attributes.document,
            position: entry.position,
            occurred_at: attributes.occurred_at,
            valid_to: attributes.valid_to,
        }
    }
}

impl Default for RankingView {
    fn default() -> Self {
        let fusion = FusionView::default();
        Self { fusion, recency: None, pinned: pinned(), diversity: None, min_score: None, rerank: false }
    }
}

fn ten() -> u32 {
    10
}

fn pinned() -> f64 {
    0.1
}

pub(super) fn a_question(text: &str) -> Result<(), ValidationError> {
    let fine = text.chars().count() <= QUESTION_CHARS && !text.trim().is_empty();
    check(fine, "length", "Give it 1 to 4000 characters, at least one of them visible.")
}

fn a_share(share: f64) -> Result<(), ValidationError> {
    check((0.0..=1.0).contains(&share), "range", "Give a number from 0 to 1.")
}

pub(super) fn scalars(metadata: &Map<String, Value>) -> Result<(), ValidationError> {
    check(metadata.len() <= 32, "length", "Give at most 32 fields.")?;
    let fine = metadata.iter().all(|(key, value)| entry::metadata_label(key, value).is_some());
    check(fine, "scalar", "Give texts of up to 200 characters, numbers or booleans.")
}
