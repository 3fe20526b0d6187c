//! Makes typed records of the entities' definitions: for each entity a struct to read, an enum of what may be
//! changed, and the same for its rows; and one enum over all entities of each.
//!
//! Adding a field to a definition adds it to Rust, Kotlin, Swift and Python.

use std::{
    collections::BTreeSet,
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

#[derive(Deserialize)]
struct Entity {
    name: String,
    label: Label,
    fields: Vec<Field>,
    #[serde(default)]
    derived: Vec<Computed>,
    #[serde(default)]
    rollups: Vec<Computed>,
}

#[derive(Deserialize)]
struct Envelope {
    fields: Vec<Field>,
}

#[derive(Deserialize)]
struct Label {
    en: String,
    zh: String,
}

#[derive(Deserialize)]
struct Computed {
    name: String,
}

#[derive(Deserialize)]
struct Field {
    name: String,
    en: String,
    zh: String,
    #[serde(default = "register")]
    kind: String,
    #[serde(default = "text", rename = "type")]
    type_name: String,
    #[serde(default)]
    columns: Vec<Self>,
    #[serde(default)]
    by_program: bool,
}

fn register() -> String {
    "register".to_owned()
}

fn text() -> String {
    "text".to_owned()
}

fn main() {
    let schema = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"))
        .join("../../core/src/schema");
    println!("cargo::rerun-if-changed={}", schema.join("entities").display());
    println!("cargo::rerun-if-changed={}", schema.join("envelope.toml").display());
    let read =
        |path: &Path| fs::read_to_string(path).expect("the definitions are beside this crate");
    let mut files: Vec<PathBuf> = fs::read_dir(schema.join("entities"))
        .expect("the definitions are beside this crate")
        .map(|entry| entry.expect("a folder can be read").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    files.sort();
    let envelope: Envelope =
        toml::from_str(&read(&schema.join("envelope.toml"))).expect("core checks its definitions");
    let entities: Vec<Entity> = files
        .iter()
        .map(|file| toml::from_str(&read(file)).expect("core checks its definitions"))
        .collect();
    let out = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("records.rs");
    fs::write(out, records(&entities, &envelope)).expect("cargo's folder can be written");
}

/// The whole file.
fn records(entities: &[Entity], envelope: &Envelope) -> String {
    let mut out = String::new();
    for field in &envelope.fields {
        rows(&mut out, "", field);
    }
    record(
        &mut out,
        "Common",
        "What every record has. · 所有记录共有的字段。",
        &envelope.fields,
        None,
    );
    changes(&mut out, "CommonChange", "A field that every record has.", &envelope.fields, true);
    let common: BTreeSet<&str> = envelope.fields.iter().map(|field| field.name.as_str()).collect();
    for entity in entities {
        let own: Vec<&Field> =
            entity.fields.iter().filter(|field| !common.contains(field.name.as_str())).collect();
        let name = camel(&entity.name);
        for field in &own {
            rows(&mut out, &name, field);
        }
        let doc = format!("{} · {}", entity.label.en, entity.label.zh);
        record(&mut out, &name, &doc, own.iter().copied(), Some(entity));
        let what = format!("One field of a {} that changes.", entity.name);
        changes(&mut out, &format!("{name}Change"), &what, own.iter().copied(), false);
    }
    unions(&mut out, entities);
    out
}

/// A struct to read a record of, with its reader.
fn record<'f>(
    out: &mut String,
    name: &str,
    doc: &str,
    fields: impl IntoIterator<Item = &'f Field>,
    entity: Option<&Entity>,
) {
    let (mut members, mut reads, mut before_reads) = (String::new(), String::new(), String::new());
    for field in fields {
        let (doc, member) = (doc_of(field), &field.name);
        if !is_read(field) {
            line(&mut before_reads, &format!("        from.skip(\"{member}\");"));
            continue;
        }
        let ty = read_type(if entity.is_some() { name } else { "" }, field);
        line(&mut members, &format!("    /// {doc}\n    pub {member}: {ty},"));
        let how = if is_list(field) { "list" } else { "take" };
        line(&mut reads, &format!("            {member}: from.{how}(\"{member}\"),"));
    }
    let (mut before, mut begin, mut end) = (String::new(), String::new(), String::new());
    if let Some(entity) = entity {
        let names: Vec<String> = entity
            .derived
            .iter()
            .chain(&entity.rollups)
            .map(|computed| format!("\"{}\"", computed.name))
            .collect();
        before.push_str(concat!(
            "    /// Names it.\n    pub id: RecordId,\n",
            "    /// What every record has.\n    pub common: Common,\n",
        ));
        members.push_str(concat!(
            "    /// What is computed from this record and those that link to it, by name; the latter only where\n",
            "    /// one record is asked for.\n",
            "    pub computed: HashMap<String, FieldValue>,\n",
        ));
        begin.push_str("            id: from.id(),\n");
        line(&mut end, &format!("            computed: from.computed(&[{}]),", names.join(", ")));
        // Last: it takes what nobody else took.
        line(&mut end, "            common: Common::read(from),");
    } else {
        members.push_str(concat!(
            "    /// Whether it is archived.\n    pub is_archived: bool,\n",
            "    /// Whether it came back, because somebody wrote into it who did not know that it was archived.\n",
            "    pub is_revived: bool,\n",
            "    /// Keys of fields and cells that have several values.\n",
            "    pub conflicts: Vec<String>,\n",
            "    /// Fields that a company added, or that a newer version knows, by name.\n",
            "    pub custom: HashMap<String, FieldValue>,\n",
        ));
        end.push_str(concat!(
            "            is_archived: from.flag(\"is_archived\"),\n",
            "            is_revived: from.flag(\"is_revived\"),\n",
            "            conflicts: from.conflicts(),\n",
            "            custom: from.custom(),\n",
        ));
    }
    line(
        out,
        &format!(
            "/// {doc}\n#[derive(Debug, Clone, PartialEq, uniffi::Record)]\npub struct {name} {{\n{before}{members}}}\n\n\
             impl {name} {{\n    pub(crate) fn read(from: &mut Fields) -> Self {{\n{before_reads}        Self {{\n{begin}{reads}{end}        }}\n    }}\n}}\n"
        ),
    );
}

/// An enum of what may be changed, with its writer.
fn changes<'f>(
    out: &mut String,
    name: &str,
    doc: &str,
    fields: impl IntoIterator<Item = &'f Field>,
    is_common: bool,
) {
    let prefix = if is_common { "" } else { name.trim_end_matches("Change") };
    let (mut variants, mut arms, mut typed) = (String::new(), String::new(), String::new());
    for field in fields.into_iter().filter(|field| is_written(field)) {
        let (variant, key) = (camel(&field.name), &field.name);
        let (ty, how, from) = match field.kind.as_str() {
            "set" if field.type_name == "link" => (
                "RecordSetEdit".to_owned(),
                "edit",
                "RecordSetEdit { add: crate::tests::all(json), ..Default::default() }".to_owned(),
            ),
            "set" => (
                "TextSetEdit".to_owned(),
                "edit",
                "TextSetEdit { add: crate::tests::all(json), ..Default::default() }".to_owned(),
            ),
            "rows" => (
                format!("{prefix}{variant}Edit"),
                "edit",
                format!(
                    "{prefix}{variant}Edit {{ add: crate::tests::cells(json), ..Default::default() }}"
                ),
            ),
            "log" => (
                format!("Vec<Vec<{prefix}{variant}Change>>"),
                "entries",
                "crate::tests::cells(json)".to_owned(),
            ),
            "counter" => ("i64".to_owned(), "count", "crate::tests::one(json)?".to_owned()),
            _ => (
                format!("Option<{}>", scalar(&field.type_name)),
                "set",
                "Some(crate::tests::one(json)?)".to_owned(),
            ),
        };
        line(&mut typed, &format!("            \"{key}\" => Self::{variant}({from}),"));
        line(&mut variants, &format!("    /// {}\n    {variant}({ty}),", doc_of(field)));
        line(
            &mut arms,
            &format!("            Self::{variant}(value) => to.{how}(\"{key}\", value),"),
        );
    }
    if is_common {
        variants.push_str(concat!(
            "    /// A field that a company added.\n",
            "    Custom {\n        /// Its name.\n        name: String,\n",
            "        /// What it becomes; nothing clears it.\n        value: Option<FieldValue>,\n    },\n"
        ));
        arms.push_str("            Self::Custom { name, value } => to.set(&name, value),\n");
        typed.push_str("            _ => return None,\n");
    } else {
        typed.push_str("            _ => Self::Common(CommonChange::typed(name, json)?),\n");
        variants.push_str("    /// A field that every record has.\n    Common(CommonChange),\n");
        arms.push_str("            Self::Common(change) => change.write(to),\n");
    }
    line(
        out,
        &format!(
            "/// {doc}\n#[derive(Debug, Clone, PartialEq, uniffi::Enum)]\npub enum {name} {{\n{variants}}}\n\n\
             impl Write for {name} {{\n    fn write(self, to: &mut Written) {{\n        match self {{\n{arms}        }}\n    }}\n}}\n\n\
             #[cfg(test)]\nimpl crate::tests::Typed for {name} {{\n    fn typed(name: &str, json: &Json) -> Option<Self> {{\n                Some(match name {{\n{typed}        }})\n    }}\n}}\n"
        ),
    );
}

/// What a field of rows or a log needs of its own: a row, a changed cell, an edit.
fn rows(out: &mut String, prefix: &str, field: &Field) {
    if !matches!(field.kind.as_str(), "rows" | "log") {
        return;
    }
    let (name, doc) = ([prefix, &camel(&field.name)].concat(), doc_of(field));
    let (mut members, mut reads) = (String::new(), String::new());
    let (mut variants, mut arms, mut typed) = (String::new(), String::new(), String::new());
    for column in &field.columns {
        let (doc, member, ty) = (doc_of(column), &column.name, scalar(&column.type_name));
        let variant = camel(member);
        line(&mut members, &format!("    /// {doc}\n    pub {member}: Option<{ty}>,"));
        line(&mut reads, &format!("            {member}: from.take(\"{member}\"),"));
        line(&mut variants, &format!("    /// {doc}\n    {variant}(Option<{ty}>),"));
        line(
            &mut arms,
            &format!("            Self::{variant}(value) => to.set(\"{member}\", value),"),
        );
        line(
            &mut typed,
            &format!(
                "            \"{member}\" => Self::{variant}(Some(crate::tests::one(json)?)),"
            ),
        );
    }
    typed.push_str("            _ => return None,\n");
    line(
        out,
        &format!(
            "/// One row of: {doc}\n#[derive(Debug, Clone, PartialEq, uniffi::Record)]\npub struct {name}Row {{\n\
             \x20   /// Names the row in its record.\n    pub row: String,\n    /// Whether it came back, because somebody wrote into it who did not know that it was removed.\n    pub is_revived: bool,\n{members}}}\n\n\
             impl Row for {name}Row {{\n    fn read_row(from: &mut Fields) -> Self {{\n        Self {{\n            row: from.row(),\n            is_revived: from.flag(\"is_revived\"),\n{reads}        }}\n    }}\n}}\n\n\
             /// One cell of a row that changes: {doc}\n#[derive(Debug, Clone, PartialEq, uniffi::Enum)]\npub enum {name}Change {{\n{variants}}}\n\n\
             impl Write for {name}Change {{\n    fn write(self, to: &mut Written) {{\n        match self {{\n{arms}        }}\n    }}\n}}\n\n\
             #[cfg(test)]\nimpl crate::tests::Typed for {name}Change {{\n    fn typed(name: &str, json: &Json) -> Option<Self> {{\n                Some(match name {{\n{typed}        }})\n    }}\n}}\n"
        ),
    );
    if field.kind == "rows" {
        line(
            out,
            &format!(
                "/// Cells of one row that change: {doc}\n#[derive(Debug, Clone, PartialEq, uniffi::Record)]\npub struct {name}RowEdit {{\n\
                 \x20   /// The row.\n    pub row: String,\n    /// Its cells.\n    pub changes: Vec<{name}Change>,\n}}\n\n\
                 /// What becomes of the rows: {doc}\n#[derive(Debug, Clone, Default, PartialEq, uniffi::Record)]\npub struct {name}Edit {{\n\
                 \x20   /// New rows, each by its cells.\n    #[uniffi(default = [])]\n    pub add: Vec<Vec<{name}Change>>,\n\
                 \x20   /// Rows that change.\n    #[uniffi(default = [])]\n    pub edit: Vec<{name}RowEdit>,\n\
                 \x20   /// Rows that go.\n    #[uniffi(default = [])]\n    pub remove: Vec<String>,\n}}\n\n\
                 impl Edit for {name}Edit {{\n    fn parts(self) -> EditParts {{\n        let edited = self.edit.into_iter().map(|row| (row.row, written(row.changes)));\n\
                 \x20       EditParts::rows(self.add.into_iter().map(written), edited, self.remove)\n    }}\n}}\n"
            ),
        );
    }
}

/// The enums over all entities.
fn unions(out: &mut String, entities: &[Entity]) {
    let [mut records, mut reads, mut ids, mut changes, mut names, mut writes, mut typed] =
        [const { String::new() }; 7];
    for entity in entities {
        let (variant, key) = (camel(&entity.name), &entity.name);
        let doc = format!("    /// {} · {}\n", entity.label.en, entity.label.zh);
        line(
            &mut records,
            &format!(
                "{doc}    {variant} {{\n        /// The record.\n        record: {variant},\n    }},"
            ),
        );
        line(
            &mut reads,
            &format!(
                "            \"{key}\" => Self::{variant} {{ record: {variant}::read(from) }},"
            ),
        );
        line(&mut ids, &format!("            Self::{variant} {{ record }} => record.id,"));
        line(&mut changes, &format!("{doc}    {variant}(Vec<{variant}Change>),"));
        line(&mut names, &format!("            Self::{variant}(_) => \"{key}\","));
        line(&mut writes, &format!("            Self::{variant}(changes) => written(changes),"));
        line(
            &mut typed,
            &format!("            \"{key}\" => Self::{variant}(crate::tests::changes(fields)),"),
        );
    }
    line(
        out,
        &format!(
            "/// A record of any entity.\n#[derive(Debug, Clone, PartialEq, uniffi::Enum)]\npub enum CrmRecord {{\n{records}\
             \x20   /// Of an entity that this version does not know.\n    Other {{\n        /// The record.\n        record: OtherRecord,\n    }},\n}}\n\n\
             impl CrmRecord {{\n    pub(crate) fn read(entity: &str, from: &mut Fields) -> Self {{\n        match entity {{\n{reads}\
             \x20           other => Self::Other {{ record: OtherRecord::read(other, from) }},\n        }}\n    }}\n\n\
             \x20   /// Names it.\n    #[must_use]\n    pub fn id(&self) -> RecordId {{\n        match self {{\n{ids}            Self::Other {{ record }} => record.id,\n        }}\n    }}\n}}\n\n\
             /// What becomes of a record: the fields that change, and no others.\n#[derive(Debug, Clone, PartialEq, uniffi::Enum)]\npub enum CrmChanges {{\n{changes}}}\n\n\
             impl CrmChanges {{\n    /// Name of the entity.\n    #[must_use]\n    pub fn entity(&self) -> &'static str {{\n        match self {{\n{names}        }}\n    }}\n\n\
             \x20   pub(crate) fn written(self) -> Written {{\n        match self {{\n{writes}        }}\n    }}\n\n\
             \x20   #[cfg(test)]\n    pub(crate) fn typed(entity: &str, fields: &Map<String, Json>) -> Option<Self> {{\n        Some(match entity {{\n{typed}            _ => return None,\n        }})\n    }}\n}}\n"
        ),
    );
}

/// Whether people see it: notes of the program are its own.
fn is_read(field: &Field) -> bool {
    !field.by_program || field.name == "redirect_to"
}

/// Whether a device writes it.
fn is_written(field: &Field) -> bool {
    let by_creation = matches!(field.name.as_str(), "created_at" | "created_by");
    !field.by_program && field.kind != "office" && !by_creation
}

fn is_list(field: &Field) -> bool {
    matches!(field.kind.as_str(), "set" | "rows" | "log")
}

fn read_type(prefix: &str, field: &Field) -> String {
    match field.kind.as_str() {
        "rows" | "log" => format!("Vec<{prefix}{}Row>", camel(&field.name)),
        "set" => format!("Vec<{}>", scalar(&field.type_name)),
        "counter" => "Option<i64>".to_owned(),
        _ => format!("Option<{}>", scalar(&field.type_name)),
    }
}

/// The Rust type of a type of the definitions.
fn scalar(type_name: &str) -> &'static str {
    match type_name {
        "text" | "email" | "phone" | "url" | "picklist" | "sha256" => "String",
        "integer" => "i64",
        "decimal" => "DecimalNumber",
        "money" => "Money",
        "bool" => "bool",
        "date" => "LocalDate",
        "date_time" => "SystemTime",
        "period" => "Period",
        "link" => "RecordId",
        "address" => "Address",
        "person_name" => "PersonName",
        "geo" => "GeoPoint",
        "time_span" => "TimeSpan",
        "json" => "JsonText",
        other => {
            panic!("build.rs does not know the type `{other}`; say there which Rust type it is")
        }
    }
}

fn doc_of(field: &Field) -> String {
    format!("{} · {}", field.en, field.zh)
}

fn camel(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
    };
    name.split('_').map(word).collect::<Vec<String>>().concat()
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("a text takes everything");
}
