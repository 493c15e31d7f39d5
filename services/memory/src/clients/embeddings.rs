//! Embeddings over OpenAI's protocol (`POST /embeddings`), from whatever server the operator configured.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::StreamExt as _;
use kit::{Secret, outbound::plain_client_of};
use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use url::Url;

/// 256 vectors of 4,096 numbers written as decimals.
const ANSWER_BYTES: usize = 16 << 20;

/// Client errors that are not the fault of what was sent.
const OF_THE_SERVER: [StatusCode; 5] = [
    StatusCode::UNAUTHORIZED,
    StatusCode::FORBIDDEN,
    StatusCode::NOT_FOUND,
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::TOO_MANY_REQUESTS,
];

/// Where texts become vectors.
#[derive(Clone, Debug)]
pub struct Server {
    /// With its version segment.
    pub base_url: Url,
    pub key: Option<Secret<String>>,
}

/// A client for one server. Cheap to clone.
#[derive(Clone)]
pub struct Embeddings {
    http: reqwest::Client,
    server: Server,
}

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
        Self { http: plain_client_of(&server.base_url), server }
    }

    /// One vector of length 1 for each text, all of the same dimension, within `deadline`.
    pub async fn embed(&self, model: &str, texts: &[String], deadline: Duration) -> Result<Vec<Vec<f32>>, EmbedError> {
        match tokio::time::timeout(deadline, self.ask(model, texts)).await {
            Ok(answer) => answer,
            Err(late) => Err(EmbedError::Unavailable(late.into())),
        }
    }

    async fn ask(&self, model: &str, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let mut url = self.server.base_url.clone();
        url.set_path(&format!("{}/embeddings", url.path().trim_end_matches('/')));
        let request = Request { model, input: texts, encoding_format: "base64" };
        let mut request = self.http.post(url).json(&request);
        if let Some(key) = &self.server.key {
            request = request.bearer_auth(key.expose());
        }
        let answer = request.send().await.map_err(unavailable)?;
        match answer.status() {
            status if status.is_success() => {}
            // What has nothing to do with these texts: they are fine once the server is less busy, or the operator has
            // mended the key or the model.
            status if status.is_client_error() && !OF_THE_SERVER.contains(&status) => {
                return Err(EmbedError::Refused(status));
            }
            status => return Err(EmbedError::Unavailable(anyhow::anyhow!("status {status}"))),
        }
        let mut document = Vec::new();
        let mut body = answer.bytes_stream();
        while let Some(bytes) = body.next().await {
            document.extend_from_slice(&bytes.map_err(unavailable)?);
            if document.len() > ANSWER_BYTES {
                return Err(EmbedError::Malformed("too much of it"));
            }
        }
        read(&document, texts.len())
    }
}

fn unavailable(error: reqwest::Error) -> EmbedError {
    EmbedError::Unavailable(error.without_url().into())
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
