//! Whether a model can do what is asked of it: known before anything is reserved or sent.

use super::{
    chat::{ChatRequest, Dialect, MediaSource, Message, Part, ResponseFormat, Tool},
    model::{Capability, Model},
    tokens::Size,
};

/// Why a request does not fit a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// The model cannot do it; `param` is the field that asks for it.
    Lacks { capability: Capability, param: String },
    /// More tokens are asked for than one answer of the model may have.
    AnswerTooLong { asked: u32, most: u32 },
    /// Input and answer do not fit the context window together.
    ContextExceeded { window: u32, input: u64, answer: u32 },
}

/// Ok when `model` can do what `request` asks. `size` is that of its input.
pub fn check(model: &Model, request: &ChatRequest, size: Size) -> Result<(), Unfit> {
    let lacks = |capability, param: &str| Unfit::Lacks { capability, param: param.to_owned() };
    let needs = |needed: bool, capability, param: &str| {
        if needed && !model.can(capability) { Err(lacks(capability, param)) } else { Ok(()) }
    };
    needs(true, Capability::Chat, "model")?;
    needs(request.stream, Capability::Streaming, "stream")?;
    let functions = request.tools.iter().any(|tool| matches!(tool, Tool::Function { .. }));
    needs(functions, Capability::Tools, "tools")?;
    needs(request.logprobs.is_some(), Capability::Logprobs, "logprobs")?;
    match request.response_format {
        Some(ResponseFormat::JsonSchema { .. }) => needs(true, Capability::JsonSchema, format_field(request.dialect))?,
        // Whoever keeps to a schema can keep to JSON.
        Some(ResponseFormat::JsonObject) if !model.can(Capability::JsonSchema) => {
            needs(true, Capability::JsonObject, format_field(request.dialect))?;
        }
        _ => {}
    }
    for (index, message) in request.messages.iter().enumerate() {
        if let Some(capability) = lacking(model, message) {
            return Err(lacks(capability, &content_field(request.dialect, index)));
        }
    }
    if let (Some(asked), Some(most)) = (request.max_tokens, model.max_output_tokens)
        && asked > most
    {
        return Err(Unfit::AnswerTooLong { asked, most });
    }
    let answer = request.max_tokens.unwrap_or_default();
    if size.at_least.saturating_add(answer.into()) > model.context_window.into() {
        return Err(Unfit::ContextExceeded { window: model.context_window, input: size.at_least, answer });
    }
    Ok(())
}

/// Where the dialect asks for JSON.
fn format_field(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::ChatCompletions => "response_format",
        Dialect::Responses => "text.format",
        Dialect::Messages => "output_format",
    }
}

/// Where the dialect has the content of the message at `index` of ours. Only chat completions count them as we do.
fn content_field(dialect: Dialect, index: usize) -> String {
    match dialect {
        Dialect::ChatCompletions => format!("messages[{index}].content"),
        Dialect::Responses => "input".to_owned(),
        Dialect::Messages => "messages".to_owned(),
    }
}

/// What a message needs and the model has not.
fn lacking(model: &Model, message: &Message) -> Option<Capability> {
    message.parts.iter().find_map(|part| lacking_for(model, part))
}

fn lacking_for(model: &Model, part: &Part) -> Option<Capability> {
    let needed = match part {
        Part::Image { .. } => Capability::Vision,
        Part::Audio { .. } => Capability::Audio,
        // Text in a file is text.
        Part::File { source: MediaSource::Inline { media_type, .. }, .. } if media_type.starts_with("text/") => {
            return None;
        }
        Part::File { .. } => Capability::Files,
        Part::ToolResult { parts, .. } => return parts.iter().find_map(|part| lacking_for(model, part)),
        _ => return None,
    };
    (!model.can(needed)).then_some(needed)
}
