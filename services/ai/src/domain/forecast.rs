//! What a month will cost, by what the last weeks cost.
//!
//! A day is expected to cost what days of its weekday cost on average in the eight weeks before today, or, with fewer than
//! two of them, what all those days did: usage of a team has a week in it, and hardly anything else that a few weeks of
//! data could show. Today counts for the part of it that is left. The range is where four of five months end up when days
//! differ from their expectation as they did so far and independently of each other (a normal distribution's 10th to 90th
//! percentile, 1.2816 standard deviations). With fewer than three whole days of data nothing is said.
//!
//! Whole nano-USD throughout.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc};

use super::window::Period;

/// Days that are looked at.
pub const LOOK_BACK_DAYS: u64 = 56;
const FEWEST_DAYS: u64 = 3;
/// Standard deviations on each side of the range, times 10,000.
const DEVIATIONS: u128 = 12_816;

/// What a month has cost and will cost, in nano-USD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    pub month: NaiveDate,
    pub spent: i64,
    /// Whole days that it is based on, those without usage included.
    pub days_of_data: u64,
    /// `None` when that is too few.
    pub expected: Option<Expected>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    pub total: i64,
    pub low: i64,
    pub high: i64,
}

/// From the cost of days (those without usage may be missing): at least those of this month and of the last
/// [`LOOK_BACK_DAYS`].
pub fn forecast(costs: &BTreeMap<NaiveDate, i64>, now: DateTime<Utc>) -> Forecast {
    let today = now.date_naive();
    let month = Period::Month.window(now);
    let first_of_month = month.started_at.date_naive();
    let spent = costs.range(first_of_month..=today).map(|(_, cost)| i128::from(*cost)).sum::<i128>();
    let past = past_days(costs, today);
    let mut forecast =
        Forecast { month: first_of_month, spent: whole(spent), days_of_data: past.len() as u64, expected: None };
    if forecast.days_of_data < FEWEST_DAYS {
        return forecast;
    }

    let expected = |day: NaiveDate| -> i128 {
        let same: Vec<i128> =
            past.iter().filter(|(d, _)| d.weekday() == day.weekday()).map(|(_, cost)| *cost).collect();
        if same.len() < 2 { mean(past.iter().map(|(_, cost)| *cost)) } else { mean(same.into_iter()) }
    };
    let tomorrow = Period::Day.window(now).ends_at;
    // In microseconds, as clocks and the database have it.
    let (day, left) = (micros(TimeDelta::days(1)), micros(tomorrow - now));
    let days_to_come = || tomorrow.date_naive().iter_days().take_while(|day| *day < month.ends_at.date_naive());
    let to_come = expected(today) * left / day + days_to_come().map(expected).sum::<i128>();

    let squares = past.iter().map(|(day, cost)| (cost - expected(*day)).unsigned_abs().saturating_pow(2));
    let variance = squares.fold(0, u128::saturating_add) / past.len() as u128;
    let parts_left = u128::try_from(left / (day / 1_000)).unwrap_or_default() + 1_000 * days_to_come().count() as u128;
    let spread = (variance.saturating_mul(parts_left) / 1_000).isqrt().saturating_mul(DEVIATIONS) / 10_000;
    let spread = i128::try_from(spread).unwrap_or(i128::MAX);
    forecast.expected = Some(Expected {
        total: whole(spent + to_come),
        low: whole((spent + to_come).saturating_sub(spread).max(spent)),
        high: whole((spent + to_come).saturating_add(spread)),
    });
    forecast
}

/// The whole days before today since the first that cost something, and what each cost.
fn past_days(costs: &BTreeMap<NaiveDate, i64>, today: NaiveDate) -> Vec<(NaiveDate, i128)> {
    let earliest = today.checked_sub_days(Days::new(LOOK_BACK_DAYS)).unwrap_or(today);
    let Some((first, _)) = costs.range(earliest..today).next() else { return Vec::new() };
    let days = first.iter_days().take_while(|day| *day < today);
    days.map(|day| (day, costs.get(&day).copied().unwrap_or_default().into())).collect()
}

fn mean(costs: impl ExactSizeIterator<Item = i128>) -> i128 {
    let count = costs.len().max(1);
    costs.sum::<i128>() / i128::try_from(count).unwrap_or(1)
}

fn micros(time: TimeDelta) -> i128 {
    time.num_microseconds().unwrap_or_default().into()
}

fn whole(amount: i128) -> i64 {
    i64::try_from(amount).unwrap_or(if amount < 0 { 0 } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// The same cost on every day of a range.
    fn steady(from: &str, to: &str, cost: i64) -> BTreeMap<NaiveDate, i64> {
        day(from).iter_days().take_while(|d| *d <= day(to)).map(|d| (d, cost)).collect()
    }

    #[test]
    fn steady_usage_goes_on() {
        // Noon of the 11th: half of this day and 20 more are to come.
        let mut costs = steady("2026-02-01", "2026-03-10", 1_000);
        costs.insert(day("2026-03-11"), 400);
        let now = "2026-03-11T12:00:00Z".parse().unwrap();
        let forecast = forecast(&costs, now);
        assert_eq!((forecast.month, forecast.spent, forecast.days_of_data), (day("2026-03-01"), 10_400, 38));
        let total = 10_400 + 500 + 20_000;
        assert_eq!(forecast.expected, Some(Expected { total, low: total, high: total }), "nothing ever differed");
    }

    #[test]
    fn a_week_has_its_shape() {
        // Nothing on weekends, for eight weeks.
        let weekdays = day("2026-01-05").iter_days().take_while(|d| *d < day("2026-03-02"));
        let costs = weekdays.filter(|d| d.weekday().num_days_from_monday() < 5).map(|d| (d, 700)).collect();
        // Monday 2 March, midnight: 22 working days are left in March.
        let forecast = forecast(&costs, "2026-03-02T00:00:00Z".parse().unwrap());
        let total = 22 * 700;
        assert_eq!(forecast.expected, Some(Expected { total, low: total, high: total }));
    }

    #[test]
    fn two_days_are_too_few_and_none_is_none() {
        let now = "2026-03-11T12:00:00Z".parse().unwrap();
        assert_eq!(forecast(&steady("2026-03-09", "2026-03-11", 5), now).expected, None);
        let empty = forecast(&BTreeMap::new(), now);
        assert_eq!((empty.spent, empty.days_of_data, empty.expected), (0, 0, None));
        assert!(forecast(&steady("2026-03-08", "2026-03-11", 5), now).expected.is_some());
    }

    #[test]
    fn days_without_usage_count() {
        let costs = BTreeMap::from([(day("2026-03-01"), 900)]);
        let forecast = forecast(&costs, "2026-03-10T00:00:00Z".parse().unwrap());
        assert_eq!(forecast.days_of_data, 9);
        // Sundays cost 450 on average (there were two), Mondays nothing, and of the other days too few were seen: a ninth
        // of 900 each.
        assert_eq!(forecast.expected.unwrap().total, 900 + 3 * 450 + 16 * 100);
    }

    proptest! {
        #[test]
        fn no_cost_overflows_and_the_range_holds_the_total(
            costs in prop::collection::btree_map(0_u64..70, 0..=i64::MAX, 0..70), seconds in 0_i64..86_400
        ) {
            let start = day("2026-01-15");
            let costs: BTreeMap<NaiveDate, i64> =
                costs.into_iter().map(|(n, cost)| (start.checked_add_days(Days::new(n)).unwrap(), cost)).collect();
            let now: DateTime<Utc> = "2026-03-20T00:00:00Z".parse().unwrap();
            let forecast = forecast(&costs, now + TimeDelta::seconds(seconds));
            if let Some(Expected { total, low, high }) = forecast.expected {
                prop_assert!(forecast.spent <= low && low <= total && total <= high);
            }
        }
    }
}
