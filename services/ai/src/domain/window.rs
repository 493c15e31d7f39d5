//! Windows of time in which usage is counted: calendar minutes, days and months in UTC.

use chrono::{DateTime, Datelike, Days, Months, NaiveTime, TimeDelta, Timelike, Utc};
use contracts::QuotaId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// How long a quota counts before it begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    Minute,
    Day,
    Month,
}

/// From `started_at` up to, and without, `ends_at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    pub started_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
}

/// One window of one quota, for the one organization, team, user or key that is counted in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WindowKey {
    pub quota: QuotaId,
    /// The id of that organization, team, user or key.
    pub subject: Uuid,
    pub started_at: DateTime<Utc>,
}

impl Period {
    pub const ALL: [Self; 3] = [Self::Minute, Self::Day, Self::Month];

    /// In the API and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// The window that `at` lies in. Calendar units of UTC: nothing drifts, every replica agrees, and there is no
    /// daylight saving time.
    pub fn window(self, at: DateTime<Utc>) -> Window {
        let day = at.date_naive();
        let midnight = |day: chrono::NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        // The calendar of chrono ends 260,000 years away; there a window is empty and nothing else goes wrong.
        match self {
            Self::Minute => {
                let started_at = at.with_second(0).and_then(|at| at.with_nanosecond(0)).unwrap_or(at);
                Window { started_at, ends_at: started_at.checked_add_signed(TimeDelta::minutes(1)).unwrap_or(at) }
            }
            Self::Day => {
                let next = day.checked_add_days(Days::new(1)).unwrap_or(day);
                Window { started_at: midnight(day), ends_at: midnight(next) }
            }
            Self::Month => {
                let first = day.with_day(1).unwrap_or(day);
                let next = first.checked_add_months(Months::new(1)).unwrap_or(first);
                Window { started_at: midnight(first), ends_at: midnight(next) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn windows_are_calendar_units_of_utc() {
        let now = at("2028-02-29T23:59:59.999999Z");
        for (period, from, to) in [
            (Period::Minute, "2028-02-29T23:59:00Z", "2028-03-01T00:00:00Z"),
            (Period::Day, "2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"),
            (Period::Month, "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
        ] {
            assert_eq!(period.window(now), Window { started_at: at(from), ends_at: at(to) });
        }
        let new_year = Period::Month.window(at("2027-12-31T12:00:00Z"));
        assert_eq!(new_year.ends_at, at("2028-01-01T00:00:00Z"));
    }

    proptest! {
        #[test]
        fn windows_leave_no_gap_and_do_not_overlap(seconds in -60_000_000_000_i64..250_000_000_000, micros in 0_u32..1_000_000) {
            let now = DateTime::from_timestamp(seconds, micros * 1_000).unwrap();
            for period in Period::ALL {
                let Window { started_at, ends_at } = period.window(now);
                prop_assert!(started_at <= now && now < ends_at);
                prop_assert_eq!(period.window(started_at), period.window(now));
                prop_assert_eq!(period.window(ends_at).started_at, ends_at);
                prop_assert_eq!(period.window(started_at - TimeDelta::microseconds(1)).ends_at, started_at);
            }
        }
    }
}
