//! The lexicon lets through exactly what [`Filter::accepts`] does.

use proptest::{option, prelude::*, sample::select};

use super::*;

fn some_id() -> impl Strategy<Value = Option<Uuid>> {
    option::of((1..3_u128).prop_map(Uuid::from_u128))
}

fn subject() -> impl Strategy<Value = Option<String>> {
    option::of(select(vec![
        member(1).to_string(),
        member(2).to_string(),
        member(2).to_string().to_uppercase(),
        "guest".to_owned(),
    ]))
}

fn agent() -> impl Strategy<Value = Option<String>> {
    option::of(select(vec!["a".to_owned(), "b".to_owned()]))
}

fn labels() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(select(vec!["tag:x".to_owned(), "tag:y".to_owned(), "meta:k=1".to_owned()]), 0..3)
}

fn time() -> impl Strategy<Value = DateTime<Utc>> {
    (0..4_i64).prop_map(|nanoseconds| day(0) + TimeDelta::nanoseconds(nanoseconds))
}

fn kind() -> impl Strategy<Value = Kind> {
    select(Kind::ALL.to_vec())
}

prop_compose! {
    fn attributes()(
        (org_number, kind, subject, agent) in (1..12_u128, kind(), subject(), agent()),
        (session, project, collection, document) in (some_id(), some_id(), some_id(), some_id()),
        labels in labels(),
        (occurred_at, valid_from, valid_to, expires_at) in (time(), time(), option::of(time()), option::of(time())),
    ) -> Attributes {
        // Few are of another organization.
        let org = org(1 + org_number / 11);
        Attributes {
            org, kind, subject, agent, session, project, collection, document, labels, occurred_at, valid_from, valid_to,
            expires_at,
        }
    }
}

fn rarely<T: std::fmt::Debug + Clone>(strategy: impl Strategy<Value = Option<T>>) -> impl Strategy<Value = Option<T>> {
    (strategy, proptest::bool::weighted(0.4)).prop_map(|(value, wanted)| value.filter(|_| wanted))
}

prop_compose! {
    fn filter()(
        all in any::<bool>(),
        kinds in proptest::collection::vec(kind(), 0..3),
        (subject, shared, agent) in (rarely(subject()), any::<bool>(), rarely(agent())),
        (session, project) in (rarely(some_id()), rarely(some_id())),
        collections in proptest::collection::vec((1..4_u128).prop_map(Uuid::from_u128), 0..2),
        labels in rarely(labels().prop_map(Some)),
        (occurred_from, occurred_to) in (rarely(option::of(time())), rarely(option::of(time()))),
        (valid_at, now) in (time(), time()),
    ) -> Filter {
        let reach = if all { Reach::Applications(member(1)) } else { Reach::Own(member(2)) };
        Filter {
            org: org(1), reach, kinds, subject, shared, agent, session, project, collections,
            labels: labels.unwrap_or_default(), occurred_from, occurred_to, valid_at, now,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn a_filter_means_what_it_says(
        attributes in proptest::collection::vec(attributes(), 1..40),
        filter in filter(),
    ) {
        let entries: Vec<Entry> = (1..).zip(attributes).map(|(n, attributes)| Entry {
            id: id(n),
            attributes,
            author: None,
            position: 0,
            pinned: false,
            text: "boat".to_owned(),
            reply_to: String::new(),
        }).collect();
        let lexicon = lexicon(&entries);
        let accepted: Vec<EntryId> =
            entries.iter().filter(|entry| filter.accepts(&entry.attributes)).map(|entry| entry.id).collect();
        let all: Vec<EntryId> = entries.iter().map(|entry| entry.id).collect();
        let scope = lexicon.scope(&filter);
        prop_assert_eq!(scope.entries() as usize, accepted.len());
        prop_assert_eq!(&lexicon.with_neighbours(&filter, &all, 0), &accepted);
        let question = Question::new(&scope, "boat");
        let sorted = |mut ids: Vec<EntryId>| { ids.sort(); ids };
        prop_assert_eq!(&sorted(scope.best_by_words(&question, 100)), &accepted);
        let scored = lexicon.score(&filter, &question, &HashMap::new(), &all);
        prop_assert_eq!(&sorted(scored.iter().map(|one| one.id).collect()), &accepted);
    }
}
