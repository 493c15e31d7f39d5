//! Who calls: access tokens, their verification in every service, and the extractors that prove it happened.
//!
//! Two kinds of token, both JWTs with ES256 (RFC 9068 profile, header `typ: at+jwt`) signed by the auth service alone:
//! a **user token** ([`Claims`], audience of the platform) and a **service token** ([`ServiceClaims`], audience is the
//! service being called). Neither is ever good where the other is expected.

mod access_token;
mod api_key;
mod claims;
mod client_credentials;
mod deny_list;
mod error;
mod identity;
mod jwk;
mod key_store;
mod person;
mod principal;
mod service_principal;
mod signing;
mod verifier;

pub use access_token::AccessToken;
pub use api_key::{ApiKeyEnvironment, ApiKeyText, MalformedApiKey};
pub use claims::{Claims, ServiceClaims};
pub use client_credentials::{ClientCredentials, CredentialsError};
pub use deny_list::DenyList;
pub use error::TokenError;
pub use jwk::{Jwk, JwkSet};
pub use key_store::{JwksSource, KeySet};
pub use person::{PERSON_CODES, Person};
pub use principal::{MaybePrincipal, Principal};
pub use service_principal::ServicePrincipal;
pub use signing::{SigningError, SigningKey, sign};
pub use verifier::{Verifier, VerifierConfig};
