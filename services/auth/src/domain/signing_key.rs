//! When which key signs. A key is published a while before it signs, so that verifiers know it when its first token
//! comes, and stays published until the last token it signed has expired.

use chrono::{DateTime, TimeDelta, Utc};
use contracts::{KeyId, auth::v1::SigningKeyRotated};

use super::session::tokens_expire_at;

/// A key's times, without the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTimes {
    pub id: KeyId,
    pub signs_from: DateTime<Utc>,
    /// Whether the change to this key was published as an event.
    pub announced: bool,
}

/// How keys follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// How long a key signs.
    pub period: TimeDelta,
    /// How long it is published before.
    pub lead: TimeDelta,
}

/// What has to be done now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Make a key that signs from this moment on.
    pub create: Option<DateTime<Utc>>,
    /// This key signs now and nobody was told.
    pub announce: Option<KeyId>,
    /// Delete these: nothing valid was signed by them.
    pub delete: Vec<KeyId>,
}

/// The keys in the order in which they sign.
fn in_order(keys: &[KeyTimes]) -> Vec<&KeyTimes> {
    let mut keys: Vec<_> = keys.iter().collect();
    keys.sort_by_key(|key| (key.signs_from, key.id));
    keys
}

/// The key that signs at `now`: the newest whose time has come.
pub fn signer(keys: &[KeyTimes], now: DateTime<Utc>) -> Option<&KeyTimes> {
    in_order(keys).into_iter().rfind(|key| key.signs_from <= now)
}

/// Decides from what is stored only, so every replica comes to the same plan.
pub fn plan(keys: &[KeyTimes], schedule: Schedule, now: DateTime<Utc>) -> Plan {
    let order = in_order(keys);
    let create = match order.last() {
        // The very first key has nobody to be announced to, and somebody waiting to log in.
        None => Some(now),
        Some(last) if last.signs_from + schedule.period <= now + schedule.lead => {
            Some((last.signs_from + schedule.period).max(now + schedule.lead))
        }
        Some(_) => None,
    };
    let announce = signer(keys, now).filter(|key| !key.announced).map(|key| key.id);
    let delete = order.windows(2).filter(|pair| retired_at(pair[1]) <= now).map(|pair| pair[0].id).collect();
    Plan { create, announce, delete }
}

/// When the last token of the key before `next` has expired. Five minutes more are for a replica that was cut off from the
/// database at that moment and signed with the old key a little longer.
fn retired_at(next: &KeyTimes) -> DateTime<Utc> {
    tokens_expire_at(next.signs_from) + TimeDelta::minutes(5)
}

/// The event of a key's first signature.
pub fn rotated(keys: &[KeyTimes], id: KeyId, now: DateTime<Utc>) -> SigningKeyRotated {
    let order = in_order(keys);
    let at = order.iter().position(|key| key.id == id);
    let previous = at.and_then(|at| at.checked_sub(1)).map(|before| order[before]);
    let retires_at = at.map(|at| retired_at(order[at]));
    SigningKeyRotated {
        signing_key_id: id.to_string(),
        algorithm: "ES256".to_owned(),
        previous_signing_key_id: previous.map(|key| key.id.to_string()),
        rotated_at: Some(now.into()),
        previous_retires_at: previous.and(retires_at).map(Into::into),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const SCHEDULE: Schedule = Schedule { period: TimeDelta::days(30), lead: TimeDelta::hours(1) };

    fn key(id: u128, signs_from: DateTime<Utc>) -> KeyTimes {
        KeyTimes { id: KeyId::from_uuid(Uuid::from_u128(id)), signs_from, announced: true }
    }

    fn at(days: i64, hours: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(days) + TimeDelta::hours(hours)
    }

    #[test]
    fn the_first_key_signs_at_once() {
        assert_eq!(plan(&[], SCHEDULE, at(0, 0)), Plan { create: Some(at(0, 0)), ..Plan::default() });
    }

    #[test]
    fn a_key_is_published_an_hour_before_it_signs() {
        let first = [key(1, at(0, 0))];
        assert_eq!(plan(&first, SCHEDULE, at(29, 22)), Plan::default());
        assert_eq!(plan(&first, SCHEDULE, at(29, 23)).create, Some(at(30, 0)));
        let both = [key(1, at(0, 0)), key(2, at(30, 0))];
        assert_eq!(plan(&both, SCHEDULE, at(29, 23)), Plan::default());
        assert_eq!(signer(&both, at(29, 23)).unwrap().id, both[0].id);
        assert_eq!(signer(&both, at(30, 0)).unwrap().id, both[1].id);
    }

    #[test]
    fn after_a_long_stop_the_new_key_is_still_published_first() {
        assert_eq!(plan(&[key(1, at(0, 0))], SCHEDULE, at(60, 0)).create, Some(at(60, 1)));
    }

    #[test]
    fn the_old_key_stays_until_its_tokens_died() {
        let both = [key(1, at(0, 0)), key(2, at(30, 0))];
        assert!(plan(&both, SCHEDULE, at(30, 0) + TimeDelta::minutes(15)).delete.is_empty());
        assert_eq!(plan(&both, SCHEDULE, at(30, 1)).delete, vec![both[0].id]);
    }

    #[test]
    fn the_change_is_announced_when_it_happens() {
        let both = [key(1, at(0, 0)), KeyTimes { announced: false, ..key(2, at(30, 0)) }];
        assert_eq!(plan(&both, SCHEDULE, at(29, 23)).announce, None);
        assert_eq!(plan(&both, SCHEDULE, at(30, 0)).announce, Some(both[1].id));
        let event = rotated(&both, both[1].id, at(30, 0));
        assert_eq!(event.previous_signing_key_id, Some(both[0].id.to_string()));
        let first = rotated(&both[..1], both[0].id, at(0, 0));
        assert_eq!((first.previous_signing_key_id, first.previous_retires_at), (None, None));
    }
}
