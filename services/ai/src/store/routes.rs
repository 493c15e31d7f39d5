//! Rows of `routes`.

use contracts::{ModelId, OrgId, ProviderId, RouteId};
use db::diesel::{self, prelude::*};
use serde_json::Value;
use uuid::Uuid;

use super::{schema::routes, unreadable};
use crate::domain::definition::{ProviderRef, RouteRecord};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = routes)]
struct Row {
    id: Uuid,
    org_id: Option<Uuid>,
    model_id: Uuid,
    provider_id: Option<Uuid>,
    built_in: Option<String>,
    upstream_model: String,
    weight: i32,
    fallback: i32,
    region: Option<String>,
    prices: Option<Value>,
    position: i32,
}

impl TryFrom<Row> for RouteRecord {
    type Error = diesel::result::Error;

    fn try_from(row: Row) -> Result<Self, Self::Error> {
        let number = |n| u32::try_from(n).map_err(|_| unreadable("a number of a route is negative"));
        let provider = match (row.provider_id, row.built_in) {
            (Some(id), _) => ProviderRef::Stored(ProviderId::from_uuid(id)),
            (None, Some(name)) => ProviderRef::BuiltIn(name),
            (None, None) => return Err(unreadable("a route leads nowhere")),
        };
        Ok(Self {
            id: RouteId::from_uuid(row.id),
            provider,
            upstream_model: row.upstream_model,
            weight: number(row.weight)?,
            fallback: number(row.fallback)?,
            region: row.region,
            prices: row
                .prices
                .map(serde_json::from_value)
                .transpose()
                .map_err(|_| unreadable("prices of a route do not fit"))?,
        })
    }
}

/// All routes of an owner's models, in their order.
pub fn list(conn: &mut PgConnection, owner: Option<OrgId>) -> QueryResult<Vec<(ModelId, RouteRecord)>> {
    let rows: Vec<Row> = routes::table
        .filter(routes::org_id.is_not_distinct_from(owner.map(OrgId::uuid)))
        .order((routes::model_id, routes::position))
        .select(Row::as_select())
        .load(conn)?;
    rows.into_iter().map(|row| Ok((ModelId::from_uuid(row.model_id), row.try_into()?))).collect()
}

/// The routes of one model, in their order.
pub fn of(conn: &mut PgConnection, model: ModelId) -> QueryResult<Vec<RouteRecord>> {
    let rows: Vec<Row> = routes::table
        .filter(routes::model_id.eq(model.uuid()))
        .order(routes::position)
        .select(Row::as_select())
        .load(conn)?;
    rows.into_iter().map(RouteRecord::try_from).collect()
}

/// The routes of a model of this owner.
pub fn insert(conn: &mut PgConnection, owner: Option<OrgId>, model: ModelId, given: &[RouteRecord]) -> QueryResult<()> {
    // Validation keeps the numbers far below the limits of the columns.
    let number = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    let row = |(position, route): (i32, &RouteRecord)| {
        let (provider_id, built_in) = match &route.provider {
            ProviderRef::Stored(id) => (Some(id.uuid()), None),
            ProviderRef::BuiltIn(name) => (None, Some(name.clone())),
        };
        let prices = route.prices.map(serde_json::to_value).transpose();
        Ok(Row {
            id: route.id.uuid(),
            org_id: owner.map(OrgId::uuid),
            model_id: model.uuid(),
            provider_id,
            built_in,
            upstream_model: route.upstream_model.clone(),
            weight: number(route.weight),
            fallback: number(route.fallback),
            region: route.region.clone(),
            prices: prices.map_err(|e| diesel::result::Error::SerializationError(e.into()))?,
            position,
        })
    };
    let rows: Vec<Row> = (0..).zip(given).map(row).collect::<QueryResult<_>>()?;
    diesel::insert_into(routes::table).values(rows).execute(conn)?;
    Ok(())
}

/// All routes of a model.
pub fn delete(conn: &mut PgConnection, model: ModelId) -> QueryResult<()> {
    diesel::delete(routes::table.filter(routes::model_id.eq(model.uuid()))).execute(conn)?;
    Ok(())
}
