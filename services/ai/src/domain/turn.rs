//! What was said in a call, for those who asked to have it remembered: the messages since the model spoke last, and its
//! answer. It is taken before anything is recalled, so what memory gave never comes back to it as something new.

use std::fmt;

use chrono::{DateTime, Utc};
use contracts::UserId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    chat::{ChatRequest, Message, MessageRole, Part},
    usage,
};

/// Bytes of one message; memory keeps no longer ones. What is more is cut off.
const LONGEST: usize = 128 * 1024;
/// Messages of one turn; of more the last ones are kept.
const MOST: usize = 100;

/// A turn of a conversation, as it is handed to memory.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// The conversation, as the caller calls it.
    pub session: String,
    /// Which of an application's users talks; `None`: the caller.
    pub user: Option<String>,
    pub messages: Vec<Said>,
}

/// A message of a turn.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Said {
    pub role: Speaker,
    /// The name that the caller gives who speaks.
    pub author: Option<String>,
    pub content: String,
    /// The model's calls of tools, in OpenAI's form.
    pub tool_calls: Option<Value>,
    /// The call that a tool answers.
    pub tool_call_id: Option<String>,
    /// The answer did not come to its end.
    #[serde(default)]
    pub interrupted: bool,
}

/// A turn that came to its end, and the call that it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// Who called, or whose key it was.
    pub by: UserId,
    /// The alias that the caller named.
    pub model: String,
    pub turn: Turn,
    pub at: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    User,
    Assistant,
    Tool,
}

/// What people say is nobody's business in a log.
impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("messages", &self.messages.len()).finish_non_exhaustive()
    }
}

impl Turn {
    /// The turn that a request begins; `None` when it is not to be remembered.
    pub fn begun(request: &ChatRequest) -> Option<Self> {
        let session = request.brainops.remembers_in()?.to_owned();
        let answered = request.messages.iter().rposition(|message| message.role == MessageRole::Assistant);
        let new = &request.messages[answered.map_or(0, |last| last + 1)..];
        let mut messages: Vec<Said> = new.iter().flat_map(said).filter(|said| !said.content.is_empty()).collect();
        messages.drain(..messages.len().saturating_sub(MOST));
        Some(Self { session, user: request.brainops.user.clone(), messages })
    }

    /// The model said this; nothing when it said nothing.
    pub fn answered(&mut self, parts: &[Part], interrupted: bool) {
        let content = kept(&text(parts));
        let calls: Vec<Value> = parts
            .iter()
            .filter_map(|part| match part {
                Part::ToolCall(call) => Some(json!({
                    "id": call.id, "type": "function", "function": {"name": call.name, "arguments": kept(&call.arguments)},
                })),
                _ => None,
            })
            .collect();
        if content.is_empty() && calls.is_empty() {
            return;
        }
        let tool_calls = (!calls.is_empty()).then_some(Value::Array(calls));
        let role = Speaker::Assistant;
        self.messages.push(Said { role, author: None, content, tool_calls, tool_call_id: None, interrupted });
    }
}

/// A message as memory keeps it: what people and tools said. Instructions are not part of a conversation.
fn said(message: &Message) -> Vec<Said> {
    let author = message.name.as_deref().map(usage::text).filter(|name| !name.is_empty());
    let of = |role, parts: &[Part], tool_call_id: Option<&String>| Said {
        role,
        author: author.clone(),
        content: kept(&text(parts)),
        tool_calls: None,
        tool_call_id: tool_call_id.map(|id| usage::text(id)),
        interrupted: false,
    };
    let results = message.parts.iter().filter_map(|part| match part {
        Part::ToolResult { call_id, parts, .. } => Some(of(Speaker::Tool, parts, Some(call_id))),
        _ => None,
    });
    match message.role {
        MessageRole::System | MessageRole::Developer | MessageRole::Assistant => Vec::new(),
        MessageRole::Tool => results.collect(),
        // Anthropic's callers answer tools in a user's message.
        MessageRole::User => results.chain([of(Speaker::User, &message.parts, None)]).collect(),
    }
}

/// The texts among the parts, a line each.
fn text(parts: &[Part]) -> String {
    let texts = parts.iter().filter_map(|part| match part {
        Part::Text { text, .. } | Part::Refusal { text } => Some(text.trim()).filter(|text| !text.is_empty()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// A text in a form that can be stored.
fn kept(text: &str) -> String {
    let text = text.replace('\0', "");
    text[..text.floor_char_boundary(LONGEST)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::chat::Dialect, protocol::parse};

    fn request(messages: &Value) -> ChatRequest {
        let body = json!({"model": "m", "messages": messages, "brainops": {"session_id": "s", "user": "customer-7"}});
        parse(Dialect::ChatCompletions, body).unwrap().0
    }

    fn contents(turn: &Turn) -> Vec<(Speaker, &str)> {
        turn.messages.iter().map(|said| (said.role, said.content.as_str())).collect()
    }

    #[test]
    fn a_turn_is_what_came_after_the_last_answer() {
        let turn = Turn::begun(&request(&json!([
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi!"},
            {"role": "user", "name": "ada", "content": [{"type": "text", "text": "I moved"}, {"type": "text", "text": "to Lisbon."}]},
        ])))
        .unwrap();
        assert_eq!(contents(&turn), [(Speaker::User, "I moved\nto Lisbon.")]);
        assert_eq!(turn.messages[0].author.as_deref(), Some("ada"));
        assert_eq!((turn.session.as_str(), turn.user.as_deref()), ("s", Some("customer-7")));
    }

    #[test]
    fn results_of_tools_belong_to_the_turn() {
        let call = json!({"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}});
        let turn = Turn::begun(&request(&json!([
            {"role": "user", "content": "Look"},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": "It rains."},
        ])))
        .unwrap();
        assert_eq!(contents(&turn), [(Speaker::Tool, "It rains.")]);
        assert_eq!(turn.messages[0].tool_call_id.as_deref(), Some("c"));
    }

    #[test]
    fn an_answer_without_words_is_none() {
        let mut turn = Turn::begun(&request(&json!([{"role": "user", "content": "Hello"}]))).unwrap();
        turn.answered(&[Part::text("  "), Part::Thinking { text: "hm".into(), signature: None }], false);
        assert_eq!(turn.messages.len(), 1);
        turn.answered(&[Part::text("Hi\0!")], true);
        assert_eq!(contents(&turn)[1], (Speaker::Assistant, "Hi!"));
        assert!(turn.messages[1].interrupted);
    }

    #[test]
    fn a_text_has_an_end() {
        let long = "ü".repeat(LONGEST);
        let turn = Turn::begun(&request(&json!([{"role": "user", "content": long}]))).unwrap();
        assert_eq!(turn.messages[0].content.len(), LONGEST);
    }
}
