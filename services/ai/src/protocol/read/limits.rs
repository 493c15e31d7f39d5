//! How large a request may be. Bodies are bounded as a whole before they get here; these bound what a body of that size
//! could still do, and name the field that is too large.

/// Levels of objects and lists in a body; JSON Schemas of tools are the deepest thing in practice.
pub const DEPTH: usize = 64;
/// Messages or input items of a request.
pub const MESSAGES: usize = 10_000;
/// Parts of one message.
pub const PARTS: usize = 4_096;
/// Bytes of one text: OpenAI's own limit.
pub const TEXT_BYTES: usize = 10 * 1024 * 1024;
/// Bytes of an inline file or a recording once decoded.
pub const FILE_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of an inline image once decoded.
pub const IMAGE_BYTES: usize = 10 * 1024 * 1024;
/// Images of a request.
pub const IMAGES: usize = 20;
/// Bytes of a URL.
pub const URL_BYTES: usize = 8 * 1024;
/// Tools of a request: OpenAI's own limit.
pub const TOOLS: usize = 128;
/// Tool calls in one message.
pub const TOOL_CALLS: usize = 128;
/// Bytes of the id of a tool call or a file. Some providers hide a signature in it, so it is not short.
pub const ID_BYTES: usize = 4 * 1024;
/// Bytes of the name of a model.
pub const MODEL_BYTES: usize = 256;
/// Bytes of the caller's id of its user, of the name of a participant, and other short texts.
pub const NAME_BYTES: usize = 512;
/// Bytes of one stop sequence.
pub const STOP_BYTES: usize = 1024;
/// Answers of one request.
pub const ANSWERS: i64 = 8;
/// Entries of `logit_bias`.
pub const BIASES: usize = 1024;
/// Entries of `metadata`, bytes of a key, bytes of a value: OpenAI's own limits.
pub const METADATA: (usize, usize, usize) = (16, 64, 512);
/// Inputs of an embedding request: OpenAI's own limit.
pub const INPUTS: usize = 2048;
/// Tokens of one input of an embedding request.
pub const INPUT_TOKENS: usize = 65_536;
