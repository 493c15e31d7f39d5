//! A loaded GGUF file: its words, its chat template, and requests turned into tokens.

use std::{borrow::Cow, fs};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use llama_cpp_2::{
    json_schema_to_grammar,
    model::{LlamaModel, params::LlamaModelParams},
    sampling::LlamaSampler,
    token::LlamaToken,
};

use super::{backend, sampler::Sampler};
use crate::{
    config::ChatSettings,
    domain::{
        few_shot,
        generation::{Generation, OutputFormat},
        json_schema::Schema,
        output::Output,
        prompt::{Message, Part, Prompt, Role},
        template::Template,
    },
    error::Error,
};

/// A model in memory (mapped from its file, so several processes share it).
pub struct LoadedModel {
    pub llama: LlamaModel,
    /// Tokens of prompt and answer together.
    pub context: u32,
    format: ChatFormat,
}

/// How a conversation is written.
enum ChatFormat {
    /// As the model was trained on.
    Template(Box<Template>),
    /// The model was trained on no conversations.
    FewShot,
}

/// A request in the words of the engine.
pub struct Prepared {
    pub prompt: Vec<LlamaToken>,
    pub sampler: Sampler,
    pub output: Output,
    /// Tokens to write at most; at least 1, and the prompt and they fit into the context.
    pub max_tokens: u32,
}

impl LoadedModel {
    /// Loads the file; takes about a second for half a gigabyte.
    pub fn open(settings: &ChatSettings) -> anyhow::Result<Self> {
        let llama = LlamaModel::load_from_file(backend::get()?, &settings.path, &LlamaModelParams::default())
            .with_context(|| format!("{} is no GGUF file that llama.cpp can load", settings.path.display()))?;
        let source = match &settings.template {
            Some(path) => Some(fs::read_to_string(path).with_context(|| format!("{}", path.display()))?),
            None => llama.chat_template(None).ok().and_then(|template| template.to_string().ok()),
        };
        let format = match source {
            Some(source) => {
                let (bos, eos) = (text(&llama, llama.vocab().bos()), text(&llama, llama.vocab().eos()));
                ChatFormat::Template(Box::new(Template::new(source, bos, eos).context("the chat template")?))
            }
            None => ChatFormat::FewShot,
        };
        let trained = llama.n_ctx_train();
        if trained < settings.context {
            tracing::warn!(
                model.name = settings.name,
                model.context = trained,
                "BRAINOPS_INFERENCE_CONTEXT is more than the model was trained for; its own limit holds"
            );
        }
        Ok(Self { context: settings.context.min(trained), llama, format })
    }

    /// The prompt for the next message of a conversation.
    pub fn chat_prompt(
        &self,
        messages: &[Message],
        format: &OutputFormat,
        now: DateTime<Utc>,
    ) -> Result<Prompt, Error> {
        match &self.format {
            ChatFormat::Template(template) => {
                let messages = with_schema(messages, format);
                template.prompt(&messages, now).map_err(|error| Error::Template(error.to_string()))
            }
            ChatFormat::FewShot => Ok(few_shot::prompt(messages, format)),
        }
    }

    /// Reads the prompt, builds the grammar, and checks that the context holds it all.
    pub fn prepare(&self, generation: &Generation) -> Result<Prepared, Error> {
        let Generation { prompt, options, param } = generation;
        let tokens = self.tokens(&prompt.parts);
        let left = usize::try_from(self.context).unwrap_or(usize::MAX).saturating_sub(tokens.len());
        if left == 0 {
            return Err(Error::ContextLengthExceeded { param, prompt: tokens.len(), context: self.context });
        }
        let left = u32::try_from(left).unwrap_or(u32::MAX);
        let grammar = self.grammar(&options.format)?;
        let temperature = options.sampling.temperature.unwrap_or(prompt.temperature);
        // A grammar says itself where the answer ends; a stop text of the format could be part of the JSON.
        let of_format = if grammar.is_some() { &[][..] } else { &prompt.stop };
        Ok(Prepared {
            sampler: Sampler::new(&self.llama, &options.sampling, temperature, self.context, grammar),
            output: Output::new([of_format, &options.stop].concat(), prompt.trim),
            max_tokens: options.max_tokens.map_or(left, |most| most.min(left)),
            prompt: tokens,
        })
    }

    fn tokens(&self, parts: &[Part]) -> Vec<LlamaToken> {
        let vocab = self.llama.vocab();
        let mut tokens = Vec::new();
        for part in parts {
            match part {
                Part::Markup(text) => vocab.tokenize_into(text.as_bytes(), &mut tokens, false, true),
                Part::Text(text) => vocab.tokenize_into(text.as_bytes(), &mut tokens, false, false),
            }
        }
        // Most templates write it themselves, and two of them confuse a model.
        if tokens.is_empty() || (vocab.should_add_bos() && tokens.first() != Some(&vocab.bos())) {
            tokens.insert(0, vocab.bos());
        }
        tokens
    }

    fn grammar(&self, format: &OutputFormat) -> Result<Option<LlamaSampler>, Error> {
        let schema = match format {
            OutputFormat::Text => return Ok(None),
            OutputFormat::JsonObject => &Schema::any_object(),
            OutputFormat::JsonSchema(schema) => schema,
        };
        let refused = |()| Error::UnsupportedSchema {
            param: "response_format.json_schema.schema".into(),
            message: "cannot be turned into a grammar: it refers to itself without an end, or asks for too much".into(),
        };
        let grammar = json_schema_to_grammar(schema.as_str()).map_err(|_| ()).map_err(refused)?;
        LlamaSampler::grammar(&self.llama, &grammar, "root").map(Some).map_err(|_| ()).map_err(refused)
    }
}

/// Tells the model of the schema that its answer will be held to: it chooses better when it knows what is coming.
fn with_schema<'a>(messages: &'a [Message], format: &OutputFormat) -> Cow<'a, [Message]> {
    let OutputFormat::JsonSchema(schema) = format else { return Cow::Borrowed(messages) };
    let mut messages = messages.to_vec();
    if let Some(message) = messages.iter_mut().rfind(|message| message.role == Role::User) {
        message.content.push_str("\n\nAnswer with JSON of this schema: ");
        message.content.push_str(schema.as_str());
    }
    Cow::Owned(messages)
}

/// A control token as templates write it.
fn text(llama: &LlamaModel, token: LlamaToken) -> String {
    let bytes = llama.vocab().token_to_piece(token, true, None);
    String::from_utf8_lossy(&bytes).into_owned()
}
