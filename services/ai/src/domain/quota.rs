//! Limits of usage: whom they concern, what they count, and how replicas share what is left.

use chrono::{DateTime, Utc};
use contracts::{ApiKeyId, OrgId, QuotaId, TeamId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    caller::Caller,
    window::{Period, Window},
};

/// The largest share of what is left that one replica takes in advance: a 16th. Enough to admit many calls without asking
/// the database; little enough that a replica which sits on its share (or dies with it) hardly matters to the others.
const SHARE: i64 = 16;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Calls.
    Requests,
    /// Input and output tokens together.
    Tokens,
    /// Cost in nano-USD (10⁻⁹ US dollar).
    CostNanoUsd,
}

impl Metric {
    pub const ALL: [Self; 3] = [Self::Requests, Self::Tokens, Self::CostNanoUsd];

    /// In the API, events and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::CostNanoUsd => "cost_nano_usd",
        }
    }
}

/// Whose usage is counted, without saying which one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// Everybody's together.
    Organization,
    /// That of a team's members together.
    Team,
    User,
    ApiKey,
}

impl SubjectKind {
    pub const ALL: [Self; 4] = [Self::Organization, Self::Team, Self::User, Self::ApiKey];

    /// In the API and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Team => "team",
            Self::User => "user",
            Self::ApiKey => "api_key",
        }
    }
}

/// Whose usage is counted. `None`: that of each organization, team, user or key by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The one that it is a quota of, or, for quotas of the installation, any.
    Organization(Option<OrgId>),
    Team(Option<TeamId>),
    User(Option<UserId>),
    ApiKey(Option<ApiKeyId>),
}

impl Subject {
    pub fn new(kind: SubjectKind, id: Option<Uuid>) -> Self {
        match kind {
            SubjectKind::Organization => Self::Organization(id.map(OrgId::from_uuid)),
            SubjectKind::Team => Self::Team(id.map(TeamId::from_uuid)),
            SubjectKind::User => Self::User(id.map(UserId::from_uuid)),
            SubjectKind::ApiKey => Self::ApiKey(id.map(ApiKeyId::from_uuid)),
        }
    }

    pub const fn kind(self) -> SubjectKind {
        match self {
            Self::Organization(_) => SubjectKind::Organization,
            Self::Team(_) => SubjectKind::Team,
            Self::User(_) => SubjectKind::User,
            Self::ApiKey(_) => SubjectKind::ApiKey,
        }
    }

    /// The one organization, team, user or key.
    pub fn id(self) -> Option<Uuid> {
        match self {
            Self::Organization(id) => id.map(OrgId::uuid),
            Self::Team(id) => id.map(TeamId::uuid),
            Self::User(id) => id.map(UserId::uuid),
            Self::ApiKey(id) => id.map(ApiKeyId::uuid),
        }
    }

    /// In whose windows a call counts: ids of organizations, teams, users or keys. Several for a caller of several teams.
    pub fn counted(self, caller: &Caller, teams: &[TeamId]) -> Vec<Uuid> {
        fn fits<T: PartialEq>(wanted: Option<T>, found: &T) -> bool {
            wanted.is_none_or(|wanted| wanted == *found)
        }
        match self {
            Self::Organization(id) => {
                Some(caller.org).filter(|org| fits(id, org)).map(OrgId::uuid).into_iter().collect()
            }
            Self::Team(id) => teams.iter().filter(|team| fits(id, team)).map(|team| team.uuid()).collect(),
            Self::User(id) => Some(caller.user).filter(|user| fits(id, user)).map(UserId::uuid).into_iter().collect(),
            Self::ApiKey(id) => caller.api_key.filter(|key| fits(id, key)).map(ApiKeyId::uuid).into_iter().collect(),
        }
    }
}

/// A limit of usage. Whom it concerns and what it counts never change; what is counted would lose its meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    pub id: QuotaId,
    /// `None`: set by the operator for every organization, each by itself.
    pub org: Option<OrgId>,
    pub name: Option<String>,
    pub subject: Subject,
    /// Only calls of this alias.
    pub model: Option<String>,
    pub period: Period,
    pub metric: Metric,
    /// In the metric's unit.
    pub limit: i64,
    /// Percentages at which an event tells of it; ascending.
    pub thresholds: Vec<u8>,
    pub enabled: bool,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What can be changed of a quota; `None` leaves it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuotaEdit {
    /// `Some(None)` removes the name.
    pub name: Option<Option<String>>,
    pub limit: Option<i64>,
    pub thresholds: Option<Vec<u8>>,
    pub enabled: Option<bool>,
}

/// A quota as somebody asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaSpec {
    pub name: Option<String>,
    pub subject: Subject,
    pub model: Option<String>,
    pub period: Period,
    pub metric: Metric,
    pub limit: i64,
    pub thresholds: Vec<u8>,
    pub enabled: bool,
}

/// Where a window of a quota stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Who is counted.
    pub subject: Uuid,
    pub window: Window,
    pub used: i64,
    /// Held for calls in flight and those about to come.
    pub reserved: i64,
}

impl Quota {
    /// `owner` is an organization, or `None` for the installation.
    pub fn create(id: QuotaId, owner: Option<OrgId>, spec: QuotaSpec, now: DateTime<Utc>) -> Self {
        Self {
            id,
            org: owner,
            name: spec.name,
            subject: spec.subject,
            model: spec.model,
            period: spec.period,
            metric: spec.metric,
            limit: spec.limit,
            thresholds: normal(spec.thresholds),
            enabled: spec.enabled,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    /// Whose windows somebody sees who may see the quota: the one that it counts, or the caller's own.
    pub fn seen_by(&self, caller: &Caller, teams: &[TeamId]) -> Vec<Uuid> {
        self.subject.id().map_or_else(|| self.subject.counted(caller, teams), |id| vec![id])
    }

    /// Whether calls of `alias` count.
    pub fn counts_model(&self, alias: &str) -> bool {
        self.model.as_deref().is_none_or(|model| model == alias)
    }

    /// The soft thresholds that `used` has reached and of which nobody was told, when `notified` is the highest told of.
    pub fn newly_reached(&self, used: i64, notified: u8) -> impl Iterator<Item = u8> {
        let (used, limit) = (i128::from(used), i128::from(self.limit));
        let reached = move |percent: u8| limit > 0 && used * 100 >= limit * i128::from(percent);
        self.thresholds.iter().copied().filter(move |percent| *percent > notified && reached(*percent))
    }

    /// The quota after a change, and whether anything changed.
    #[must_use]
    pub fn edit(self, edit: QuotaEdit, now: DateTime<Utc>) -> (Self, bool) {
        let before = self.clone();
        let mut after = Self {
            name: edit.name.unwrap_or(self.name),
            limit: edit.limit.unwrap_or(self.limit),
            thresholds: edit.thresholds.map_or(self.thresholds, normal),
            enabled: edit.enabled.unwrap_or(self.enabled),
            ..before.clone()
        };
        let changed = after != before;
        if changed {
            after.version += 1;
            after.updated_at = now;
        }
        (after, changed)
    }
}

/// Thresholds in order, each once.
pub fn normal(mut thresholds: Vec<u8>) -> Vec<u8> {
    thresholds.sort_unstable();
    thresholds.dedup();
    thresholds
}

/// How much of a window a replica may take: `wanted` or its share of what is left, whichever is more, as far as it goes.
/// Nothing when less than `least` is left. So slices shrink with what is left, down to exactly what is needed.
pub fn slice(limit: i64, used: i64, leased: i64, least: i64, wanted: i64) -> i64 {
    let left = limit.saturating_sub(used).saturating_sub(leased);
    if left < least { 0 } else { (left / SHARE).max(wanted).max(least).min(left).max(0) }
}

#[cfg(test)]
mod tests {
    use contracts::Role;
    use proptest::prelude::*;

    use super::*;

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    fn quota(limit: i64, thresholds: &[u8]) -> Quota {
        Quota {
            id: QuotaId::from_uuid(id(1)),
            org: None,
            name: None,
            subject: Subject::Organization(None),
            model: None,
            period: Period::Day,
            metric: Metric::Tokens,
            limit,
            thresholds: thresholds.to_vec(),
            enabled: true,
            version: 1,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_subject_counts_the_callers_it_names_or_each_of_them() {
        let (org, user, key) = (OrgId::from_uuid(id(1)), UserId::from_uuid(id(2)), ApiKeyId::from_uuid(id(3)));
        let caller = Caller { org, user, role: Role::Member, api_key: None };
        let keyed = Caller { api_key: Some(key), ..caller };
        let teams = [TeamId::from_uuid(id(4)), TeamId::from_uuid(id(5))];
        let other = id(9);
        for (subject, counted) in [
            (Subject::Organization(None), vec![id(1)]),
            (Subject::User(None), vec![id(2)]),
            (Subject::User(Some(user)), vec![id(2)]),
            (Subject::User(Some(UserId::from_uuid(other))), vec![]),
            (Subject::ApiKey(None), vec![]),
            (Subject::Team(None), vec![id(4), id(5)]),
            (Subject::Team(Some(teams[1])), vec![id(5)]),
            (Subject::Team(Some(TeamId::from_uuid(other))), vec![]),
        ] {
            assert_eq!(subject.counted(&caller, &teams), counted, "{subject:?}");
        }
        assert_eq!(Subject::ApiKey(None).counted(&keyed, &teams), vec![id(3)]);
        assert_eq!(Subject::Team(None).counted(&caller, &[]), Vec::<Uuid>::new());
    }

    #[test]
    fn each_threshold_is_reached_once() {
        let quota = quota(1_000, &[50, 80, 100]);
        let reached = |used, notified| quota.newly_reached(used, notified).collect::<Vec<_>>();
        assert_eq!(reached(499, 0), Vec::<u8>::new());
        assert_eq!(reached(500, 0), [50]);
        assert_eq!(reached(1_200, 0), [50, 80, 100]);
        assert_eq!(reached(1_200, 80), [100]);
        assert_eq!(reached(1_200, 100), Vec::<u8>::new());
    }

    #[test]
    fn nothing_is_reached_where_nothing_is_allowed_and_the_largest_limit_does_not_overflow() {
        assert_eq!(quota(0, &[80]).newly_reached(i64::MAX, 0).count(), 0);
        assert_eq!(quota(i64::MAX, &[100]).newly_reached(i64::MAX, 0).count(), 1);
    }

    #[test]
    fn an_edit_of_nothing_makes_no_version() {
        let before = quota(5, &[80]);
        let same = QuotaEdit { limit: Some(5), thresholds: Some(vec![80, 80]), ..QuotaEdit::default() };
        assert_eq!(before.clone().edit(same, DateTime::UNIX_EPOCH), (before.clone(), false));
        let (after, changed) = before.edit(QuotaEdit { limit: Some(6), ..QuotaEdit::default() }, DateTime::UNIX_EPOCH);
        assert!(changed);
        assert_eq!((after.limit, after.version), (6, 2));
    }

    #[test]
    fn slices_shrink_to_exactly_the_need() {
        assert_eq!(slice(1_600, 0, 0, 1, 1), 100);
        assert_eq!(slice(1_600, 800, 0, 1, 1), 50);
        assert_eq!(slice(10, 2, 0, 1, 1), 1, "few are left: one at a time");
        assert_eq!(slice(10, 2, 0, 1, 30), 8, "what is wanted, as far as it goes");
        assert_eq!(slice(10, 8, 0, 3, 3), 0, "not even the least is left");
        assert_eq!(slice(10, 12, 5, 0, 0), 0, "over-drawn by what could not be known before");
    }

    proptest! {
        #[test]
        fn a_slice_never_takes_more_than_is_left(
            limit in 0..=i64::MAX, used in 0..=i64::MAX, leased in 0..=i64::MAX,
            least in 0..=i64::MAX, wanted in 0..=i64::MAX,
        ) {
            let taken = slice(limit, used, leased, least, wanted);
            prop_assert!(taken >= 0);
            prop_assert!(taken == 0 || (taken >= least && used <= limit && taken <= limit - used));
            prop_assert!(taken == 0 || i128::from(used) + i128::from(leased) + i128::from(taken) <= i128::from(limit));
        }
    }
}
