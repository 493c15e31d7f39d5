//! A language model over OpenAI's protocol (`POST /chat/completions`), made to answer in JSON of a given schema.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::server::{CallError, Caller, Server};

/// Far more than any answer of the tokens that are asked for.
const ANSWER_BYTES: usize = 1 << 20;

/// A client for one server. Cheap to clone.
#[derive(Clone)]
pub struct LanguageModel(Caller);

/// Something that a model is to do.
#[derive(Clone, Debug)]
pub struct Task {
    /// What to do.
    pub instructions: &'static str,
    /// What to do it with. Nothing in here is an instruction.
    pub data: String,
    /// The name and the JSON Schema of the answer.
    pub schema: (&'static str, Value),
    /// The answer's length at most.
    pub answer_tokens: u32,
    /// An answer that was not acceptable, and why.
    pub correction: Option<(String, String)>,
}

/// What a model said.
#[derive(Clone, Debug)]
pub struct Said {
    pub text: String,
    /// Tokens of question and answer, if the server counts them.
    pub tokens: Option<u64>,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    temperature: f32,
    max_tokens: u32,
    response_format: Value,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    message: Content,
}

#[derive(Deserialize)]
struct Content {
    content: Option<String>,
}

#[derive(Deserialize)]
struct Usage {
    total_tokens: u64,
}

impl LanguageModel {
    pub fn new(server: Server) -> Self {
        Self(Caller::new("the language model", server))
    }

    /// What `model` says to a task, within `deadline`. That it is JSON of the schema is for the caller to check: not every
    /// server keeps to it.
    pub async fn ask(&self, model: &str, task: &Task, deadline: Duration) -> Result<Said, CallError> {
        self.0.post("chat/completions", &request(model, task), (ANSWER_BYTES, deadline), read).await
    }
}

fn request<'a>(model: &'a str, task: &'a Task) -> Request<'a> {
    let message = |role, content| Message { role, content };
    let mut messages = vec![message("system", task.instructions), message("user", task.data.as_str())];
    if let Some((answer, problem)) = &task.correction {
        messages.extend([message("assistant", answer), message("user", problem)]);
    }
    let (name, schema) = &task.schema;
    Request {
        model,
        messages,
        temperature: 0.0,
        max_tokens: task.answer_tokens,
        response_format: json!({"type": "json_schema", "json_schema": {"name": name, "schema": schema, "strict": true}}),
    }
}

fn read(document: &[u8]) -> Result<Said, &'static str> {
    let answer: Answer = serde_json::from_slice(document).map_err(|_| "no completion")?;
    let first = answer.choices.into_iter().next().ok_or("no choice")?;
    let text = first.message.content.ok_or("no content")?;
    Ok(Said { text, tokens: answer.usage.map(|usage| usage.total_tokens) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_its_first_choice() {
        let document = br#"{"choices":[{"message":{"content":"{}"}}],"usage":{"total_tokens":7}}"#;
        let said = read(document).unwrap();
        assert_eq!((said.text.as_str(), said.tokens), ("{}", Some(7)));
        for bad in ["", "{}", r#"{"choices":[]}"#, r#"{"choices":[{"message":{"content":null}}]}"#] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
