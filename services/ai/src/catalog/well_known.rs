//! The well-known models that come with a release: what their vendors publish about them.
//!
//! Prices are the vendors' list prices on the day that each row names, in nano-USD a token ($1 per million tokens is
//! 1,000). They change: an operator who pays other prices overrides a row with `PATCH /v1/ai/models/{id}`, and an
//! organization names its own in its own models. Where a vendor asks more for long prompts, the context window stops
//! where the dearer price begins, so that no call is charged too little.
//!
//! Sources: <https://developers.openai.com/api/docs/pricing>, <https://platform.claude.com/docs/en/about-claude/pricing>,
//! <https://ai.google.dev/gemini-api/docs/pricing>.

use chrono::NaiveDate;

use crate::domain::{
    model::Capability::{
        self, Audio, Chat, Embeddings, Files, JsonObject, JsonSchema, Logprobs, ParallelToolCalls, PromptCaching,
        Reasoning, Streaming, Tools, Vision,
    },
    money::{NanoUsd, Prices},
    provider::ProviderKind,
};

/// What is known of one model. Its alias is the vendor's own name.
#[derive(Clone, Copy, Debug)]
pub struct WellKnown {
    pub kind: ProviderKind,
    pub name: &'static str,
    pub display_name: &'static str,
    /// Tokens of input and output together.
    pub context_window: u32,
    /// `None` for embeddings, which give no tokens.
    pub max_output_tokens: Option<u32>,
    pub capabilities: &'static [Capability],
    pub prices: Prices,
    /// Year, month and day of the prices.
    as_of: (i32, u32, u32),
}

impl WellKnown {
    /// The day on which the prices were right.
    pub fn prices_as_of(&self) -> Option<NaiveDate> {
        let (year, month, day) = self.as_of;
        NaiveDate::from_ymd_opt(year, month, day)
    }
}

/// The row of a model by the name that its vendor gives it.
pub fn find(name: &str) -> Option<&'static WellKnown> {
    ALL.iter().find(|model| model.name == name)
}

const OPENAI_DAY: (i32, u32, u32) = (2026, 3, 1);
const ANTHROPIC_DAY: (i32, u32, u32) = (2026, 10, 24);
const GEMINI_DAY: (i32, u32, u32) = (2026, 4, 1);

const GPT: &[Capability] =
    &[Chat, Streaming, Tools, ParallelToolCalls, Vision, Files, JsonObject, JsonSchema, Logprobs, PromptCaching];
/// OpenAI's reasoning models give no log probabilities.
const GPT_REASONING: &[Capability] =
    &[Chat, Streaming, Tools, ParallelToolCalls, Vision, Files, JsonObject, JsonSchema, Reasoning, PromptCaching];
/// The o-series calls one tool at a time.
const O_SERIES: &[Capability] =
    &[Chat, Streaming, Tools, Vision, Files, JsonObject, JsonSchema, Reasoning, PromptCaching];
const CLAUDE: &[Capability] =
    &[Chat, Streaming, Tools, ParallelToolCalls, Vision, Files, JsonSchema, Reasoning, PromptCaching];
const GEMINI: &[Capability] = &[
    Chat,
    Streaming,
    Tools,
    ParallelToolCalls,
    Vision,
    Audio,
    Files,
    JsonObject,
    JsonSchema,
    Reasoning,
    PromptCaching,
];
const EMBEDDING: &[Capability] = &[Embeddings];

/// Every row; the first of each vendor that can chat, and the first that embeds, is what `default` and
/// `default-embedding` mean when that vendor is configured.
pub const ALL: &[WellKnown] = &[
    openai("gpt-5-mini", "GPT-5 mini", 400_000, 128_000, GPT_REASONING, halved(read(250, 25, 2_000))),
    openai("gpt-5", "GPT-5", 400_000, 128_000, GPT_REASONING, halved(read(1_250, 125, 10_000))),
    openai("gpt-5-nano", "GPT-5 nano", 400_000, 128_000, GPT_REASONING, halved(read(50, 5, 400))),
    openai("gpt-5.1", "GPT-5.1", 400_000, 128_000, GPT_REASONING, halved(read(1_250, 125, 10_000))),
    openai("gpt-5.2", "GPT-5.2", 400_000, 128_000, GPT_REASONING, halved(read(1_750, 175, 14_000))),
    openai("gpt-4.1", "GPT-4.1", 1_047_576, 32_768, GPT, halved(read(2_000, 500, 8_000))),
    openai("gpt-4.1-mini", "GPT-4.1 mini", 1_047_576, 32_768, GPT, halved(read(400, 100, 1_600))),
    openai("gpt-4.1-nano", "GPT-4.1 nano", 1_047_576, 32_768, GPT, halved(read(100, 25, 400))),
    openai("gpt-4o", "GPT-4o", 128_000, 16_384, GPT, halved(read(2_500, 1_250, 10_000))),
    openai("gpt-4o-mini", "GPT-4o mini", 128_000, 16_384, GPT, halved(read(150, 75, 600))),
    openai("o3", "o3", 200_000, 100_000, O_SERIES, halved(read(2_000, 500, 8_000))),
    openai("o4-mini", "o4-mini", 200_000, 100_000, O_SERIES, halved(read(1_100, 275, 4_400))),
    embedding(ProviderKind::Openai, "text-embedding-3-small", "Text Embedding 3 Small", 8_192, 20, OPENAI_DAY),
    embedding(ProviderKind::Openai, "text-embedding-3-large", "Text Embedding 3 Large", 8_192, 130, OPENAI_DAY),
    claude("claude-sonnet-4-6", "Claude Sonnet 4.6", 200_000, 64_000, written(3_000, 300, 15_000)),
    claude("claude-sonnet-5-5", "Claude Sonnet 5.5", 1_000_000, 128_000, written(2_000, 100, 10_000)),
    claude("claude-sonnet-5", "Claude Sonnet 5", 1_000_000, 128_000, written(2_000, 200, 10_000)),
    claude("claude-sonnet-4-5", "Claude Sonnet 4.5", 200_000, 64_000, written(3_000, 300, 15_000)),
    claude("claude-opus-5-5", "Claude Opus 5.5", 1_000_000, 128_000, written(4_000, 200, 20_000)),
    claude("claude-opus-5", "Claude Opus 5", 1_000_000, 128_000, written(5_000, 500, 25_000)),
    claude("claude-opus-4-6", "Claude Opus 4.6", 1_000_000, 128_000, written(5_000, 500, 25_000)),
    claude("claude-opus-4-5", "Claude Opus 4.5", 200_000, 64_000, written(5_000, 500, 25_000)),
    claude("claude-haiku-4-5", "Claude Haiku 4.5", 200_000, 64_000, written(1_000, 100, 5_000)),
    gemini("gemini-2.5-flash", "Gemini 2.5 Flash", 1_048_576, halved(read(300, 30, 2_500))),
    // More than 200,000 tokens of input cost twice as much.
    gemini("gemini-2.5-pro", "Gemini 2.5 Pro", 200_000, halved(read(1_250, 125, 10_000))),
    gemini("gemini-2.5-flash-lite", "Gemini 2.5 Flash-Lite", 1_048_576, halved(read(100, 10, 400))),
    gemini("gemini-3-flash-preview", "Gemini 3 Flash (preview)", 1_048_576, halved(read(500, 50, 3_000))),
    embedding(ProviderKind::Gemini, "gemini-embedding-001", "Gemini Embedding", 2_048, 150, GEMINI_DAY),
];

const fn openai(
    name: &'static str,
    display_name: &'static str,
    context_window: u32,
    output: u32,
    capabilities: &'static [Capability],
    prices: Prices,
) -> WellKnown {
    let (kind, max_output_tokens) = (ProviderKind::Openai, Some(output));
    WellKnown { kind, name, display_name, context_window, max_output_tokens, capabilities, prices, as_of: OPENAI_DAY }
}

const fn claude(
    name: &'static str,
    display_name: &'static str,
    context_window: u32,
    output: u32,
    prices: Prices,
) -> WellKnown {
    let (kind, max_output_tokens) = (ProviderKind::Anthropic, Some(output));
    WellKnown {
        kind,
        name,
        display_name,
        context_window,
        max_output_tokens,
        capabilities: CLAUDE,
        prices,
        as_of: ANTHROPIC_DAY,
    }
}

const fn gemini(name: &'static str, display_name: &'static str, context_window: u32, prices: Prices) -> WellKnown {
    let (kind, max_output_tokens) = (ProviderKind::Gemini, Some(65_536));
    WellKnown {
        kind,
        name,
        display_name,
        context_window,
        max_output_tokens,
        capabilities: GEMINI,
        prices,
        as_of: GEMINI_DAY,
    }
}

/// An embedding model; its batch price is half.
const fn embedding(
    kind: ProviderKind,
    name: &'static str,
    display_name: &'static str,
    context_window: u32,
    input: i64,
    as_of: (i32, u32, u32),
) -> WellKnown {
    let prices = Prices { batch_input: Some(NanoUsd(input / 2)), ..flat(input, 0) };
    WellKnown {
        kind,
        name,
        display_name,
        context_window,
        max_output_tokens: None,
        capabilities: EMBEDDING,
        prices,
        as_of,
    }
}

const fn flat(input: i64, output: i64) -> Prices {
    Prices {
        input: NanoUsd(input),
        cached_input: None,
        cache_write: None,
        output: NanoUsd(output),
        batch_input: None,
        batch_output: None,
    }
}

/// With a price for cached input.
const fn read(input: i64, cached: i64, output: i64) -> Prices {
    Prices { cached_input: Some(NanoUsd(cached)), ..flat(input, output) }
}

/// Anthropic's: writing to the cache for five minutes costs a quarter more than the input, a batch half.
const fn written(input: i64, cached: i64, output: i64) -> Prices {
    halved(Prices { cache_write: Some(NanoUsd(input + input / 4)), ..read(input, cached, output) })
}

/// A batch costs half.
const fn halved(prices: Prices) -> Prices {
    Prices {
        batch_input: Some(NanoUsd(prices.input.0 / 2)),
        batch_output: Some(NanoUsd(prices.output.0 / 2)),
        ..prices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_rows_are_sane() {
        for (at, model) in ALL.iter().enumerate() {
            assert!(ALL[at + 1..].iter().all(|other| other.name != model.name), "{} is there twice", model.name);
            assert!(model.prices_as_of().is_some(), "{} has a day", model.name);
            assert!(model.max_output_tokens.is_none_or(|output| output < model.context_window), "{}", model.name);
            assert_ne!(model.capabilities.contains(&Chat), model.capabilities.contains(&Embeddings), "{}", model.name);
            let Prices { input, cached_input, cache_write, output, batch_input, .. } = model.prices;
            assert!(input.0 > 0 && batch_input.is_some_and(|batch| batch.0 * 2 == input.0), "{}", model.name);
            assert!(cached_input.is_none_or(|cached| cached < input), "{}: reading the cache is cheaper", model.name);
            assert!(cache_write.is_none_or(|write| write > input), "{}: writing the cache is dearer", model.name);
            assert_eq!(output.0 == 0, model.capabilities == EMBEDDING, "{}", model.name);
        }
    }

    #[test]
    fn a_million_tokens_cost_what_the_price_page_says() {
        let dollars = |name: &str| {
            let prices = find(name).unwrap().prices;
            (prices.input.0 * 1_000_000, prices.output.0 * 1_000_000)
        };
        // $0.25 and $2.00; $3 and $15; $0.30 and $2.50.
        assert_eq!(dollars("gpt-5-mini"), (250_000_000, 2_000_000_000));
        assert_eq!(dollars("claude-sonnet-4-5"), (3_000_000_000, 15_000_000_000));
        assert_eq!(dollars("gemini-2.5-flash"), (300_000_000, 2_500_000_000));
    }
}
