//! The text of one page, in the order in which it is drawn: a line ends where the next glyph is higher or lower, a
//! paragraph where the gap is larger than between lines.

use std::collections::HashMap;
use std::rc::Rc;

use lopdf::{Dictionary, Document, Object, ObjectId, Stream, content::Content};

use super::{Collector, Refused, glyphs::Glyphs};

/// A move of more than this part of the font's size is to another line.
const LINE_EM: f32 = 0.4;
/// A move up or down by more than this many sizes of the font begins a paragraph.
const PARAGRAPH_EM: f32 = 1.7;
/// A kern of more than this, in thousandths of the font's size, is a space.
const SPACE_KERN: f32 = 180.0;
/// Glyphs that are placed one by one are parted by a space if they are further apart than this.
const SPACE_EM: f32 = 1.0;
/// Forms within forms that are followed.
const FORMS: usize = 4;
/// What drawing a form costs beside its content, so that many empty ones end too.
const FORM_BYTES: usize = 1 << 10;

/// What is kept from page to page.
pub(super) struct Pages<'d, 'o, 'l> {
    pub(super) document: &'d Document,
    /// What the contents of pages may still expand to.
    pub(super) left_bytes: usize,
    /// The fonts seen so far, by where they are: pages share them.
    pub(super) fonts: HashMap<*const Dictionary, Rc<Glyphs<'d>>>,
    pub(super) out: &'o Collector<'l>,
}

impl<'d> Pages<'d, '_, '_> {
    /// A page that cannot be read is empty, and a damaged one ends at the damage.
    pub(super) fn text(&mut self, page: ObjectId) -> Result<String, Refused> {
        let content = self.document.get_page_content_with_limit(page, self.left_bytes);
        let (own, inherited) = self.document.get_page_resources(page).unwrap_or_default();
        let inherited = inherited.into_iter().filter_map(|id| self.document.get_dictionary(id).ok());
        let resources: Vec<_> = own.into_iter().chain(inherited).collect();
        let mut pen = Pen::default();
        self.draw(content, &resources, 0, &mut pen)?;
        Ok(pen.text)
    }

    fn draw(
        &mut self,
        content: lopdf::Result<Vec<u8>>,
        resources: &[&'d Dictionary],
        depth: usize,
        pen: &mut Pen<'d>,
    ) -> Result<(), Refused> {
        let content = match content {
            Ok(content) => content,
            Err(lopdf::Error::Decompress(lopdf::DecompressError::MemoryLimitExceeded { .. })) => {
                return Err(Refused::ExpandsTooMuch);
            }
            Err(_) => return Ok(()),
        };
        self.left_bytes = self.left_bytes.saturating_sub(content.len());
        for (step, operation) in Content::decode_iter(&content).enumerate() {
            if step % 1024 == 0 {
                self.out.tick()?;
                self.out.has_room_for(&pen.text)?;
            }
            let Ok(operation) = operation else { break };
            match (operation.operator.as_str(), operation.operands.first()) {
                ("Tf", Some(Object::Name(name))) => {
                    pen.font =
                        self.resource(resources, b"Font", name).and_then(|font| font.as_dict().ok()).map(|font| {
                            let read = || Rc::new(Glyphs::of(font, self.document, self.out.limits.expanded_bytes));
                            Rc::clone(self.fonts.entry(std::ptr::from_ref(font)).or_insert_with(read))
                        });
                }
                ("Do", Some(Object::Name(name))) if depth < FORMS => {
                    let drawn = self.resource(resources, b"XObject", name).and_then(|drawn| drawn.as_stream().ok());
                    if let Some(form) = drawn.filter(|drawn| is_form(drawn)) {
                        self.left_bytes = self.left_bytes.checked_sub(FORM_BYTES).ok_or(Refused::ExpandsTooMuch)?;
                        let content = form.get_plain_content_with_limit(self.left_bytes);
                        let own = form.dict.get_deref(b"Resources", self.document).and_then(Object::as_dict);
                        let own = own.as_ref().map_or(resources, std::slice::from_ref);
                        self.draw(content, own, depth + 1, pen)?;
                    }
                }
                _ => {}
            }
            pen.apply(&operation.operator, &operation.operands);
        }
        self.out.has_room_for(&pen.text)
    }

    fn resource(&self, resources: &[&'d Dictionary], kind: &[u8], name: &[u8]) -> Option<&'d Object> {
        resources.iter().find_map(|resources| {
            let all = resources.get_deref(kind, self.document).and_then(Object::as_dict).ok()?;
            all.get_deref(name, self.document).ok()
        })
    }
}

fn is_form(drawn: &Stream) -> bool {
    drawn.dict.get(b"Subtype").and_then(Object::as_name).is_ok_and(|kind| kind == b"Form")
}

/// What ISO 32000-1, 9.4 calls the text state, as far as it says where lines end.
#[derive(Default)]
struct Pen<'d> {
    font: Option<Rc<Glyphs<'d>>>,
    size: f32,
    leading: f32,
    /// The start of the line in the units of the page, and how large a unit of text is there.
    x: f32,
    y: f32,
    scale: f32,
    /// Where text was shown last.
    shown_x: f32,
    shown_y: f32,
    shown_glyphs: usize,
    text: String,
}

impl Pen<'_> {
    fn apply(&mut self, operator: &str, operands: &[Object]) {
        let number = |at: usize| operands.get(at).and_then(|operand| operand.as_float().ok()).unwrap_or_default();
        match operator {
            "BT" => (self.x, self.y, self.scale) = (0.0, 0.0, 1.0),
            "Tf" => self.size = number(1).abs(),
            "TL" => self.leading = number(0),
            "Td" => self.shift(number(0), number(1)),
            "TD" => {
                self.leading = -number(1);
                self.shift(number(0), number(1));
            }
            "Tm" => {
                (self.x, self.y) = (number(4), number(5));
                // The length of the upright vector, for text that is turned too.
                self.scale = number(2).hypot(number(3));
            }
            "T*" => self.shift(0.0, -self.leading),
            "'" | "\"" => {
                self.shift(0.0, -self.leading);
                self.show(operands.last());
            }
            "Tj" | "TJ" => self.show(operands.first()),
            _ => {}
        }
    }

    fn shift(&mut self, x: f32, y: f32) {
        self.x += x * self.scale;
        self.y += y * self.scale;
    }

    fn show(&mut self, what: Option<&Object>) {
        let Some(font) = &self.font else { return };
        let mut shown = String::new();
        match what {
            Some(Object::String(bytes, _)) => font.write(bytes, &mut shown),
            Some(Object::Array(parts)) => {
                for part in parts {
                    match part {
                        Object::String(bytes, _) => font.write(bytes, &mut shown),
                        kern if kern.as_float().is_ok_and(|kern| kern < -SPACE_KERN) => shown.push(' '),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        if shown.is_empty() {
            return;
        }
        if !self.text.is_empty() {
            self.text.push_str(self.gap());
        }
        self.text.push_str(&shown);
        self.shown_glyphs = shown.chars().count();
        (self.shown_x, self.shown_y) = (self.x, self.y);
    }

    /// What stands between the text that was shown last and the text that is shown next.
    fn gap(&self) -> &'static str {
        let em = (self.size * self.scale).max(f32::MIN_POSITIVE);
        let down = (self.shown_y - self.y) / em;
        let right = (self.x - self.shown_x) / em;
        if down.abs() > PARAGRAPH_EM {
            "\n\n"
        } else if down.abs() > LINE_EM {
            "\n"
        } else if right == 0.0 || (self.shown_glyphs <= 2 && right.abs() < SPACE_EM) {
            // The pen went on from where it was, or glyphs are placed one by one.
            ""
        } else {
            " "
        }
    }
}
