//! What several tests need.

use contracts::{Role, UserId};
use serde_json::json;
use testkit::{Actor, TestApp};
use users::Users;

/// Somebody whom auth knows and who may not have been here yet.
pub fn registered(app: &TestApp<Users>, name: &str) -> Actor {
    let actor = Actor::new(Role::Owner);
    know(app, &actor, name);
    actor
}

/// Lets auth know who `actor` is.
pub fn know(app: &TestApp<Users>, actor: &Actor, name: &str) {
    let me = json!({
        "user": {"id": actor.user, "email": email(actor.user), "display_name": name},
        "personal_organization_id": actor.org,
    });
    app.auth.remember(actor.user, me);
}

pub fn email(user: UserId) -> String {
    format!("{user}@example.org")
}

/// Somebody who has a profile and a personal organization.
pub async fn welcomed(app: &TestApp<Users>, name: &str) -> Actor {
    let actor = registered(app, name);
    assert_eq!(app.get("/v1/users/me", &actor).await.status, 200);
    actor
}

/// Makes `actor` a member of another's organization, as an invitation will one day.
pub async fn join(app: &TestApp<Users>, actor: &Actor, org: contracts::OrgId, role: Role) -> Actor {
    use db::diesel::{RunQueryDsl as _, sql_query, sql_types};
    let (user, id) = (actor.user.uuid(), Actor::new(role).user.uuid());
    app.db
        .admin(move |conn| {
            sql_query(
                "INSERT INTO users.memberships (id, org_id, user_id, role, created_at, updated_at) \
                 VALUES ($1, $2, $3, $4, now(), now())",
            )
            .bind::<sql_types::Uuid, _>(id)
            .bind::<sql_types::Uuid, _>(org.uuid())
            .bind::<sql_types::Uuid, _>(user)
            .bind::<sql_types::Text, _>(role.as_str())
            .execute(conn)
            .expect("a membership")
        })
        .await;
    actor.in_org(org, role)
}
