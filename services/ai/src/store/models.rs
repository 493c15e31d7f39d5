//! Rows of `models`, each with its routes. `owner` is an organization, or `None` for the whole installation; what belongs
//! to the installation is written in system transactions only.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use contracts::{ModelId, OrgId, ProviderId};
use db::diesel::{self, prelude::*};
use serde_json::Value;
use uuid::Uuid;

use super::{
    routes,
    schema::{models, routes as route_rows},
    unreadable,
};
use crate::domain::{
    access::Realm,
    definition::{Definition, RouteRecord},
    model::{Capability, ModelRecord, ModelSource},
};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = models, treat_none_as_null = true)]
struct Row {
    id: Uuid,
    org_id: Option<Uuid>,
    alias: String,
    display_name: Option<String>,
    context_window: i32,
    max_output_tokens: Option<i32>,
    capabilities: Vec<String>,
    prices: Value,
    prices_as_of: Option<NaiveDate>,
    enabled: bool,
    access: Value,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl Row {
    fn into_record(self, routes: Vec<RouteRecord>) -> QueryResult<ModelRecord> {
        let tokens = |count| u32::try_from(count).map_err(|_| unreadable("a number of tokens is negative"));
        // A capability of a newer version is one that this version cannot use.
        let capabilities = self.capabilities.iter().filter_map(|name| Capability::named(name)).collect();
        Ok(ModelRecord {
            id: ModelId::from_uuid(self.id),
            org: self.org_id.map(OrgId::from_uuid),
            source: ModelSource::Custom,
            definition: Definition {
                alias: self.alias,
                display_name: self.display_name,
                context_window: tokens(self.context_window)?,
                max_output_tokens: self.max_output_tokens.map(tokens).transpose()?,
                capabilities,
                prices: serde_json::from_value(self.prices).map_err(|_| unreadable("prices do not fit"))?,
                prices_as_of: self.prices_as_of,
                enabled: self.enabled,
                access: serde_json::from_value(self.access).map_err(|_| unreadable("access rules do not fit"))?,
                routes,
            },
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }

    fn new(model: &ModelRecord) -> QueryResult<Self> {
        let Definition { alias, display_name, context_window, max_output_tokens, .. } = &model.definition;
        // Validation keeps the numbers far below the limits of the columns.
        let tokens = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        let json =
            |value: serde_json::Result<Value>| value.map_err(|e| diesel::result::Error::SerializationError(e.into()));
        Ok(Self {
            id: model.id.uuid(),
            org_id: model.org.map(OrgId::uuid),
            alias: alias.clone(),
            display_name: display_name.clone(),
            context_window: tokens(*context_window),
            max_output_tokens: max_output_tokens.map(tokens),
            capabilities: model.definition.capabilities.iter().map(|c| c.as_str().to_owned()).collect(),
            prices: json(serde_json::to_value(model.definition.prices))?,
            prices_as_of: model.definition.prices_as_of,
            enabled: model.definition.enabled,
            access: json(serde_json::to_value(&model.definition.access))?,
            version: model.version,
            created_at: model.created_at,
            updated_at: model.updated_at,
        })
    }
}

/// All of an owner with their routes, by alias.
pub fn list(conn: &mut PgConnection, owner: Option<OrgId>) -> QueryResult<Vec<ModelRecord>> {
    let rows: Vec<Row> = models::table
        .filter(models::org_id.is_not_distinct_from(owner.map(OrgId::uuid)))
        .order(models::alias)
        .select(Row::as_select())
        .load(conn)?;
    let mut routes: HashMap<ModelId, Vec<RouteRecord>> = HashMap::new();
    for (model, route) in routes::list(conn, owner)? {
        routes.entry(model).or_default().push(route);
    }
    rows.into_iter()
        .map(|row| {
            let routes = routes.remove(&ModelId::from_uuid(row.id)).unwrap_or_default();
            row.into_record(routes)
        })
        .collect()
}

/// Whether a model that the organization can see is its own or the installation's.
pub fn realm(conn: &mut PgConnection, org: OrgId, id: ModelId) -> QueryResult<Option<Realm>> {
    let is_own: Option<bool> = models::table
        .find(id.uuid())
        .filter(models::org_id.eq(org.uuid()).or(models::org_id.is_null()))
        .select(models::org_id.is_not_null())
        .first(conn)
        .optional()?;
    Ok(is_own.map(|is_own| if is_own { Realm::Organization } else { Realm::Global }))
}

/// One of this owner, locked until the transaction ends.
pub fn lock(conn: &mut PgConnection, owner: Option<OrgId>, id: ModelId) -> QueryResult<Option<ModelRecord>> {
    let row: Option<Row> = models::table
        .find(id.uuid())
        .filter(models::org_id.is_not_distinct_from(owner.map(OrgId::uuid)))
        .select(Row::as_select())
        .for_update()
        .first(conn)
        .optional()?;
    row.map(|row| row.into_record(routes::of(conn, id)?)).transpose()
}

pub fn count(conn: &mut PgConnection, owner: Option<OrgId>) -> QueryResult<i64> {
    models::table.filter(models::org_id.is_not_distinct_from(owner.map(OrgId::uuid))).count().get_result(conn)
}

/// The model and its routes.
pub fn insert(conn: &mut PgConnection, model: &ModelRecord) -> QueryResult<()> {
    diesel::insert_into(models::table).values(Row::new(model)?).execute(conn)?;
    routes::insert(conn, model.org, model.id, &model.definition.routes)
}

/// The model, and its routes when `reroute`.
pub fn update(conn: &mut PgConnection, model: &ModelRecord, reroute: bool) -> QueryResult<()> {
    let row = Row::new(model)?;
    diesel::update(models::table.find(row.id)).set(&row).execute(conn)?;
    if reroute {
        routes::delete(conn, model.id)?;
        routes::insert(conn, model.org, model.id, &model.definition.routes)?;
    }
    Ok(())
}

/// The model and its routes.
pub fn delete(conn: &mut PgConnection, id: ModelId) -> QueryResult<()> {
    diesel::delete(models::table.find(id.uuid())).execute(conn)?;
    Ok(())
}

/// Gives every model with a route to this provider its next version, and returns them without their routes.
pub fn touch_routed_by(
    conn: &mut PgConnection,
    provider: ProviderId,
    now: DateTime<Utc>,
) -> QueryResult<Vec<ModelRecord>> {
    let routed = route_rows::table.filter(route_rows::provider_id.eq(provider.uuid())).select(route_rows::model_id);
    let rows: Vec<Row> = diesel::update(models::table.filter(models::id.eq_any(routed)))
        .set((models::version.eq(models::version + 1), models::updated_at.eq(now)))
        .returning(Row::as_returning())
        .get_results(conn)?;
    rows.into_iter().map(|row| row.into_record(Vec::new())).collect()
}
