//! What answers a question: by vectors and by words, scored together (ADR 0013).
//!
//! An index only ever suggests. What is answered is read from the database and has to pass the filter once more there.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::rerank::{RERANKED, rerank};
use crate::{
    domain::{
        access::{Allowed, Read},
        entry::{Entry, EntryId, Kind},
        filter::Filter,
        space::EmbeddingModel,
        tokens,
    },
    error::Error,
    lexicons::Words,
    metrics,
    recall::{
        constants::{CANDIDATE_NEIGHBOURS, CANDIDATES, DIVERSITY_POOL},
        question::Question,
        rank::{self, Boosts, Fusion},
        score::{Parts, Scored},
        words::{self, overlap},
    },
    state::AppState,
    store::entries,
    vectors::{Query, VectorError},
};

/// What is searched for.
#[derive(Clone, Debug)]
pub struct Search {
    pub question: String,
    pub wanted: Wanted,
    /// How many hits at most.
    pub limit: usize,
    pub ranking: Ranking,
    /// Turns or chunks before and after each hit that come along.
    pub neighbours: u32,
    /// Tokens that the texts of all hits may have together; `None` for any number.
    pub budget_tokens: Option<usize>,
}

/// Where it is searched, beside the caller's reach. See [`Filter`].
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub kinds: Vec<Kind>,
    pub subject: Option<String>,
    pub shared: bool,
    pub agent: Option<String>,
    pub session: Option<Uuid>,
    pub project: Option<Uuid>,
    pub collections: Vec<Uuid>,
    pub labels: Vec<String>,
    pub occurred_from: Option<DateTime<Utc>>,
    pub occurred_to: Option<DateTime<Utc>>,
    /// What held then, instead of what holds now.
    pub as_of: Option<DateTime<Utc>>,
}

/// How hits are put in order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ranking {
    pub fusion: Fusion,
    pub boosts: Boosts,
    /// From 0 (only different) to 1 (only good); `None` for no regard to likeness.
    pub diversity: Option<f64>,
    /// Hits with a smaller score are left out.
    pub threshold: Option<f64>,
    /// Whether a model compares the best hits with the question once more.
    pub rerank: bool,
}

/// What was found, best first.
#[derive(Clone, Debug)]
pub struct Found {
    pub hits: Vec<Hit>,
    /// Whether vectors took part. They do not while the embedding server or the index is away.
    pub semantic: bool,
    /// Whether the hits are in the order of a model that compared them with the question once more.
    pub reranked: bool,
}

#[derive(Clone, Debug)]
pub struct Hit {
    pub entry: Entry,
    pub score: f64,
    pub parts: Parts,
    /// What a model says that compared it with the question once more; the order goes by this.
    pub reranked: Option<f64>,
    /// What stands around it in its session or document, in order, without the entry itself.
    pub neighbours: Vec<Entry>,
}

impl Wanted {
    fn filter(self, allowed: &Allowed<Read>, now: DateTime<Utc>) -> Filter {
        Filter {
            org: allowed.org,
            reach: allowed.reach,
            kinds: self.kinds,
            subject: self.subject,
            shared: self.shared,
            agent: self.agent,
            session: self.session,
            project: self.project,
            collections: self.collections,
            labels: self.labels,
            occurred_from: self.occurred_from,
            occurred_to: self.occurred_to,
            valid_at: self.as_of.unwrap_or(now),
            now,
        }
    }
}

/// Searches what is within the caller's reach.
pub async fn search(state: &AppState, allowed: &Allowed<Read>, search: Search) -> Result<Found, Error> {
    let begun = Instant::now();
    let now = state.clock.now();
    let reranking = match (&state.reranking, search.ranking.rerank) {
        (None, true) => return Err(Error::RerankUnavailable),
        (reranking, wanted) => reranking.as_ref().filter(|_| wanted),
    };
    let filter = Arc::new(search.wanted.filter(allowed, now));
    let words = state.lexicons.of(allowed.org).await?;
    let asked = (Arc::clone(&filter), search.question.clone());
    let (question, by_words) = words
        .read(move |lexicon| {
            let (filter, text) = asked;
            let scope = lexicon.scope(&filter);
            let question = Question::new(&scope, &text);
            let best = scope.best_by_words(&question, CANDIDATES);
            (Arc::new(question), best)
        })
        .await?;
    let like = alike(state, &filter, &question).await;
    let (scored, semantic) = score(state, &words, &filter, &question, by_words, like).await?;
    let scored = ranked(scored, search.ranking, now);
    let considered = if reranking.is_some() { search.limit.max(RERANKED) } else { search.limit };
    let mut hits = read(state, &words, &filter, scored, &search.ranking, considered, search.neighbours).await?;
    let reranked = match reranking {
        Some(reranking) => rerank(reranking, &search.question, &mut hits).await,
        None => false,
    };
    hits.truncate(search.limit);
    let hits = match search.budget_tokens {
        Some(budget) => rank::packed(hits, budget, |hit: &Hit| hit.tokens()),
        None => hits,
    };
    metrics::search(begun.elapsed().as_secs_f64(), semantic);
    Ok(Found { hits, semantic, reranked })
}

impl Hit {
    fn tokens(&self) -> usize {
        self.neighbours.iter().chain([&self.entry]).map(|entry| tokens::estimate(&entry.text)).sum()
    }
}

/// The question's vector, and the entries that are most like it.
struct Alike {
    model: EmbeddingModel,
    vector: Vec<f32>,
    cosines: HashMap<EntryId, f32>,
}

/// `None` when there are no vectors to be had: words alone must do then.
async fn alike(state: &AppState, filter: &Filter, question: &Question) -> Option<Alike> {
    let (embedding, model) = state.embedding.as_ref().zip(state.signals.active())?;
    let vector = match embedding.question(&model, question.bare()).await {
        Ok(vector) => vector,
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "A question was not embedded; words alone must do"
            );
            return None;
        }
    };
    let query = Query { vector: vector.clone(), filter: filter.clone(), limit: CANDIDATES, exact: false };
    match state.vectors.search(model.space, query).await {
        Ok(hits) => {
            let cosines = hits.into_iter().map(|hit| (hit.id, hit.cosine)).collect();
            Some(Alike { model, vector, cosines })
        }
        Err(error) => {
            without_vectors(&error);
            None
        }
    }
}

fn without_vectors(error: &VectorError) {
    tracing::warn!(error = error as &dyn std::error::Error, "The vector index did not answer; words alone must do");
}

/// Scores what vectors and words suggest, with what stands around it; also whether vectors took part.
async fn score(
    state: &AppState,
    words: &Words,
    filter: &Arc<Filter>,
    question: &Arc<Question>,
    by_words: Vec<EntryId>,
    like: Option<Alike>,
) -> Result<(Vec<Scored>, bool), Error> {
    let mut suggested: HashSet<EntryId> = by_words.into_iter().collect();
    suggested.extend(like.iter().flat_map(|like| like.cosines.keys()));
    let suggested: Vec<_> = suggested.into_iter().collect();
    let held = Arc::clone(filter);
    let candidates =
        words.read(move |lexicon| lexicon.with_neighbours(&held, &suggested, CANDIDATE_NEIGHBOURS)).await?;
    let mut cosines = HashMap::new();
    let mut semantic = false;
    if let Some(like) = like {
        cosines = like.cosines;
        let missing: Vec<_> = candidates.iter().filter(|id| !cosines.contains_key(id)).copied().collect();
        match state.vectors.cosines(like.model.space, filter.org, like.vector, missing).await {
            Ok(more) => {
                cosines.extend(more);
                semantic = true;
            }
            // A sum of which some have a part and others do not compares nothing.
            Err(error) => {
                without_vectors(&error);
                cosines.clear();
            }
        }
    }
    let (filter, question) = (Arc::clone(filter), Arc::clone(question));
    let scored = words.read(move |lexicon| lexicon.score(&filter, &question, &cosines, &candidates)).await?;
    Ok((scored, semantic))
}

fn ranked(mut scored: Vec<Scored>, ranking: Ranking, now: DateTime<Utc>) -> Vec<Scored> {
    if ranking.fusion != Fusion::default() {
        rank::fuse(&mut scored, ranking.fusion);
    }
    rank::boost(&mut scored, ranking.boosts, now);
    if let Some(threshold) = ranking.threshold {
        rank::at_least(&mut scored, threshold);
    }
    scored
}

/// Reads the best from the database, where they have to pass the filter as they are now.
async fn read(
    state: &AppState,
    words: &Words,
    filter: &Arc<Filter>,
    mut scored: Vec<Scored>,
    ranking: &Ranking,
    limit: usize,
    neighbours: u32,
) -> Result<Vec<Hit>, Error> {
    // Some may be gone by now, and likeness needs a choice.
    let pool = if ranking.diversity.is_some() { limit.max(DIVERSITY_POOL) } else { limit };
    scored.truncate(pool + SPARE);
    let best: Vec<_> = scored.iter().map(|one| one.id).collect();
    let mut known = load(state, filter, best).await?;
    scored.retain(|one| known.contains_key(&one.id));
    if let Some(lambda) = ranking.diversity {
        let texts: HashMap<EntryId, HashSet<String>> =
            known.iter().map(|(id, entry)| (*id, words::words(&entry.text).into_iter().collect())).collect();
        let likeness = |a: EntryId, b: EntryId| match (texts.get(&a), texts.get(&b)) {
            (Some(a), Some(b)) => overlap(a, b),
            _ => 0.0,
        };
        scored = rank::diverse(scored, lambda, limit, likeness);
    }
    scored.truncate(limit);
    let mut around = around(state, words, filter, &scored, neighbours).await?;
    let hit = |one: Scored| {
        let entry = known.remove(&one.id)?;
        let neighbours = around.remove(&one.id).unwrap_or_default();
        Some(Hit { entry, score: one.score, parts: one.parts, reranked: None, neighbours })
    };
    Ok(scored.into_iter().filter_map(hit).collect())
}

/// Hits that are read beside those that are wanted, in place of some that are gone.
const SPARE: usize = 20;

async fn load(state: &AppState, filter: &Arc<Filter>, ids: Vec<EntryId>) -> Result<HashMap<EntryId, Entry>, Error> {
    let filter = Arc::clone(filter);
    let found = state
        .db
        .tenant(filter.org)
        .tx({
            let org = filter.org;
            move |conn| Ok::<_, Error>(entries::find_all(conn, org, &ids)?)
        })
        .await?;
    let passing = found.into_iter().filter(|entry| filter.accepts(&entry.attributes));
    Ok(passing.map(|entry| (entry.id, entry)).collect())
}

/// What stands around each hit.
async fn around(
    state: &AppState,
    words: &Words,
    filter: &Arc<Filter>,
    scored: &[Scored],
    reach: u32,
) -> Result<HashMap<EntryId, Vec<Entry>>, Error> {
    if reach == 0 {
        return Ok(HashMap::new());
    }
    let (held, ids) = (Arc::clone(filter), scored.iter().map(|one| one.id).collect::<Vec<_>>());
    let places: Vec<(EntryId, Vec<EntryId>)> = words
        .read(move |lexicon| {
            let around = |id: EntryId| {
                let all = lexicon.with_neighbours(&held, &[id], reach);
                (id, all.into_iter().filter(|other| *other != id).collect())
            };
            ids.into_iter().map(around).collect()
        })
        .await?;
    let all: HashSet<EntryId> = places.iter().flat_map(|(_, ids)| ids).copied().collect();
    let known = load(state, filter, all.into_iter().collect()).await?;
    let entries = |ids: Vec<EntryId>| {
        let mut entries: Vec<Entry> = ids.iter().filter_map(|id| known.get(id)).cloned().collect();
        entries.sort_by_key(|entry| entry.position);
        entries
    };
    Ok(places.into_iter().map(|(id, ids)| (id, entries(ids))).collect())
}
