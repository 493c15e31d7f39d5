//! What a stream says, put together again for those who remember it.

use crate::domain::chat::{ChatEvent, Part, ToolCall};

/// Bytes of text and of arguments that are kept; memory takes no more.
const LONGEST: usize = 128 * 1024;

/// The first answer of a stream so far.
#[derive(Default)]
pub struct Heard {
    text: String,
    calls: Vec<ToolCall>,
}

impl Heard {
    pub fn add(&mut self, event: &ChatEvent) {
        match event {
            ChatEvent::Text { choice: 0, text, .. } | ChatEvent::Refusal { choice: 0, text } => {
                push(&mut self.text, text);
            }
            ChatEvent::ToolCallStarted { choice: 0, id, name, .. } => {
                self.calls.push(ToolCall { id: id.clone(), name: name.clone(), arguments: String::new() });
            }
            ChatEvent::ToolCallArguments { choice: 0, index, json } => {
                if let Some(call) = self.calls.get_mut(*index as usize) {
                    push(&mut call.arguments, json);
                }
            }
            _ => {}
        }
    }

    pub fn into_parts(self) -> Vec<Part> {
        let calls = self.calls.into_iter().map(Part::ToolCall);
        [Part::text(self.text)].into_iter().chain(calls).collect()
    }
}

fn push(so_far: &mut String, more: &str) {
    if so_far.len() < LONGEST {
        so_far.push_str(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_answer_is_put_together() {
        let mut heard = Heard::default();
        let text = |choice, text: &str| ChatEvent::Text { choice, text: text.into(), logprobs: None };
        let begun = |index, name: &str| ChatEvent::ToolCallStarted {
            choice: 0,
            index,
            id: format!("c{index}"),
            name: name.into(),
        };
        let more = |index, json: &str| ChatEvent::ToolCallArguments { choice: 0, index, json: json.into() };
        for event in [
            text(0, "It "),
            text(1, "No"),
            text(0, "rains."),
            begun(0, "a"),
            begun(1, "b"),
            more(1, "{}"),
            more(0, "{\"x\""),
            more(0, ":1}"),
        ] {
            heard.add(&event);
        }
        let call = |id: &str, name: &str, arguments: &str| {
            Part::ToolCall(ToolCall { id: id.into(), name: name.into(), arguments: arguments.into() })
        };
        assert_eq!(heard.into_parts(), [Part::text("It rains."), call("c0", "a", "{\"x\":1}"), call("c1", "b", "{}")]);
    }
}
