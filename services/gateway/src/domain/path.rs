//! Which paths are passed on at all.
//!
//! A proxy and the server behind it must read a path the same way, or a request that was checked as one path is served as
//! another. So nothing is rewritten here: a path with two readings is refused.

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ambiguous {
    /// `//`: some servers collapse it.
    #[error("the path has an empty segment")]
    EmptySegment,
    /// `.` or `..`, plain or encoded: some servers resolve it.
    #[error("the path has a dot segment")]
    DotSegment,
    /// `%2f` or `%5c` or a backslash: some servers take it as a separator.
    #[error("the path has an encoded slash or a backslash")]
    HiddenSeparator,
    /// `%00` to `%1f`, `%7f`.
    #[error("the path has an encoded control character")]
    ControlCharacter,
    /// `%` without two hexadecimal digits.
    #[error("the path has a broken percent-encoding")]
    BrokenEncoding,
}

/// Ok when every server reads `path` (origin form, without the query) the same way. One trailing slash is fine.
pub fn check(path: &str) -> Result<(), Ambiguous> {
    let segments = path.strip_prefix('/').unwrap_or(path);
    let mut rest = segments.split('/').peekable();
    while let Some(segment) = rest.next() {
        // Only the last may be empty: the path is `/`, or ends with a slash.
        if segment.is_empty() && rest.peek().is_some() {
            return Err(Ambiguous::EmptySegment);
        }
        if segment.contains('\\') {
            return Err(Ambiguous::HiddenSeparator);
        }
        check_segment(segment)?;
    }
    Ok(())
}

fn check_segment(segment: &str) -> Result<(), Ambiguous> {
    if !segment.contains('%') {
        return if matches!(segment, "." | "..") { Err(Ambiguous::DotSegment) } else { Ok(()) };
    }
    // Decodes once, as the server behind does. Only the shape of short segments matters for dots.
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digits = (bytes.next().and_then(hex), bytes.next().and_then(hex));
        let (Some(high), Some(low)) = digits else { return Err(Ambiguous::BrokenEncoding) };
        match high << 4 | low {
            b'/' | b'\\' => return Err(Ambiguous::HiddenSeparator),
            0x00..=0x1f | 0x7f => return Err(Ambiguous::ControlCharacter),
            plain => decoded.push(plain),
        }
    }
    if matches!(&*decoded, b"." | b"..") { Err(Ambiguous::DotSegment) } else { Ok(()) }
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_pass() {
        for path in
            ["/", "/v1/users/me", "/v1/users/", "/v1/users/a%20b", "/v1/users/%C3%A9", "/v1/a..b/...", "/v1/100%25"]
        {
            assert_eq!(check(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn a_path_with_two_readings_is_refused() {
        for (path, why) in [
            ("//v1/users", Ambiguous::EmptySegment),
            ("/v1//users", Ambiguous::EmptySegment),
            ("/v1/users//", Ambiguous::EmptySegment),
            ("/v1/users/../auth", Ambiguous::DotSegment),
            ("/v1/users/./me", Ambiguous::DotSegment),
            ("/v1/users/..", Ambiguous::DotSegment),
            ("/v1/users/%2e%2e/auth", Ambiguous::DotSegment),
            ("/v1/users/.%2E/auth", Ambiguous::DotSegment),
            ("/v1/users/%2e", Ambiguous::DotSegment),
            ("/v1/users%2fme", Ambiguous::HiddenSeparator),
            ("/v1/users/..%2f..%2finternal", Ambiguous::HiddenSeparator),
            ("/v1/users/%5c..%5c", Ambiguous::HiddenSeparator),
            ("/v1/users\\..\\auth", Ambiguous::HiddenSeparator),
            ("/v1/users/%00", Ambiguous::ControlCharacter),
            ("/v1/users/%0d%0aX:y", Ambiguous::ControlCharacter),
            ("/v1/users/%7F", Ambiguous::ControlCharacter),
            ("/v1/users/%", Ambiguous::BrokenEncoding),
            ("/v1/users/%2", Ambiguous::BrokenEncoding),
            ("/v1/users/%zz", Ambiguous::BrokenEncoding),
        ] {
            assert_eq!(check(path), Err(why), "{path}");
        }
    }
}
