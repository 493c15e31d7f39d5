//! OpenAI `/v1/responses`.
//!
//! Sources: <https://platform.openai.com/docs/api-reference/responses>,
//! <https://platform.openai.com/docs/api-reference/responses-streaming>. Answers are not kept here, so whatever refers to
//! an earlier one is refused. What a model thought leaves as a summary, with Anthropic's signature as `encrypted_content`,
//! and can come back that way.

mod content;
mod input;
mod items;
mod parse;
mod render;
mod stream;
mod tools;

pub(super) use parse::parse;
pub(super) use render::render;
pub(super) use stream::encoder;

use crate::{
    error::UNSUPPORTED_PARAMETER,
    protocol::{ApiError, read::Path},
};

/// What OpenAI has and we do not. `why` continues the sentence that the field begins.
fn unsupported(at: &Path<'_>, why: &str) -> ApiError {
    ApiError::invalid(UNSUPPORTED_PARAMETER.code, at.to_string(), format!("{at} {why}"))
}
