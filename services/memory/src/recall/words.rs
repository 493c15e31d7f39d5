//! The words of a text, in the form in which texts and questions are compared. The same text always gives the same words: an
//! index that was built by other lists or another stemmer has to be built again.

use std::{
    collections::{HashMap, HashSet},
    hash::BuildHasher,
    sync::LazyLock,
};

use frostem::{Algorithm, Stemmer};

use super::constants::WORD_CHARS;

/// What an apostrophe leaves over is in here too.
const STOP_WORDS: &str = "
    a an the and or but if then so of to in on at by for with from as into about than too very is are was were be been
    being am do does did doing done has have had having i you he she it we they me him her us them my your his its our
    their mine yours this that these those there here what which who whom whose when where why how not no nor can could
    will would shall should may might must just also only own same such both each few more most other some any all again
    once s t re ve ll d m don didn doesn isn wasn aren weren couldn wouldn shouldn haven hasn hadn ain";

/// Forms that a stemmer does not bring together, in groups; the first stands for all.
const IRREGULAR_FORMS: &str = "
    go went gone; buy bought; make made; lose lost; teach taught; take took taken; give gave given; write wrote written;
    run ran; begin began begun; see saw seen; meet met; find found; feel felt; get got gotten; win won; speak spoke spoken;
    choose chose chosen; think thought; tell told; know knew known; come came; become became; build built;
    break broke broken; bring brought; catch caught; draw drew drawn; drive drove driven; eat ate eaten; fall fell fallen;
    fly flew flown; forget forgot forgotten; grow grew grown; hear heard; hold held; keep kept; lead led; leave left;
    lend lent; pay paid; ride rode ridden; rise rose risen; say said; sell sold; send sent; shoot shot; show shown;
    sing sang sung; sit sat; sleep slept; spend spent; stand stood; swim swam swum; throw threw thrown;
    understand understood; wake woke woken; wear wore worn; child children; man men; woman women; person people;
    wife wives; foot feet";

static STOPS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| STOP_WORDS.split_whitespace().collect());

static BASES: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let groups = IRREGULAR_FORMS.split(';').map(str::split_whitespace);
    groups.filter_map(|mut group| group.next().map(|base| group.map(move |form| (form, base)))).flatten().collect()
});

/// The words of a text in its order, as often as they occur.
pub fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    each_word(text, |word| found.push(word.to_owned()));
    found
}

/// Calls `take` with each word of a text. Words are runs of letters and digits in lower case, without stop words, brought to
/// their base form and stemmed; where a script does not separate words, each two neighbouring characters are one.
pub fn each_word(text: &str, mut take: impl FnMut(&str)) {
    let stemmer = Stemmer::new(Algorithm::English);
    let lower = text.to_lowercase();
    for run in lower.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty()) {
        for (unspaced, part) in by_script(run) {
            if unspaced {
                each_pair(part, &mut take);
            } else if !STOPS.contains(part) {
                let word = cut(part);
                take(&stemmer.stem(BASES.get(word).copied().unwrap_or(word)));
            }
        }
    }
}

/// How much two bags of words have in common, from 0 to 1: the Jaccard index of their distinct words.
pub fn overlap<S: BuildHasher>(a: &HashSet<String, S>, b: &HashSet<String, S>) -> f64 {
    let count = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    let common = a.intersection(b).count();
    let all = a.len() + b.len() - common;
    if all == 0 { 0.0 } else { count(common) / count(all) }
}

/// Cuts a run where it changes between a script that separates words and one that does not.
fn by_script(run: &str) -> impl Iterator<Item = (bool, &str)> {
    let mut rest = run;
    std::iter::from_fn(move || {
        let unspaced = is_unspaced(rest.chars().next()?);
        let end = rest.find(|c| is_unspaced(c) != unspaced).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        rest = after;
        Some((unspaced, part))
    })
}

/// Han, kana, Thai, Lao, Myanmar and Khmer, by their blocks in Unicode.
fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{0E00}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' | '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{30FF}' | '\u{31F0}'..='\u{31FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}'
        | '\u{F900}'..='\u{FAFF}' | '\u{FF66}'..='\u{FF9F}' | '\u{20000}'..='\u{3FFFF}')
}

fn each_pair(run: &str, take: &mut impl FnMut(&str)) {
    let starts: Vec<usize> = run.char_indices().map(|(at, _)| at).chain([run.len()]).collect();
    if let [from, to] = starts[..] {
        take(&run[from..to]);
    }
    for pair in starts.windows(3) {
        take(&run[pair[0]..pair[2]]);
    }
}

fn cut(word: &str) -> &str {
    word.char_indices().nth(WORD_CHARS).map_or(word, |(end, _)| &word[..end])
}
