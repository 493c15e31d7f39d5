//! What is asked of a model and how it answers, as plain values: no HTTP, no engine.

pub mod few_shot;
pub mod generation;
pub mod json_schema;
pub mod output;
pub mod prompt;
pub mod schedule;
pub mod template;
