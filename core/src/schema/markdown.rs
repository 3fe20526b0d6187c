//! The data model as a page for people: written from the definitions, so that it cannot be old.

use crate::schema::{
    Schema,
    entity::{Entity, Family},
    field::{Field, Kind, Settle},
    picklist::{Choice, Picklist, StageType},
    types::Type,
};

const HEAD: &str = "\
# Data model

Written from the definitions in `core/src/schema/`; change those and run
`UPDATE_DOCS=1 cargo test -p outrider-core data_model`.

A record has an id (a UUIDv7 made on the device) and the fields of its entity. *Part* is the
document that holds a field; a role may read a part or not. *Merge* says what becomes of
concurrent edits:

| merge | meaning |
|---|---|
| winner | one value shows, the same on every replica; the others stay visible as a conflict |
| person | as winner, and the record says so until a person has chosen |
| opt out, done | yes beats no |
| higher, stage rank | the higher value, or the choice with the higher rank |
| sum | each device counts for itself; the value is the sum |
| add wins | a member that is added stays, even if it is removed elsewhere meanwhile |
| by cell | cells of rows merge one by one; an edit brings back a row removed elsewhere meanwhile |
| union | entries are added and never edited |
| first | written once; of concurrent first writes the lowest operation counts |
| office | only the office writes it; devices propose |
| by character | edits of a long text interleave |

Types, as they stand in JSON and in the columns of a table:

| type | in JSON | columns |
|---|---|---|
| text, email, phone, url, picklist, link, sha256 | text | one |
| integer, bool | number, true or false | one |
| decimal | text, exact: `\"12.5\"` | one |
| money | `{\"currency\", \"minor\", \"amount\"}` | `_minor`, `_currency` |
| date, date time | `\"2026-11-23\"`, RFC 3339 | one; moments in milliseconds |
| period | `{\"start\", \"end\"}`, days, either open | `_start`, `_end` |
| time span | `{\"start\", \"end\", \"time_zone\", \"all_day\"}`, moments, the end may be open | `_start`, `_end` |
| geo | `{\"lat\", \"lon\", \"accuracy_m\", \"source\"}`, degrees as text | `_lat`, `_lon` in ten-millionths of a degree, `_accuracy` in metres |
| address, person name | an object of parts | one |
| json | an object whose numbers are whole | one |

Computed values are never stored. Where amounts of several currencies would have to be added there is
no value; a sum over other records is then the list of the sums, one per currency. What changes as time
goes by (days left, overdue, service levels) counts days in UTC.

Rank decides between two statuses chosen apart, so that every replica shows the same without asking
anybody. A lost opportunity beats an open one whether or not its reason is filled in: that is a field of
its own, and `needs_reason` tells the owner while it is empty; both moves stay in the history.
";

pub(super) fn write_schema(schema: &Schema) -> String {
    let mut page = format!("{HEAD}\nVersion of the definitions: {}.\n", schema.version);
    for entity in schema.entities() {
        page.push_str(&write_entity(entity));
    }
    page.push_str("\n## Picklists · 选项表\n");
    for list in schema.picklists() {
        page.push_str(&write_picklist(list));
    }
    page
}

fn write_entity(entity: &Entity) -> String {
    let Entity {
        name,
        id_label,
        label,
        plural,
        title,
        family,
        moment,
        fields,
        derived,
        rollups,
        likeness,
        readers,
        shares,
        positions: _,
        texts: _,
    } = entity;
    let family = match family {
        Family::Itself => "its own".to_owned(),
        Family::Link(field) => format!("that of `{field}`"),
    };
    let mut text = format!(
        "\n## {} · {} (`{name}`)\n\nOne record: {} · {}; its id: {} · {}. Shown by `{title}`, placed \
         in time by `{moment}`. Family: {family}.\n\n",
        plural.en, plural.zh, label.en, label.zh, id_label.en, id_label.zh
    );
    text.push_str("| field | English | 中文 | type | kind | part | merge | required | notes |\n");
    text.push_str("|---|---|---|---|---|---|---|---|---|\n");
    for field in fields {
        text.push_str(&write_field(field, None));
        for column in &field.columns {
            text.push_str(&write_field(column, Some(field)));
        }
    }
    if let Some(likeness) = likeness {
        let paths: Vec<String> = likeness.paths().map(|path| format!("`{path}`")).collect();
        text.push_str(&format!("\nTwo are the same by: {}.\n", paths.join(", ")));
    }
    if !readers.is_empty() {
        let names = |fields: &[String]| {
            fields.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", ")
        };
        text.push_str(&format!("\nReaders beside those of the family: {}", names(readers)));
        if !shares.is_empty() {
            text.push_str(&format!("; with it they read: {}", names(shares)));
        }
        text.push_str(".\n");
    }
    if derived.is_empty() && rollups.is_empty() {
        return text;
    }
    text.push_str(
        "\nComputed, never stored:\n\n| value | English | 中文 | formula |\n|---|---|---|---|\n",
    );
    for value in derived {
        let row = [format!("`{}`", value.name), value.label.en.clone(), value.label.zh.clone()];
        text.push_str(&format!("| {} | {} |\n", row.join(" | "), value.formula));
    }
    for rollup in rollups {
        let row = [format!("`{}`", rollup.name), rollup.label.en.clone(), rollup.label.zh.clone()];
        text.push_str(&format!("| {} | {} |\n", row.join(" | "), rollup.formula()));
    }
    text
}

fn write_field(field: &Field, rows: Option<&Field>) -> String {
    let name = match rows {
        Some(rows) => format!("`{}/…/{}`", rows.name, field.name),
        None => format!("`{}`", field.name),
    };
    let kind = if rows.is_some() { "cell" } else { field.kind.name() };
    let merge = match rows {
        Some(rows) if rows.kind == Kind::Log => "",
        Some(_) | None => merge_of(field),
    };
    let cells = [
        name.as_str(),
        &field.label.en,
        &field.label.zh,
        &type_of(field),
        kind,
        field.part.as_str(),
        merge,
        if field.required { "yes" } else { "" },
        &notes_of(field),
    ];
    format!("| {} |\n", cells.join(" | "))
}

fn type_of(field: &Field) -> String {
    if !field.columns.is_empty() {
        return String::new();
    }
    match &field.ty {
        Type::Text { max } => format!("text, {max} characters"),
        Type::Integer { min, max } => format!("integer, {}", limits(min, max)),
        Type::Decimal { scale, min, max } => {
            format!("decimal, {scale} digits after the point, {}", limits(min, max))
        }
        Type::Picklist(list) => format!("picklist [{0}](#picklist-{0})", list.name),
        Type::Link(entity) => format!("link to `{entity}`"),
        Type::Json { max } => format!("json, {max} bytes"),
        plain @ (Type::Money
        | Type::Bool
        | Type::Date
        | Type::DateTime
        | Type::Period
        | Type::Email
        | Type::Phone
        | Type::Url
        | Type::Address
        | Type::PersonName
        | Type::Geo
        | Type::TimeSpan
        | Type::Sha256) => plain.name().replace('_', " "),
    }
}

fn limits(min: &impl ToString, max: &impl ToString) -> String {
    format!("{} to {}", min.to_string(), max.to_string())
}

fn merge_of(field: &Field) -> &'static str {
    match field.kind {
        Kind::Register => match field.settle {
            Settle::Winner => "winner",
            Settle::Person => "person",
            Settle::OptOut => "opt out",
            Settle::Done => "done",
            Settle::Higher => "higher",
            Settle::StageRank => "stage rank",
        },
        Kind::Counter => "sum",
        Kind::Set => "add wins",
        Kind::Rows => "by cell",
        Kind::Log => "union",
        Kind::Once => "first",
        Kind::Office => "office",
        Kind::Text => "by character",
    }
}

fn notes_of(field: &Field) -> String {
    let mut notes = Vec::new();
    if field.external_key {
        notes.push("key in other systems".to_owned());
    }
    if field.indexed {
        notes.push("indexed".to_owned());
    }
    if field.by_program {
        notes.push("written by the program".to_owned());
    }
    if let Some(help) = &field.help {
        notes.push(format!("{} · {}", help.en, help.zh));
    }
    notes.join("; ")
}

fn write_picklist(list: &Picklist) -> String {
    let Picklist { name, label, choices } = list;
    let mut text = format!(
        "\n<a id=\"picklist-{name}\"></a>\n\n### {} · {} (`{name}`)\n\n",
        label.en, label.zh
    );
    let ranked = choices.iter().any(|choice| choice.rank.is_some());
    let staged = choices.iter().any(|choice| choice.stage_type.is_some());
    let mut head = vec!["id", "English", "中文"];
    head.extend(ranked.then_some("rank"));
    head.extend(staged.then_some(["type", "probability", "forecast"]).into_iter().flatten());
    text.push_str(&format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len())));
    for choice in choices {
        text.push_str(&format!("| {} |\n", write_choice(choice, ranked, staged).join(" | ")));
    }
    text
}

fn write_choice(choice: &Choice, ranked: bool, staged: bool) -> Vec<String> {
    let mut cells =
        vec![format!("`{}`", choice.id), choice.label.en.clone(), choice.label.zh.clone()];
    if ranked {
        cells.push(choice.rank.map(|rank| rank.to_string()).unwrap_or_default());
    }
    if staged {
        let stage_type = choice.stage_type.map(|stage_type| match stage_type {
            StageType::Open => "open",
            StageType::Hold => "hold",
            StageType::Won => "won",
            StageType::Lost => "lost",
        });
        cells.push(stage_type.unwrap_or_default().to_owned());
        cells.push(choice.probability.map(|percent| format!("{percent} %")).unwrap_or_default());
        cells.push(choice.forecast.clone().unwrap_or_default());
    }
    cells
}
