//! Turns the errors of `validator` rules into [`FieldError`]s: all of them, by path, without repeating what was sent
//! (it may be a password).
use std::borrow::Cow;

use serde_json::Value;
use validator::{ValidationError, ValidationErrors, ValidationErrorsKind};

use super::FieldError;

/// Every broken rule, ordered by path so that answers are reproducible.
pub(super) fn field_errors(errors: &ValidationErrors) -> Vec<FieldError> {
    let mut found = Vec::new();
    collect(errors, "", &mut found);
    found.sort_by(|a, b| a.field.cmp(&b.field).then_with(|| a.code.cmp(&b.code)));
    found
}

fn collect(errors: &ValidationErrors, prefix: &str, found: &mut Vec<FieldError>) {
    for (name, kind) in errors.errors() {
        // `__all__` is validator's name for a rule about the struct as a whole.
        let path = match (prefix, name.as_ref()) {
            (_, "__all__") => prefix.to_owned(),
            ("", name) => name.to_owned(),
            (prefix, name) => format!("{prefix}.{name}"),
        };
        match kind {
            ValidationErrorsKind::Field(errors) => {
                found.extend(errors.iter().map(|error| FieldError {
                    field: path.clone(),
                    code: error.code.clone(),
                    message: message(error),
                }));
            }
            ValidationErrorsKind::Struct(nested) => collect(nested, &path, found),
            ValidationErrorsKind::List(items) => {
                for (index, nested) in items {
                    collect(nested, &format!("{path}[{index}]"), found);
                }
            }
        }
    }
}

fn message(error: &ValidationError) -> String {
    if let Some(message) = &error.message {
        return message.to_string();
    }
    let param = |name: &str| error.params.get(name).and_then(number);
    let (min, max, equal) = (param("min"), param("max"), param("equal"));
    match error.code.as_ref() {
        "length" => match (min, max, equal) {
            (_, _, Some(n)) => format!("must have exactly {n} characters or items"),
            (Some(min), Some(max), _) => format!("must have {min} to {max} characters or items"),
            (Some(min), None, _) => format!("must have at least {min} characters or items"),
            (None, Some(max), _) => format!("must have at most {max} characters or items"),
            _ => "has an unacceptable length".into(),
        },
        "range" => {
            let low = min.map(|n| format!("at least {n}"));
            let high = max.map(|n| format!("at most {n}"));
            let above = param("exclusive_min").map(|n| format!("more than {n}"));
            let below = param("exclusive_max").map(|n| format!("less than {n}"));
            let bounds: Vec<_> = [low, above, high, below].into_iter().flatten().collect();
            if bounds.is_empty() { "is out of range".into() } else { format!("must be {}", bounds.join(" and ")) }
        }
        "email" => "must be an email address".into(),
        "url" => "must be a URL".into(),
        "required" => "is required".into(),
        "non_control_character" => "must not contain control characters".into(),
        "does_not_contain" | "contains" | "regex" => "has an unacceptable form".into(),
        "must_match" => "must match the other field".into(),
        _ => "is not acceptable".into(),
    }
}

/// A bound for people: `5`, not `5.0`.
fn number(value: &Value) -> Option<Cow<'static, str>> {
    match value {
        Value::Number(n) => Some(n.to_string().trim_end_matches(".0").to_owned().into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use validator::Validate;

    use super::*;

    #[derive(Validate)]
    struct Order {
        #[validate(length(min = 12, max = 256), non_control_character)]
        password: String,
        #[validate(range(min = 1, max = 5))]
        stars: i32,
        #[validate(range(exclusive_min = 0.0))]
        weight: f64,
        #[validate(nested)]
        lines: Vec<Line>,
        #[validate(nested)]
        contact: Line,
    }

    #[derive(Validate)]
    struct Line {
        #[validate(email)]
        email: String,
    }

    #[test]
    fn every_broken_rule_is_named_by_path_and_no_value_is_repeated() {
        let line = || Line { email: "nobody".into() };
        let order = Order {
            password: "hunter2\u{7}".into(),
            stars: 6,
            weight: 0.0,
            lines: vec![Line { email: "a@b.example".into() }, line()],
            contact: line(),
        };
        let found = field_errors(&order.validate().unwrap_err());
        let seen: Vec<_> = found.iter().map(|e| (e.field.as_str(), e.code.as_ref(), e.message.as_str())).collect();
        assert_eq!(
            seen,
            [
                ("contact.email", "email", "must be an email address"),
                ("lines[1].email", "email", "must be an email address"),
                ("password", "length", "must have 12 to 256 characters or items"),
                ("password", "non_control_character", "must not contain control characters"),
                ("stars", "range", "must be at least 1 and at most 5"),
                ("weight", "range", "must be more than 0"),
            ]
        );
    }
}
