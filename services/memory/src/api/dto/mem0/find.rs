//! What mem0's clients search, list and forget.

use kit::Problem;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};
use validator::{Validate, ValidationError};

use super::{filters, refuse_options, refused};
use crate::{
    api::dto::{check, search::a_question},
    app::search::Ranking,
    domain::{
        access::{Allowed, Read, Write},
        selection::Selection,
    },
};

/// A search in mem0's words.
#[derive(Debug, Deserialize, Validate, ToSchema)]
pub struct Mem0Search {
    /// What is asked: 1 to 4000 characters.
    #[schema(example = "Where does she live?", min_length = 1, max_length = 4000)]
    #[validate(custom(function = "a_question"))]
    pub query: String,
    /// Whose memories, and which of them. See `Mem0List`.
    #[schema(value_type = Option<Object>, example = json!({"user_id": "alice"}))]
    pub filters: Option<Value>,
    /// Only those of this user.
    pub user_id: Option<String>,
    /// Only those of this agent.
    pub agent_id: Option<String>,
    /// Only those of this app.
    pub app_id: Option<String>,
    /// Only those of this run.
    pub run_id: Option<String>,
    /// Only those with one of these tags.
    pub categories: Option<Vec<String>>,
    /// Only those with these fields in their metadata.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Map<String, Value>>,
    /// How many at most: 1 to 100, 10 when absent.
    #[schema(minimum = 1, maximum = 100)]
    #[validate(range(min = 1, max = 100, message = "Give a number from 1 to 100."))]
    pub top_k: Option<u32>,
    /// Leaves out what has a smaller score; good answers have about 1.
    #[validate(custom(function = "a_score"))]
    pub threshold: Option<f64>,
    /// Not supported.
    #[schema(value_type = Option<Object>)]
    fields: Option<Value>,
    /// Not supported.
    #[schema(value_type = Option<Object>)]
    reference_date: Option<Value>,
    /// Not supported: what has expired is forgotten.
    show_expired: Option<bool>,
    /// Not supported.
    enable_graph: Option<bool>,
}

impl Mem0Search {
    /// Which memories, how they are ranked, and how many.
    pub fn selections(&self, allowed: &Allowed<Read>) -> Result<(Vec<Selection>, Ranking, usize), Problem> {
        refuse_options(&[
            ("fields", self.fields.is_some()),
            ("reference_date", self.reference_date.is_some()),
            ("show_expired", self.show_expired == Some(true)),
            ("enable_graph", self.enable_graph == Some(true)),
        ])?;
        let ids = [
            ("user_id", &self.user_id),
            ("agent_id", &self.agent_id),
            ("app_id", &self.app_id),
            ("run_id", &self.run_id),
        ];
        let mut all: Map<String, Value> = given(ids);
        if let Some(categories) = &self.categories {
            all.insert("categories".to_owned(), json!({"in": categories}));
        }
        if let Some(metadata) = &self.metadata {
            all.insert("metadata".to_owned(), json!(metadata));
        }
        let selections = filters::read(&together(all, self.filters.clone()), allowed)?;
        let ranking = Ranking { threshold: self.threshold, ..Ranking::default() };
        Ok((selections, ranking, self.top_k.unwrap_or(10) as usize))
    }
}

/// Which memories are listed, in mem0's words.
#[derive(Debug, Deserialize, Validate, ToSchema)]
pub struct Mem0List {
    /// Whose memories, and which of them: `user_id`, `agent_id`, `app_id`, `run_id` (a text, or `{"in": […]}`), `categories`
    /// (`in`, `contains`), `metadata` (fields that are equal), `created_at` (`gte`, `gt`, `lte`, `lt`), all at once; or `AND`
    /// and `OR` of such. Anything else is refused.
    #[schema(value_type = Option<Object>, example = json!({"AND": [{"user_id": "alice"}, {"agent_id": "support"}]}))]
    pub filters: Option<Value>,
    /// Only those of this user.
    pub user_id: Option<String>,
    /// Only those of this agent.
    pub agent_id: Option<String>,
    /// Only those of this app.
    pub app_id: Option<String>,
    /// Only those of this run.
    pub run_id: Option<String>,
    /// Only those with one of these tags.
    pub categories: Option<Vec<String>>,
    /// Only those that hold since this moment or later.
    #[schema(value_type = Option<String>)]
    pub start_date: Option<Value>,
    /// Only those that hold since this moment or before.
    #[schema(value_type = Option<String>)]
    pub end_date: Option<Value>,
    /// Not supported.
    #[schema(value_type = Option<Object>)]
    fields: Option<Value>,
    /// Not supported: what has expired is forgotten.
    show_expired: Option<bool>,
    /// Not supported.
    enable_graph: Option<bool>,
}

impl Mem0List {
    pub fn selections(&self, allowed: &Allowed<Read>) -> Result<Vec<Selection>, Problem> {
        refuse_options(&[
            ("fields", self.fields.is_some()),
            ("show_expired", self.show_expired == Some(true)),
            ("enable_graph", self.enable_graph == Some(true)),
        ])?;
        let ids = [
            ("user_id", &self.user_id),
            ("agent_id", &self.agent_id),
            ("app_id", &self.app_id),
            ("run_id", &self.run_id),
        ];
        let mut all: Map<String, Value> = given(ids);
        if let Some(categories) = &self.categories {
            all.insert("categories".to_owned(), json!({"in": categories}));
        }
        let bounds = [("gte", &self.start_date), ("lte", &self.end_date)];
        let period: Map<String, Value> = given(bounds);
        if !period.is_empty() {
            all.insert("created_at".to_owned(), Value::Object(period));
        }
        filters::read(&together(all, self.filters.clone()), allowed)
    }
}

/// The members that there are.
fn given<'a, T: Clone + Into<Value> + 'a>(
    members: impl IntoIterator<Item = (&'static str, &'a Option<T>)>,
) -> Map<String, Value> {
    let member = |(name, value): (&str, &Option<T>)| Some((name.to_owned(), value.clone()?.into()));
    members.into_iter().filter_map(member).collect()
}

/// What is given beside the filters, and the filters.
fn together(all: Map<String, Value>, filters: Option<Value>) -> Value {
    match filters {
        Some(filters) if all.is_empty() => filters,
        Some(filters) => json!({"AND": [all, filters]}),
        None => Value::Object(all),
    }
}

/// Which page of a list.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Mem0Pages {
    /// From 1.
    #[serde(default = "first")]
    #[param(minimum = 1, maximum = 10_000, default = 1, required = false)]
    #[validate(range(min = 1, max = 10_000, message = "Give a number from 1 to 10000."))]
    pub page: u32,
    /// How many at most.
    #[serde(default = "hundred")]
    #[param(minimum = 1, maximum = 200, default = 100, required = false)]
    #[validate(range(min = 1, max = 200, message = "Give a number from 1 to 200."))]
    pub page_size: u32,
}

impl Mem0Pages {
    /// How many come before it, and how many are on it.
    pub fn span(&self) -> (i64, i64) {
        (i64::from(self.page - 1) * i64::from(self.page_size), i64::from(self.page_size))
    }
}

/// Whose memories are forgotten; at least one, and all hold at once. Here nothing that is unknown is passed over: it could
/// have meant less.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
#[expect(clippy::struct_field_names, reason = "mem0 calls them so")]
pub struct Mem0Scope {
    /// Those of this user.
    pub user_id: Option<String>,
    /// Those of this agent.
    pub agent_id: Option<String>,
    /// Those of this app.
    pub app_id: Option<String>,
    /// Those of this run.
    pub run_id: Option<String>,
    /// Without effect: it is the key's.
    #[expect(dead_code, reason = "clients send it")]
    org_id: Option<String>,
    /// Without effect, too.
    #[expect(dead_code, reason = "clients send it")]
    project_id: Option<String>,
}

impl Mem0Scope {
    pub fn selection(&self, allowed: &Allowed<Write>) -> Result<Selection, Problem> {
        let ids = [
            ("user_id", &self.user_id),
            ("agent_id", &self.agent_id),
            ("app_id", &self.app_id),
            ("run_id", &self.run_id),
        ];
        if self.user_id.as_deref() == Some("*") {
            return Err(refused("user_id", "cannot be \"*\" where something is forgotten"));
        }
        let selections = filters::read(&Value::Object(given(ids)), allowed)?;
        selections.into_iter().next().ok_or_else(|| refused("user_id", "is needed"))
    }
}

/// How one memory is forgotten.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Mem0Forget {
    /// Not supported: no memory is linked to another.
    delete_linked: Option<bool>,
}

impl Mem0Forget {
    pub fn check(&self) -> Result<(), Problem> {
        refuse_options(&[("delete_linked", self.delete_linked == Some(true))])
    }
}

fn a_score(score: f64) -> Result<(), ValidationError> {
    check((-1.0..=4.0).contains(&score), "range", "Give a number from -1 to 4.")
}

fn first() -> u32 {
    1
}

fn hundred() -> u32 {
    100
}
