//! mem0's filters as selections: each combination of `AND` and `OR` is a list of alternatives, any of which may hold.
//! Whatever is not understood is refused, so that nothing is found, or forgotten, that was filtered out.

use chrono::{DateTime, TimeDelta, Utc};
use contracts::MemorySessionId;
use kit::Problem;
use serde_json::{Map, Value};

use super::{
    moment, refused,
    scope::{Named, a_name},
};
use crate::{
    api::dto::{a_label, search::scalars},
    domain::{access::Allowed, selection::Selection},
    error::Error,
};

/// Alternatives of one filter: each is a search of its own.
const MOST: usize = 10;

#[derive(Clone, Debug, Default)]
struct Alternative {
    selection: Selection,
    /// Whether it says whose memories are meant.
    is_scoped: bool,
}

/// The selections that a filter consists of.
///
/// # Errors
/// `bad_request` that names what is not supported, and when it is not said whose memories are meant; `not_yours`.
pub fn read<A>(filters: &Value, allowed: &Allowed<A>) -> Result<Vec<Selection>, Problem> {
    let alternatives = any_of(filters, "filters", allowed)?;
    if alternatives.iter().any(|alternative| !alternative.is_scoped) {
        let message = "needs at least one of user_id, agent_id, app_id and run_id, in each part of an OR";
        return Err(refused("filters", message));
    }
    Ok(alternatives.into_iter().map(|alternative| alternative.selection).collect())
}

fn any_of<A>(filter: &Value, at: &str, allowed: &Allowed<A>) -> Result<Vec<Alternative>, Problem> {
    let Value::Object(conditions) = filter else { return Err(refused(at, "must be an object of conditions")) };
    let mut all = vec![Alternative::default()];
    for (name, value) in conditions {
        let at = format!("{at}.{name}");
        let more = match name.as_str() {
            "AND" => {
                let mut all = vec![Alternative::default()];
                for (index, part) in parts(value, &at)?.iter().enumerate() {
                    all = both(&all, &any_of(part, &format!("{at}[{index}]"), allowed)?, &at)?;
                }
                all
            }
            "OR" => {
                let mut any = Vec::new();
                for (index, part) in parts(value, &at)?.iter().enumerate() {
                    any.extend(any_of(part, &format!("{at}[{index}]"), allowed)?);
                }
                any
            }
            _ => condition(name, value, &at, allowed)?,
        };
        all = both(&all, &more, &at)?;
    }
    Ok(all)
}

fn parts<'a>(value: &'a Value, at: &str) -> Result<&'a [Value], Problem> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| refused(at, "must be a list of filters"))
}

/// What passes one of each. Alternatives that exclude each other are none.
fn both(one: &[Alternative], other: &[Alternative], at: &str) -> Result<Vec<Alternative>, Problem> {
    if one.len() * other.len() > MOST {
        return Err(refused(at, "makes more than 10 alternatives"));
    }
    let pairs = one.iter().flat_map(|one| other.iter().map(move |other| (one, other)));
    let joined = pairs.filter_map(|(one, other)| {
        let selection = one.selection.clone().and(other.selection.clone())?;
        Some(Alternative { selection, is_scoped: one.is_scoped || other.is_scoped })
    });
    Ok(joined.collect())
}

fn condition<A>(name: &str, value: &Value, at: &str, allowed: &Allowed<A>) -> Result<Vec<Alternative>, Problem> {
    let scoped = |selection: Selection| Alternative { selection, is_scoped: true };
    let none = Selection::default;
    match name {
        "user_id" => each(value, at, a_label)?
            .into_iter()
            .map(|name| {
                // Everybody within reach.
                let subject = (name != "*").then(|| allowed.subject(name)).transpose().map_err(Error::from)?;
                Ok(scoped(Selection { subject, ..none() }))
            })
            .collect(),
        "agent_id" | "app_id" | "run_id" => {
            let names = each(value, at, a_name)?;
            if names.contains(&"*") {
                return Err(refused(at, "cannot be \"*\", which only user_id can"));
            }
            let select = |text: &str| match name {
                "agent_id" => Selection { agent: Some(text.to_owned()), ..none() },
                "app_id" => Selection { project: Some(Named::App.id(allowed.org, text)), ..none() },
                _ => {
                    let run = MemorySessionId::from_uuid(Named::Run.id(allowed.org, text));
                    Selection { session: Some(run), ..none() }
                }
            };
            Ok(names.into_iter().map(|text| scoped(select(text))).collect())
        }
        "categories" => {
            let contained = value.as_object().and_then(|operators| only(operators, "contains"));
            let tags = each(contained.filter(|tag| tag.is_string()).unwrap_or(value), at, a_label)?;
            let select = |tag: &str| Selection { tags: vec![tag.to_owned()], ..none() };
            Ok(tags.into_iter().map(|tag| Alternative { selection: select(tag), is_scoped: false }).collect())
        }
        "metadata" => {
            let fields = value.as_object().filter(|fields| scalars(fields).is_ok());
            let metadata = fields.cloned().ok_or_else(|| {
                refused(at, "must be an object of at most 32 texts of up to 200 characters, numbers or booleans")
            })?;
            Ok(vec![Alternative { selection: Selection { metadata, ..none() }, is_scoped: false }])
        }
        "created_at" => Ok(vec![Alternative { selection: period(value, at)?, is_scoped: false }]),
        _ => Err(refused(at, "is not supported")),
    }
}

/// The texts of `"a"` and of `{"in": ["a", "b"]}`.
fn each<'a>(
    value: &'a Value,
    at: &str,
    rule: fn(&str) -> Result<(), validator::ValidationError>,
) -> Result<Vec<&'a str>, Problem> {
    let texts: Option<Vec<_>> = match value {
        Value::String(text) => Some(vec![text.as_str()]),
        Value::Object(operators) => match only(operators, "in") {
            Some(Value::Array(texts)) => texts.iter().map(Value::as_str).collect(),
            _ => None,
        },
        _ => None,
    };
    let texts =
        texts.ok_or_else(|| refused(at, "must be a text or {\"in\": […]}; other operators are not supported"))?;
    if texts.iter().any(|text| rule(text).is_err()) {
        return Err(refused(at, "must hold names of 1 to 119 characters without control characters"));
    }
    if texts.len() > MOST {
        return Err(refused(at, "makes more than 10 alternatives"));
    }
    Ok(texts)
}

/// The value of the operator that there is alone.
fn only<'a>(operators: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    operators.get(name).filter(|_| operators.len() == 1)
}

/// From one moment, and to before another.
fn period(value: &Value, at: &str) -> Result<Selection, Problem> {
    let Value::Object(operators) = value else {
        return Err(refused(at, "must be an object of gte, gt, lte and lt"));
    };
    // As precise as the database.
    let after = |at: DateTime<Utc>| at + TimeDelta::microseconds(1);
    let mut selection = Selection::default();
    for (operator, value) in operators {
        let moment = moment(value).ok_or_else(|| refused(at, "must hold dates, times or seconds since 1970"))?;
        let (from, to) = match operator.as_str() {
            "gte" => (Some(moment), None),
            "gt" => (Some(after(moment)), None),
            "lt" => (None, Some(moment)),
            "lte" => (None, Some(after(moment))),
            _ => return Err(refused(at, "must be an object of gte, gt, lte and lt")),
        };
        let bound = Selection { from, to, ..Selection::default() };
        selection = selection.and(bound).unwrap_or_default();
    }
    Ok(selection)
}
