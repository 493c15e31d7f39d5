//! A model that compares each text with the question, over the protocol of Cohere's and Jina's servers (`POST /rerank`), which
//! vLLM and others speak too.

use std::time::Duration;

use reqwest::StatusCode;
use serde::{Deserialize, Serialize};

use super::server::{CallError, Caller, Server};

/// Numbers only: texts are not asked back.
const ANSWER_BYTES: usize = 1 << 20;

/// A client for one server. Cheap to clone.
#[derive(Clone)]
pub struct Reranker(Caller);

/// Why there are no scores.
#[derive(Debug, thiserror::Error)]
pub enum RerankError {
    #[error("the reranking server cannot be reached, is overloaded or too late")]
    Unavailable(#[source] anyhow::Error),
    #[error("the reranking server refused the texts with status {0}")]
    Refused(StatusCode),
    #[error("the reranking server answered something else than a score for each text: {0}")]
    Malformed(&'static str),
}

impl From<CallError> for RerankError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Unavailable(source) => Self::Unavailable(source),
            CallError::Refused(status) => Self::Refused(status),
            CallError::TooLarge => Self::Malformed("too much of it"),
        }
    }
}

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
        Self(Caller::new(server))
    }

    /// One score for each text, the more the better, within `deadline`.
    pub async fn scores(
        &self,
        model: &str,
        query: &str,
        texts: &[String],
        deadline: Duration,
    ) -> Result<Vec<f64>, RerankError> {
        let request = Request { model, query, documents: texts, top_n: texts.len(), return_documents: false };
        match tokio::time::timeout(deadline, self.0.post("rerank", &request, ANSWER_BYTES)).await {
            Ok(document) => read(&document?, texts.len()),
            Err(late) => Err(RerankError::Unavailable(late.into())),
        }
    }
}

fn read(document: &[u8], texts: usize) -> Result<Vec<f64>, RerankError> {
    let answer: Answer = serde_json::from_slice(document).map_err(|_| RerankError::Malformed("no list of results"))?;
    let mut scores = vec![None; texts];
    for Item { index, relevance_score } in answer.results {
        let score = scores.get_mut(index).ok_or(RerankError::Malformed("a score of no text"))?;
        *score = Some(relevance_score).filter(|score| score.is_finite());
    }
    scores.into_iter().collect::<Option<_>>().ok_or(RerankError::Malformed("not one score for each text"))
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
            assert!(matches!(read(bad.as_bytes(), texts), Err(RerankError::Malformed(_))), "{bad}");
        }
    }
}
