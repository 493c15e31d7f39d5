//! What a client sent to say who it is.

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName};
use kit::Problem;
use kit::auth::ApiKeyText;
use kit::http::codes;

/// Where Anthropic's client libraries put a key.
static X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What a client sent to say who it is; nothing of it is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential<'a> {
    /// An API key.
    Key(&'a str),
    /// An access token, or nothing.
    Other,
}

impl<'a> Credential<'a> {
    /// Reads `Authorization: Bearer …` (`Token …` from mem0's client libraries) and `x-api-key`. Two different credentials are
    /// refused: which of them counts would be a guess, and another one on the way might guess otherwise.
    pub fn of(headers: &'a HeaderMap) -> Result<Self, Problem> {
        let authorization = only(headers, &AUTHORIZATION, "Send one Authorization header")?;
        let bearer = authorization
            .and_then(|value| value.split_once(' '))
            .and_then(|(scheme, credential)| is_of_a_key(scheme).then(|| credential.trim_ascii()));
        match (only(headers, &X_API_KEY, "Send one x-api-key header")?, bearer) {
            (None, Some(bearer)) if ApiKeyText::looks_like_key(bearer) => Ok(Self::Key(bearer)),
            (None, _) => Ok(Self::Other),
            (Some(key), None) if authorization.is_none() => Ok(Self::Key(key)),
            (Some(key), Some(bearer)) if key == bearer => Ok(Self::Key(key)),
            (Some(_), _) => Err(bad("Send either Authorization or x-api-key, or the same key in both")),
        }
    }
}

fn is_of_a_key(scheme: &str) -> bool {
    ["bearer", "token"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

/// The value of a header that comes once or not at all; a value that is not text is none that we know.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName, problem: &str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(bad(problem));
    }
    Ok(Some(value.to_str().unwrap_or_default().trim_ascii()))
}

fn bad(detail: &str) -> Problem {
    Problem::new(&codes::BAD_REQUEST).detail(detail)
}

/// Whether some `Authorization` holds a key, in whatever scheme. For calls that need no credentials and pass on what they
/// were sent: a key does not belong there.
pub fn holds_key(headers: &HeaderMap) -> bool {
    headers
        .get_all(AUTHORIZATION)
        .any(|value| value.to_str().is_ok_and(|value| value.split_ascii_whitespace().any(ApiKeyText::looks_like_key)))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_key_is_taken_from_either_header() {
        for list in [
            &[("authorization", "Bearer bo_live_x")][..],
            &[("authorization", "bearer   bo_live_x ")],
            &[("authorization", "Token bo_live_x")],
            &[("authorization", "token bo_live_x"), ("x-api-key", "bo_live_x")],
            &[("x-api-key", "bo_live_x")],
            &[("x-api-key", "bo_live_x"), ("authorization", "Bearer bo_live_x")],
        ] {
            assert_eq!(Credential::of(&headers(list)).unwrap(), Credential::Key("bo_live_x"), "{list:?}");
        }
    }

    #[test]
    fn what_is_no_key_is_left_to_others() {
        for list in [
            &[][..],
            &[("authorization", "Bearer eyJ.e30.x")],
            &[("authorization", "Bearer bo_rt_refresh")],
            &[("authorization", "Basic eDp5")],
            &[("authorization", "Token eyJ.e30.x")],
            &[("authorization", "Tokens bo_live_x")],
            &[("authorization", "bo_live_x")],
        ] {
            assert_eq!(Credential::of(&headers(list)).unwrap(), Credential::Other, "{list:?}");
        }
        // This header is for keys only, so whatever is in it is one, and then malformed.
        assert_eq!(Credential::of(&headers(&[("x-api-key", "sk-ant")])).unwrap(), Credential::Key("sk-ant"));
        assert_eq!(Credential::of(&headers(&[("x-api-key", "")])).unwrap(), Credential::Key(""));
    }

    #[test]
    fn two_credentials_are_one_too_many() {
        for list in [
            &[("x-api-key", "bo_live_x"), ("authorization", "Bearer bo_live_y")][..],
            &[("x-api-key", "bo_live_x"), ("authorization", "Bearer eyJ.e30.x")],
            &[("x-api-key", "bo_live_x"), ("authorization", "Token bo_live_y")],
            &[("x-api-key", "bo_live_x"), ("authorization", "Basic eDp5")],
            &[("x-api-key", "bo_live_x"), ("authorization", "bo_live_x")],
            &[("x-api-key", "bo_live_x"), ("x-api-key", "bo_live_x")],
            &[("authorization", "Bearer bo_live_x"), ("authorization", "Bearer bo_live_x")],
        ] {
            assert_eq!(Credential::of(&headers(list)).unwrap_err().code().code, "bad_request", "{list:?}");
        }
    }

    #[test]
    fn a_key_is_found_in_any_authorization() {
        for value in ["Bearer bo_live_x", "bo_live_x", "Basic  bo_test_x", "Token token=1 bo_live_x"] {
            assert!(holds_key(&headers(&[("authorization", value)])), "{value}");
        }
        assert!(holds_key(&headers(&[("authorization", "Bearer x"), ("authorization", "Bearer bo_live_x")])));
        for value in ["Bearer eyJ.e30.x", "Basic eDp5"] {
            assert!(!holds_key(&headers(&[("authorization", value)])), "{value}");
        }
    }
}
