//! Embeddings over OpenAI's protocol (`POST /embeddings`), from whatever server the operator configured.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use super::server::{CallError, Caller, Server};

/// As errors name it.
pub const SERVER: &str = "the embedding server";

/// 256 vectors of 4,096 numbers written as decimals.
const ANSWER_BYTES: usize = 16 << 20;

/// A client for one server. Cheap to clone.
#[derive(Clone)]
pub struct Embeddings(Caller);

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
        Self(Caller::new(SERVER, server))
    }

    /// One vector of length 1 for each text, all of the same dimension, within `deadline`.
    pub async fn embed(&self, model: &str, texts: &[String], deadline: Duration) -> Result<Vec<Vec<f32>>, CallError> {
        let request = Request { model, input: texts, encoding_format: "base64" };
        let read = |document: &[u8]| read(document, texts.len());
        self.0.post("embeddings", &request, (ANSWER_BYTES, deadline), read).await
    }
}

fn read(document: &[u8], texts: usize) -> Result<Vec<Vec<f32>>, &'static str> {
    let answer: Answer = serde_json::from_slice(document).map_err(|_| "no list of vectors")?;
    let mut items = answer.data;
    items.sort_by_key(|item| item.index);
    // A vector too few would be given to the wrong text.
    if items.len() != texts {
        return Err("not one vector for each text");
    }
    let vectors: Vec<_> = items.into_iter().map(|item| item.embedding.unit()).collect::<Result<_, _>>()?;
    let dimension = vectors.first().map_or(0, Vec::len);
    if dimension == 0 || vectors.iter().any(|vector| vector.len() != dimension) {
        return Err("vectors of different lengths");
    }
    Ok(vectors)
}

impl Vector {
    fn unit(self) -> Result<Vec<f32>, &'static str> {
        let mut floats = match self {
            Self::Floats(floats) => floats,
            // Little-endian 32-bit floats.
            Self::Base64(text) => {
                let bytes = STANDARD.decode(text).map_err(|_| "no base64")?;
                let (floats, rest) = bytes.as_chunks::<4>();
                if !rest.is_empty() {
                    return Err("half a number");
                }
                floats.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
            }
        };
        let length = floats.iter().map(|float| f64::from(*float).powi(2)).sum::<f64>().sqrt();
        if !length.is_finite() || length < f64::EPSILON {
            return Err("a vector without direction");
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
            assert!(read(document.as_bytes(), texts).is_err(), "{document}");
        }
    }
}
