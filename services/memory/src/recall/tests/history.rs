//! However a lexicon came to contain what it does, it answers the same.

use proptest::prelude::*;

use super::*;

const QUESTIONS: [&str; 4] = ["Where did Ann see the boat?", "red dog in May", "Bo", "old harbour? red red"];

fn entry() -> impl Strategy<Value = Entry> {
    let words = ["boat", "red dog", "seen", "harbour.", "Is it old?", "Ann", "saw", "dogs"];
    let text = proptest::collection::vec(proptest::sample::select(words.to_vec()), 0..6);
    (1..4_u128, 0..6_i64, any::<bool>(), text, 0..3_usize).prop_map(|(session, position, ann, text, kind)| {
        let mut entry = turn(session, position, if ann { "Ann" } else { "Bo" }, &text.join(" "));
        entry.attributes.kind = Kind::ALL[kind];
        entry.attributes.document = Some(Uuid::from_u128(50 + session));
        entry.attributes.subject = ann.then(|| "guest".to_owned());
        entry.attributes.labels = text.iter().map(|word| format!("tag:{word}")).collect();
        entry.reply_to = if ann { String::new() } else { "Where is the boat?".to_owned() };
        entry
    })
}

/// An entry, and whether it is added; if not, its id is removed.
fn change() -> impl Strategy<Value = (Entry, bool)> {
    (entry(), proptest::bool::weighted(0.7))
}

fn same(a: &Lexicon, b: &Lexicon) {
    assert_eq!(a.len(), b.len());
    let tagged = Filter { labels: vec!["tag:boat".to_owned()], ..anything() };
    let of_guests = Filter { subject: Some("guest".to_owned()), ..anything() };
    let of_an_agent = Filter { agent: Some("b".to_owned()), ..anything() };
    for filter in [anything(), tagged, of_guests, of_an_agent] {
        for question in QUESTIONS {
            assert_eq!(by_words(a, &filter, question), by_words(b, &filter, question), "{question}");
            let (a, b) = (a.scope(&filter), b.scope(&filter));
            assert_eq!(Question::new(&a, question), Question::new(&b, question));
            let best =
                |scope: &super::super::lexicon::Scope<'_>| scope.best_by_words(&Question::new(scope, question), 3);
            assert_eq!(best(&a), best(&b));
        }
    }
}

proptest! {
    #[test]
    fn a_history_ends_in_what_is_left_of_it(changes in proptest::collection::vec(change(), 0..60)) {
        let mut changed = Lexicon::default();
        let mut left = HashMap::new();
        for (entry, kept) in &changes {
            if *kept {
                changed.upsert(entry);
                left.insert(entry.id, entry.clone());
            } else {
                changed.remove(entry.id);
                left.remove(&entry.id);
            }
        }
        same(&changed, &lexicon(left.values()));
    }
}

#[test]
fn a_lexicon_is_written_anew_when_much_is_gone() {
    let entries: Vec<_> = (0..400).flat_map(|n| conversation_of(n + 1)).collect();
    let mut changed = lexicon(&entries);
    for _ in 0..3 {
        entries.iter().rev().for_each(|entry| changed.upsert(entry));
    }
    for entry in &entries[700..] {
        changed.remove(entry.id);
    }
    same(&changed, &lexicon(entries.iter().take(700)));
    for entry in &entries {
        changed.remove(entry.id);
    }
    assert!(changed.is_empty());
    same(&changed, &Lexicon::default());
}

fn conversation_of(session: u128) -> Vec<Entry> {
    let texts = ["The red boat left the harbour.", "Is the dog old?", "Old and red.", "Seen in Oslo"];
    let turns = (0..8).zip(texts.iter().cycle());
    let turns = turns.map(|(at, text)| turn(session, at, "Ann", &format!("{text} {session}")));
    let labelled = turns.map(|mut entry| {
        let labels = ["tag:boat".to_owned(), format!("meta:at={}", entry.position)];
        entry.attributes.labels.extend(labels.into_iter().skip(usize::from(entry.position % 2 == 0)));
        let (subject, agent) = if entry.position % 3 == 0 { ("guest", "a") } else { ("visitor", "b") };
        entry.attributes.subject = Some(subject.to_owned());
        entry.attributes.agent = Some(agent.to_owned());
        entry
    });
    labelled.collect()
}
