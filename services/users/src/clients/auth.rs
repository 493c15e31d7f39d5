//! What auth knows of a person, asked with the person's own token.

use contracts::{OrgId, UserId};
use futures_util::future::BoxFuture;
use kit::{InternalClient, auth::AccessToken};
use serde::Deserialize;

use crate::{app::welcome_user::Registration, error::Error};

/// Tells who the bearer of a token registered as.
pub trait Directory: Send + Sync + 'static {
    fn registration_of<'a>(&'a self, token: &'a AccessToken) -> BoxFuture<'a, Result<Registration, Error>>;
}

/// `GET /v1/auth/me`.
pub struct AuthDirectory {
    client: InternalClient,
}

impl AuthDirectory {
    pub fn new(client: InternalClient) -> Self {
        Self { client }
    }
}

/// The part of the answer that is of interest here.
#[derive(Deserialize)]
struct Me {
    user: Person,
    personal_organization_id: OrgId,
}

#[derive(Deserialize)]
struct Person {
    id: UserId,
    email: String,
    display_name: String,
}

impl Directory for AuthDirectory {
    fn registration_of<'a>(&'a self, token: &'a AccessToken) -> BoxFuture<'a, Result<Registration, Error>> {
        Box::pin(async move {
            let me: Me = self.client.get("/v1/auth/me").bearer(token.expose()).json().await?;
            Ok(Registration {
                user: me.user.id,
                personal_org: me.personal_organization_id,
                email: me.user.email,
                display_name: me.user.display_name,
            })
        })
    }
}
