//! An organization: the tenant that everything in the system belongs to.

use chrono::{DateTime, Utc};
use contracts::{OrgId, UserId, users::v1::OrganizationCreated};

#[derive(Debug, Clone, PartialEq)]
pub struct Organization {
    pub id: OrgId,
    pub name: String,
    pub slug: Slug,
    /// Made at registration for one person.
    pub personal: bool,
    pub created_by: UserId,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Who an organization is made for, and how.
#[derive(Debug, Clone)]
pub struct NewOrganization {
    pub id: OrgId,
    pub name: String,
    pub slug: Slug,
    pub personal: bool,
    pub created_by: UserId,
}

impl Organization {
    /// A new organization and the fact that it exists.
    pub fn create(new: NewOrganization, now: DateTime<Utc>) -> (Self, OrganizationCreated) {
        let event = OrganizationCreated {
            organization_id: new.id.to_string(),
            name: new.name.clone(),
            slug: new.slug.as_str().to_owned(),
            personal: new.personal,
            owner_user_id: new.created_by.to_string(),
            created_at: Some(now.into()),
        };
        let organization = Self {
            id: new.id,
            name: new.name,
            slug: new.slug,
            personal: new.personal,
            created_by: new.created_by,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        (organization, event)
    }
}

/// The name of an organization in URLs: `a-z`, `0-9` and single dashes inside, at most 63 characters (a DNS label).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slug(String);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a slug has 1 to 63 characters a-z, 0-9 and single dashes between them")]
pub struct InvalidSlug;

impl Slug {
    pub const MAX: usize = 63;

    pub fn parse(text: &str) -> Result<Self, InvalidSlug> {
        let part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if text.len() <= Self::MAX && text.split('-').all(part) { Ok(Self(text.to_owned())) } else { Err(InvalidSlug) }
    }

    /// A slug made from a name and a random tail, so that no two people have to fight over one.
    pub fn derive(name: &str, random: [u8; 4]) -> Self {
        let mut slug = String::new();
        for c in name.chars().flat_map(char::to_lowercase) {
            if c.is_ascii_alphanumeric() {
                slug.push(c);
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
            if slug.len() >= 48 {
                break;
            }
        }
        if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        Self(format!("{slug}{:08x}", u32::from_be_bytes(random)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_a_dns_label() {
        for good in ["a", "acme", "acme-2", "0", "a-b-c"] {
            assert!(Slug::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-", "-a", "a-", "a--b", "Acme", "ä", "a b", "a_b", &"x".repeat(64)] {
            assert_eq!(Slug::parse(bad), Err(InvalidSlug), "{bad}");
        }
    }

    #[test]
    fn a_derived_slug_is_a_slug_whatever_the_name() {
        for name in ["Ada Lovelace", "  !!  ", "日本語", "Ünï çödé", &"long name ".repeat(20), "a-"] {
            let slug = Slug::derive(name, [1, 2, 3, 255]);
            assert_eq!(Slug::parse(slug.as_str()), Ok(slug.clone()), "{name} -> {}", slug.as_str());
        }
        assert_eq!(Slug::derive("Ada Lovelace", [0, 0, 0, 7]).as_str(), "ada-lovelace-00000007");
    }
}
