//! Images, recordings and files inside of a request. Nothing is fetched or decoded for keeps: base64 is only proven to
//! be base64, so that a provider's refusal is not the first to notice.

use base64::{Engine, engine::general_purpose::STANDARD};
use url::Url;

use super::{Path, Reading, fields::invalid, limits};
use crate::{
    domain::chat::MediaSource,
    error::{IMAGE_TOO_LARGE, INVALID_IMAGE, STRING_ABOVE_MAX_LENGTH},
    protocol::ApiError,
};

/// What every provider of vision takes.
const IMAGE_TYPES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// An image by URL: `https:`, `http:` or `data:`.
pub fn image_url(url: String, at: &Path<'_>, reading: &mut Reading) -> Result<MediaSource, ApiError> {
    match data_url(&url) {
        DataUrl::Base64 { media_type, data } => inline_image(&media_type, data.to_owned(), at, reading),
        DataUrl::Broken => Err(bad_image(at, "must be a data URL of the form data:image/png;base64,….")),
        DataUrl::Not => {
            reading.count_image(at)?;
            Ok(MediaSource::Url(web_url(url, at)?))
        }
    }
}

/// An image in the body.
pub fn inline_image(
    media_type: &str,
    data: String,
    at: &Path<'_>,
    reading: &mut Reading,
) -> Result<MediaSource, ApiError> {
    reading.count_image(at)?;
    // Not its registered name, and yet common.
    let media_type = if media_type == "image/jpg" { "image/jpeg" } else { media_type };
    if !IMAGE_TYPES.contains(&media_type) {
        return Err(bad_image(at, format!("must be an image of type {}.", IMAGE_TYPES.join(", "))));
    }
    match decoded_len(&data) {
        Some(0) | None => Err(bad_image(at, "must hold valid base64.")),
        Some(bytes) if bytes > limits::IMAGE_BYTES => {
            let message = format!("{at} has {bytes} bytes; {} is the limit.", limits::IMAGE_BYTES);
            Err(ApiError::invalid(IMAGE_TOO_LARGE.code, at.to_string(), message))
        }
        Some(_) => Ok(MediaSource::Inline { media_type: media_type.to_owned(), data }),
    }
}

/// A file in the body: a data URL, or base64 whose type the name has to tell.
pub fn inline_file(data: String, filename: Option<&str>, at: &Path<'_>) -> Result<MediaSource, ApiError> {
    let (media_type, data) = match data_url(&data) {
        DataUrl::Base64 { media_type, data } => (media_type, data.to_owned()),
        DataUrl::Broken => return Err(invalid(at, "must be a data URL of the form data:application/pdf;base64,….")),
        DataUrl::Not => {
            let pdf = filename.is_none_or(|name| name.to_ascii_lowercase().ends_with(".pdf"));
            (if pdf { "application/pdf" } else { "application/octet-stream" }.to_owned(), data)
        }
    };
    check_file(&data, at)?;
    Ok(MediaSource::Inline { media_type, data })
}

/// Refuses what is not base64, or too much.
pub fn check_file(data: &str, at: &Path<'_>) -> Result<(), ApiError> {
    match decoded_len(data) {
        Some(0) | None => Err(invalid(at, "must hold valid base64.")),
        Some(bytes) if bytes > limits::FILE_BYTES => {
            let message = format!("{at} has {bytes} bytes; {} is the limit.", limits::FILE_BYTES);
            Err(ApiError::invalid(STRING_ABOVE_MAX_LENGTH.code, at.to_string(), message))
        }
        Some(_) => Ok(()),
    }
}

/// An address on the web. It is the provider that goes there, never we.
pub fn web_url(url: String, at: &Path<'_>) -> Result<String, ApiError> {
    if url.len() > limits::URL_BYTES {
        let message = format!("{at} has {} bytes; {} is the limit.", url.len(), limits::URL_BYTES);
        return Err(ApiError::invalid(STRING_ABOVE_MAX_LENGTH.code, at.to_string(), message));
    }
    let good = Url::parse(&url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if good { Ok(url) } else { Err(invalid(at, "must be an http or https URL.")) }
}

fn bad_image(at: &Path<'_>, why: impl std::fmt::Display) -> ApiError {
    ApiError::invalid(INVALID_IMAGE.code, at.to_string(), format!("{at} {why}"))
}

/// What a text is as a data URL (RFC 2397).
#[derive(Debug, PartialEq)]
enum DataUrl<'u> {
    /// Another URL, or none at all.
    Not,
    /// One without media type or without base64.
    Broken,
    Base64 {
        media_type: String,
        data: &'u str,
    },
}

fn data_url(url: &str) -> DataUrl<'_> {
    let Some((_, rest)) = url.split_at_checked(5).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("data:")) else {
        return DataUrl::Not;
    };
    let parsed = rest.split_once(',').and_then(|(head, data)| {
        let (parameters, encoding) = head.rsplit_once(';')?;
        let media_type = parameters.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let good = encoding.trim().eq_ignore_ascii_case("base64") && !media_type.is_empty();
        good.then_some(DataUrl::Base64 { media_type, data })
    });
    parsed.unwrap_or(DataUrl::Broken)
}

/// Bytes that `data` decodes to; `None` when it is not base64 (RFC 4648, padded). Decodes piecewise into a small buffer,
/// so a large image costs no memory.
fn decoded_len(data: &str) -> Option<usize> {
    const PIECE: usize = 8 * 1024;
    let mut buffer = [0_u8; PIECE / 4 * 3];
    let pieces = data.as_bytes().chunks(PIECE);
    let last = pieces.len().checked_sub(1)?;
    let mut total = 0;
    for (index, piece) in pieces.enumerate() {
        let padded = piece.ends_with(b"=");
        if padded && index != last {
            return None;
        }
        total += STANDARD.decode_slice(piece, &mut buffer).ok()?;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_base64_has_a_length() {
        assert_eq!(decoded_len("aGVsbG8="), Some(5));
        for bad in ["", "a", "aGVsbG8", "aGVs bG8=", "aGV\nsbG8=", "a===", "aGVsbG8=aGVsbG8=", "-_-_", "aGVsbG9="] {
            assert_eq!(decoded_len(bad), None, "{bad:?}");
        }
        // Padding at the seam of two pieces.
        let seam = format!("{}AA=={}", "A".repeat(8 * 1024 - 4), "AAAA");
        assert_eq!(decoded_len(&seam), None);
    }

    #[test]
    fn a_data_url_names_its_type_whatever_its_case() {
        assert_eq!(
            data_url("DATA:Image/PNG;charset=x;BASE64,AA=="),
            DataUrl::Base64 { media_type: "image/png".into(), data: "AA==" }
        );
        assert_eq!(data_url("https://example.com/,"), DataUrl::Not);
        for bad in ["data:", "data:,", "data:image/png,AA==", "data:;base64,AA==", "data:image/png;base64"] {
            assert_eq!(data_url(bad), DataUrl::Broken, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn the_length_is_that_of_the_bytes(bytes in proptest::collection::vec(any::<u8>(), 1..20_000)) {
            prop_assert_eq!(decoded_len(&STANDARD.encode(&bytes)), Some(bytes.len()));
        }

        #[test]
        fn no_text_panics(text in ".{0,64}") {
            let _ = data_url(&text);
            let _ = decoded_len(&text);
            let _ = web_url(text, &Path::Root);
        }
    }
}
