//! Embeddings over OpenAI's protocol (`POST /embeddings`), from whatever server the operator configured.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::StatusCode;
use serde::{Deserialize, Serialize};

use super::server::{CallError, Caller, Server};

/// 256 vectors of 4,096 numbers written as decimals.
const ANSWER_BYTES: usize = 16 << 20;

/// A client for one server. Cheap to clone.
#[derive(Clone)]
pub struct Embeddings(Caller);

/// Why there are no vectors.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// It may work later.
    #[error("the embedding server cannot be reached or is overloaded")]
    Unavailable(#[source] anyhow::Error),
    /// It will not work with these texts: one of them is too long, or not acceptable.
    #[error("the embedding server refused the texts with status {0}")]
    Refused(StatusCode),
    #[error("the embedding server answered something else than vectors: {0}")]
    Malformed(&'static str),
}

impl From<CallError> for EmbedError {
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
    input: &'a [String],
    /// Four bytes a number instead of ten or more.
    encoding_format: &'static str,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    index: usize,
    embedding: Vector,
}

/// A server may answer with numbers although base64 was asked for.
#[derive(Deserialize)]
#[serde(untagged)]
enum Vector {
    Floats(Vec<f32>),
    Base64(String),
}

impl Embeddings {
    pub fn new(server: Server) -> Self {
        Self(Caller::new(server))
    }

    /// One vector of length 1 for each text, all of the same dimension, within `deadline`.
    pub async fn embed(&self, model: &str, texts: &[String], deadline: Duration) -> Result<Vec<Vec<f32>>, EmbedError> {
        match tokio::time::timeout(deadline, self.ask(model, texts)).await {
            Ok(answer) => answer,
            Err(late) => Err(EmbedError::Unavailable(late.into())),
        }
    }

    async fn ask(&self, model: &str, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let request = Request { model, input: texts, encoding_format: "base64" };
        let document = self.0.post("embeddings", &request, ANSWER_BYTES).await?;
        read(&document, texts.len())
    }
}

fn read(document: &[u8], texts: usize) -> Result<Vec<Vec<f32>>, EmbedError> {
    let answer: Answer = serde_json::from_slice(document).map_err(|_| EmbedError::Malformed("no list of vectors"))?;
    let mut items = answer.data;
    items.sort_by_key(|item| item.index);
    // A vector too few would be given to the wrong text.
    if items.len() != texts {
        return Err(EmbedError::Malformed("not one vector for each text"));
    }
    let vectors: Vec<_> = items.into_iter().map(|item| item.embedding.unit()).collect::<Result<_, _>>()?;
    let dimension = vectors.first().map_or(0, Vec::len);
    if dimension == 0 || vectors.iter().any(|vector| vector.len() != dimension) {
        return Err(EmbedError::Malformed("vectors of different lengths"));
    }
    Ok(vectors)
}

impl Vector {
    fn unit(self) -> Result<Vec<f32>, EmbedError> {
        let mut floats = match self {
            Self::Floats(floats) => floats,
            // Little-endian 32-bit floats.
            Self::Base64(text) => {
                let bytes = STANDARD.decode(text).map_err(|_| EmbedError::Malformed("no base64"))?;
                let (floats, rest) = bytes.as_chunks::<4>();
                if !rest.is_empty() {
                    return Err(EmbedError::Malformed("half a number"));
                }
                floats.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
            }
        };
        let length = floats.iter().map(|float| f64::from(*float).powi(2)).sum::<f64>().sqrt();
        if !length.is_finite() || length < f64::EPSILON {
            return Err(EmbedError::Malformed("a vector without direction"));
        }
        for float in &mut floats {
            #[expect(clippy::cast_possible_truncation, reason = "a component of a vector of length 1")]
            let component = (f64::from(*float) / length) as f32;
            *float = component;
        }
        Ok(floats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_go_to_their_texts_whatever_their_order_and_form() {
        let document = br#"{"data":[{"index":1,"embedding":[0,2]},{"index":0,"embedding":"AABAQAAAgEA="}]}"#;
        assert_eq!(read(document, 2).unwrap(), [vec![0.6, 0.8], vec![0.0, 1.0]]);
    }

    #[test]
    fn what_is_not_one_vector_a_text_is_refused() {
        for (document, texts) in [
            (r#"{"data":[]}"#, 1),
            (r#"{"data":[{"embedding":[1]},{"embedding":[1,2]}]}"#, 2),
            (r#"{"data":[{"embedding":[0,0]}]}"#, 1),
            (r#"{"data":[{"embedding":"AAAA"}]}"#, 1),
            (r#"{"error":{}}"#, 1),
        ] {
            assert!(matches!(read(document.as_bytes(), texts), Err(EmbedError::Malformed(_))), "{document}");
        }
    }
}
