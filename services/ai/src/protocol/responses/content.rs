//! The content of messages and of what tools give.

use serde_json::Value;

use crate::{
    domain::chat::{MediaSource, Part},
    protocol::{
        ApiError,
        read::{
            Fields, Path, Reading,
            fields::{invalid, list, missing, string, unknown_word, wrong_type},
            limits, media,
        },
    },
};

const TYPES: [&str; 6] = ["input_text", "input_image", "input_file", "input_audio", "output_text", "refusal"];

/// Text, or a list of parts.
pub fn read(content: Value, at: &Path<'_>, reading: &mut Reading) -> Result<Vec<Part>, ApiError> {
    match content {
        Value::String(_) => Ok(vec![Part::text(string(content, at, limits::TEXT_BYTES)?)]),
        Value::Array(_) => {
            let listed = list(content, at, limits::PARTS)?;
            listed.into_iter().enumerate().map(|(index, value)| part(value, &at.item(index), reading)).collect()
        }
        other => Err(wrong_type(at, "a string or a list of parts", &other)),
    }
}

fn part(value: Value, at: &Path<'_>, reading: &mut Reading) -> Result<Part, ApiError> {
    let mut fields = Fields::new(value, at)?;
    let kind = fields.need_string("type", limits::NAME_BYTES)?;
    let cache = fields.take("cache_control");
    let part = match kind.as_str() {
        "input_text" | "output_text" | "text" => {
            let text = fields.string("text", limits::TEXT_BYTES)?.ok_or_else(|| missing(&at.field("text")))?;
            Part::Text { text, cache }
        }
        "input_image" => {
            let detail = fields.string("detail", limits::NAME_BYTES)?;
            Part::Image { source: image(&mut fields, reading)?, detail, cache }
        }
        "input_file" => {
            let filename = fields.string("filename", limits::NAME_BYTES)?;
            Part::File { source: file(&mut fields, filename.as_deref())?, filename, cache }
        }
        "input_audio" => audio(fields.need("input_audio")?, &at.field("input_audio"))?,
        "refusal" => Part::Refusal { text: fields.need_string("refusal", limits::TEXT_BYTES)? },
        other => return Err(unknown_word(&at.field("type"), other, &TYPES)),
    };
    // Answers come back as they were, with what is for people only.
    fields.drop_rest(&["annotations", "logprobs"], reading);
    Ok(part)
}

fn image(fields: &mut Fields<'_>, reading: &mut Reading) -> Result<MediaSource, ApiError> {
    match (fields.string("image_url", usize::MAX)?, fields.string("file_id", limits::ID_BYTES)?) {
        (Some(_), Some(_)) => Err(invalid(fields.here(), "must have image_url or file_id, not both.")),
        (Some(url), None) => media::image_url(url, &fields.at("image_url"), reading),
        (None, Some(id)) => {
            reading.count_image(fields.here())?;
            Ok(MediaSource::FileId(id))
        }
        (None, None) => Err(missing(&fields.at("image_url"))),
    }
}

fn file(fields: &mut Fields<'_>, filename: Option<&str>) -> Result<MediaSource, ApiError> {
    let data = fields.string("file_data", usize::MAX)?;
    let id = fields.string("file_id", limits::ID_BYTES)?;
    let url = fields.string("file_url", usize::MAX)?;
    match (data, id, url) {
        (Some(data), None, None) => media::inline_file(data, filename, &fields.at("file_data")),
        (None, Some(id), None) => Ok(MediaSource::FileId(id)),
        (None, None, Some(url)) => Ok(MediaSource::Url(media::web_url(url, &fields.at("file_url"))?)),
        (None, None, None) => Err(missing(&fields.at("file_data"))),
        _ => Err(invalid(fields.here(), "must have one of file_data, file_id and file_url.")),
    }
}

fn audio(value: Value, at: &Path<'_>) -> Result<Part, ApiError> {
    let mut fields = Fields::new(value, at)?;
    let data = fields.need_string("data", usize::MAX)?;
    media::check_file(&data, &fields.at("data"))?;
    Ok(Part::Audio { data, format: fields.need_string("format", limits::NAME_BYTES)? })
}
