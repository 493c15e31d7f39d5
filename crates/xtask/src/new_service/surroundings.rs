//! What a new service needs outside of its own folder: its place in the workspace, its first event with sample and
//! snapshot, its typed id, and the page of its error.

use std::path::Path;

use anyhow::Context;
use serde_json::json;

use super::Words;
use crate::{drift::Files, workspace};

const MANIFEST: &str = "Cargo.toml";
const IDS: &str = "crates/contracts/src/ids.rs";
const SAMPLES: &str = "crates/contracts/tests/it/samples/mod.rs";

/// The files that get lines of the new service.
pub const EDITED: [&str; 3] = [MANIFEST, IDS, SAMPLES];

/// New and changed files outside of `services/<name>`.
pub fn files(root: &Path, words: &Words<'_>) -> anyhow::Result<Files> {
    let (name, noun) = (words.name, words.noun);
    let mut files = Files::from([
        (format!("proto/brainops/{name}/v1/events.proto"), words.fill(PROTO)),
        (format!("crates/contracts/tests/it/samples/{name}.rs"), words.fill(SAMPLE)),
        (format!("crates/contracts/tests/it/snapshots/it__events__{name}.{noun}_created.v1.snap"), snapshot(noun)?),
    ]);
    let page = format!("docs/errors/{noun}_not_found.md");
    if !root.join(&page).exists() {
        files.insert(page, words.fill(PAGE));
    }
    let id = words.fill("    /// A widget of an organization.\n    WidgetId = \"widget\";");
    let edits = [
        (MANIFEST, "    \"services/", format!("    \"services/{name}\",")),
        (MANIFEST, " = { path = \"services/", format!("{name} = {{ path = \"services/{name}\" }}")),
        (IDS, "Id = \"", id),
        (SAMPLES, "mod ", format!("mod {name};")),
        (SAMPLES, "    all.extend(", format!("    all.extend({name}::all());")),
    ];
    for file in EDITED {
        files.insert(file.to_owned(), workspace::read(&root.join(file))?);
    }
    for (file, after, line) in edits {
        let text = files.get_mut(file).with_context(|| format!("{file} is not among the edited"))?;
        *text = insert_after_last(text, after, &line).with_context(|| format!("{file}: no line with `{after}`"))?;
    }
    Ok(files)
}

/// `text` with `line` after the last line that contains `pattern`.
fn insert_after_last(text: &str, pattern: &str, line: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().rposition(|candidate| candidate.contains(pattern))?;
    let (before, after) = lines.split_at_checked(at + 1)?;
    Some([before, &[line], after].concat().join("\n") + "\n")
}

/// The snapshot of [`SAMPLE`], whose keys are sorted like those of any JSON value.
fn snapshot(noun: &str) -> anyhow::Result<String> {
    let mut sample = json!({
        "organization_id": "01890a5d-ac97-7b2c-9d0e-1f2a3b4c5d6e",
        "name": "Example",
        "created_at": "2031-04-05T06:07:08Z",
    });
    if let Some(object) = sample.as_object_mut() {
        object.insert(format!("{noun}_id"), json!("01890a5d-ac99-7000-8000-0000000000c1"));
    }
    let header = "---\nsource: crates/contracts/tests/it/events.rs\nexpression: sample.json\n---\n";
    Ok(format!("{header}{}\n", serde_json::to_string_pretty(&sample)?))
}

const PROTO: &str = r#"// Events of the specimen service.
//
// Every top-level message is one event type. Its first field is the id of the aggregate that the event is about
// (the CloudEvents `subject`); the aggregate's name is that field's name without `_id`.
syntax = "proto3";

package brainops.specimen.v1;

import "google/protobuf/timestamp.proto";

// A widget exists.
message WidgetCreated {
  // The widget.
  string widget_id = 1;
  // The organization it belongs to.
  string organization_id = 2;
  // Name to show.
  string name = 3;
  // When it was made.
  google.protobuf.Timestamp created_at = 4;
}
"#;

const SAMPLE: &str = r#"//! Events of specimen.

use contracts::specimen::v1 as specimen;

use super::{ORG, Sample, at, s, sample};

const WIDGET: &str = "01890a5d-ac99-7000-8000-0000000000c1";

pub fn all() -> Vec<Sample> {
    vec![sample(&specimen::WidgetCreated {
        widget_id: s(WIDGET),
        organization_id: s(ORG),
        name: s("Example"),
        created_at: at(8),
    })]
}
"#;

const PAGE: &str = "# widget_not_found

There is no such widget. Status 404.

## Why

The path names a widget that does not exist, or one of another organization. The two look alike on purpose.

## What to do

List yours with `GET /v1/widgets`. If you work in several organizations, switch to the one that it belongs to.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_after_the_last_of_its_kind() {
        assert_eq!(insert_after_last("a 1\na 2\nb\n", "a ", "a 3").unwrap(), "a 1\na 2\na 3\nb\n");
        assert_eq!(insert_after_last("b\n", "a ", "a 3"), None);
    }
}
