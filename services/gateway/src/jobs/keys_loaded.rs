//! Ready means able to judge tokens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use kit::auth::TokenError;
use kit::{HealthCheck, Verifier};

/// A token that nobody signed, `{"alg":"ES256","typ":"at+jwt","kid":"readiness"}` in its header: to refuse it, the
/// verifier has to look for its key, and loads the keys when it has none yet.
const PROBE: &str = "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6InJlYWRpbmVzcyJ9.e30.AA";

/// Whether the keys that tokens are verified with have been loaded once. They stay when auth goes away.
pub struct KeysLoaded {
    verifier: Arc<Verifier>,
    loaded: AtomicBool,
}

impl KeysLoaded {
    /// Of this verifier.
    pub fn new(verifier: Arc<Verifier>) -> Self {
        Self { verifier, loaded: AtomicBool::new(false) }
    }
}

impl HealthCheck for KeysLoaded {
    fn name(&self) -> &str {
        "jwks"
    }

    fn check(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            if self.loaded.load(Ordering::Relaxed) {
                return Ok(());
            }
            match self.verifier.verify(PROBE).await {
                Err(TokenError::KeysUnavailable) => Err("the keys of auth were not loaded yet".to_owned()),
                _refused => {
                    self.loaded.store(true, Ordering::Relaxed);
                    Ok(())
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    #[test]
    fn the_probe_says_what_its_comment_says() {
        let header = URL_SAFE_NO_PAD.decode(super::PROBE.split('.').next().unwrap()).unwrap();
        assert_eq!(header, br#"{"alg":"ES256","typ":"at+jwt","kid":"readiness"}"#);
    }
}
