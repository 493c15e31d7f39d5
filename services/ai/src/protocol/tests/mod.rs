//! The translations, end to end: what each dialect is read as, and what it answers, whole and streamed.

mod chat_completions;
mod fixtures;
mod streams;
