//! A model that compares each text with the question, over the protocol of Cohere's and Jina's servers (`POST /rerank`), which
//! vLLM and others speak too.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::server::{CallError, Caller, Server};

/// Numbers only: texts are not asked back.
const ANSWER_BYTES: usize = 1 << 20;

/// A client for one server. Cheap to clone.
#[derive(Clone)]
pub struct Reranker(Caller);

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    query: &'a str,
    documents: &'a [String],
    top_n: usize,
    return_documents: bool,
}

#[derive(Deserialize)]
struct Answer {
    results: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    index: usize,
    relevance_score: f64,
}

impl Reranker {
    pub fn new(server: Server) -> Self {
        Self(Caller::new("the reranking server", server))
    }

    /// One score for each text, the more the better, within `deadline`.
    pub async fn scores(
        &self,
        model: &str,
        query: &str,
        texts: &[String],
        deadline: Duration,
    ) -> Result<Vec<f64>, CallError> {
        let request = Request { model, query, documents: texts, top_n: texts.len(), return_documents: false };
        let read = |document: &[u8]| read(document, texts.len());
        self.0.post("rerank", &request, (ANSWER_BYTES, deadline), read).await
    }
}

fn read(document: &[u8], texts: usize) -> Result<Vec<f64>, &'static str> {
    let answer: Answer = serde_json::from_slice(document).map_err(|_| "no list of results")?;
    let mut scores = vec![None; texts];
    for Item { index, relevance_score } in answer.results {
        let score = scores.get_mut(index).ok_or("a score of no text")?;
        *score = Some(relevance_score).filter(|score| score.is_finite());
    }
    scores.into_iter().collect::<Option<_>>().ok_or("not one score for each text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_go_to_their_texts() {
        let document = br#"{"id":"x","results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.1}]}"#;
        assert_eq!(read(document, 2).unwrap(), [0.1, 0.9]);
        for (texts, bad) in [
            (1, r#"{"results":[]}"#),
            (1, r#"{"results":[{"index":1,"relevance_score":0.9}]}"#),
            (2, r#"{"results":[{"index":0,"relevance_score":0.9},{"index":0,"relevance_score":0.9}]}"#),
            (1, r#"{"error":"no"}"#),
        ] {
            assert!(read(bad.as_bytes(), texts).is_err(), "{bad}");
        }
    }
}
