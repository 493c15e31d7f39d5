//! Models on the wire.

use chrono::{DateTime, NaiveDate, Utc};
use contracts::{ApiKeyId, ProviderId, Role, TeamId, UserId};
use kit::http::{Limit, Page, Patch};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

use super::{
    not_null,
    prices::{PricesBody, PricesPatch},
    value,
};
use crate::{
    app::list_model_records::{Filter, Seen},
    catalog::provider_id,
    domain::{
        access::Realm,
        definition::{Definition, ProviderRef, RouteRecord, RouteSpec},
        model::{Access, Capability, ModelSource},
    },
};

/// A model as those see it who may use or change it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelView {
    /// The model's id.
    pub id: Uuid,
    /// Whom it belongs to.
    pub scope: Realm,
    /// Where it comes from.
    pub source: ModelSource,
    /// What callers write into `model`.
    #[schema(example = "support")]
    pub alias: String,
    /// Its name for people.
    #[schema(example = "Support assistant")]
    pub display_name: Option<String>,
    /// Tokens of input and output together.
    #[schema(example = 400_000)]
    pub context_window: u32,
    /// Most tokens of one answer; `null` when nothing but the context window limits it.
    #[schema(example = 128_000)]
    pub max_output_tokens: Option<u32>,
    /// What it can do.
    pub capabilities: Vec<Capability>,
    /// What it costs where a route names no other price.
    pub prices: PricesBody,
    /// The day on which the prices were right.
    #[schema(example = "2026-03-01")]
    pub prices_as_of: Option<NaiveDate>,
    /// Whether it can be called.
    pub enabled: bool,
    /// Who may use it; only shown to those who may change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub access: Option<Access>,
    /// How it is reached; only shown to those who may change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub routes: Option<Vec<RouteView>>,
    /// Grows by one with each change, also of a provider that it is routed to; also the `ETag`.
    #[schema(example = 1)]
    pub version: i64,
    /// When it was made; 1970 for one that came with the installation.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl From<Seen> for ModelView {
    fn from((model, may_change): Seen) -> Self {
        let definition = model.definition;
        Self {
            id: model.id.uuid(),
            scope: Realm::of(model.org),
            source: model.source,
            alias: definition.alias,
            display_name: definition.display_name,
            context_window: definition.context_window,
            max_output_tokens: definition.max_output_tokens,
            capabilities: definition.capabilities,
            prices: definition.prices.into(),
            prices_as_of: definition.prices_as_of,
            enabled: definition.enabled,
            access: may_change.then_some(definition.access),
            routes: may_change.then(|| definition.routes.into_iter().map(RouteView::from).collect()),
            version: model.version,
            created_at: model.created_at,
            updated_at: model.updated_at,
        }
    }
}

/// One way to reach a model.
#[derive(Debug, Serialize, ToSchema)]
pub struct RouteView {
    /// The route's id.
    pub id: Uuid,
    /// The provider that it leads to.
    pub provider_id: Uuid,
    /// The provider's name of the model.
    #[schema(example = "gpt-5-mini")]
    pub model: String,
    /// Share among the routes of the same rank; 0 takes no traffic.
    #[schema(example = 1)]
    pub weight: u32,
    /// Rank: routes with 0 are tried first, then those with 1, and so on.
    #[schema(example = 0)]
    pub fallback: u32,
    /// Where the provider runs it, if that matters.
    #[schema(example = "eu-west-1")]
    pub region: Option<String>,
    /// Another price than the model's.
    pub prices: Option<PricesBody>,
}

impl From<RouteRecord> for RouteView {
    fn from(route: RouteRecord) -> Self {
        Self {
            id: route.id.uuid(),
            provider_id: match route.provider {
                ProviderRef::Stored(id) => id.uuid(),
                ProviderRef::BuiltIn(name) => provider_id(&name).uuid(),
            },
            model: route.upstream_model,
            weight: route.weight,
            fallback: route.fallback,
            region: route.region,
            prices: route.prices.map(PricesBody::from),
        }
    }
}

/// A new model.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelCreate {
    /// What callers write into `model`: 1 to 128 letters, digits and `. _ : / @ + -`, beginning with a letter or digit;
    /// unique in its scope. An organization's own hides one of the installation with the same alias.
    #[schema(example = "support", min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9][A-Za-z0-9._:/@+-]*$")]
    pub alias: String,
    /// Its name for people: 1 to 100 characters.
    #[serde(default)]
    #[schema(example = "Support assistant", min_length = 1, max_length = 100)]
    pub display_name: Option<String>,
    /// Tokens of input and output together.
    #[schema(example = 400_000, minimum = 1, maximum = 100_000_000)]
    pub context_window: u32,
    /// Most tokens of one answer, at most `context_window`.
    #[serde(default)]
    #[schema(example = 128_000, minimum = 1)]
    pub max_output_tokens: Option<u32>,
    /// What it can do; `chat` or `embeddings` must be among it.
    #[schema(example = json!(["chat", "streaming", "tools"]), min_items = 1)]
    pub capabilities: Vec<Capability>,
    /// What it costs where a route names no other price.
    pub prices: PricesBody,
    /// The day on which the prices were right.
    #[serde(default)]
    #[schema(example = "2026-03-01")]
    pub prices_as_of: Option<NaiveDate>,
    /// Whether it can be called.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub enabled: bool,
    /// Who may use it; everybody of the organization when absent.
    #[serde(default)]
    pub access: Access,
    /// How it is reached: 1 to 16 routes.
    #[schema(min_items = 1, max_items = 16)]
    pub routes: Vec<RouteCreate>,
    /// Whom it belongs to; `global` is for the operators of the installation.
    #[serde(default)]
    pub scope: Realm,
}

impl ModelCreate {
    /// Whom it is for, and what it is; the routes apart, since they have no ids yet.
    pub fn into_parts(self) -> (Realm, Definition, Vec<RouteSpec>) {
        let routes = self.routes.into_iter().map(RouteSpec::from).collect();
        let definition = Definition {
            alias: self.alias,
            display_name: self.display_name,
            context_window: self.context_window,
            max_output_tokens: self.max_output_tokens,
            capabilities: self.capabilities,
            prices: self.prices.into(),
            prices_as_of: self.prices_as_of,
            enabled: self.enabled,
            access: self.access,
            routes: Vec::new(),
        };
        (self.scope, definition, routes)
    }
}

/// A new route.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteCreate {
    /// The provider that it leads to: one of the model's own scope.
    #[schema(value_type = Uuid)]
    pub provider_id: ProviderId,
    /// The provider's name of the model: 1 to 200 visible ASCII characters.
    #[schema(example = "gpt-5-mini", min_length = 1, max_length = 200)]
    pub model: String,
    /// Share among the routes of the same rank; 0 takes no traffic.
    #[serde(default = "one")]
    #[schema(default = 1, maximum = 1000)]
    pub weight: u32,
    /// Rank: routes with 0 are tried first, then those with 1, and so on.
    #[serde(default)]
    #[schema(default = 0, maximum = 15)]
    pub fallback: u32,
    /// Where the provider runs it, if that matters: 1 to 32 characters `a-z`, `0-9` and dashes.
    #[serde(default)]
    #[schema(example = "eu-west-1", min_length = 1, max_length = 32, pattern = "^[a-z0-9-]+$")]
    pub region: Option<String>,
    /// Another price than the model's.
    #[serde(default)]
    pub prices: Option<PricesBody>,
}

impl From<RouteCreate> for RouteSpec {
    fn from(route: RouteCreate) -> Self {
        Self {
            provider: route.provider_id,
            upstream_model: route.model,
            weight: route.weight,
            fallback: route.fallback,
            region: route.region,
            prices: route.prices.map(Into::into),
        }
    }
}

/// A JSON merge patch (RFC 7396): what is absent stays as it is. Lists are replaced as a whole.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelPatch {
    /// What callers write into `model`.
    #[serde(default)]
    #[schema(value_type = Option<String>, nullable = false, example = "support", min_length = 1, max_length = 128)]
    #[validate(custom(function = "not_null"))]
    pub alias: Patch<String>,
    /// Its name for people; `null` removes it.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "Support assistant", min_length = 1, max_length = 100)]
    pub display_name: Patch<String>,
    /// Tokens of input and output together.
    #[serde(default)]
    #[schema(value_type = Option<u32>, nullable = false, example = 400_000, minimum = 1, maximum = 100_000_000)]
    #[validate(custom(function = "not_null"))]
    pub context_window: Patch<u32>,
    /// Most tokens of one answer; `null` removes the limit.
    #[serde(default)]
    #[schema(value_type = Option<u32>, example = 128_000, minimum = 1)]
    pub max_output_tokens: Patch<u32>,
    /// What it can do.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Capability>>, nullable = false, example = json!(["chat", "streaming"]))]
    #[validate(custom(function = "not_null"))]
    pub capabilities: Patch<Vec<Capability>>,
    /// What it costs.
    #[serde(default)]
    #[schema(value_type = Option<PricesPatch>, nullable = false)]
    #[validate(custom(function = "not_null"), nested)]
    pub prices: Patch<PricesPatch>,
    /// The day on which the prices were right.
    #[serde(default)]
    #[schema(value_type = Option<NaiveDate>, example = "2026-03-01")]
    pub prices_as_of: Patch<NaiveDate>,
    /// Whether it can be called.
    #[serde(default)]
    #[schema(value_type = Option<bool>, nullable = false)]
    #[validate(custom(function = "not_null"))]
    pub enabled: Patch<bool>,
    /// Who may use it; `null` means everybody.
    #[serde(default)]
    #[schema(value_type = Option<AccessPatch>)]
    pub access: Patch<AccessPatch>,
    /// How it is reached: 1 to 16 routes instead of those that are there.
    #[serde(default)]
    #[schema(value_type = Option<Vec<RouteCreate>>, nullable = false, min_items = 1, max_items = 16)]
    #[validate(custom(function = "not_null"))]
    pub routes: Patch<Vec<RouteCreate>>,
}

impl ModelPatch {
    /// What becomes of everything but the routes, and apart from it the new routes.
    pub fn into_parts(self) -> (impl FnOnce(Definition) -> Definition + Send + 'static, Option<Vec<RouteSpec>>) {
        let Self { alias, display_name, context_window, max_output_tokens, .. } = self;
        let Self { capabilities, prices, prices_as_of, enabled, access, routes, .. } = self;
        let edit = move |stored: Definition| Definition {
            alias: value(alias).unwrap_or(stored.alias),
            display_name: display_name.apply_to(stored.display_name),
            context_window: value(context_window).unwrap_or(stored.context_window),
            max_output_tokens: max_output_tokens.apply_to(stored.max_output_tokens),
            capabilities: value(capabilities).unwrap_or(stored.capabilities),
            prices: value(prices).map_or(stored.prices, |patch| patch.apply(stored.prices)),
            prices_as_of: prices_as_of.apply_to(stored.prices_as_of),
            enabled: value(enabled).unwrap_or(stored.enabled),
            access: match access {
                Patch::Absent => stored.access,
                Patch::Null => Access::default(),
                Patch::Value(patch) => patch.apply(stored.access),
            },
            routes: stored.routes,
        };
        (edit, value(routes).map(|routes| routes.into_iter().map(RouteSpec::from).collect()))
    }
}

/// A JSON merge patch of the access rules: what is absent stays, `null` removes a rule.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessPatch {
    /// The weakest role that may use it.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "member")]
    pub role: Patch<Role>,
    /// Teams whose members may use it.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Uuid>>)]
    pub teams: Patch<Vec<TeamId>>,
    /// People who may use it.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Uuid>>)]
    pub users: Patch<Vec<UserId>>,
    /// API keys that may use it.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Uuid>>)]
    pub api_keys: Patch<Vec<ApiKeyId>>,
}

impl AccessPatch {
    fn apply(self, stored: Access) -> Access {
        Access {
            role: self.role.apply_to(stored.role),
            teams: self.teams.apply_to(Some(stored.teams)).unwrap_or_default(),
            users: self.users.apply_to(Some(stored.users)).unwrap_or_default(),
            api_keys: self.api_keys.apply_to(Some(stored.api_keys)).unwrap_or_default(),
        }
    }
}

/// Which models, and which page of them.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ModelQuery {
    /// How many items at most.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 100, default = 25, required = false)]
    limit: Limit,
    /// Where to go on: `next_cursor` of the answer before.
    #[validate(length(min = 1, max = 512))]
    #[param(max_length = 512)]
    cursor: Option<String>,
    /// Only models that can do this.
    capability: Option<Capability>,
    /// Only models that can, or cannot, be called.
    enabled: Option<bool>,
    /// Only models that belong to the organization, or to the whole installation.
    scope: Option<Realm>,
}

impl ModelQuery {
    pub fn into_parts(self) -> (Page, Filter) {
        let filter = Filter { capability: self.capability, enabled: self.enabled, realm: self.scope };
        (Page::new(self.limit, self.cursor), filter)
    }
}

fn yes() -> bool {
    true
}

fn one() -> u32 {
    1
}
