//! What goes over the wire. Requests are checked here; serde and utoipa stop here.

use chrono::{DateTime, Utc};
use contracts::Role;
use kit::http::Patch;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::{Validate, ValidationError};

use crate::domain::{
    membership::{Member, Membership},
    organization::{Organization, Slug},
    profile::{AvatarEdit, Profile, ProfileEdit},
};

/// A person as they see themselves.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProfileView {
    /// The person's id, the `sub` of their access tokens.
    pub id: Uuid,
    /// The address they signed up with.
    #[schema(example = "ada@example.org")]
    pub email: String,
    /// How colleagues see them.
    #[schema(example = "Ada Lovelace")]
    pub display_name: String,
    /// A picture, if they set one.
    pub avatar_url: Option<String>,
    /// BCP 47 language tag.
    #[schema(example = "en-GB")]
    pub locale: String,
    /// IANA time zone name.
    #[schema(example = "Europe/London")]
    pub time_zone: String,
    /// Free settings of client applications.
    #[schema(value_type = Object)]
    pub preferences: Map<String, Value>,
    /// Grows by one with each change; also the `ETag`.
    #[schema(example = 1)]
    pub version: i64,
    /// When the profile was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl From<Profile> for ProfileView {
    fn from(profile: Profile) -> Self {
        Self {
            id: profile.user_id.uuid(),
            email: profile.email,
            display_name: profile.display_name,
            avatar_url: profile.avatar_url,
            locale: profile.locale,
            time_zone: profile.time_zone,
            preferences: profile.preferences,
            version: profile.version,
            created_at: profile.created_at,
            updated_at: profile.updated_at,
        }
    }
}

/// A JSON merge patch (RFC 7396): what is absent stays as it is.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfilePatch {
    /// 1 to 100 characters, not blank.
    #[serde(default)]
    #[schema(value_type = Option<String>, nullable = false, example = "Ada Lovelace", min_length = 1, max_length = 100)]
    #[validate(custom(function = "display_name"))]
    pub display_name: Patch<String>,
    /// An https URL of at most 2048 characters; `null` removes the picture.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "https://example.org/ada.png")]
    #[validate(custom(function = "picture_url"))]
    pub avatar_url: Patch<String>,
    /// BCP 47 language tag.
    #[serde(default)]
    #[schema(value_type = Option<String>, nullable = false, example = "en-GB")]
    #[validate(custom(function = "language_tag"))]
    pub locale: Patch<String>,
    /// IANA time zone name.
    #[serde(default)]
    #[schema(value_type = Option<String>, nullable = false, example = "Europe/London")]
    #[validate(custom(function = "time_zone"))]
    pub time_zone: Patch<String>,
    /// Merged into the stored settings, `null` removes a member; the result is at most 16 KiB.
    #[serde(default)]
    #[schema(value_type = Option<Object>, nullable = false)]
    #[validate(custom(function = "not_null"))]
    pub preferences: Patch<Map<String, Value>>,
}

impl ProfilePatch {
    /// The edit, and apart from it the patch of the preferences, which needs the stored ones.
    pub fn into_edit(self) -> (ProfileEdit, Option<Map<String, Value>>) {
        let edit = ProfileEdit {
            display_name: value(self.display_name),
            avatar: match self.avatar_url {
                Patch::Absent => AvatarEdit::Keep,
                Patch::Null => AvatarEdit::Remove,
                Patch::Value(url) => AvatarEdit::Set(url),
            },
            locale: value(self.locale),
            time_zone: value(self.time_zone),
            preferences: None,
        };
        (edit, value(self.preferences))
    }
}

/// Validation has refused `null` for these members.
fn value<T>(patch: Patch<T>) -> Option<T> {
    patch.apply_to(None)
}

/// An organization as one of its members sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrganizationView {
    /// The organization's id, the `org` of access tokens.
    pub id: Uuid,
    /// Its name.
    #[schema(example = "Analytical Engines")]
    pub name: String,
    /// Its name in URLs.
    #[schema(example = "analytical-engines")]
    pub slug: String,
    /// Made at registration for one person.
    pub personal: bool,
    /// The caller's role in it.
    #[schema(value_type = String, example = "owner")]
    pub role: Role,
    /// Grows by one with each change; also the `ETag`.
    #[schema(example = 1)]
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl From<(Organization, Role)> for OrganizationView {
    fn from((organization, role): (Organization, Role)) -> Self {
        Self {
            id: organization.id.uuid(),
            name: organization.name,
            slug: organization.slug.as_str().to_owned(),
            personal: organization.personal,
            role,
            version: organization.version,
            created_at: organization.created_at,
            updated_at: organization.updated_at,
        }
    }
}

impl From<(Organization, Membership)> for OrganizationView {
    fn from((organization, membership): (Organization, Membership)) -> Self {
        (organization, membership.role).into()
    }
}

/// A new organization; the caller becomes its owner.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganizationCreate {
    /// 1 to 100 characters, not blank.
    #[schema(example = "Analytical Engines", min_length = 1, max_length = 100)]
    #[validate(length(min = 1, max = 100), custom(function = "not_blank"))]
    pub name: String,
    /// 1 to 63 characters `a-z`, `0-9` and single dashes between them; made from the name when absent.
    #[serde(default)]
    #[schema(example = "analytical-engines", pattern = "^[a-z0-9](-?[a-z0-9])*$", max_length = 63)]
    #[validate(custom(function = "fitting_slug"))]
    pub slug: Option<String>,
}

impl OrganizationCreate {
    /// The name and the slug, which validation has found to be one.
    pub fn into_parts(self) -> (String, Option<Slug>) {
        (self.name, self.slug.and_then(|slug| Slug::parse(&slug).ok()))
    }
}

/// Somebody who belongs to an organization.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemberView {
    /// The membership's id.
    pub id: Uuid,
    /// The person's id.
    pub user_id: Uuid,
    /// How colleagues see them; `null` in the moments before their profile is made.
    #[schema(example = "Ada Lovelace")]
    pub display_name: Option<String>,
    /// Their address.
    #[schema(example = "ada@example.org")]
    pub email: Option<String>,
    /// A picture, if they set one.
    pub avatar_url: Option<String>,
    /// What they may do here.
    #[schema(value_type = String, example = "owner")]
    pub role: Role,
    /// Grows by one with each change of the membership.
    #[schema(example = 1)]
    pub version: i64,
    /// When they joined.
    pub joined_at: DateTime<Utc>,
}

impl From<Member> for MemberView {
    fn from(member: Member) -> Self {
        Self {
            id: member.membership.id.uuid(),
            user_id: member.membership.user.uuid(),
            display_name: member.display_name,
            email: member.email,
            avatar_url: member.avatar_url,
            role: member.membership.role,
            version: member.membership.version,
            joined_at: member.membership.created_at,
        }
    }
}

fn display_name(patch: &Patch<String>) -> Result<(), ValidationError> {
    not_null(patch)?;
    let Some(name) = patch.as_value() else { return Ok(()) };
    check((1..=100).contains(&name.chars().count()), "length", "Give it 1 to 100 characters.")?;
    not_blank(name)
}

fn picture_url(patch: &Patch<String>) -> Result<(), ValidationError> {
    let Some(text) = patch.as_value() else { return Ok(()) };
    let https = url::Url::parse(text).is_ok_and(|url| url.scheme() == "https" && url.has_host());
    check(https && text.len() <= 2048, "url", "Give an https URL of at most 2048 characters.")
}

fn language_tag(patch: &Patch<String>) -> Result<(), ValidationError> {
    not_null(patch)?;
    let fine = |text: &String| text.len() <= 35 && icu_locale_core::LanguageIdentifier::try_from_str(text).is_ok();
    check(patch.as_value().is_none_or(fine), "language_tag", "Give a BCP 47 language tag such as `en-GB`.")
}

fn time_zone(patch: &Patch<String>) -> Result<(), ValidationError> {
    not_null(patch)?;
    let fine = |text: &String| text.parse::<chrono_tz::Tz>().is_ok();
    check(patch.as_value().is_none_or(fine), "time_zone", "Give an IANA time zone name such as `Europe/London`.")
}

fn not_null<T>(patch: &Patch<T>) -> Result<(), ValidationError> {
    check(!matches!(patch, Patch::Null), "not_nullable", "It cannot be null.")
}

fn not_blank(text: &str) -> Result<(), ValidationError> {
    let fine = !text.trim().is_empty() && !text.chars().any(char::is_control);
    check(fine, "blank", "Give it at least one visible character and no control characters.")
}

fn fitting_slug(text: &str) -> Result<(), ValidationError> {
    let message = "Use 1 to 63 characters a-z, 0-9 and single dashes between them.";
    check(Slug::parse(text).is_ok(), "slug", message)
}

fn check(fine: bool, code: &'static str, message: &'static str) -> Result<(), ValidationError> {
    if fine { Ok(()) } else { Err(ValidationError::new(code).with_message(message.into())) }
}
