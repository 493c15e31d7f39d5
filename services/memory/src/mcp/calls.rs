//! What each tool does: what the route of the same purpose does, with arguments in place of a body.

use kit::{Principal, Problem, http::ValidJson};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use validator::Validate;

use crate::{
    api::{
        dto::{
            context::{ContextRequest, ContextView},
            memories::MemoryCreate,
            search::{SearchRequest, SearchView},
            sessions::SessionQuery,
        },
        memories, sessions,
    },
    app,
    domain::access::allow,
    error::Error,
    state::AppState,
};

type Arguments = Map<String, Value>;

pub async fn search_memory(state: &AppState, who: &Principal, arguments: Arguments) -> Result<Value, Problem> {
    let allowed = allow(who).map_err(Error::from)?;
    let (wanted, explain) = read::<SearchRequest>(&arguments)?.into_search(&allowed)?;
    let found = app::search::search(state, &allowed, wanted).await?;
    written(&SearchView::new(found, explain))
}

pub async fn get_context(state: &AppState, who: &Principal, arguments: Arguments) -> Result<Value, Problem> {
    let allowed = allow(who).map_err(Error::from)?;
    let occasion = read::<ContextRequest>(&arguments)?.into_occasion(&allowed)?;
    let context = app::build_context::build_context(state, &allowed, occasion).await?;
    written(&ContextView::from(context))
}

pub async fn add_memory(state: &AppState, who: &Principal, arguments: Arguments) -> Result<Value, Problem> {
    let allowed = allow(who).map_err(Error::from)?;
    let (new, supersedes) = read::<MemoryCreate>(&arguments)?.into_parts(&allowed).map_err(Error::from)?;
    let origin = who.origin(&*state.clock);
    let answered =
        app::add_memory::add_memory(state, &allowed, origin, new, supersedes, None, memories::created).await?;
    serde_json::from_slice(&answered.answer.body).map_err(Problem::internal)
}

pub async fn list_sessions(state: &AppState, who: &Principal, arguments: Arguments) -> Result<Value, Problem> {
    let allowed = allow(who).map_err(Error::from)?;
    written(&sessions::page(state, &allowed, read::<SessionQuery>(&arguments)?).await?)
}

fn read<T: DeserializeOwned + Validate>(arguments: &Arguments) -> Result<T, Problem> {
    let text = serde_json::to_vec(arguments).map_err(Problem::internal)?;
    Ok(ValidJson::<T>::parse(&text)?.into_inner())
}

fn written(view: &impl Serialize) -> Result<Value, Problem> {
    serde_json::to_value(view).map_err(Problem::internal)
}
