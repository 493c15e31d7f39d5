//! The tools: their names, and what a model is told about them.

use std::sync::Arc;

use kit::{Principal, Problem};
use rmcp::model::{self, ToolAnnotations};
use serde_json::{Map, Value};

use super::{calls, schema};
use crate::{
    api::dto::{
        context::{ContextRequest, ContextView},
        memories::{MemoryCreate, MemoryView},
        search::{SearchRequest, SearchView},
        sessions::{SessionQuery, SessionView},
    },
    state::AppState,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    SearchMemory,
    AddMemory,
    ListSessions,
    GetContext,
}

impl Tool {
    pub const ALL: [Self; 4] = [Self::SearchMemory, Self::GetContext, Self::AddMemory, Self::ListSessions];

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::SearchMemory => "search_memory",
            Self::AddMemory => "add_memory",
            Self::ListSessions => "list_sessions",
            Self::GetContext => "get_context",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::SearchMemory => "Search memory",
            Self::AddMemory => "Add a memory",
            Self::ListSessions => "List conversations",
            Self::GetContext => "Get context",
        }
    }

    const fn description(self) -> &'static str {
        match self {
            Self::SearchMemory => {
                "Search what is remembered: facts, turns of earlier conversations and parts of documents, by meaning and \
                 by words, the best first. `scope` says whose memories are meant: {\"organization\": true} is everything \
                 within reach, {\"user\": \"me\"} what is the caller's own."
            }
            Self::AddMemory => {
                "Remember something word for word, best a sentence that can be understood alone. It is the caller's own \
                 unless `user` says otherwise. What is remembered already is not remembered twice."
            }
            Self::ListSessions => "List the conversations that are kept, the newest first.",
            Self::GetContext => {
                "What bears on a question, as one text within a number of tokens: facts, then turns of earlier \
                 conversations, then documents, each with a number by which an answer can cite it. `scope` says whose \
                 memories are meant: {\"organization\": true} is everything within reach, {\"user\": \"me\"} what is the \
                 caller's own."
            }
        }
    }

    /// What arguments it takes.
    fn input(self) -> Map<String, Value> {
        match self {
            // A search has to say where, which models would only learn from a refusal.
            Self::SearchMemory => schema::requiring("scope", schema::of::<SearchRequest>()),
            Self::GetContext => schema::requiring("scope", schema::of::<ContextRequest>()),
            Self::AddMemory => schema::of::<MemoryCreate>(),
            Self::ListSessions => schema::of_parameters::<SessionQuery>(),
        }
    }

    /// What it answers.
    fn output(self) -> Map<String, Value> {
        match self {
            Self::SearchMemory => schema::of::<SearchView>(),
            Self::GetContext => schema::of::<ContextView>(),
            Self::AddMemory => schema::of::<MemoryView>(),
            Self::ListSessions => schema::of_list::<SessionView>(),
        }
    }

    pub fn described(self) -> model::Tool {
        let hints = ToolAnnotations::with_title(self.title())
            .read_only(self != Self::AddMemory)
            // What is superseded stays in its history, and the same again is not added again.
            .destructive(false)
            .idempotent(true)
            .open_world(false);
        model::Tool::new(self.name(), self.description(), self.input())
            .with_title(self.title())
            .with_raw_output_schema(Arc::new(self.output()))
            .with_annotations(hints)
    }

    pub async fn call(
        self,
        state: &AppState,
        who: &Principal,
        arguments: Map<String, Value>,
    ) -> Result<Value, Problem> {
        match self {
            Self::SearchMemory => calls::search_memory(state, who, arguments).await,
            Self::AddMemory => calls::add_memory(state, who, arguments).await,
            Self::ListSessions => calls::list_sessions(state, who, arguments).await,
            Self::GetContext => calls::get_context(state, who, arguments).await,
        }
    }
}
