//! Checks of JSON text before and beyond what serde does: nesting, NUL, and naming **every** field that does not fit the
//! type, where serde stops at the first.
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};

use super::FieldError;

/// Deepest nesting of arrays and objects in a body.
pub(super) const MAX_DEPTH: usize = 32;

/// How many mistakes are named in one answer.
const MAX_ERRORS: usize = 20;

/// Bodies up to this size (bytes) are searched for all mistakes. Each mistake costs some passes over the body, so for a
/// large one the first has to do.
const MAX_SEARCHED: usize = 64 * 1024;

/// What a look at the bytes alone tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Glance {
    /// Deepest nesting of arrays and objects.
    pub depth: usize,
    /// A string holds U+0000, escaped or raw. Postgres cannot store it, so nobody may send it.
    pub nul: bool,
}

/// One pass over the bytes; right for valid JSON, harmless for anything else.
pub(super) fn glance(text: &[u8]) -> Glance {
    let (mut depth, mut deepest, mut nul) = (0_usize, 0, false);
    let mut bytes = text.iter();
    let mut in_string = false;
    while let Some(byte) = bytes.next() {
        match (in_string, byte) {
            (_, 0) => nul = true,
            (true | false, b'"') => in_string = !in_string,
            (true, b'\\') => nul |= bytes.next() == Some(&b'u') && bytes.as_slice().starts_with(b"0000"),
            (false, b'[' | b'{') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Glance { depth: deepest, nul }
}

/// The paths of strings and keys that hold U+0000.
pub(super) fn nul_fields(text: &[u8]) -> Vec<FieldError> {
    let mut found = Vec::new();
    if let Ok(value) = serde_json::from_slice::<Value>(text) {
        find_nul(&value, "", &mut found);
    }
    if found.is_empty() {
        found.push(String::new());
    }
    found.truncate(MAX_ERRORS);
    found.into_iter().map(|path| FieldError::new(path, "nul", "must not contain the character U+0000")).collect()
}

fn find_nul(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.contains('\0') => found.push(path.to_owned()),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                find_nul(item, &format!("{path}[{index}]"), found);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                if key.contains('\0') {
                    found.push(path.to_owned());
                } else {
                    find_nul(member, &join(path, key), found);
                }
            }
        }
        _ => {}
    }
}

/// Why a body does not become a `T`.
pub(super) enum Misfit<T> {
    /// Not JSON; the text says where.
    Syntax(String),
    /// JSON of another shape. When filling the bad places makes a `T` after all, it is here too, so that the rules of
    /// the good fields can still be checked.
    Shape(Vec<FieldError>, Option<T>),
}

/// Deserializes an object, naming all misfits.
pub(super) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Misfit<T>> {
    // serde's derive takes a struct's fields from an array as well, by position.
    if text.trim_ascii_start().starts_with(b"[") {
        return Err(match serde_json::from_slice::<serde::de::IgnoredAny>(text) {
            Ok(_) => Misfit::Shape(vec![FieldError::new("", "invalid_type", "must be a JSON object")], None),
            Err(error) => Misfit::Syntax(position(&error)),
        });
    }
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let error = match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Ok(value) => {
            return deserializer.end().map(|()| value).map_err(|error| Misfit::Syntax(position(&error)));
        }
        Err(error) => error,
    };
    // Whatever serde_json calls the mistake (an enum's name that is none is "syntax" to it), only the whole text tells
    // whether it is JSON.
    let value = match serde_json::from_slice::<Value>(text) {
        Ok(value) => value,
        Err(error) => return Err(Misfit::Syntax(position(&error))),
    };
    let first = Mistake::read(&error);
    if text.len() > MAX_SEARCHED {
        return Err(Misfit::Shape(vec![first.error], None));
    }
    let (mut errors, fixed) = search(value);
    if errors.is_empty() {
        // Only the text shows it: a member given twice.
        errors.push(first.error);
    }
    Err(Misfit::Shape(errors, fixed))
}

fn position(error: &serde_json::Error) -> String {
    format!("Not valid JSON at line {}, column {}", error.line(), error.column())
}

/// Tries, notes the mistake, mends it, and tries again.
fn search<T: DeserializeOwned>(mut value: Value) -> (Vec<FieldError>, Option<T>) {
    let mut errors = Vec::new();
    while errors.len() < MAX_ERRORS {
        let mistake = match attempt::<T>(&value) {
            Ok(fixed) => return (errors, Some(fixed)),
            Err(mistake) => mistake,
        };
        let mended = mend::<T>(&mut value, &mistake);
        errors.push(mistake.error);
        if !mended {
            break;
        }
    }
    (errors, None)
}

fn attempt<T: DeserializeOwned>(value: &Value) -> Result<T, Mistake> {
    serde_path_to_error::deserialize::<_, T>(value).map_err(|error| Mistake::read(&error))
}

/// Changes the place of a mistake so that it does not come again; false when nothing helps.
fn mend<T: DeserializeOwned>(value: &mut Value, mistake: &Mistake) -> bool {
    if mistake.kind == Kind::Unknown {
        let (Some(Step::Key(key)), parents) =
            (mistake.steps.last(), mistake.steps.split_last().map_or(&[][..], |s| s.1))
        else {
            return false;
        };
        return locate(value, parents)
            .and_then(Value::as_object_mut)
            .is_some_and(|object| object.remove(key).is_some());
    }
    // A value that fits most types: text, number, list, id, time.
    let fillers = || {
        [
            Value::Null,
            Value::from(""),
            Value::from(0),
            Value::Bool(false),
            Value::Array(Vec::new()),
            Value::Object(Map::new()),
            Value::from("00000000-0000-0000-0000-000000000000"),
            Value::from("1970-01-01T00:00:00Z"),
        ]
    };
    let mut variant = mistake.variant.clone();
    for filler in fillers() {
        if !put(value, &mistake.steps, filler) {
            return false;
        }
        match attempt::<T>(value) {
            Ok(_) => return true,
            Err(next) if !next.steps.starts_with(&mistake.steps) => return true,
            Err(next) => variant = variant.or(next.variant),
        }
    }
    // An enum takes nothing but its own names, and says which.
    variant.is_some_and(|variant| {
        put(value, &mistake.steps, Value::from(&*variant))
            && attempt::<T>(value).map_or_else(|next| !next.steps.starts_with(&mistake.steps), |_| true)
    })
}

fn locate<'a>(value: &'a mut Value, steps: &[Step]) -> Option<&'a mut Value> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(index),
    })
}

fn put(value: &mut Value, steps: &[Step], filler: Value) -> bool {
    let Some((last, parents)) = steps.split_last() else { return false };
    match (locate(value, parents), last) {
        (Some(Value::Object(object)), Step::Key(key)) => {
            object.insert(key.clone(), filler);
            true
        }
        (Some(Value::Array(items)), Step::Index(index)) => match items.get_mut(*index) {
            Some(item) => {
                *item = filler;
                true
            }
            None => false,
        },
        _ => false,
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unknown,
    Missing,
    Other,
}

#[derive(Debug)]
struct Mistake {
    kind: Kind,
    steps: Vec<Step>,
    error: FieldError,
    /// A name that an enum would have taken.
    variant: Option<Box<str>>,
}

impl Mistake {
    /// serde has no error kinds, only texts; the few that its derive makes are stable and covered by the tests below.
    fn read(error: &serde_path_to_error::Error<serde_json::Error>) -> Self {
        let text = error.inner().to_string();
        // serde_json puts the position at the end of errors that come from text.
        let text = text.split(" at line ").next().unwrap_or_default();
        let mut steps = steps(error.path());
        let name = text.split('`').nth(1).unwrap_or_default();
        let (kind, code, message) = if text.starts_with("unknown field") {
            if !matches!(steps.last(), Some(Step::Key(key)) if key == name) {
                steps.push(Step::Key(name.to_owned()));
            }
            (Kind::Unknown, "unknown_field", "is not a field of this request".to_owned())
        } else if text.starts_with("missing field") {
            steps.push(Step::Key(name.to_owned()));
            (Kind::Missing, "missing", "is required".to_owned())
        } else if text.starts_with("duplicate field") {
            if !matches!(steps.last(), Some(Step::Key(key)) if key == name) {
                steps.push(Step::Key(name.to_owned()));
            }
            (Kind::Other, "duplicate_field", "is given more than once".to_owned())
        } else if text.starts_with("unknown variant") {
            (Kind::Other, "invalid_value", expected(text))
        } else if text.starts_with("invalid type") {
            (Kind::Other, "invalid_type", expected(text))
        } else {
            (Kind::Other, "invalid_value", expected(text))
        };
        let variant = text.starts_with("unknown variant").then(|| text.split_once("expected ")).flatten();
        let variant = variant.and_then(|(_, names)| names.split('`').nth(1)).map(Box::from);
        Self { kind, error: FieldError::new(display(&steps), code, message), steps, variant }
    }
}

/// The part of serde's text that says what would be right. The part before it repeats the value, which may be a secret.
fn expected(text: &str) -> String {
    match text.split_once("expected ") {
        Some((_, what)) => format!("must be {what}").chars().take(200).collect(),
        None => "is not acceptable".into(),
    }
}

fn steps(path: &Path) -> Vec<Step> {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

fn display(steps: &[Step]) -> String {
    steps.iter().fold(String::new(), |path, step| match step {
        Step::Key(key) => join(&path, key),
        Step::Index(index) => format!("{path}[{index}]"),
    })
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape is used")]
    struct Order {
        name: String,
        count: u32,
        #[serde(default)]
        kind: Option<Kind>,
        #[serde(default)]
        lines: Vec<Line>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its shape is used")]
    struct Parcel {
        kind: Kind,
        kinds: Vec<Kind>,
        count: u32,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Small,
        Large,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape is used")]
    struct Line {
        id: uuid::Uuid,
        price: i64,
    }

    fn misfits(json: &str) -> Vec<(String, String)> {
        match parse::<Order>(json.as_bytes()) {
            Err(Misfit::Shape(errors, _)) => errors.into_iter().map(|e| (e.field, e.code.into_owned())).collect(),
            Err(Misfit::Syntax(text)) => panic!("{text}"),
            Ok(order) => panic!("{order:?}"),
        }
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn something_else_than_an_enum_s_name_is_a_misfit_of_its_field() {
        let found = misfits(r#"{"name":"x","count":1,"kind":[7],"lines":[]}"#);
        assert_eq!(found.first().map(|(field, _)| field.as_str()), Some("kind"), "{found:?}");
    }

    #[test]
    fn all_misfits_are_named_at_once() {
        let mut found = misfits(
            r#"{"nam":1,"is_admin":true,"count":"7","kind":"huge",
                "lines":[{"id":"x","price":1},{"price":1.5,"role":"owner"}]}"#,
        );
        found.sort();
        assert_eq!(
            found,
            pairs(&[
                ("count", "invalid_type"),
                ("is_admin", "unknown_field"),
                ("kind", "invalid_value"),
                ("lines[0].id", "invalid_value"),
                ("lines[1].id", "missing"),
                ("lines[1].price", "invalid_type"),
                ("lines[1].role", "unknown_field"),
                ("nam", "unknown_field"),
                ("name", "missing"),
            ])
        );
    }

    #[test]
    fn a_name_that_an_enum_does_not_know_hides_no_other_misfit() {
        let Err(Misfit::Shape(errors, fixed)) = parse::<Parcel>(br#"{"kind":7,"kinds":["huge","tiny"],"count":"x"}"#)
        else {
            panic!()
        };
        let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["kind", "kinds[0]", "kinds[1]", "count"]);
        assert!(fixed.is_some());
    }

    #[test]
    fn a_member_given_twice_is_named() {
        assert_eq!(misfits(r#"{"name":"a","name":"b","count":1}"#), pairs(&[("name", "duplicate_field")]));
    }

    #[test]
    fn a_body_of_another_shape_is_one_mistake() {
        for json in ["\"x\"", "7", "null", "[1]", "[\"name\", 3]", " []"] {
            assert_eq!(misfits(json), pairs(&[("", "invalid_type")]), "{json}");
        }
    }

    #[test]
    fn at_most_twenty_mistakes_are_named() {
        let members: Vec<_> = (0..100).map(|n| format!("\"f{n}\":1")).collect();
        assert_eq!(misfits(&format!("{{{}}}", members.join(","))).len(), MAX_ERRORS);
    }

    #[test]
    fn messages_say_what_is_expected_and_not_what_was_sent() {
        let Err(Misfit::Shape(errors, _)) = parse::<Order>(br#"{"name":"n","count":"hunter2"}"#) else { panic!() };
        assert_eq!(errors[0].message, "must be u32");
    }

    #[test]
    fn nul_is_found_escaped_raw_and_in_keys_and_its_field_is_named() {
        for (json, nul) in [
            (r#"{"a":"x\u0000"}"#, true),
            (r#"{"a\u0000":"x"}"#, true),
            ("{\"a\":\"\0\"}", true),
            (r#"{"a":"\\u0000"}"#, false),
            (r#"{"a":"\\\u0000"}"#, true),
            (r#"{"a":"\u0001"}"#, false),
        ] {
            assert_eq!(glance(json.as_bytes()).nul, nul, "{json}");
        }
        let fields = nul_fields(br#"{"a":[{"b":"x\u0000"}],"c":"fine"}"#);
        assert_eq!(fields.iter().map(|e| e.field.as_str()).collect::<Vec<_>>(), ["a[0].b"]);
    }

    #[test]
    fn brackets_in_strings_do_not_count() {
        assert_eq!(glance(br#"{"a":"[[[[\"[["}"#).depth, 1);
    }

    fn depth_of(value: &Value) -> usize {
        match value {
            Value::Array(items) => 1 + items.iter().map(depth_of).max().unwrap_or(0),
            Value::Object(members) => 1 + members.values().map(depth_of).max().unwrap_or(0),
            _ => 0,
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(8, 64, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map(".*", inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_glance_agrees_with_the_parsed_value(value in any_json()) {
            let text = serde_json::to_vec(&value).unwrap();
            let seen = glance(&text);
            prop_assert_eq!(seen.depth, depth_of(&value));
            let mut nul = Vec::new();
            find_nul(&value, "", &mut nul);
            prop_assert_eq!(seen.nul, !nul.is_empty());
        }

        #[test]
        fn any_bytes_are_survived(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            glance(&text);
            let _ = parse::<Order>(&text);
        }
    }
}
