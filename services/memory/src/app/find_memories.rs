//! Which memories answer a question.

use std::collections::HashMap;

use contracts::MemorySessionId;
use uuid::Uuid;

use super::search::{self, Ranking, Search, search};
use crate::{
    domain::{
        access::{Allowed, Read},
        entry::{Kind, labels},
        memory::Memory,
        selection::Selection,
    },
    error::Error,
    state::AppState,
    store::memories,
};

impl From<Selection> for search::Wanted {
    fn from(selection: Selection) -> Self {
        Self {
            kinds: vec![Kind::Memory],
            subject: selection.subject,
            agent: selection.agent,
            session: selection.session.map(MemorySessionId::uuid),
            project: selection.project,
            labels: labels(&selection.tags, &selection.metadata),
            occurred_from: selection.from,
            occurred_to: selection.to,
            ..Self::default()
        }
    }
}

/// The best that pass one of the selections, with their scores. Each selection is searched by itself: scores are calibrated,
/// so what they find can be put in one order.
pub async fn find_memories(
    state: &AppState,
    allowed: &Allowed<Read>,
    question: &str,
    any: Vec<Selection>,
    ranking: Ranking,
    limit: usize,
) -> Result<Vec<(Memory, f64)>, Error> {
    let mut scores: HashMap<Uuid, f64> = HashMap::new();
    for selection in any {
        let question = question.to_owned();
        let wanted = selection.into();
        let found =
            search(state, allowed, Search { question, wanted, limit, ranking, neighbours: 0, budget_tokens: None });
        for hit in found.await?.hits {
            let score = scores.entry(hit.entry.id.0).or_insert(hit.score);
            *score = score.max(hit.score);
        }
    }
    let mut best: Vec<_> = scores.into_iter().collect();
    best.sort_by(|(id, score), (other, than)| than.total_cmp(score).then_with(|| id.cmp(other)));
    best.truncate(limit);
    let (org, ids) = (allowed.org, best.iter().map(|(id, _)| *id).collect::<Vec<_>>());
    let mut known = state.db.tenant(org).tx(move |conn| Ok::<_, Error>(memories::find_all(conn, org, &ids)?)).await?;
    let found = best.into_iter().filter_map(|(id, score)| Some((known.remove(&id)?, score)));
    Ok(found.filter(|(memory, _)| allowed.sees(memory.belonging.subject.as_deref())).collect())
}
