//! What a model reads, in parts: the markup of a chat template may hold control tokens, what people wrote may not.

/// One stretch of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// From a template: `<|im_end|>` in it is the token that ends a message.
    Markup(String),
    /// From a request: `<|im_end|>` in it is ten characters. Nobody can end their own message and speak as the system.
    Text(String),
}

/// A whole prompt and how its answer is to be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prompt {
    pub parts: Vec<Part>,
    /// Texts at which the format of the prompt ends an answer, besides those of the request.
    pub stop: Vec<String>,
    /// Whether white space at the beginning of the answer belongs to the format.
    pub trim: bool,
    /// The temperature that suits the format when the request names none.
    pub temperature: f32,
}

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions, of OpenAI's `system` and `developer`.
    System,
    User,
    Assistant,
}

impl Role {
    /// As chat templates name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub role: Role,
    pub content: String,
}

impl Prompt {
    /// A text to be continued as it is.
    pub fn continued(text: String) -> Self {
        // OpenAI's default for completions; a plain continuation has no format that would ask for another.
        Self { parts: vec![Part::Text(text)], temperature: 1.0, ..Self::default() }
    }
}
