//! E-mail addresses, as far as anyone but the receiving server can judge them.

/// RFC 5321 section 4.5.3.1.3: a path of 256 octets less its angle brackets.
const MAX_LENGTH: usize = 254;

/// An address as its owner wrote it, and the key under which it is the same address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    address: String,
    key: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an e-mail address")]
pub struct InvalidEmail;

impl Email {
    /// Takes what has one `@` between a name and a domain, without spaces or control characters. More is not checked:
    /// only a mail that arrives proves an address.
    pub fn parse(text: &str) -> Result<Self, InvalidEmail> {
        let address = text.trim();
        let (name, domain) = address.rsplit_once('@').ok_or(InvalidEmail)?;
        let tidy =
            |part: &str| !part.is_empty() && !part.contains(|c: char| c == '@' || c.is_whitespace() || c.is_control());
        let labels =
            domain.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'));
        if address.len() > MAX_LENGTH || name.len() > 64 || !tidy(name) || !tidy(domain) || !labels {
            return Err(InvalidEmail);
        }
        Ok(Self { address: address.to_owned(), key: key(address) })
    }

    /// The key of whatever somebody typed into a login form. What is no address has a key nobody registered.
    pub fn lookup_key(text: &str) -> String {
        key(text.trim())
    }

    pub fn as_str(&self) -> &str {
        &self.address
    }

    /// Lower case. Servers may tell `Jane@` from `jane@` (RFC 5321 section 2.4); none does, and people do not either.
    pub fn key(&self) -> &str {
        &self.key
    }
}

fn key(address: &str) -> String {
    address.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_written_and_compared_in_lower_case() {
        let email = Email::parse(" Jane.Doe+test@Example.COM ").unwrap();
        assert_eq!(email.as_str(), "Jane.Doe+test@Example.COM");
        assert_eq!(email.key(), "jane.doe+test@example.com");
        assert_eq!(Email::lookup_key("JANE.doe+TEST@example.com"), email.key());
        assert!(Email::parse("root@localhost").is_ok());
        assert!(Email::parse("jürgen@bücher.example").is_ok());
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@example.com", "a".repeat(65));
        let longer = format!("a@{}example.com", "sub.".repeat(70));
        let wrong = [
            "",
            "@",
            "jane",
            "jane@",
            "@example.com",
            "a@b@example.com",
            "jane doe@example.com",
            "jane@exa mple.com",
            "jane@example..com",
            "jane@.com",
            "jane@-example.com",
            "jane\u{0}@example.com",
            "jane@example.com\r\nBcc:x",
            &long,
            &longer,
        ];
        for text in wrong {
            assert_eq!(Email::parse(text), Err(InvalidEmail), "{text:?}");
        }
    }
}
