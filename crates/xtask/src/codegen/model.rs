//! The event contracts as the generators see them, read from the proto files with their comments.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, bail, ensure};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, SourceCodeInfo,
    field_descriptor_proto::{Label, Type},
};

use crate::workspace;

/// One `proto/brainops/<service>/<version>/events.proto`.
pub struct Package {
    /// The service that publishes: `auth`.
    pub service: String,
    /// `v1`.
    pub version: String,
    /// Top-level messages, in the order of the file.
    pub events: Vec<Event>,
    /// The file itself, for the Rust generators.
    pub file: FileDescriptorProto,
    /// What the file imports.
    pub imports: Vec<FileDescriptorProto>,
}

/// One top-level message: one event type.
pub struct Event {
    /// The message: `UserRegistered`.
    pub message: String,
    /// CloudEvents type: `brainops.auth.user_registered.v1`.
    pub type_name: String,
    /// The message's comment on one line.
    pub summary: String,
    /// The fields, in the order of the file. The first is the aggregate's id.
    pub fields: Vec<Field>,
}

/// One field of an event.
pub struct Field {
    pub name: String,
    /// The field's comment on one line.
    pub doc: String,
    pub kind: Kind,
    pub repeated: bool,
    /// Declared `optional`: it may be absent from the JSON. Every other field is always there.
    pub optional: bool,
}

/// The proto types that events may use. A short list on purpose: each has one obvious form in JSON in every language,
/// which 64-bit integers (texts in proto3 JSON), bytes and enumerations have not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    String,
    Bool,
    Int32,
    Uint32,
    /// A string in JSON, as proto3 has it: JSON numbers lose digits past 2^53.
    Int64,
    Double,
    Timestamp,
}

impl Event {
    /// The routing key: `auth.user_registered.v1`.
    pub fn routing_key(&self) -> &str {
        self.type_name.strip_prefix("brainops.").unwrap_or(&self.type_name)
    }

    /// The name of the field with the aggregate's id.
    pub fn subject_field(&self) -> &str {
        self.fields.first().map_or("", |field| field.name.as_str())
    }

    /// What the event is about: `user`.
    pub fn aggregate(&self) -> &str {
        self.subject_field().trim_end_matches("_id")
    }
}

impl Package {
    /// `brainops.auth.v1`.
    pub fn proto_name(&self) -> &str {
        self.file.package()
    }
}

/// Compiles every `events.proto` under `proto` and checks our conventions. Sorted by service and version.
pub fn read(proto: &Path) -> anyhow::Result<Vec<Package>> {
    let sources = workspace::files(proto, "proto")?;
    let mut compiler = protox::Compiler::new([proto])?;
    compiler.include_source_info(true).include_imports(true);
    for source in &sources {
        // protox points at the offending line in its Debug form only.
        compiler.open_file(source).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    }
    let (imports, ours): (Vec<_>, Vec<_>) =
        compiler.file_descriptor_set().file.into_iter().partition(|file| file.package().starts_with("google."));
    let mut packages: Vec<Package> = ours
        .into_iter()
        .map(|file| {
            let name = file.name().to_owned();
            package(file, &imports).with_context(|| format!("proto/{name}"))
        })
        .collect::<anyhow::Result<_>>()?;
    packages.sort_by(|a, b| (&a.service, &a.version).cmp(&(&b.service, &b.version)));
    ensure!(!packages.is_empty(), "no proto file under {}", proto.display());
    Ok(packages)
}

fn package(file: FileDescriptorProto, imports: &[FileDescriptorProto]) -> anyhow::Result<Package> {
    let parts: Vec<&str> = file.package().split('.').collect();
    let ["brainops", service, version] = parts.as_slice() else {
        bail!("package must be brainops.<service>.v<number>, not `{}`", file.package());
    };
    let (service, version) = ((*service).to_owned(), (*version).to_owned());
    let comments = Comments::of(file.source_code_info.as_ref());
    let events = (0_i32..)
        .zip(&file.message_type)
        .map(|(index, message)| {
            event(&service, &version, message, index, &comments).with_context(|| format!("message {}", message.name()))
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(Package { service, version, events, file, imports: imports.to_vec() })
}

fn event(
    service: &str,
    version: &str,
    message: &DescriptorProto,
    index: i32,
    comments: &Comments,
) -> anyhow::Result<Event> {
    /// Field numbers inside of `FileDescriptorProto` and `DescriptorProto`, which make the paths of comments.
    const MESSAGES: i32 = 4;
    const FIELDS: i32 = 2;

    let fields: Vec<Field> = (0_i32..)
        .zip(&message.field)
        .map(|(at, field)| {
            let doc = comments.at(&[MESSAGES, index, FIELDS, at]);
            self::field(field, doc).with_context(|| format!("field {}", field.name()))
        })
        .collect::<anyhow::Result<_>>()?;
    let Some(first) = fields.first() else { bail!("an event needs at least the id of its aggregate") };
    ensure!(
        first.name.ends_with("_id") && first.kind == Kind::String && !first.optional && !first.repeated,
        "the first field is the aggregate's id: a plain `string <aggregate>_id`, not `{}`",
        first.name
    );
    let summary = comments.at(&[MESSAGES, index]);
    ensure!(!summary.is_empty(), "comment missing: it is the event's line in the catalogue");
    Ok(Event {
        message: message.name().to_owned(),
        type_name: format!("brainops.{service}.{}.{version}", snake_case(message.name())),
        summary,
        fields,
    })
}

fn field(field: &FieldDescriptorProto, doc: String) -> anyhow::Result<Field> {
    let kind = match field.r#type() {
        Type::String => Kind::String,
        Type::Bool => Kind::Bool,
        Type::Int32 => Kind::Int32,
        Type::Uint32 => Kind::Uint32,
        Type::Int64 => Kind::Int64,
        Type::Double => Kind::Double,
        Type::Message if field.type_name() == ".google.protobuf.Timestamp" => Kind::Timestamp,
        other => bail!(
            "type {} is not used in events: use string, bool, int32, uint32, int64, double or google.protobuf.Timestamp",
            other.as_str_name()
        ),
    };
    ensure!(!doc.is_empty(), "comment missing: it is the field's description for consumers");
    ensure!(
        field.oneof_index.is_none() || field.proto3_optional(),
        "oneof is not used in events: its JSON has no discriminator"
    );
    let repeated = field.label() == Label::Repeated;
    // A moment always has presence on the wire of protobuf; by our convention one without `optional` is always there.
    let optional = field.proto3_optional();
    Ok(Field { name: field.name().to_owned(), doc, kind, repeated, optional })
}

/// Comments above a declaration, by the declaration's path in the descriptor.
struct Comments<'a>(BTreeMap<&'a [i32], &'a str>);

impl<'a> Comments<'a> {
    fn of(info: Option<&'a SourceCodeInfo>) -> Self {
        let locations = info.map_or(&[][..], |info| &info.location);
        Self(locations.iter().map(|location| (location.path.as_slice(), location.leading_comments())).collect())
    }

    /// The comment on one line; empty when there is none.
    fn at(&self, path: &[i32]) -> String {
        self.0.get(path).map_or_else(String::new, |text| text.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

/// `ApiKeyCreated` -> `api_key_created`.
pub fn snake_case(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn compile(body: &str) -> anyhow::Result<Vec<Package>> {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("brainops/shop/v2");
        fs::create_dir_all(&folder).unwrap();
        let text = format!(
            "syntax = \"proto3\";\npackage brainops.shop.v2;\nimport \"google/protobuf/timestamp.proto\";\n{body}\n"
        );
        fs::write(folder.join("events.proto"), text).unwrap();
        read(dir.path())
    }

    fn refused(body: &str) -> String {
        match compile(body) {
            Ok(_) => panic!("accepted: {body}"),
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn reads_names_comments_and_presence() {
        let packages = compile(
            "// An order was paid.\n// In full.\nmessage OrderPaid {\n // The order.\n string order_id = 1;\n // When.\n \
             google.protobuf.Timestamp paid_at = 2;\n // Coupons.\n repeated string coupons = 3;\n // Note.\n optional string note = 4;\n}",
        )
        .unwrap();
        let [package] = packages.as_slice() else { panic!("one package expected") };
        let [event] = package.events.as_slice() else { panic!("one event expected") };
        assert_eq!(event.type_name, "brainops.shop.order_paid.v2");
        assert_eq!(event.routing_key(), "shop.order_paid.v2");
        assert_eq!((event.aggregate(), event.subject_field()), ("order", "order_id"));
        assert_eq!(event.summary, "An order was paid. In full.");
        let shape: Vec<_> = event.fields.iter().map(|f| (f.name.as_str(), f.kind, f.repeated, f.optional)).collect();
        assert_eq!(
            shape,
            [
                ("order_id", Kind::String, false, false),
                ("paid_at", Kind::Timestamp, false, false),
                ("coupons", Kind::String, true, false),
                ("note", Kind::String, false, true),
            ]
        );
    }

    #[test]
    fn conventions_are_enforced() {
        assert!(refused("message A {\n// Id.\nstring a_id = 1;\n}").contains("comment missing"));
        assert!(refused("// A.\nmessage A {\nstring a_id = 1;\n}").contains("field a_id: comment missing"));
        assert!(refused("// A.\nmessage A {\n// Name.\nstring name = 1;\n}").contains("the aggregate's id"));
        assert!(refused("// A.\nmessage A {}").contains("at least the id"));
        assert!(refused("// A.\nmessage A {\n// Id.\nstring a_id = 1;\n// N.\nfloat n = 2;\n}").contains("TYPE_FLOAT"));
        let oneof = "// A.\nmessage A {\n// Id.\nstring a_id = 1;\noneof x {\n// B.\nstring b = 2;\n}\n}";
        assert!(refused(oneof).contains("oneof"));
    }

    #[test]
    fn a_syntax_error_names_its_place() {
        assert!(refused("message {").contains("events.proto"));
    }
}
