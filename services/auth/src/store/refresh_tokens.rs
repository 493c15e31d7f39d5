//! Rows of `refresh_tokens`.

use chrono::{DateTime, Utc};
use contracts::{TokenFamilyId, UserId};
use db::diesel::{
    self,
    prelude::*,
    sql_types::{Bool, Bytea, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use uuid::Uuid;

use super::schema::refresh_tokens;
use crate::domain::refresh_token::TokenHash;

/// The first token of a line.
pub fn insert(
    conn: &mut PgConnection,
    hash: &TokenHash,
    family: TokenFamilyId,
    user: UserId,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    diesel::insert_into(refresh_tokens::table)
        .values((
            refresh_tokens::token_hash.eq(hash.as_slice()),
            refresh_tokens::family_id.eq(family.uuid()),
            refresh_tokens::user_id.eq(user.uuid()),
            refresh_tokens::issued_at.eq(now),
        ))
        .execute(conn)?;
    Ok(())
}

/// What is known of a presented token after [`rotate`].
#[derive(QueryableByName, Debug)]
pub struct Rotated {
    #[diesel(sql_type = SqlUuid)]
    family_id: Uuid,
    /// When it was first used: now, if by this call.
    #[diesel(sql_type = Timestamptz)]
    pub rotated_at: DateTime<Utc>,
    /// Whether the successor that was offered is the one in force.
    #[diesel(sql_type = Bool)]
    pub mine: bool,
    /// The sealed successor, until it is wiped.
    #[diesel(sql_type = Nullable<Text>)]
    pub successor: Option<String>,
}

impl Rotated {
    pub fn family(&self) -> TokenFamilyId {
        TokenFamilyId::from_uuid(self.family_id)
    }
}

/// Uses a token up and puts its successor in force, in one statement: of any number of calls at once, the one that gets
/// the row first sets the successor, and the others, which waited for the row, read what it set. `None` for a token that
/// never was. Whether the session still lives is the caller's to check.
pub fn rotate(
    conn: &mut PgConnection,
    presented: &TokenHash,
    successor: &TokenHash,
    sealed_successor: &str,
    now: DateTime<Utc>,
) -> QueryResult<Option<Rotated>> {
    diesel::sql_query(
        "WITH used AS (
            UPDATE refresh_tokens
            SET rotated_at = coalesce(rotated_at, $4),
                successor = CASE WHEN rotated_at IS NULL THEN $3 ELSE successor END,
                successor_hash = coalesce(successor_hash, $2)
            WHERE token_hash = $1
            RETURNING family_id, user_id, rotated_at, successor, successor_hash = $2 AS mine
        ), added AS (
            INSERT INTO refresh_tokens (token_hash, family_id, user_id, issued_at)
            SELECT $2, family_id, user_id, $4 FROM used WHERE mine
        )
        SELECT family_id, rotated_at, successor, mine FROM used",
    )
    .bind::<Bytea, _>(presented.as_slice())
    .bind::<Bytea, _>(successor.as_slice())
    .bind::<Text, _>(sealed_successor)
    .bind::<Timestamptz, _>(now)
    .get_result(conn)
    .optional()
}

/// Forgets the sealed successors of tokens used before `before`: nobody may have them any more. Gives the number.
pub fn wipe_successors(conn: &mut PgConnection, before: DateTime<Utc>) -> QueryResult<usize> {
    diesel::update(refresh_tokens::table)
        .filter(refresh_tokens::successor.is_not_null())
        .filter(refresh_tokens::rotated_at.lt(before))
        .set(refresh_tokens::successor.eq(None::<String>))
        .execute(conn)
}
