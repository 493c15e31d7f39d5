//! Tables of what a request may hold, and what is wrong with one that does not fit. Strict: a field that the table does
//! not name is wrong.

use serde_json::Value;

/// What a value may be.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    Any,
    Bool,
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number within these bounds.
    Int(i64, i64),
    /// A number within these bounds.
    Num(f64, f64),
    /// So many of one shape.
    List(Box<Shape>, usize, usize),
    /// Any names, one shape of values.
    Map(Box<Shape>),
    /// These names and no others.
    Object(Vec<Field>),
    /// An object whose field of the first name says which of the shapes holds for the rest of it.
    Tagged(&'static str, Vec<(&'static str, Vec<Field>)>),
    /// Any of these.
    Either(Vec<Shape>),
    /// This, or null.
    OrNull(Box<Shape>),
}

#[derive(Clone, Debug)]
pub(super) struct Field {
    name: &'static str,
    required: bool,
    shape: Shape,
}

pub(super) fn must(name: &'static str, shape: Shape) -> Field {
    Field { name, required: true, shape }
}

pub(super) fn may(name: &'static str, shape: Shape) -> Field {
    Field { name, required: false, shape }
}

pub(super) fn list(shape: Shape) -> Shape {
    Shape::List(Box::new(shape), 0, usize::MAX)
}

pub(super) fn some(shape: Shape) -> Shape {
    Shape::List(Box::new(shape), 1, usize::MAX)
}

pub(super) fn or_null(shape: Shape) -> Shape {
    Shape::OrNull(Box::new(shape))
}

impl Shape {
    /// Everything that is wrong with `value`, each with its place.
    pub(super) fn violations(&self, value: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        self.check(value, "", &mut wrong);
        wrong
    }

    fn check(&self, value: &Value, at: &str, wrong: &mut Vec<String>) {
        let mut say = |what: String| wrong.push(format!("{}: {what}", if at.is_empty() { "body" } else { at }));
        match self {
            Self::Any => {}
            Self::Bool if value.is_boolean() => {}
            Self::Text if value.is_string() => {}
            Self::Word(words) if value.as_str().is_some_and(|word| words.contains(&word)) => {}
            Self::Int(min, max) if value.as_i64().is_some_and(|n| (*min..=*max).contains(&n)) => {}
            Self::Num(min, max) if value.as_f64().is_some_and(|n| (*min..=*max).contains(&n)) => {}
            Self::OrNull(_) if value.is_null() => {}
            Self::OrNull(shape) => shape.check(value, at, wrong),
            Self::List(shape, min, max) => match value.as_array() {
                Some(items) if (*min..=*max).contains(&items.len()) => {
                    for (i, item) in items.iter().enumerate() {
                        shape.check(item, &format!("{at}[{i}]"), wrong);
                    }
                }
                Some(items) => say(format!("{} items", items.len())),
                None => say("is no list".into()),
            },
            Self::Map(shape) => match value.as_object() {
                Some(map) => map.iter().for_each(|(name, value)| shape.check(value, &format!("{at}.{name}"), wrong)),
                None => say("is no object".into()),
            },
            Self::Object(fields) => object(fields, None, value, at, wrong),
            Self::Tagged(tag, cases) => {
                let found = value.get(tag).and_then(Value::as_str);
                match cases.iter().find(|(name, _)| Some(*name) == found) {
                    Some((_, fields)) => object(fields, Some(tag), value, at, wrong),
                    None => say(format!("{tag} {found:?} is not known")),
                }
            }
            Self::Either(shapes) => {
                let tries: Vec<_> = shapes.iter().map(|shape| (shape, shape.violations(value))).collect();
                if tries.iter().any(|(_, wrong)| wrong.is_empty()) {
                    return;
                }
                // The one that was meant says most.
                match tries.iter().find(|(shape, _)| shape.is_of_type(value)) {
                    Some((shape, _)) => shape.check(value, at, wrong),
                    None => say(format!("{value} is none of what it may be")),
                }
            }
            shape => say(format!("{value} is not {shape:?}")),
        }
    }

    fn is_of_type(&self, value: &Value) -> bool {
        match self {
            Self::List(..) => value.is_array(),
            Self::Object(_) | Self::Tagged(..) | Self::Map(_) => value.is_object(),
            _ => false,
        }
    }
}

fn object(fields: &[Field], tag: Option<&str>, value: &Value, at: &str, wrong: &mut Vec<String>) {
    let Some(map) = value.as_object() else {
        wrong.push(format!("{at}: is no object"));
        return;
    };
    let place = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    for (name, value) in map {
        match fields.iter().find(|field| field.name == name) {
            Some(field) => field.shape.check(value, &place(name), wrong),
            None if tag == Some(name) => {}
            None => wrong.push(format!("{}: unknown field", place(name))),
        }
    }
    for field in fields.iter().filter(|field| field.required && !map.contains_key(field.name)) {
        wrong.push(format!("{}: missing", place(field.name)));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_does_not_fit_is_named_with_its_place() {
        let shape = Shape::Object(vec![
            must("n", Shape::Int(1, 3)),
            may("word", Shape::Word(&["a", "b"])),
            may("parts", some(Shape::Tagged("type", vec![("text", vec![must("text", Shape::Text)])]))),
            may("either", Shape::Either(vec![Shape::Text, list(Shape::Bool)])),
        ]);
        let good = json!({"n": 2, "word": "a", "parts": [{"type": "text", "text": ""}], "either": [true]});
        assert!(shape.violations(&good).is_empty());
        for (bad, what) in [
            (json!({}), "n: missing"),
            (json!({"n": 4}), "n: 4 is not Int(1, 3)"),
            (json!({"n": 1.5}), "n: 1.5 is not Int(1, 3)"),
            (json!({"n": 1, "m": 1}), "m: unknown field"),
            (json!({"n": 1, "word": "c"}), "word: \"c\" is not Word([\"a\", \"b\"])"),
            (json!({"n": 1, "parts": []}), "parts: 0 items"),
            (json!({"n": 1, "parts": [{"type": "image"}]}), "parts[0]: type Some(\"image\") is not known"),
            (json!({"n": 1, "parts": [{"type": "text", "x": 1, "text": ""}]}), "parts[0].x: unknown field"),
            (json!({"n": 1, "either": [1]}), "either[0]: 1 is not Bool"),
            (json!([]), ": is no object"),
        ] {
            assert_eq!(shape.violations(&bad), [what]);
        }
    }
}
