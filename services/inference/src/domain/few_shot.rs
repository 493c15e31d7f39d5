//! How a base model is asked: it was trained to continue texts, not to obey, so a conversation becomes a text whose
//! continuation is the answer.

use super::prompt::{Message, Part, Prompt, Role};

/// What begins a new turn in this format and so ends an answer.
const STOP: [&str; 3] = ["\nQuestion:", "\nFacts:", "\n\n"];

/// The prompt for the next answer.
pub fn prompt(messages: &[Message], _format: &super::generation::OutputFormat) -> Prompt {
    let mut text = String::new();
    for message in messages {
        match message.role {
            Role::System => text.push_str(&format!("Facts: {}\n", message.content)),
            Role::User => text.push_str(&format!("Question: {}\n", message.content)),
            Role::Assistant => text.push_str(&format!("Answer: {}\n", message.content)),
        }
    }
    text.push_str("Answer:");
    Prompt { parts: vec![Part::Text(text)], stop: STOP.map(str::to_owned).to_vec(), trim: true, temperature: 0.0 }
}
