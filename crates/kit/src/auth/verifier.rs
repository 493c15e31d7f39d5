//! Verification of access tokens.
//!
//! What a JWT library leaves open is closed here: the algorithm is pinned to ES256 and never read from the token's wish,
//! `typ` must be `at+jwt` (RFC 9068), header members that choose a key or rules are refused, and every registered claim
//! is required. Times are checked against [`Clock`], not against the machine.
use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use jsonwebtoken::{Algorithm, Header, Validation, errors::ErrorKind};
use moka::sync::Cache;
use serde::de::DeserializeOwned;

use super::{
    Claims, DenyList, JwksSource, ServiceClaims, TokenError,
    claims::Registered,
    key_store::{KeyStore, Timing},
};
use crate::{Clock, HealthCheck};

/// The `typ` of access tokens (RFC 9068 section 2.1).
pub(super) const TOKEN_TYPE: &str = "at+jwt";

/// The longest token that is looked at, in bytes; ours have about 700.
const MAX_TOKEN: usize = 4096;
/// How many verified tokens are remembered, and for how long at most. `exp` is checked on every use.
const CACHED_TOKENS: u64 = 20_000;
const CACHED_FOR: Duration = Duration::from_mins(15);

/// What a verifier accepts.
#[derive(Clone)]
pub struct VerifierConfig {
    /// `iss` of every token.
    pub issuer: String,
    /// `aud` of user tokens: `brainops`.
    pub audience: String,
    /// This service's name: `aud` of service tokens.
    pub service: &'static str,
    /// Where the public keys come from.
    pub jwks: JwksSource,
    /// How far clocks may differ; 30 s at most.
    pub leeway: Duration,
    /// At most one fetch of keys in this time.
    pub refetch_window: Duration,
    /// Keys older than this are fetched again, so that withdrawn ones go.
    pub keys_max_age: Duration,
}

impl VerifierConfig {
    /// The usual leeway (15 s), window (5 s) and age of keys (5 min).
    pub fn new(
        issuer: impl Into<String>,
        audience: impl Into<String>,
        service: &'static str,
        jwks: JwksSource,
    ) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            service,
            jwks,
            leeway: Duration::from_secs(15),
            refetch_window: Duration::from_secs(5),
            keys_max_age: Duration::from_mins(5),
        }
    }
}

/// Verifies tokens; one a service, shared by all its requests.
pub struct Verifier {
    users: Kind<Claims>,
    services: Kind<ServiceClaims>,
    keys: Arc<KeyStore>,
    deny_list: DenyList,
    clock: Arc<dyn Clock>,
    leeway: i64,
}

/// One kind of token: what it must say, and those that said it.
struct Kind<C> {
    validation: Validation,
    verified: Cache<[u8; 32], Arc<C>>,
}

impl<C: Send + Sync + 'static> Kind<C> {
    fn new(issuer: &str, audience: &str) -> Self {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        // The library reads the machine's clock; `check_times` reads ours.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let verified = Cache::builder().max_capacity(CACHED_TOKENS).time_to_live(CACHED_FOR).build();
        Self { validation, verified }
    }
}

impl Verifier {
    const MAX_LEEWAY: Duration = Duration::from_secs(30);

    /// A verifier. Keys are fetched when the first token comes.
    pub fn new(config: VerifierConfig, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        anyhow::ensure!(
            config.audience != config.service,
            "the audience of user tokens must not be the name of a service"
        );
        let timing = Timing { window: config.refetch_window, max_age: config.keys_max_age };
        Ok(Self {
            users: Kind::new(&config.issuer, &config.audience),
            services: Kind::new(&config.issuer, config.service),
            keys: Arc::new(KeyStore::new(config.jwks, timing)),
            deny_list: DenyList::new(Arc::clone(&clock)),
            leeway: i64::try_from(config.leeway.min(Self::MAX_LEEWAY).as_secs()).unwrap_or_default(),
            clock,
        })
    }

    /// Sessions and users to refuse.
    pub fn deny_list(&self) -> &DenyList {
        &self.deny_list
    }

    /// The time that tokens are judged by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Verifies a user token.
    pub async fn verify(&self, token: &str) -> Result<Arc<Claims>, TokenError> {
        if let Some(known) = self.verify_cached(token) {
            return known;
        }
        let claims = self.judge(&self.users, token).await?;
        if self.deny_list.denies(&claims) {
            return Err(TokenError::Revoked);
        }
        Ok(claims)
    }

    /// The answer about a user token that was verified before, without waiting for anything; `None` for a new one.
    pub fn verify_cached(&self, token: &str) -> Option<Result<Arc<Claims>, TokenError>> {
        let claims = self.users.verified.get(&fingerprint(token)?)?;
        Some(self.verify_again(&claims).map(|()| claims))
    }

    /// Judges claims again that came out of this verifier: their times, and whether they were revoked meanwhile.
    pub fn verify_again(&self, claims: &Claims) -> Result<(), TokenError> {
        self.check_times(claims)?;
        if self.deny_list.denies(claims) { Err(TokenError::Revoked) } else { Ok(()) }
    }

    /// Verifies a token that another service made for this one.
    pub async fn verify_service(&self, token: &str) -> Result<Arc<ServiceClaims>, TokenError> {
        let known = fingerprint(token).and_then(|hash| self.services.verified.get(&hash));
        match known {
            Some(claims) => self.check_times(&*claims).map(|()| claims),
            None => self.judge(&self.services, token).await,
        }
    }

    async fn judge<C>(&self, kind: &Kind<C>, token: &str) -> Result<Arc<C>, TokenError>
    where
        C: DeserializeOwned + Registered + Send + Sync + 'static,
    {
        let hash = fingerprint(token).ok_or(TokenError::Malformed)?;
        let key = self.keys.find(&key_name(token)?).await?;
        let claims: C = jsonwebtoken::decode(token, &key, &kind.validation).map_err(|error| reason(&error))?.claims;
        self.check_times(&claims)?;
        let claims = Arc::new(claims);
        kind.verified.insert(hash, Arc::clone(&claims));
        Ok(claims)
    }

    fn check_times(&self, claims: &impl Registered) -> Result<(), TokenError> {
        let now = self.clock.now().timestamp();
        if claims.expires_at().saturating_add(self.leeway) <= now {
            return Err(TokenError::Expired);
        }
        if claims.not_before().max(claims.issued_at()) > now.saturating_add(self.leeway) {
            return Err(TokenError::NotYetValid);
        }
        Ok(())
    }
}

/// Ready means able to judge tokens: the keys have been loaded once. They stay when auth goes away.
impl HealthCheck for Verifier {
    fn name(&self) -> &'static str {
        "jwks"
    }

    fn check(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { self.keys.load().await.map_err(|error| error.to_string()) })
    }
}

/// The cache's key; `None` for what is too long to be a token.
fn fingerprint(token: &str) -> Option<[u8; 32]> {
    (token.len() <= MAX_TOKEN).then(|| *blake3::hash(token.as_bytes()).as_bytes())
}

/// Checks the header and gives its `kid`. Nothing in it is trusted: it only chooses among keys that are known.
fn key_name(token: &str) -> Result<String, TokenError> {
    let header = jsonwebtoken::decode_header(token).map_err(|error| match error.kind() {
        // An algorithm that the library does not know, such as `none`, fails as JSON.
        ErrorKind::Json(_) => TokenError::Algorithm,
        _ => TokenError::Malformed,
    })?;
    let Header { typ, alg, cty, jku, jwk, kid, x5u, x5c, x5t, x5t_s256, crit, enc, zip, url, nonce, .. } = header;
    if alg != Algorithm::ES256 {
        return Err(TokenError::Algorithm);
    }
    // RFC 7515 section 4.1.9: media types compare without case, `application/` may be left out.
    let typ = typ.unwrap_or_default().to_ascii_lowercase();
    if typ.strip_prefix("application/").unwrap_or(&typ) != TOKEN_TYPE {
        return Err(TokenError::Type);
    }
    let chooses_key = jku.is_some() || jwk.is_some() || x5u.is_some() || x5c.is_some();
    let names_certificate = x5t.is_some() || x5t_s256.is_some();
    let changes_rules = crit.is_some() || enc.is_some() || zip.is_some() || cty.is_some();
    if chooses_key || names_certificate || changes_rules || url.is_some() || nonce.is_some() {
        return Err(TokenError::Header);
    }
    kid.ok_or(TokenError::UnknownKey)
}

fn reason(error: &jsonwebtoken::errors::Error) -> TokenError {
    match error.kind() {
        ErrorKind::InvalidSignature | ErrorKind::Base64(_) | ErrorKind::Signing(_) => TokenError::Signature,
        ErrorKind::InvalidIssuer => TokenError::Issuer,
        ErrorKind::InvalidAudience => TokenError::Audience,
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => TokenError::Algorithm,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) | ErrorKind::Json(_) => {
            TokenError::Claims
        }
        _ => TokenError::Malformed,
    }
}
