//! The best hits are compared with the question once more, by a model that reads both together.

use std::time::Duration;

use super::search::Hit;
use crate::{domain::entry::Entry, extraction::cut, metrics, state::Reranking};

/// Hits that are worth a model's time.
pub const RERANKED: usize = 50;
/// Somebody waits; without an answer by then the order stays as it is.
const DEADLINE: Duration = Duration::from_secs(2);
/// Of each text. Models of this kind read about 512 together with the question.
const TEXT_TOKENS: usize = 400;

/// Puts the first [`RERANKED`] hits in the order of what the model says; whether it said anything.
pub async fn rerank(reranking: &Reranking, question: &str, hits: &mut [Hit]) -> bool {
    let reranked = hits.len().min(RERANKED);
    let best = &mut hits[..reranked];
    if best.is_empty() {
        return true;
    }
    let texts: Vec<_> = best.iter().map(|hit| read_as(&hit.entry)).collect();
    match reranking.client.scores(&reranking.model, question, &texts, DEADLINE).await {
        Ok(scores) => {
            for (hit, score) in best.iter_mut().zip(scores) {
                hit.reranked = Some(score);
            }
            // Stable: of equals the one that was better before.
            best.sort_by(|a, b| b.reranked.unwrap_or_default().total_cmp(&a.reranked.unwrap_or_default()));
            metrics::rerank("reranked");
            true
        }
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "Hits were not reranked; they stay in their order"
            );
            metrics::rerank("unavailable");
            false
        }
    }
}

/// With who said it, whom a question may ask about.
fn read_as(entry: &Entry) -> String {
    let text = cut(&entry.text, TEXT_TOKENS);
    entry.author.as_ref().map_or_else(|| text.to_owned(), |author| format!("{author}: {text}"))
}
