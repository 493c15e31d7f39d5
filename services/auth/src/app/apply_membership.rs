//! The users service told of a membership: from now on tokens say so, and tokens that say otherwise are void.

use contracts::{EventId, Origin};
use db::{diesel::PgConnection, inbox};

use super::{
    api_keys::{revoke_all, tell_role_changed},
    sessions::{Voided, renew_all},
};
use crate::{
    domain::{
        api_key::Reason,
        membership::{Membership, News},
    },
    error::Error,
    state::AppState,
    store::{api_keys::Of, memberships, users},
};

/// `event` names the news: hearing it again changes nothing, and neither does hearing it late.
pub async fn apply_membership(
    state: &AppState,
    event: EventId,
    origin: Origin,
    membership: Membership,
) -> Result<(), Error> {
    let (inner, at) = (state.clone(), origin.at);
    let applying = move |conn: &mut PgConnection| {
        inbox::once(conn, crate::events::USERS_QUEUE, event, |conn| apply(conn, &inner, &origin, &membership))
    };
    let void = state.db.system("apply_membership").tx(applying).await?;
    void.unwrap_or_default().deny(state, at);
    Ok(())
}

fn apply(conn: &mut PgConnection, state: &AppState, origin: &Origin, news: &Membership) -> Result<Voided, Error> {
    memberships::hold_org(conn, news.org)?;
    // Who signs in meanwhile waits here and gets the new role.
    users::lock(conn, news.user)?;
    let buried = memberships::is_buried(conn, news.org)?;
    let news = Membership { role: news.role.filter(|_| !buried), ..news.clone() };
    let known = memberships::lock(conn, news.user, news.org)?;
    let meaning = news.judge(known.as_ref());
    if meaning == News::Stale || !memberships::put(conn, &news, origin.at)? || meaning == News::Harmless {
        return Ok(Voided::default());
    }
    // Keys of somebody who left stay revoked when they come back, also when that is heard first; those of a member with
    // another role say less or more.
    let api_keys = if news.role.is_none() || meaning == News::Returned {
        revoke_all(conn, state, origin, Of::Member(news.user, news.org), Reason::OwnerRemoved)?
    } else {
        tell_role_changed(conn, state, origin, news.user, news.org)?;
        Vec::new()
    };
    Ok(Voided { sessions: renew_all(conn, state, origin, news.user)?, api_keys })
}
