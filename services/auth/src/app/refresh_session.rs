//! A refresh token becomes a new pair of tokens, once; see `domain/refresh_token.rs` for the rule about races.

use contracts::{Origin, SessionId};
use db::diesel::PgConnection;

use super::{
    sessions::end,
    tokens::{SignIn, idle_seconds, mint, standing},
};
use crate::{
    domain::{
        refresh_token::{Presented, RefreshToken, TokenHash},
        session::{Device, Reason, Session},
    },
    error::Error,
    metrics,
    state::AppState,
    store::{refresh_tokens, sessions, users},
};

enum Outcome {
    Refreshed(Box<SignIn>),
    /// The token was a copy; this session ended for it.
    Reused(Option<SessionId>),
    /// The session had ended before.
    Over,
}

pub async fn refresh_session(state: &AppState, presented: &str, device: Device) -> Result<SignIn, Error> {
    let presented = RefreshToken::parse(presented).ok_or(Error::InvalidRefreshToken)?;
    let hash = state.pepper.hash_token(&presented);
    let origin = state.origin(None, None);
    let (inner, at) = (state.clone(), origin.at);
    let outcome = state.db.system("refresh").tx(move |conn| rotate(conn, &inner, &origin, hash, device)).await?;
    match outcome {
        Outcome::Refreshed(signed_in) => Ok(*signed_in),
        Outcome::Reused(session) => {
            tracing::warn!(
                session.id = session.map(tracing::field::display),
                "A refresh token was used again; its session was ended"
            );
            metrics::refresh_token_reused();
            state.deny(session.as_slice(), at);
            Err(Error::InvalidRefreshToken)
        }
        Outcome::Over => Err(Error::InvalidRefreshToken),
    }
}

/// Commits whatever the outcome: a used token stays used.
fn rotate(
    conn: &mut PgConnection,
    state: &AppState,
    origin: &Origin,
    presented: TokenHash,
    device: Device,
) -> Result<Outcome, Error> {
    let offered = RefreshToken::generate(&*state.ids);
    let sealed = state.keyring.seal(&place(&presented), offered.expose().as_bytes())?;
    let offered_hash = state.pepper.hash_token(&offered);
    let rotated = refresh_tokens::rotate(conn, &presented, &offered_hash, &sealed, origin.at)?;
    let rotated = rotated.ok_or(Error::InvalidRefreshToken)?;
    let session = sessions::lock_family(conn, rotated.family())?.ok_or(Error::InvalidRefreshToken)?;
    if !session.is_live(origin.at) {
        // A copy of a token of a session that is over opens nothing, so it is no alarm either.
        return Ok(Outcome::Over);
    }
    let origin = Origin { actor: Some(session.user.uuid()), ..origin.clone() };
    let refresh = match Presented::judge(rotated.mine, rotated.rotated_at, rotated.successor, origin.at) {
        Presented::First => offered,
        Presented::Again { successor } => open(state, &presented, &successor)?,
        Presented::Reused => {
            let ended = end(conn, state, &origin, session, Reason::RefreshTokenReuse, &device)?;
            return Ok(Outcome::Reused(ended));
        }
    };
    go_on(conn, state, &origin, &session, refresh, device)
}

fn go_on(
    conn: &mut PgConnection,
    state: &AppState,
    origin: &Origin,
    session: &Session,
    refresh: RefreshToken,
    device: Device,
) -> Result<Outcome, Error> {
    let Some(user) = users::find(conn, session.user)?.filter(|user| user.disabled_at.is_none()) else {
        return Ok(Outcome::Over);
    };
    let standing = standing(conn, &user, session.org)?;
    let session = Session { org: standing.org, last_seen_at: origin.at, device, ..session.clone() };
    sessions::touch(conn, &session)?;
    let access = mint(state, &session, standing, origin)?;
    let refresh_expires_in = idle_seconds(&session, origin);
    Ok(Outcome::Refreshed(Box::new(SignIn { user, access, refresh, refresh_expires_in })))
}

fn open(state: &AppState, presented: &TokenHash, sealed: &str) -> Result<RefreshToken, Error> {
    let opened = state.keyring.open(&place(presented), sealed)?;
    std::str::from_utf8(&opened).ok().and_then(RefreshToken::parse).ok_or(kit::seal::SealError::Malformed.into())
}

/// What a sealed successor is bound to: the token before it.
fn place(presented: &TokenHash) -> String {
    format!("refresh_tokens/{}", blake3::Hash::from_bytes(*presented).to_hex())
}
