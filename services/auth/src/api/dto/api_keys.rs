//! API keys on the wire.

use chrono::{DateTime, TimeDelta, Utc};
use contracts::{ApiKeyId, OrgId, Scope, ScopeSet, UserId};
use kit::{
    Secret,
    auth::{ApiKeyEnvironment, ApiKeyText},
    http::{Limit, Patch},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::{Validate, ValidationError};

use super::check;
use crate::{
    app::{exchange_api_key::ExchangedToken, rotate_api_key::RotationWish},
    domain::{
        api_key::{ApiKey, Filter, Grant, KeyEdit, KeyWish, MAX_GRACE, Status},
        networks::Networks,
    },
};

/// A new key.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyCreate {
    /// What you call it: 1 to 100 characters, not blank.
    #[schema(example = "build server", min_length = 1, max_length = 100)]
    #[validate(custom(function = "key_name"))]
    pub name: String,
    /// What it may do, out of what your own token allows. Where your role later allows less, so does the key.
    #[schema(example = json!(["ai:read", "ai:invoke"]), min_items = 1, max_items = 64)]
    #[validate(custom(function = "scope_names"))]
    pub scopes: Vec<String>,
    /// When it stops working, at most ten years from now; never, if absent or null.
    #[serde(default)]
    #[schema(example = "2030-01-01T00:00:00Z")]
    pub expires_at: Option<DateTime<Utc>>,
    /// The networks that it works from, IPv4 or IPv6, at most 50, such as `203.0.113.0/24` or a single address; everywhere,
    /// if absent or empty.
    #[serde(default)]
    #[schema(example = json!(["203.0.113.0/24", "2001:db8::/32"]), max_items = 50)]
    #[validate(custom(function = "networks"))]
    pub allowed_networks: Vec<String>,
    /// `live` or `test`: a mark in the key, for people and secret scanners. Both work alike. `live` if absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, nullable = false, pattern = "^(live|test)$", default = "live", example = "live")]
    pub environment: ApiKeyEnvironmentDto,
}

impl From<ApiKeyCreate> for KeyWish {
    fn from(request: ApiKeyCreate) -> Self {
        Self {
            name: request.name.trim().to_owned(),
            environment: request.environment.into(),
            grant: Grant {
                scopes: scope_set(&request.scopes),
                expires_at: to_micros(request.expires_at),
                networks: network_list(&request.allowed_networks),
            },
        }
    }
}

/// A JSON merge patch (RFC 7396): what is absent stays as it is.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyPatch {
    /// 1 to 100 characters, not blank.
    #[serde(default)]
    #[schema(value_type = Option<String>, nullable = false, example = "build server", min_length = 1, max_length = 100)]
    #[validate(custom(function = "patched_name"))]
    pub name: Patch<String>,
    /// What it may do from now on, instead of before.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, nullable = false, example = json!(["ai:read"]), min_items = 1, max_items = 64)]
    #[validate(custom(function = "patched_scopes"))]
    pub scopes: Patch<Vec<String>>,
    /// When it stops working; `null` for never.
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>, example = "2030-01-01T00:00:00Z")]
    pub expires_at: Patch<DateTime<Utc>>,
    /// The networks that it works from, instead of before; `null` for everywhere.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, example = json!(["203.0.113.0/24"]), max_items = 50)]
    #[validate(custom(function = "patched_networks"))]
    pub allowed_networks: Patch<Vec<String>>,
}

impl From<ApiKeyPatch> for KeyEdit {
    fn from(patch: ApiKeyPatch) -> Self {
        Self {
            name: patch.name.as_value().map(|name| name.trim().to_owned()),
            scopes: patch.scopes.as_value().map(|names| scope_set(names)),
            expires_at: patch.expires_at.into_nested().map(to_micros),
            networks: patch.allowed_networks.into_nested().map(|texts| network_list(&texts.unwrap_or_default())),
        }
    }
}

/// How to replace a key.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyRotate {
    /// Seconds that the old key works on, so that programs can change over: 0 to 604800, a week. 0 if absent: the old key
    /// stops at once, which is right when it may have leaked.
    #[serde(default)]
    #[schema(example = 86_400, minimum = 0, maximum = 604_800, default = 0)]
    #[validate(custom(function = "grace"))]
    pub grace_seconds: i64,
    /// When the new key stops working; `null` for never, and when the old one would have if absent.
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>, example = "2030-01-01T00:00:00Z")]
    pub expires_at: Patch<DateTime<Utc>>,
}

impl From<ApiKeyRotate> for RotationWish {
    fn from(request: ApiKeyRotate) -> Self {
        Self {
            grace: TimeDelta::seconds(request.grace_seconds),
            expires_at: request.expires_at.into_nested().map(to_micros),
        }
    }
}

/// Which keys a list shows.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ApiKeyQuery {
    /// How many items at most.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 100, default = 25, required = false)]
    pub limit: Limit,
    /// Where to go on: `next_cursor` of the answer before.
    #[validate(length(min = 1, max = 512))]
    #[param(max_length = 512)]
    pub cursor: Option<String>,
    /// Whose keys: `me` (if absent) or, for admins, everybody's in the organization.
    #[serde(default)]
    #[param(inline, required = false)]
    pub owner: OwnerFilter,
    /// Only keys of this status.
    #[param(inline)]
    pub status: Option<StatusDto>,
    /// Only keys with this mark.
    #[param(inline)]
    pub environment: Option<ApiKeyEnvironmentDto>,
}

impl ApiKeyQuery {
    pub fn filter(&self, caller: UserId) -> Filter {
        Filter {
            owner: match self.owner {
                OwnerFilter::Me => Some(caller),
                OwnerFilter::Organization => None,
            },
            status: self.status.map(Into::into),
            environment: self.environment.map(Into::into),
        }
    }

    /// What a cursor is bound to.
    pub fn name(&self) -> String {
        format!("{:?} {:?} {:?}", self.owner, self.status, self.environment)
    }
}

/// Whose keys a list shows.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OwnerFilter {
    #[default]
    Me,
    Organization,
}

/// Whether a key works.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ApiKeyStatus)]
pub enum StatusDto {
    Active,
    Expired,
    Revoked,
}

impl From<StatusDto> for Status {
    fn from(status: StatusDto) -> Self {
        match status {
            StatusDto::Active => Self::Active,
            StatusDto::Expired => Self::Expired,
            StatusDto::Revoked => Self::Revoked,
        }
    }
}

/// A mark in the key, for people and secret scanners.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(as = ApiKeyEnvironment, rename_all = "snake_case")]
pub enum ApiKeyEnvironmentDto {
    #[default]
    Live,
    Test,
}

/// By way of a text: `serde_json` calls any other value in the place of an enum a mistake in the JSON itself.
impl TryFrom<String> for ApiKeyEnvironmentDto {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        match ApiKeyEnvironment::parse(&text) {
            Some(ApiKeyEnvironment::Live) => Ok(Self::Live),
            Some(ApiKeyEnvironment::Test) => Ok(Self::Test),
            None => Err("unknown variant, expected one of `live`, `test`"),
        }
    }
}

impl From<ApiKeyEnvironmentDto> for ApiKeyEnvironment {
    fn from(environment: ApiKeyEnvironmentDto) -> Self {
        match environment {
            ApiKeyEnvironmentDto::Live => Self::Live,
            ApiKeyEnvironmentDto::Test => Self::Test,
        }
    }
}

/// A key, without its secret.
#[derive(Serialize, ToSchema)]
pub struct ApiKeyView {
    /// The key's id.
    #[schema(value_type = Uuid)]
    pub id: ApiKeyId,
    /// How the key begins, which is no secret: by it you find the entry of a key that you have found somewhere.
    #[schema(example = "bo_live_0n42DGM5Tflk9n8mt7Fhc7")]
    pub prefix: String,
    /// What its owner calls it.
    #[schema(example = "build server")]
    pub name: String,
    /// `live` or `test`.
    #[schema(value_type = String, example = "live")]
    pub environment: &'static str,
    /// What it may do, as far as its owner's role allows it too.
    #[schema(value_type = Vec<String>, example = json!(["ai:read", "ai:invoke"]))]
    pub scopes: Vec<&'static str>,
    /// The networks that it works from; none means everywhere.
    #[schema(example = json!(["203.0.113.0/24"]))]
    pub allowed_networks: Vec<String>,
    /// `active`, `expired` or `revoked`.
    #[schema(value_type = String, example = "active")]
    pub status: &'static str,
    /// Who acts when the key does.
    #[schema(value_type = Uuid)]
    pub user_id: UserId,
    /// The organization that it acts in.
    #[schema(value_type = Uuid)]
    pub organization_id: OrgId,
    /// When it was last used, to the minute; null if it never was.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it stops working; null for never.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Why it was revoked: `revoked`, `rotated`, `owner_disabled`, `owner_removed`, `organization_deleted`.
    #[schema(value_type = Option<String>)]
    pub revoke_reason: Option<&'static str>,
    /// The key that it was rotated to.
    #[schema(value_type = Option<Uuid>)]
    pub replaced_by: Option<ApiKeyId>,
    /// Grows by one with each change; also the `ETag`.
    #[schema(example = 1)]
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl ApiKeyView {
    pub fn new(key: ApiKey, now: DateTime<Utc>) -> Self {
        Self {
            prefix: ApiKeyText::public_part(key.environment, key.id),
            environment: key.environment.as_str(),
            scopes: key.grant.scopes.iter().map(Scope::as_str).collect(),
            allowed_networks: key.grant.networks.to_texts(),
            status: key.status(now).as_str(),
            id: key.id,
            name: key.name,
            user_id: key.owner,
            organization_id: key.org,
            last_used_at: key.last_used_at,
            expires_at: key.grant.expires_at,
            revoked_at: key.revoked.map(|revoked| revoked.at),
            revoke_reason: key.revoked.map(|revoked| revoked.reason.as_str()),
            replaced_by: key.replaced_by,
            version: key.version,
            created_at: key.created_at,
            updated_at: key.updated_at,
        }
    }
}

/// A key that was just made.
#[derive(Serialize, ToSchema)]
pub struct ApiKeyIssued {
    /// The key itself: `bo_<live|test>_<id>_<secret><checksum>`. Keep it; it is shown here and never again. Null in a
    /// repeated answer (`Idempotency-Replayed: true`), since it is stored nowhere: rotate the key if you have missed it.
    #[schema(example = "bo_live_0n42DGM5Tflk9n8mt7Fhc7_0000000000000000000000000000000000000000000000000")]
    pub key: Option<String>,
    #[serde(flatten)]
    pub view: ApiKeyView,
}

/// A key to be exchanged.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExchangeRequest {
    /// The whole key as the client sent it.
    #[schema(value_type = String, format = "password", write_only, example = "bo_live_0n42DGM5Tflk9n8mt7Fhc7_0000000000000000000000000000000000000000000000000", min_length = 1, max_length = 256)]
    #[validate(custom(function = "some_key"))]
    pub key: Secret<String>,
    /// The client's network address; null when it is not known, which only keys for everywhere survive.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "203.0.113.7")]
    pub address: Option<std::net::IpAddr>,
}

/// What a key was exchanged for.
#[derive(Serialize, ToSchema)]
pub struct ExchangeView {
    /// A signed token for `Authorization: Bearer`, to act as the key's owner within what the key allows.
    pub access_token: String,
    /// Seconds that it lives, at most 60.
    #[schema(example = 60)]
    pub expires_in: i64,
    /// Which key it was.
    #[schema(value_type = Uuid)]
    pub api_key_id: ApiKeyId,
}

impl From<ExchangedToken> for ExchangeView {
    fn from(token: ExchangedToken) -> Self {
        Self { access_token: token.text.expose().clone(), expires_in: token.expires_in, api_key_id: token.key }
    }
}

/// What Postgres stores, so that an answer says the same as the next one.
fn to_micros(time: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    use chrono::DurationRound as _;
    time.map(|time| time.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(time))
}

/// Validation has found every name to be one.
fn scope_set(names: &[String]) -> ScopeSet {
    names.iter().filter_map(|name| name.parse::<Scope>().ok()).collect()
}

/// Validation has found the list to be one. Should it not be, nothing is let through rather than everything.
fn network_list(texts: &[String]) -> Networks {
    Networks::parse(texts).unwrap_or_else(|_| Networks::nowhere())
}

fn key_name(name: &str) -> Result<(), ValidationError> {
    let visible = !name.trim().is_empty() && !name.chars().any(char::is_control);
    let fits = name.chars().count() <= 100;
    check(visible && fits, "length", "must have 1 to 100 visible characters")
}

fn scope_names(names: &[String]) -> Result<(), ValidationError> {
    check((1..=64).contains(&names.len()), "length", "must have 1 to 64 scopes")?;
    match names.iter().position(|name| name.parse::<Scope>().is_err()) {
        None => Ok(()),
        Some(at) => {
            let message = format!("must have scopes only, which entry {} is not", at + 1);
            Err(ValidationError::new("unknown_scope").with_message(message.into()))
        }
    }
}

fn networks(texts: &[String]) -> Result<(), ValidationError> {
    let bad = |bad: crate::domain::networks::BadNetworks| {
        ValidationError::new("network").with_message(bad.to_string().into())
    };
    Networks::parse(texts).map(drop).map_err(bad)
}

fn patched_name(patch: &Patch<String>) -> Result<(), ValidationError> {
    not_null(patch)?;
    patch.as_value().map_or(Ok(()), |name| key_name(name))
}

fn patched_scopes(patch: &Patch<Vec<String>>) -> Result<(), ValidationError> {
    not_null(patch)?;
    patch.as_value().map_or(Ok(()), |names| scope_names(names))
}

fn patched_networks(patch: &Patch<Vec<String>>) -> Result<(), ValidationError> {
    patch.as_value().map_or(Ok(()), |texts| networks(texts))
}

fn not_null<T>(patch: &Patch<T>) -> Result<(), ValidationError> {
    check(!matches!(patch, Patch::Null), "not_nullable", "cannot be null")
}

fn grace(seconds: i64) -> Result<(), ValidationError> {
    check((0..=MAX_GRACE.num_seconds()).contains(&seconds), "range", "must be 0 to 604800 seconds")
}

fn some_key(key: &Secret<String>) -> Result<(), ValidationError> {
    check((1..=256).contains(&key.expose().len()), "length", "must have 1 to 256 bytes")
}
