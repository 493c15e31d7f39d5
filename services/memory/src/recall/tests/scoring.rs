use super::*;

fn first(entries: &[Entry], text: &str) -> u128 {
    by_words(&lexicon(entries), &anything(), text)[0].id.0.as_u128()
}

#[test]
fn an_answer_is_found_by_its_question() {
    assert_eq!(first(&conversation(), "How long has Bo had a dog?"), 102);
}

#[test]
fn words_of_the_surroundings_count() {
    let scored = by_words(&lexicon(&conversation()), &anything(), "boat harbour");
    assert_eq!(scored[0].id, id(202));
    let around = |n| scored.iter().find(|one| one.id == id(n)).expect("a neighbour").parts.surroundings;
    assert!(around(201) > 0.0 && around(202) > 0.0);
}

#[test]
fn the_score_is_what_the_decision_says() {
    let lexicon = lexicon(&[turn(1, 0, "Ann", "A red boat. Is it old?"), turn(1, 1, "Bo", "A boat")]);
    let question = Question::new(&lexicon.scope(&anything()), "What did Ann say of a boat in May on 9 May?");
    let all = [id(100), id(101)];
    let scored = lexicon.score(&anything(), &question, &HashMap::from([(id(100), 0.5)]), &all);
    // Of the question's words only "boat" is known, and both have it.
    let idf = (1.0_f64 + 0.5 / 2.5).ln() / 3.0_f64.ln();
    let (length, mean) = (2.25_f64, f64::midpoint(2.25, 1.0));
    let field = idf * 1.9 / (1.0 + 0.9 * (0.6 + 0.4 * length / mean));
    let surroundings = idf * 1.9 * 1.6 / (1.6 + 0.9);
    assert_eq!(scored[0].id, id(100));
    let parts = scored[0].parts;
    assert!((parts.field - field).abs() < 1e-12);
    assert!((parts.surroundings - surroundings).abs() < 1e-12);
    assert_eq!((parts.cosine, parts.name, parts.date), (Some(0.5), 1.0, 2.0));
    let sum = 0.5 + 0.15 * field + 0.30 * surroundings + 0.15 + 0.15 * 2.0;
    assert!((scored[0].score - sum).abs() < 1e-12);
    assert_eq!((scored[1].parts.cosine, scored[1].parts.name), (None, 0.0));
}

#[test]
fn a_long_question_is_damped() {
    let text = "alpha bravo charlie delta echo foxtrot golf hotel";
    let lexicon = lexicon(&[turn(1, 0, "Ann", text), turn(2, 0, "Ann", "kilo"), turn(3, 0, "Ann", "lima")]);
    let question = Question::new(&lexicon.scope(&anything()), text);
    let mass: f64 = question.terms().iter().map(|term| term.idf).sum();
    assert!(mass > 3.0);
    assert!((question.damping() - (3.0 / mass).sqrt()).abs() < 1e-12);
}

#[test]
fn of_a_page_the_most_telling_words_are_compared() {
    let page: Vec<_> = (0..200).map(|n| format!("w{n}")).collect();
    let common = turn(1, 0, "Ann", &page[..150].join(" "));
    let lexicon = lexicon(&[common, turn(2, 0, "Ann", &page.join(" "))]);
    let question = Question::new(&lexicon.scope(&anything()), &page.join(" "));
    assert_eq!(question.terms().len(), 64);
    assert!((150..200).all(|n| question.terms().iter().any(|term| term.word == page[n])));
}

#[test]
fn fewer_candidates_change_no_score() {
    let lexicon = lexicon(&conversation());
    let question = Question::new(&lexicon.scope(&anything()), "Where is the boat of Bo kept?");
    let all: Vec<_> = conversation().iter().map(|entry| entry.id).collect();
    let scores = lexicon.score(&anything(), &question, &HashMap::new(), &all);
    assert_eq!(scores.len(), all.len());
    for one in &scores {
        assert_eq!(
            lexicon.score(&anything(), &question, &HashMap::new(), &[one.id, one.id, id(9)]),
            std::slice::from_ref(one)
        );
    }
}

#[test]
fn what_is_held_back_is_in_nobodys_surroundings() {
    let mut entries = conversation();
    let before = by_words(&lexicon(&entries[..1]), &anything(), "walking with the dog");
    for entry in &mut entries[1..] {
        entry.text.push_str(" They went walking.");
        entry.attributes.expires_at = Some(day(10));
    }
    assert_eq!(by_words(&lexicon(&entries), &anything(), "walking with the dog"), before);
}

#[test]
fn equals_come_in_the_order_of_time() {
    let entries: Vec<_> = (0..300).map(|n| turn(n + 1, 0, "Ann", "the same words")).collect();
    let lexicon = lexicon(entries.iter().rev());
    let scope = lexicon.scope(&anything());
    let question = Question::new(&scope, "same words");
    let best = scope.best_by_words(&question, 20);
    assert_eq!(best, entries.iter().take(20).map(|entry| entry.id).collect::<Vec<_>>());
    let scored = lexicon.score(&anything(), &question, &HashMap::new(), &best);
    assert_eq!(scored.iter().map(|one| one.id).collect::<Vec<_>>(), best);
}

#[test]
fn neighbours_are_of_the_same_session_or_document() {
    let mut chunk = turn(1, 3, "Ann", "a chunk");
    chunk.id = id(7);
    chunk.attributes.kind = Kind::Chunk;
    chunk.attributes.document = Some(Uuid::from_u128(1000));
    let mut fact = turn(1, 4, "Ann", "a fact");
    fact.id = id(8);
    fact.attributes.kind = Kind::Memory;
    let mut entries = conversation();
    entries.extend([chunk, fact]);
    let lexicon = lexicon(&entries);
    let around = |n, reach| lexicon.with_neighbours(&anything(), &[id(n)], reach);
    assert_eq!(around(103, 2), [id(101), id(102), id(103)]);
    assert_eq!(around(200, 1), [id(200), id(201)]);
    assert_eq!(around(7, 2), [id(7)]);
    assert_eq!(around(8, 2), [id(8)]);
    assert!(around(9, 2).is_empty());
}

#[test]
fn an_empty_lexicon_answers_nothing() {
    assert!(Lexicon::default().is_empty());
    assert!(by_words(&Lexicon::default(), &anything(), "Where is the boat?").is_empty());
}
