//! Which points a filter lets pass, for the conditions that the adapter uses.

use std::collections::HashSet;

use qdrant_client::qdrant::{
    Condition, FieldCondition, Filter, PointId, Range, Value, condition::ConditionOneOf, r#match::MatchValue,
    point_id::PointIdOptions, value::Kind,
};
use tonic::Status;

use super::{Collection, Point, invalid};

/// The point's id in hyphenated form.
pub(super) fn text(id: Option<&PointId>) -> Result<String, Status> {
    match id.and_then(|id| id.point_id_options.as_ref()) {
        Some(PointIdOptions::Uuid(id)) if uuid::Uuid::try_parse(id).is_ok() => Ok(id.clone()),
        _ => Err(invalid("a point has a UUID")),
    }
}

/// Checks a filter and gives the ids of all points that pass. One without an organization is refused.
pub(super) fn passing(collection: &Collection, filter: &Filter) -> Result<Vec<String>, Status> {
    if !filter.should.is_empty() || !filter.must_not.is_empty() || filter.min_should.is_some() {
        return Err(invalid("only conditions that must hold"));
    }
    let names_org = |condition: &Condition| match &condition.condition_one_of {
        Some(ConditionOneOf::Field(field)) => field.key == "org" && keyword(field).is_some_and(|org| org.len() == 36),
        _ => false,
    };
    if !filter.must.iter().any(names_org) {
        return Err(invalid("no organization"));
    }
    let (mut named, mut conditions) = (None, Vec::new());
    for condition in &filter.must {
        match &condition.condition_one_of {
            Some(ConditionOneOf::HasId(ids)) if named.is_none() => {
                named = Some(ids.has_id.iter().map(|id| text(Some(id))).collect::<Result<HashSet<_>, _>>()?);
            }
            _ => conditions.push(condition),
        }
    }
    let mut found = Vec::new();
    for (id, point) in collection.points.iter().filter(|(id, _)| named.as_ref().is_none_or(|ids| ids.contains(*id))) {
        let mut passes = true;
        for condition in &conditions {
            passes &= holds(collection, point, condition)?;
        }
        if passes {
            found.push(id.clone());
        }
    }
    Ok(found)
}

fn keyword(field: &FieldCondition) -> Option<&str> {
    match field.r#match.as_ref()?.match_value.as_ref()? {
        MatchValue::Keyword(text) => Some(text),
        _ => None,
    }
}

fn holds(collection: &Collection, point: &Point, condition: &Condition) -> Result<bool, Status> {
    match &condition.condition_one_of {
        Some(ConditionOneOf::Field(field)) => {
            if !collection.fields.contains(&field.key) {
                return Err(invalid(format!("no field {}", field.key)));
            }
            let values = point.payload.get(&field.key).map_or(&[][..], several);
            match (&field.r#match, &field.range) {
                (Some(wanted), None) => match &wanted.match_value {
                    Some(MatchValue::Keyword(text)) => Ok(values.iter().any(|value| value.as_str() == Some(text))),
                    Some(MatchValue::Keywords(texts)) if !texts.strings.is_empty() => {
                        let among = |value: &Value| value.as_str().is_some_and(|text| texts.strings.contains(text));
                        Ok(values.iter().any(among))
                    }
                    other => Err(invalid(format!("cannot match {other:?}"))),
                },
                (None, Some(range)) => Ok(values.iter().any(|value| within(value, range))),
                _ => Err(invalid("a match or a range")),
            }
        }
        // One of several, and nothing else, as the adapter asks.
        Some(ConditionOneOf::Filter(Filter { should, must, must_not, min_should: None }))
            if !should.is_empty() && must.is_empty() && must_not.is_empty() =>
        {
            should.iter().try_fold(false, |any, condition| Ok(holds(collection, point, condition)? || any))
        }
        other => Err(invalid(format!("unknown condition {other:?}"))),
    }
}

fn several(value: &Value) -> &[Value] {
    match &value.kind {
        Some(Kind::ListValue(list)) => &list.values,
        _ => std::slice::from_ref(value),
    }
}

#[expect(clippy::cast_precision_loss, reason = "as the server does")]
fn within(value: &Value, range: &Range) -> bool {
    let Some(number) = value.as_integer().map(|number| number as f64) else { return false };
    range.gte.is_none_or(|limit| number >= limit)
        && range.gt.is_none_or(|limit| number > limit)
        && range.lte.is_none_or(|limit| number <= limit)
        && range.lt.is_none_or(|limit| number < limit)
}
