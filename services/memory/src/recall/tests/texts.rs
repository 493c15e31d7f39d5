use std::collections::HashSet;

use super::{super::sentences::*, super::words::*, *};

fn weighted(text: &str, weight: f32) -> Weighted {
    Weighted { text: text.to_owned(), weight }
}

#[test]
fn words_are_lower_stemmed_and_without_stop_words() {
    assert_eq!(words("Why didn't the CHILDREN's dogs go running?"), ["child", "dog", "go", "run"]);
    assert_eq!(words("They went; she has written 3 e-mails_today"), ["go", "write", "3", "e", "mail", "today"]);
    assert_eq!(words("Ça coûte 5€ à Zürich"), ["ça", "coût", "5", "à", "zürich"]);
    assert!(words("… and the, of!").is_empty());
}

#[test]
fn scripts_without_spaces_become_pairs() {
    assert_eq!(words("我喜欢猫"), ["我喜", "喜欢", "欢猫"]);
    assert_eq!(words("猫 and 犬だ"), ["猫", "犬だ"]);
    assert_eq!(words("买iPhone手机"), ["买", "iphon", "手机"]);
}

#[test]
fn a_long_word_is_cut() {
    let found = words(&"é".repeat(5000));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].chars().count(), 64);
}

#[test]
fn overlap_is_the_share_of_common_words() {
    let bag = |text: &str| words(text).into_iter().collect::<HashSet<_>>();
    assert!((overlap(&bag("red boat"), &bag("old boat")) - 1.0 / 3.0).abs() < 1e-9);
    assert!(overlap(&bag(""), &bag("")).abs() < 1e-9);
}

#[test]
fn sentences_are_asked_or_said() {
    let sentences = Sentences::of("  Hi!  How are you?\nReally?! I am at 3.5 km now.Is it? (far) ");
    assert_eq!(sentences.asked, "How are you? I am at 3.5 km now.Is it?");
    assert_eq!(sentences.said, "Hi! Really?! (far)");
    assert_eq!(question_in("No question here."), "");
}

#[test]
fn an_answer_is_embedded_with_its_question() {
    assert_eq!(embedded("Three years.", "How long?"), [weighted("How long? Three years.", 1.0)]);
    assert_eq!(embedded(" Three years. ", ""), [weighted("Three years.", 1.0)]);
}

#[test]
fn a_request_keeps_a_quarter_of_the_whole() {
    let whole = "Hi! Can you book the dentist?";
    assert_eq!(embedded(whole, ""), [weighted("Hi!", 1.0), weighted(whole, 0.25)]);
}

#[test]
fn a_turn_that_only_asks_is_embedded_whole() {
    assert_eq!(embedded("Can you?", ""), [weighted("Can you?", 1.0)]);
    assert_eq!(embedded(" ", ""), []);
}

#[test]
fn a_combined_vector_has_length_one() {
    assert_eq!(combined(&[(1.0, &[3.0, 0.0]), (0.5, &[0.0, 8.0])]), [0.6, 0.8]);
    assert_eq!(combined(&[(1.0, &[0.0, 0.0])]), [0.0, 0.0]);
    assert!(combined(&[]).is_empty());
}

#[test]
fn names_of_authors_are_taken_out() {
    let lexicon = lexicon(&[turn(1, 0, "Ann", "one"), turn(1, 1, "Bo", "two"), turn(1, 2, "Ann Marie", "three")]);
    let bare = |text: &str| Question::new(&lexicon.scope(&anything()), text).bare().to_owned();
    assert_eq!(bare("What is ANN’s  dog called?"), "What is dog called?");
    assert_eq!(bare("Did Ann Marie meet Bo's sister, Annabel?"), "Did meet sister, Annabel?");
    assert_eq!(bare("Ann"), "Ann");
    assert_eq!(bare("Who is Carl?"), "Who is Carl?");
}

#[test]
fn only_names_of_the_scope_are_taken_out() {
    let lexicon = lexicon(&conversation());
    let filter = Filter { occurred_to: Some(day(0)), ..anything() };
    assert_eq!(Question::new(&lexicon.scope(&filter), "Where is Bo?").bare(), "Where is Bo?");
}

#[test]
fn months_and_days_are_read() {
    let lexicon = lexicon(&conversation());
    let dates = |text: &str| {
        let question = Question::new(&lexicon.scope(&anything()), text);
        question.dates().iter().map(|date| (date.month, date.day)).collect::<Vec<_>>()
    };
    assert_eq!(dates("What happened on 23 May, 2023?"), [(5, Some(23))]);
    assert_eq!(dates("And on the 2nd of June or July 4th?"), [(6, Some(2)), (7, Some(4))]);
    assert_eq!(dates("What was in August 2023?"), [(8, None)]);
    assert_eq!(dates("May I ask what may be in the march?"), []);
}
