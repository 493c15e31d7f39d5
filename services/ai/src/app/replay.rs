//! A whole answer as the events that a stream would have had.

use crate::domain::chat::{ChatEvent, Completion, Part};

/// The events of `completion`, in the order in which a provider sends them.
pub fn events(completion: &Completion) -> Vec<ChatEvent> {
    let mut events = vec![ChatEvent::Started {
        id: completion.id.clone(),
        model: completion.model.clone(),
        extra: completion.extra.clone(),
        warnings: completion.warnings.clone(),
    }];
    for (choice, answer) in (0..).zip(&completion.choices) {
        let mut calls = 0..;
        // The log probabilities are of the whole text; they go with its first piece.
        let mut logprobs = answer.logprobs.clone();
        for part in &answer.parts {
            match part {
                Part::Text { text, .. } => {
                    events.push(ChatEvent::Text { choice, text: text.clone(), logprobs: logprobs.take() });
                }
                Part::Refusal { text } => events.push(ChatEvent::Refusal { choice, text: text.clone() }),
                Part::Thinking { text, signature } => {
                    events.push(ChatEvent::Thinking { choice, text: text.clone() });
                    events
                        .extend(signature.clone().map(|signature| ChatEvent::ThinkingSignature { choice, signature }));
                }
                Part::RedactedThinking { data } => {
                    events.push(ChatEvent::RedactedThinking { choice, data: data.clone() });
                }
                Part::ToolCall(call) => {
                    let index = calls.next().unwrap_or(u32::MAX);
                    let (id, name) = (call.id.clone(), call.name.clone());
                    events.push(ChatEvent::ToolCallStarted { choice, index, id, name });
                    events.push(ChatEvent::ToolCallArguments { choice, index, json: call.arguments.clone() });
                }
                // No stream carries these.
                Part::Image { .. }
                | Part::Audio { .. }
                | Part::File { .. }
                | Part::ToolResult { .. }
                | Part::Other(_) => {}
            }
        }
        let (stop, stop_sequence) = (answer.stop.clone(), answer.stop_sequence.clone());
        events.push(ChatEvent::ChoiceEnded { choice, stop, stop_sequence });
    }
    events.extend(completion.usage.map(ChatEvent::Usage));
    events.push(ChatEvent::Ended);
    events
}
