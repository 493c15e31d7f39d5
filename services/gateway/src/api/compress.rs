//! Compression of answers, where it pays: text of a known length from 1 KiB on. Streams are never touched, because a
//! coder would hold their pieces back.
//!
//! An `ETag` stays as it is: here it names the version of a resource for `If-Match`, not the bytes of an answer.

use actix_http::encoding::Encoder;
use actix_web::Error;
use actix_web::body::{BodySize, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, AcceptEncoding, ContentEncoding, Encoding, Header, HeaderMap, HeaderValue};
use actix_web::http::{Method, Version};
use actix_web::middleware::Next;

/// Less is not worth the coder's time: it fits into one packet either way.
const MIN_BYTES: u64 = 1024;

const CODINGS: [Encoding; 3] = [
    Encoding::Known(ContentEncoding::Brotli),
    Encoding::Known(ContentEncoding::Gzip),
    Encoding::Known(ContentEncoding::Identity),
];

/// Compresses the answer as the client asks for it.
pub async fn compress<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<Encoder<B>, B>>, Error> {
    let mut response = next.call(request).await?;
    let large = matches!(response.response().body().size(), BodySize::Sized(length) if length >= MIN_BYTES);
    // A compressed body is sent in chunks, which HTTP/1.0 does not have.
    let (method, version) = (response.request().method(), response.request().version());
    if !large || method == Method::HEAD || version < Version::HTTP_11 || !is_compressible(response.headers()) {
        return Ok(response.map_into_right_body());
    }
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    let coding =
        match AcceptEncoding::parse(response.request()).ok().and_then(|wanted| wanted.negotiate(CODINGS.iter())) {
            Some(Encoding::Known(coding)) if coding != ContentEncoding::Identity => coding,
            _ => return Ok(response.map_into_right_body()),
        };
    Ok(response.map_body(|head, body| {
        // The length was that of the plain body.
        head.headers_mut().remove(header::CONTENT_LENGTH);
        EitherBody::left(Encoder::response(coding, head, body))
    }))
}

/// Text, by its media type, that nobody has encoded yet. A range is a part of the plain text and stays so.
fn is_compressible(headers: &HeaderMap) -> bool {
    if headers.contains_key(header::CONTENT_ENCODING) || headers.contains_key(header::CONTENT_RANGE) {
        return false;
    }
    let Some(kind) = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) else { return false };
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.split_once('/') {
        Some(("text", subtype)) => subtype != "event-stream",
        Some(("application", subtype)) => {
            matches!(subtype, "json" | "javascript" | "xml") || subtype.ends_with("+json") || subtype.ends_with("+xml")
        }
        Some(("image", "svg+xml")) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_compressible_and_streams_are_not() {
        let of = |kind: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            is_compressible(&headers)
        };
        for kind in ["application/json; charset=utf-8", "application/problem+json", "TEXT/html", "image/svg+xml"] {
            assert!(of(kind), "{kind}");
        }
        for kind in
            ["text/event-stream", "text/event-stream;charset=utf-8", "image/png", "application/octet-stream", "json"]
        {
            assert!(!of(kind), "{kind}");
        }
    }
}
