//! What a turn says of itself. What was recalled for it is known already: taking facts from that again would make what is
//! remembered repeat itself.

use serde_json::{Map, Value};

use super::message::Role;

/// Begins and ends what was recalled, inside of a turn.
const OPEN: &str = "<recalled-memory";
const CLOSE: &str = "</recalled-memory>";

/// A field of the metadata that is `true` when the whole turn was recalled.
const RECALLED: &str = "recalled";

/// What somebody said in a turn; `None` for instructions, the output of tools, what was recalled, and silence.
pub fn said(role: Role, metadata: &Map<String, Value>, content: &str) -> Option<String> {
    if !role.is_talk() || metadata.get(RECALLED) == Some(&Value::Bool(true)) {
        return None;
    }
    let said = without_recalled(content);
    let said = said.trim();
    (!said.is_empty()).then(|| said.to_owned())
}

/// A text without the blocks that were recalled. One that does not end reaches to the end of the text; blocks may stand in
/// each other, since what was recalled may quote such a block.
fn without_recalled(text: &str) -> String {
    // ASCII only, so that places stay the same.
    let lower = text.to_ascii_lowercase();
    let (mut left, mut at, mut depth) = (String::new(), 0, 0_usize);
    while at < text.len() {
        let (open, close) = (lower[at..].find(OPEN), lower[at..].find(CLOSE));
        let (tag, length, deeper) = match (open, close) {
            (Some(open), Some(close)) if close < open => (close, CLOSE.len(), false),
            (Some(open), _) => (open, OPEN.len(), true),
            (None, Some(close)) => (close, CLOSE.len(), false),
            (None, None) => break,
        };
        if depth == 0 {
            left.push_str(&text[at..at + tag]);
        }
        at += tag + length;
        depth = if deeper { depth + 1 } else { depth.saturating_sub(1) };
    }
    if depth == 0 {
        left.push_str(&text[at..]);
    }
    left
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of_user(content: &str) -> Option<String> {
        said(Role::User, &Map::new(), content)
    }

    #[test]
    fn what_was_recalled_is_cut_out() {
        for (content, left) in [
            ("I moved to Porto.", Some("I moved to Porto.")),
            ("<recalled-memory>Lives in Lisbon.</recalled-memory> I moved.", Some("I moved.")),
            ("Before <Recalled-Memory id=\"1\">é</RECALLED-MEMORY>after é", Some("Before after é")),
            ("A<recalled-memory>x<recalled-memory>y</recalled-memory>z</recalled-memory>B", Some("AB")),
            ("Hello <recalled-memory>and so on, never closed", Some("Hello")),
            ("<recalled-memory>Lives in Lisbon.</recalled-memory>", None),
            ("A</recalled-memory>B<recalled-memory>x</recalled-memory>", Some("AB")),
            (" \n", None),
        ] {
            assert_eq!(of_user(content).as_deref(), left, "{content}");
        }
    }

    #[test]
    fn only_talk_that_was_not_recalled_counts() {
        let recalled = json!({"recalled": true});
        assert_eq!(said(Role::User, recalled.as_object().unwrap(), "Lives in Lisbon."), None);
        assert_eq!(said(Role::System, &Map::new(), "Be brief."), None);
        assert_eq!(said(Role::Tool, &Map::new(), "18 degrees"), None);
        assert_eq!(said(Role::Assistant, &Map::new(), "Noted.").as_deref(), Some("Noted."));
        assert!(said(Role::User, json!({"recalled": "no"}).as_object().unwrap(), "Hi").is_some());
    }
}
