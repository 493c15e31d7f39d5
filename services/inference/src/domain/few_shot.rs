//! How a base model is asked: it was trained to continue texts, not to obey, so a conversation becomes a text whose
//! likeliest continuation is the answer (few-shot prompting: Brown et al., "Language Models are Few-Shot Learners", 2020).
//!
//! ```text
//! Facts: (what the system says, and what people have stated)
//! Question: (an earlier turn)
//! Answer: (its answer)
//! Question: (the last message)
//! Answer:
//! ```
//!
//! Tried with Gemma 3 270M: one example that looks a fact up and a few that do without are what makes it answer in a
//! sentence; more of them push the caller's facts away.

use super::{
    generation::OutputFormat,
    prompt::{Message, Part, Prompt, Role},
};

const EXAMPLES: &str = "\
Facts: Tom lives in Madrid. Tom drives a red car. The party is on Friday at 8.
Question: When is the party?
Answer: On Friday at 8.

Question: Hello!
Answer: Hello! How can I help you?

Question: Who are you?
Answer: I am a small language model that runs on this machine.

Question: How many months are in a year?
Answer: A year has 12 months.

";

/// The same for an answer that a grammar makes JSON.
const JSON_EXAMPLES: &str = "\
Facts: Tom lives in Madrid. Tom drives a red car. The party is on Friday at 8.
Question: Who drives which car?
Answer: {\"name\": \"Tom\", \"car\": \"red\"}

Question: How many months are in a year?
Answer: {\"months\": 12}

";

/// What begins another turn in this format, and so ends an answer.
const STOP: [&str; 3] = ["\n\n", "\nQuestion:", "\nFacts:"];

/// The prompt for the next answer. The likeliest tokens suit it best: a small model's second choice is a poor one.
pub fn prompt(messages: &[Message], format: &OutputFormat) -> Prompt {
    let examples = if *format == OutputFormat::Text { EXAMPLES } else { JSON_EXAMPLES };
    let facts: Vec<String> = facts(messages).map(one_line).filter(|fact| !fact.is_empty()).collect();
    let mut text = examples.to_owned();
    if !facts.is_empty() {
        text.extend(["Facts: ", &facts.join(" "), "\n"]);
    }
    for message in messages {
        let label = match message.role {
            Role::System => continue,
            Role::User => "Question",
            Role::Assistant => "Answer",
        };
        text.extend([label, ": ", message.content.trim(), "\n"]);
    }
    text.push_str("Answer:");
    Prompt { parts: vec![Part::Text(text)], stop: STOP.map(str::to_owned).to_vec(), trim: true, temperature: 0.0 }
}

/// What the system says and what people have said before, questions apart.
fn facts(messages: &[Message]) -> impl Iterator<Item = &str> {
    let earlier = messages.len().saturating_sub(1);
    messages.iter().enumerate().filter_map(move |(index, message)| match message.role {
        Role::System => Some(message.content.as_str()),
        Role::User if index < earlier && !message.content.trim_end().ends_with('?') => Some(&message.content),
        _ => None,
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(messages: &[(Role, &str)]) -> String {
        let messages: Vec<_> =
            messages.iter().map(|(role, content)| Message { role: *role, content: (*content).to_owned() }).collect();
        let Prompt { mut parts, .. } = prompt(&messages, &OutputFormat::Text);
        let Some(Part::Text(text)) = parts.pop() else { panic!("no text") };
        text.strip_prefix(EXAMPLES).unwrap().to_owned()
    }

    #[test]
    fn a_question_alone() {
        assert_eq!(text(&[(Role::User, " What is it?\n")]), "Question: What is it?\nAnswer:");
    }

    #[test]
    fn what_was_stated_becomes_a_fact_and_turns_are_kept() {
        let conversation = [
            (Role::System, "Be brief.\n\n- Bob likes tea."),
            (Role::User, "Alice lives in Oslo."),
            (Role::Assistant, "I see."),
            (Role::User, "Who likes tea?"),
            (Role::Assistant, "Bob."),
            (Role::User, "Where does Alice live?"),
        ];
        assert_eq!(
            text(&conversation),
            "Facts: Be brief. - Bob likes tea. Alice lives in Oslo.\n\
             Question: Alice lives in Oslo.\nAnswer: I see.\n\
             Question: Who likes tea?\nAnswer: Bob.\n\
             Question: Where does Alice live?\nAnswer:"
        );
    }

    #[test]
    fn the_last_message_is_what_is_asked_even_without_a_question_mark() {
        assert_eq!(text(&[(Role::User, "Say hello.")]), "Question: Say hello.\nAnswer:");
    }
}
