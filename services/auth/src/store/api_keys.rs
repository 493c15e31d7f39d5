//! Rows of `api_keys`.

use chrono::{DateTime, Utc};
use contracts::{ApiKeyId, OrgId, Role, Scope, UserId};
use db::diesel::{
    self,
    pg::Pg,
    prelude::*,
    sql_types::{Array, Bool, Timestamptz, Uuid as SqlUuid},
};
use kit::auth::ApiKeyEnvironment;
use uuid::Uuid;

use super::schema::{api_keys, memberships, users};
use crate::domain::{
    api_key::{ApiKey, Filter, Grant, KeyHash, Reason, Revoked, Status},
    networks::Networks,
};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = api_keys)]
struct Row {
    id: Uuid,
    org_id: Uuid,
    user_id: Uuid,
    environment: String,
    name: String,
    scopes: Vec<String>,
    allowed_networks: Vec<String>,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    replaced_by: Option<Uuid>,
    revoked_at: Option<DateTime<Utc>>,
    revoke_reason: Option<String>,
}

impl From<&ApiKey> for Row {
    fn from(key: &ApiKey) -> Self {
        Self {
            id: key.id.uuid(),
            org_id: key.org.uuid(),
            user_id: key.owner.uuid(),
            environment: key.environment.as_str().to_owned(),
            name: key.name.clone(),
            scopes: scope_names(key),
            allowed_networks: key.grant.networks.to_texts(),
            version: key.version,
            created_at: key.created_at,
            updated_at: key.updated_at,
            expires_at: key.grant.expires_at,
            last_used_at: key.last_used_at,
            replaced_by: key.replaced_by.map(ApiKeyId::uuid),
            revoked_at: key.revoked.map(|revoked| revoked.at),
            revoke_reason: key.revoked.map(|revoked| revoked.reason.as_str().to_owned()),
        }
    }
}

impl TryFrom<Row> for ApiKey {
    type Error = diesel::result::Error;

    fn try_from(row: Row) -> QueryResult<Self> {
        let environment = ApiKeyEnvironment::parse(&row.environment).ok_or_else(|| unreadable("environment"))?;
        // Fails rather than guesses: a list that reads as empty would let everybody in.
        let networks = Networks::parse(&row.allowed_networks).map_err(|_| unreadable("allowed_networks"))?;
        let revoked = match (row.revoked_at, row.revoke_reason) {
            (Some(at), Some(reason)) => {
                Some(Revoked { at, reason: Reason::parse(&reason).ok_or_else(|| unreadable("revoke_reason"))? })
            }
            _ => None,
        };
        // A scope of a newer version is left out, as in tokens: that only takes rights away.
        let scopes = row.scopes.iter().filter_map(|name| name.parse::<Scope>().ok()).collect();
        Ok(Self {
            id: ApiKeyId::from_uuid(row.id),
            org: OrgId::from_uuid(row.org_id),
            owner: UserId::from_uuid(row.user_id),
            environment,
            name: row.name,
            grant: Grant { scopes, expires_at: row.expires_at, networks },
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
            last_used_at: row.last_used_at,
            replaced_by: row.replaced_by.map(ApiKeyId::from_uuid),
            revoked,
        })
    }
}

fn unreadable(column: &str) -> diesel::result::Error {
    diesel::result::Error::DeserializationError(format!("api_keys.{column} holds what this version cannot read").into())
}

fn scope_names(key: &ApiKey) -> Vec<String> {
    key.grant.scopes.iter().map(|scope| scope.to_string()).collect()
}

fn keys(rows: Vec<Row>) -> QueryResult<Vec<ApiKey>> {
    rows.into_iter().map(ApiKey::try_from).collect()
}

/// Adds a key that a person made, or another key: `made_by`.
pub fn insert(conn: &mut PgConnection, key: &ApiKey, made_by: Option<ApiKeyId>, hash: &KeyHash) -> QueryResult<()> {
    let made_by = api_keys::made_by.eq(made_by.map(ApiKeyId::uuid));
    diesel::insert_into(api_keys::table)
        .values((Row::from(key), made_by, api_keys::secret_hash.eq(hash.as_slice())))
        .execute(conn)?;
    Ok(())
}

/// An organization's key.
pub fn find(conn: &mut PgConnection, org: OrgId, id: ApiKeyId) -> QueryResult<Option<ApiKey>> {
    let row = in_org(org, id).first(conn).optional()?;
    row.map(ApiKey::try_from).transpose()
}

/// An organization's key, held until the transaction ends.
pub fn lock(conn: &mut PgConnection, org: OrgId, id: ApiKeyId) -> QueryResult<Option<ApiKey>> {
    let row = in_org(org, id).for_update().first(conn).optional()?;
    row.map(ApiKey::try_from).transpose()
}

#[diesel::dsl::auto_type(no_type_alias)]
fn in_org(org: OrgId, id: ApiKeyId) -> _ {
    let (org, id): (Uuid, Uuid) = (org.uuid(), id.uuid());
    let row: diesel::dsl::AsSelect<Row, Pg> = Row::as_select();
    api_keys::table.filter(api_keys::id.eq(id)).filter(api_keys::org_id.eq(org)).select(row)
}

/// Writes what may change of a key that the caller holds; when it was last used is written elsewhere.
pub fn update(conn: &mut PgConnection, key: &ApiKey) -> QueryResult<()> {
    let row = Row::from(key);
    diesel::update(api_keys::table.find(row.id))
        .set((
            api_keys::name.eq(row.name),
            api_keys::scopes.eq(row.scopes),
            api_keys::allowed_networks.eq(row.allowed_networks),
            api_keys::version.eq(row.version),
            api_keys::updated_at.eq(row.updated_at),
            api_keys::expires_at.eq(row.expires_at),
            api_keys::replaced_by.eq(row.replaced_by),
            api_keys::revoked_at.eq(row.revoked_at),
            api_keys::revoke_reason.eq(row.revoke_reason),
        ))
        .execute(conn)?;
    Ok(())
}

type Condition = Box<dyn BoxableExpression<api_keys::table, Pg, SqlType = Bool>>;

fn has_status(status: Status, now: DateTime<Utc>) -> Condition {
    let over = api_keys::expires_at.is_not_null().and(api_keys::expires_at.assume_not_null().le(now));
    let open = api_keys::expires_at.is_null().or(api_keys::expires_at.assume_not_null().gt(now));
    match status {
        Status::Active => Box::new(api_keys::revoked_at.is_null().and(open)),
        Status::Expired => Box::new(api_keys::revoked_at.is_null().and(over)),
        Status::Revoked => Box::new(api_keys::revoked_at.is_not_null()),
    }
}

/// How many keys of a person work in an organization.
pub fn count_active(conn: &mut PgConnection, org: OrgId, owner: UserId, now: DateTime<Utc>) -> QueryResult<i64> {
    api_keys::table
        .filter(api_keys::org_id.eq(org.uuid()))
        .filter(api_keys::user_id.eq(owner.uuid()))
        .filter(has_status(Status::Active, now))
        .count()
        .get_result(conn)
}

/// Where a page of [`page`] goes on: the last row's creation time and id.
pub type After = (DateTime<Utc>, ApiKeyId);

/// Keys of an organization, the newest first, at most `limit`.
pub fn page(
    conn: &mut PgConnection,
    org: OrgId,
    filter: Filter,
    now: DateTime<Utc>,
    after: Option<After>,
    limit: i64,
) -> QueryResult<Vec<ApiKey>> {
    let mut query = api_keys::table
        .filter(api_keys::org_id.eq(org.uuid()))
        .select(Row::as_select())
        .order((api_keys::created_at.desc(), api_keys::id.desc()))
        .limit(limit)
        .into_boxed();
    if let Some(owner) = filter.owner {
        query = query.filter(api_keys::user_id.eq(owner.uuid()));
    }
    if let Some(environment) = filter.environment {
        query = query.filter(api_keys::environment.eq(environment.as_str()));
    }
    if let Some(status) = filter.status {
        query = query.filter(has_status(status, now));
    }
    if let Some((at, id)) = after {
        let earlier = api_keys::created_at.lt(at).or(api_keys::created_at.eq(at).and(api_keys::id.lt(id.uuid())));
        query = query.filter(earlier);
    }
    keys(query.load(conn)?)
}

/// Whose working keys end together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// All of a person's, wherever they act.
    Person(UserId),
    /// A person's in one organization.
    Member(UserId, OrgId),
    Organization(OrgId),
}

/// The keys that work, in one order, held until the transaction ends. For system transactions.
pub fn lock_active(conn: &mut PgConnection, of: Of, now: DateTime<Utc>) -> QueryResult<Vec<ApiKey>> {
    let mut query = api_keys::table.filter(has_status(Status::Active, now)).select(api_keys::id).into_boxed();
    query = match of {
        Of::Person(user) => query.filter(api_keys::user_id.eq(user.uuid())),
        Of::Member(user, org) => {
            query.filter(api_keys::user_id.eq(user.uuid())).filter(api_keys::org_id.eq(org.uuid()))
        }
        Of::Organization(org) => query.filter(api_keys::org_id.eq(org.uuid())),
    };
    let ids: Vec<Uuid> = query.load(conn)?;
    lock_those_active(conn, ids, now)
}

/// The keys that work among those that a key made, and those that these made, in one order, held until the transaction ends.
/// The caller holds [the making of keys](hold_making).
pub fn lock_active_made_by(conn: &mut PgConnection, maker: ApiKeyId, now: DateTime<Utc>) -> QueryResult<Vec<ApiKey>> {
    // Also past keys that have ended: what they made may work on.
    let made: Vec<Made> = diesel::sql_query(
        "WITH RECURSIVE made AS (
            SELECT id FROM api_keys WHERE made_by = $1
            UNION SELECT k.id FROM api_keys k JOIN made ON k.made_by = made.id
        )
        SELECT id FROM made",
    )
    .bind::<SqlUuid, _>(maker.uuid())
    .load(conn)?;
    lock_those_active(conn, made.into_iter().map(|made| made.id).collect(), now)
}

#[derive(QueryableByName)]
struct Made {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// Holds the making of keys by keys in an organization until the transaction ends: else who ends a key with all that came of
/// it could miss one that is being made. Taken before any row.
pub fn hold_making(conn: &mut PgConnection, org: OrgId) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended('auth making of keys ' || $1, 0))")
        .bind::<diesel::sql_types::Text, _>(org.to_string())
        .execute(conn)?;
    Ok(())
}

/// Those of the keys that work, in one order, held until the transaction ends. The condition is asked under the lock: one may
/// have been revoked in between.
fn lock_those_active(conn: &mut PgConnection, ids: Vec<Uuid>, now: DateTime<Utc>) -> QueryResult<Vec<ApiKey>> {
    let rows = api_keys::table
        .filter(api_keys::id.eq_any(ids))
        .filter(has_status(Status::Active, now))
        .select(Row::as_select())
        .order(api_keys::id)
        .for_update()
        .load(conn)?;
    keys(rows)
}

/// Replaced keys whose grace is over and which nobody has revoked yet, at most `limit`; those that another replica holds
/// are left to it. For system transactions.
pub fn lock_replaced(conn: &mut PgConnection, now: DateTime<Utc>, limit: i64) -> QueryResult<Vec<ApiKey>> {
    let rows = api_keys::table
        .filter(api_keys::replaced_by.is_not_null())
        .filter(api_keys::revoked_at.is_null())
        .filter(api_keys::expires_at.le(now))
        .select(Row::as_select())
        .order(api_keys::expires_at)
        .limit(limit)
        .for_update()
        .skip_locked()
        .load(conn)?;
    keys(rows)
}

/// What the exchange of a key is judged by.
#[derive(Clone, Debug)]
pub struct Presented {
    pub key: ApiKey,
    pub hash: Vec<u8>,
    pub owner_disabled: bool,
    /// The owner's role in the key's organization; `None` when they have none.
    pub role: Option<Role>,
}

/// A key's row, its hash, when its owner was disabled, and the owner's role.
type Found = (Row, Vec<u8>, Option<DateTime<Utc>>, Option<String>);

/// A key with its hash and its owner's standing, in one read. For system transactions: nobody has proven anything yet.
pub fn find_presented(conn: &mut PgConnection, id: ApiKeyId) -> QueryResult<Option<Presented>> {
    let membership = memberships::user_id.eq(api_keys::user_id).and(memberships::org_id.eq(api_keys::org_id));
    let found: Option<Found> = api_keys::table
        .inner_join(users::table)
        .left_join(memberships::table.on(membership))
        .filter(api_keys::id.eq(id.uuid()))
        .select((Row::as_select(), api_keys::secret_hash, users::disabled_at, memberships::role.nullable()))
        .first(conn)
        .optional()?;
    let read = |(row, hash, disabled_at, role): Found| {
        let role = role.as_deref().map(super::memberships::role).transpose()?;
        Ok(Presented { key: row.try_into()?, hash, owner_disabled: disabled_at.is_some(), role })
    };
    found.map(read).transpose()
}

/// Writes when keys were last used, unless a later time is there. The rows are taken in the order of their ids, as in
/// [`lock_active`]. For system transactions.
pub fn note_uses(conn: &mut PgConnection, uses: &[(ApiKeyId, DateTime<Utc>)]) -> QueryResult<usize> {
    let (ids, times): (Vec<Uuid>, Vec<DateTime<Utc>>) = uses.iter().map(|(id, at)| (id.uuid(), *at)).unzip();
    diesel::sql_query(
        "WITH used AS (
            SELECT k.id, u.at FROM api_keys k JOIN unnest($1, $2) AS u (id, at) USING (id) ORDER BY k.id FOR UPDATE OF k
        )
        UPDATE api_keys k SET last_used_at = used.at FROM used
        WHERE k.id = used.id AND (k.last_used_at IS NULL OR k.last_used_at < used.at)",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Array<Timestamptz>, _>(times)
    .execute(conn)
}

/// Deletes keys that ended before `before`, except those between two others: who ends the one that made it still finds what
/// it made. Gives the number. For system transactions.
pub fn delete_ended(conn: &mut PgConnection, before: DateTime<Utc>) -> QueryResult<usize> {
    diesel::sql_query(
        "DELETE FROM api_keys k WHERE least(k.revoked_at, k.expires_at) < $1
            AND NOT (
                EXISTS (SELECT FROM api_keys maker WHERE maker.id = k.made_by)
                AND EXISTS (SELECT FROM api_keys made WHERE made.made_by = k.id)
            )",
    )
    .bind::<Timestamptz, _>(before)
    .execute(conn)
}
