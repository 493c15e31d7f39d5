//! The options that chat and text completions share, from their fields to plain values within their ranges.

use std::ops::RangeInclusive;

use kit::Ids;
use serde_json::Value;

use super::dto::{ChatCompletionRequest, CompletionRequest, ResponseFormat};
use crate::{
    domain::{
        generation::{Options, OutputFormat, Sampling},
        json_schema::Schema,
    },
    error::Error,
};

/// Stop texts of one request.
const MAX_STOPS: usize = 16;
/// Bytes of a stop text.
const MAX_STOP: usize = 256;
/// No context has room for more; clients that name a round number of their own mean "as much as there is".
const MAX_TOKENS: i64 = 1_000_000;
/// What OpenAI's completions write when nobody says how much.
const DEFAULT_COMPLETION: u32 = 16;

/// The options of a chat completion.
pub fn of_chat(request: &ChatCompletionRequest, ids: &dyn Ids) -> Result<Options, Error> {
    let older = count("max_tokens", request.max_tokens)?;
    let newer = count("max_completion_tokens", request.max_completion_tokens)?;
    Ok(Options {
        max_tokens: newer.or(older),
        format: format(request.response_format.as_ref())?,
        ..Shared {
            temperature: request.temperature,
            top_p: request.top_p,
            frequency_penalty: request.frequency_penalty,
            presence_penalty: request.presence_penalty,
            seed: request.seed,
            stop: request.stop.as_ref(),
            n: request.n,
        }
        .check(ids)?
    })
}

/// The options of a text completion.
pub fn of_text(request: &CompletionRequest, ids: &dyn Ids) -> Result<Options, Error> {
    Ok(Options {
        max_tokens: count("max_tokens", request.max_tokens)?.or(Some(DEFAULT_COMPLETION)),
        ..Shared {
            temperature: request.temperature,
            top_p: request.top_p,
            frequency_penalty: request.frequency_penalty,
            presence_penalty: request.presence_penalty,
            seed: request.seed,
            stop: request.stop.as_ref(),
            n: request.n,
        }
        .check(ids)?
    })
}

/// What both have.
#[derive(Default)]
struct Shared<'a> {
    temperature: Option<f64>,
    top_p: Option<f64>,
    frequency_penalty: Option<f64>,
    presence_penalty: Option<f64>,
    seed: Option<i64>,
    stop: Option<&'a Value>,
    n: Option<i64>,
}

impl Shared<'_> {
    fn check(self, ids: &dyn Ids) -> Result<Options, Error> {
        if self.n.is_some_and(|n| n != 1) {
            return Err(Error::invalid("n", "must be 1: this server writes one answer a request"));
        }
        Ok(Options {
            sampling: Sampling {
                temperature: within("temperature", self.temperature, 0.0..=2.0)?,
                top_p: within("top_p", self.top_p, 0.0..=1.0)?.unwrap_or(1.0),
                frequency_penalty: within("frequency_penalty", self.frequency_penalty, -2.0..=2.0)?.unwrap_or_default(),
                presence_penalty: within("presence_penalty", self.presence_penalty, -2.0..=2.0)?.unwrap_or_default(),
                seed: seed(self.seed, ids),
            },
            stop: stop(self.stop)?,
            ..Options::default()
        })
    }
}

/// What `response_format` demands.
fn format(format: Option<&ResponseFormat>) -> Result<OutputFormat, Error> {
    match format {
        None | Some(ResponseFormat::Text) => Ok(OutputFormat::Text),
        Some(ResponseFormat::JsonObject) => Ok(OutputFormat::JsonObject),
        Some(ResponseFormat::JsonSchema { json_schema }) => {
            const PARAM: &str = "response_format.json_schema.schema";
            let schema = json_schema.schema.as_ref().ok_or_else(|| Error::invalid(PARAM, "is required"))?;
            Schema::new(schema).map(OutputFormat::JsonSchema).map_err(|refused| Error::UnsupportedSchema {
                param: if refused.path.is_empty() { PARAM.into() } else { format!("{PARAM}.{}", refused.path) },
                message: refused.message,
            })
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "logits have this precision")]
fn within(name: &str, value: Option<f64>, range: RangeInclusive<f64>) -> Result<Option<f32>, Error> {
    match value {
        Some(value) if !range.contains(&value) => {
            Err(Error::invalid(name, format!("must be a number from {} to {}", range.start(), range.end())))
        }
        value => Ok(value.map(|value| value as f32)),
    }
}

fn count(name: &str, value: Option<i64>) -> Result<Option<u32>, Error> {
    let Some(value) = value else { return Ok(None) };
    match u32::try_from(value) {
        Ok(count) if (1..=MAX_TOKENS).contains(&value) => Ok(Some(count)),
        _ => Err(Error::invalid(name, format!("must be a whole number from 1 to {MAX_TOKENS}"))),
    }
}

/// A random one when none was given. llama.cpp takes 32 bits, the largest number meaning "any".
fn seed(given: Option<i64>, ids: &dyn Ids) -> u32 {
    let mut bytes = [0; 4];
    match given {
        Some(seed) => bytes.copy_from_slice(&blake3::hash(&seed.to_le_bytes()).as_bytes()[..4]),
        None => ids.random(&mut bytes),
    }
    u32::from_le_bytes(bytes).min(u32::MAX - 1)
}

fn stop(value: Option<&Value>) -> Result<Vec<String>, Error> {
    let stops: Option<Vec<String>> = match value {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::String(stop)) => Some(vec![stop.clone()]),
        Some(Value::Array(stops)) => stops.iter().map(|stop| stop.as_str().map(str::to_owned)).collect(),
        Some(_) => None,
    };
    let fits = |stop: &String| !stop.is_empty() && stop.len() <= MAX_STOP;
    stops.filter(|stops| stops.len() <= MAX_STOPS && stops.iter().all(fits)).ok_or_else(|| {
        Error::invalid("stop", format!("must be a text or up to {MAX_STOPS} texts, each of 1 to {MAX_STOP} bytes"))
    })
}

#[cfg(test)]
mod tests {
    use kit::SequenceIds;
    use serde_json::json;

    use super::*;

    fn refused(fields: &Value) -> String {
        let mut body = json!({"model": "m", "messages": []});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let request: ChatCompletionRequest = serde_json::from_value(body).unwrap();
        of_chat(&request, &SequenceIds::default()).unwrap_err().to_string()
    }

    #[test]
    fn every_range_is_kept_and_named() {
        for (fields, expected) in [
            (json!({"n": 5}), "n: must be 1"),
            (json!({"max_tokens": -1}), "max_tokens: must be a whole number from 1"),
            (json!({"max_tokens": 0}), "max_tokens: must be"),
            (json!({"max_completion_tokens": i64::MAX}), "max_completion_tokens: must be"),
            (json!({"temperature": 2.1}), "temperature: must be a number from 0 to 2"),
            (json!({"temperature": -0.1}), "temperature: must be"),
            (json!({"top_p": 1.5}), "top_p: must be a number from 0 to 1"),
            (json!({"frequency_penalty": 3}), "frequency_penalty: must be a number from -2 to 2"),
            (json!({"presence_penalty": -3}), "presence_penalty: must be"),
            (json!({"stop": [""]}), "stop: must be a text"),
            (json!({"stop": 3}), "stop: must be"),
            (json!({"stop": vec!["x"; 17]}), "stop: must be"),
            (json!({"stop": "x".repeat(300)}), "stop: must be"),
            (
                json!({"response_format": {"type": "json_schema", "json_schema": {}}}),
                "response_format.json_schema.schema: is required",
            ),
            (
                json!({"response_format": {"type": "json_schema", "json_schema": {"schema": {"items": {"not": {}}, "type": "array"}}}}),
                "response_format.json_schema.schema.items.not: is a keyword",
            ),
        ] {
            let refused = refused(&fields);
            assert!(refused.starts_with(expected), "{fields}: {refused}");
        }
    }

    #[test]
    fn a_seed_is_any_number_and_the_same_each_time() {
        let ids = SequenceIds::default();
        for seed_of in [0, 1, -1, i64::MAX, i64::MIN] {
            assert_eq!(seed(Some(seed_of), &ids), seed(Some(seed_of), &ids));
        }
        assert_ne!(seed(Some(1), &ids), seed(Some(2), &ids));
        assert_ne!(seed(None, &ids), seed(None, &ids));
    }
}
