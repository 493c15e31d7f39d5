//! The translations, end to end: what each dialect is read as, and what it answers, whole and streamed.

mod chat_completions;
mod conversations;
mod embeddings;
mod fixtures;
mod messages;
mod models;
mod panics;
mod responses;
mod streams;
