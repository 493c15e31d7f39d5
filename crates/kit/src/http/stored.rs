//! Answers that were stored with an `Idempotency-Key` on their way back to a client.
use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
};

/// Says that the answer is a repetition.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The answer as it was stored, or is being stored: `replayed` marks a repetition. A header that cannot be one is left out.
pub fn stored_answer(status: u16, headers: &[(String, String)], body: Vec<u8>, replayed: bool) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.append_header((name, value));
        }
    }
    if replayed {
        response.insert_header((REPLAYED, HeaderValue::from_static("true")));
    }
    response.body(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_repetition_says_so() {
        let headers = [("location".to_owned(), "/v1/x".to_owned()), ("bad name".to_owned(), "x".to_owned())];
        let first = stored_answer(201, &headers, b"{}".to_vec(), false);
        assert_eq!((first.status().as_u16(), first.headers().len()), (201, 1));
        let again = stored_answer(201, &headers, b"{}".to_vec(), true);
        assert_eq!(again.headers().get("idempotency-replayed").unwrap(), "true");
    }
}
