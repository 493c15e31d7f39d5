//! Which paragraph styles are headings. The ids of styles are in the language of the program that wrote them, but the
//! names of the built-in ones are always English.

use std::collections::HashMap;

use quick_xml::{Reader, XmlVersion, events::Event};

use super::{Collector, MALFORMED, Refused, outline_level, val};

/// The id of a style and the level of its heading, 0 for the title of the document.
pub(super) type Levels = HashMap<String, u8>;

pub(super) fn heading_levels(xml: &str, out: &Collector<'_>) -> Result<Levels, Refused> {
    let mut reader = Reader::from_str(xml);
    let mut levels = Levels::new();
    let mut style = None;
    for step in 0_usize.. {
        if step % 4096 == 0 {
            out.tick()?;
        }
        match reader.read_event().map_err(|_| MALFORMED)? {
            Event::Eof => break,
            Event::DocType(_) => return Err(MALFORMED),
            Event::Start(element) if element.local_name().as_ref() == "style" => {
                let id = element.try_get_attribute("w:styleId").ok().flatten();
                style = id
                    .and_then(|id| id.normalized_value(XmlVersion::Implicit1_0).ok().map(std::borrow::Cow::into_owned));
            }
            Event::Start(element) | Event::Empty(element) => {
                let level = match element.local_name().as_ref() {
                    "name" => val(&element).as_deref().and_then(level_of_name),
                    "outlineLvl" => outline_level(&element),
                    _ => None,
                };
                if let (Some(id), Some(level)) = (&style, level) {
                    levels.entry(id.clone()).or_insert(level);
                }
            }
            _ => {}
        }
    }
    Ok(levels)
}

fn level_of_name(name: &str) -> Option<u8> {
    let name = name.to_ascii_lowercase();
    if name == "title" {
        return Some(0);
    }
    name.strip_prefix("heading ")?.trim().parse().ok().filter(|level| (1..=9).contains(level))
}

/// The title among the properties of the document.
pub(super) fn title(xml: &str) -> Option<String> {
    let mut reader = Reader::from_str(xml);
    let mut title = None;
    loop {
        match reader.read_event().ok()? {
            Event::Eof | Event::DocType(_) => return None,
            Event::Start(element) if element.local_name().as_ref() == "title" => title = Some(String::new()),
            Event::End(element) if element.local_name().as_ref() == "title" => return title,
            Event::Text(text) => {
                if let Some(title) = &mut title {
                    title.push_str(&text.xml10_content());
                }
            }
            Event::GeneralRef(reference) => {
                if let Some(title) = &mut title {
                    super::body::resolve(&reference, title);
                }
            }
            _ => {}
        }
    }
}
