//! What a stream has produced so far.

use crate::domain::{
    chat::{ChatEvent, StopReason, TokenUsage},
    tokens::{Running, Tokenizer},
};

/// Counts along while a stream passes.
#[derive(Debug, Default)]
pub struct Tally {
    text: Running,
    told: Option<TokenUsage>,
    stop: Option<StopReason>,
}

impl Tally {
    /// The next event. Tells whether it is content.
    pub fn add(&mut self, event: &ChatEvent) -> bool {
        match event {
            ChatEvent::Text { text, .. } | ChatEvent::Refusal { text, .. } | ChatEvent::Thinking { text, .. } => {
                self.text.push(text);
                true
            }
            ChatEvent::ToolCallStarted { name, .. } => {
                self.text.push(name);
                true
            }
            ChatEvent::ToolCallArguments { json, .. } => {
                self.text.push(json);
                true
            }
            ChatEvent::RedactedThinking { .. } => true,
            ChatEvent::Usage(usage) => {
                self.told = Some(*usage);
                false
            }
            ChatEvent::ChoiceEnded { stop, .. } => {
                self.stop.get_or_insert_with(|| stop.clone());
                false
            }
            ChatEvent::Started { .. } | ChatEvent::ThinkingSignature { .. } | ChatEvent::Ended => false,
        }
    }

    /// Why the first answer ended, if it did.
    pub fn stop(&self) -> Option<StopReason> {
        self.stop.clone()
    }

    /// Whether the provider has told what was used.
    pub fn is_told(&self) -> bool {
        self.told.is_some()
    }

    /// What was used, and whether it is an estimate. `whole`: the stream came to its end, so what the provider told last
    /// holds; a count from the middle of a broken stream may lag behind what has arrived. `input` is used when the provider
    /// did not tell.
    pub fn usage(&self, whole: bool, input: u64, tokenizer: &Tokenizer) -> (TokenUsage, bool) {
        match self.told {
            Some(told) if whole => (told, false),
            told => {
                let told = told.unwrap_or(TokenUsage { input, ..TokenUsage::default() });
                let begun = std::time::Instant::now();
                let output = told.output.max(self.text.tokens(tokenizer));
                crate::metrics::counted(begun.elapsed());
                (TokenUsage { output, ..told }, true)
            }
        }
    }
}

/// Has the vocabulary loaded on a thread where it disturbs nobody, once.
pub fn load_in_background(tokenizer: &Tokenizer) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current()
        && tokenizer.claim_loading()
    {
        let tokenizer = tokenizer.clone();
        drop(runtime.spawn_blocking(move || tokenizer.load()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> ChatEvent {
        ChatEvent::Text { choice: 0, text: text.into(), logprobs: None }
    }

    #[test]
    fn what_the_provider_told_at_the_end_holds() {
        let mut tally = Tally::default();
        let told = TokenUsage { input: 9, output: 4, ..TokenUsage::default() };
        assert!(tally.add(&text("Hello, nice to meet you all")));
        assert!(!tally.add(&ChatEvent::Usage(told)));
        assert_eq!(tally.usage(true, 50, &Tokenizer::new(false)), (told, false));
    }

    #[test]
    fn a_count_from_the_middle_is_made_up_for() {
        let mut tally = Tally::default();
        tally.add(&ChatEvent::Usage(TokenUsage { input: 9, output: 1, ..TokenUsage::default() }));
        tally.add(&text(&"x".repeat(400)));
        let (usage, estimated) = tally.usage(false, 50, &Tokenizer::new(false));
        assert_eq!((usage.input, usage.output, estimated), (9, 100, true));
    }

    #[test]
    fn a_provider_that_tells_nothing_is_counted() {
        let mut tally = Tally::default();
        tally.add(&ChatEvent::ToolCallStarted { choice: 0, index: 0, id: "c".into(), name: "look".into() });
        tally.add(&ChatEvent::ToolCallArguments { choice: 0, index: 0, json: "{\"a\":1}x".into() });
        let (usage, estimated) = tally.usage(true, 50, &Tokenizer::new(false));
        assert_eq!((usage.input, usage.output, estimated), (50, 3, true));
    }
}
