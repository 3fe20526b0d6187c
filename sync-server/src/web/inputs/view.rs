//! How the inputs of a form look, from names and values.

use outrider_core::{
    ids::RecordId,
    schema::{Entity, Field, Kind, Language, Type},
};
use serde_json::{Map, Value as Json};

use super::{
    Candidates, NEW_ROWS, Part, Problem, Problems, input_name, is_asked, is_common, is_new_row,
    linked, parts, row_ids, shown::Titles,
};
use crate::web::{
    form::Fields,
    show::{Shown, show},
    words::Words,
};

/// Characters beyond which a text gets more than one line.
const LINE_CHARS_MAX: usize = 300;
/// Currencies that are offered first.
const CURRENCY: &str = "CNY";

/// What one input is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::web) enum Control {
    /// One line, with the type that HTML gives it.
    Line { html: &'static str, max: Option<usize> },
    /// Several lines.
    Area { rows: usize, max: Option<usize> },
    /// A choice, each with what is stored and what people read.
    Choice(Vec<(String, String)>),
    /// Another record.
    Link { entity: String, id: String, candidates: Vec<(RecordId, String)> },
}

/// One input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::web) struct Input {
    pub(in crate::web) name: String,
    pub(in crate::web) label: String,
    pub(in crate::web) value: String,
    pub(in crate::web) control: Control,
    pub(in crate::web) problem: Option<String>,
    pub(in crate::web) is_required: bool,
}

/// One row of a table of inputs.
#[derive(Debug, Clone)]
pub(in crate::web) struct InputRow {
    pub(in crate::web) id: String,
    pub(in crate::web) prefix: String,
    pub(in crate::web) is_new: bool,
    pub(in crate::web) is_removed: bool,
    pub(in crate::web) cells: Vec<Vec<Input>>,
}

/// What a field looks like in a form.
#[derive(Debug, Clone)]
pub(in crate::web) enum Look {
    /// One value: one input, or one for each part.
    Inputs(Vec<Input>),
    /// Choices that may be ticked: name, label, whether it is.
    Ticks(Vec<(String, String, bool)>),
    /// Records that may be kept, and inputs for new ones.
    Links { kept: Vec<(String, String, bool)>, new: Vec<Input> },
    /// A count, and what is added to it.
    Counter { total: String, input: Input },
    /// A table.
    Table { columns: Vec<String>, rows: Vec<InputRow>, entries: Vec<Vec<Shown>> },
    /// What cannot be changed.
    Fixed(Vec<Shown>),
}

/// A field in a form.
#[derive(Debug, Clone)]
pub(in crate::web) struct FieldView {
    pub(in crate::web) name: String,
    pub(in crate::web) label: String,
    pub(in crate::web) help: Option<String>,
    pub(in crate::web) is_required: bool,
    pub(in crate::web) is_wide: bool,
    pub(in crate::web) problem: Option<String>,
    pub(in crate::web) look: Look,
}

/// Fields that belong together.
#[derive(Debug, Clone)]
pub(in crate::web) struct Group {
    pub(in crate::web) title: String,
    pub(in crate::web) fields: Vec<FieldView>,
}

/// What a form is drawn with.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Names<'a> {
    pub(in crate::web) words: Words,
    pub(in crate::web) titles: &'a Titles,
    pub(in crate::web) problems: &'a Problems,
    pub(in crate::web) open: &'a Candidates,
    /// The record as it stands; nothing for a new one.
    pub(in crate::web) record: Option<&'a Map<String, Json>>,
}

/// The fields of a form, those of one sort together.
pub(in crate::web) fn groups(entity: &Entity, fields: &Fields, names: &Names<'_>) -> Vec<Group> {
    let words = names.words;
    let is_details =
        |field: &&Field| field.part.as_str() == "main" && !is_common(field) && !is_long(field);
    let is_restricted = |field: &&Field| field.part.as_str() == "restricted" && !is_long(field);
    let is_last = |field: &&Field| field.part.as_str() == "main" && is_common(field);
    let mut groups = vec![Group {
        title: words.t("group-details"),
        fields: views(entity.fields.iter().filter(is_details), fields, names),
    }];
    for field in entity.fields.iter().filter(|field| is_long(field)) {
        let fields = views([field], fields, names);
        groups.push(Group { title: field.label.get(words.0).to_owned(), fields });
    }
    groups.push(Group {
        title: words.t("group-restricted"),
        fields: views(entity.fields.iter().filter(is_restricted), fields, names),
    });
    groups.push(Group {
        title: words.t("group-record"),
        fields: views(entity.fields.iter().filter(is_last), fields, names),
    });
    groups.retain(|group| !group.fields.is_empty());
    groups
}

/// Whether a field takes a section of its own.
fn is_long(field: &Field) -> bool {
    matches!(field.kind, Kind::Rows | Kind::Log | Kind::Text)
}

fn views<'a>(
    of: impl IntoIterator<Item = &'a Field>,
    fields: &Fields,
    names: &Names<'_>,
) -> Vec<FieldView> {
    of.into_iter().filter_map(|field| view(field, fields, names)).collect()
}

fn view(field: &Field, fields: &Fields, names: &Names<'_>) -> Option<FieldView> {
    let language = names.words.0;
    let name = input_name(field);
    let label = field.label.get(language).to_owned();
    let record = names.record.and_then(|record| record.get(&field.name));
    let look = if is_asked(field, names.record.is_none()) {
        look(field, &name, fields, names)
    } else {
        Look::Fixed(vec![show(&field.ty, record?, language, names.titles)])
    };
    let is_wide = is_long(field)
        || matches!(field.ty.name(), "address" | "time_span" | "geo" | "person_name" | "json")
        || matches!(&field.ty, Type::Text { max } if *max > LINE_CHARS_MAX);
    Some(FieldView {
        help: field.help.as_ref().map(|help| help.get(language).to_owned()),
        is_required: field.required,
        problem: names.problems.get(&name).map(|problem| tell(problem, names.words)),
        is_wide,
        name,
        label,
        look,
    })
}

fn look(field: &Field, name: &str, fields: &Fields, names: &Names<'_>) -> Look {
    let record = names.record.and_then(|record| record.get(&field.name));
    match field.kind {
        Kind::Register | Kind::Once | Kind::Office => {
            let mut inputs = inputs(field, name, fields, names);
            for input in &mut inputs {
                input.is_required = field.required && parts(&field.ty).is_empty();
            }
            Look::Inputs(inputs)
        }
        Kind::Text => {
            let max = if let Type::Text { max } = &field.ty { Some(*max) } else { None };
            let control = Control::Area { rows: 8, max };
            Look::Inputs(vec![input(name, String::new(), fields.get(name), control)])
        }
        Kind::Counter => {
            let line = Control::Line { html: "number", max: None };
            let total = record.map_or_else(|| "0".to_owned(), Json::to_string);
            Look::Counter { total, input: input(name, String::new(), fields.get(name), line) }
        }
        Kind::Set => set_look(field, name, fields, names),
        Kind::Rows | Kind::Log => table(field, name, fields, names, record),
    }
}

fn set_look(field: &Field, name: &str, fields: &Fields, names: &Names<'_>) -> Look {
    let language = names.words.0;
    let is_kept = |member: &str| fields.has(&format!("{name}.{member}.keep"));
    if let Type::Picklist(list) = &field.ty {
        let choices = list.choices.iter().filter(|choice| !choice.retired || is_kept(&choice.id));
        let tick = choices.map(|choice| {
            let label = choice.label.get(language).to_owned();
            (format!("{name}.{}.keep", choice.id), label, is_kept(&choice.id))
        });
        return Look::Ticks(tick.collect());
    }
    if linked(&field.ty).is_none() {
        let control = Control::Area { rows: 3, max: None };
        return Look::Inputs(vec![input(name, String::new(), fields.get(name), control)]);
    }
    // Members that were there are offered even when their tick was taken away before an error.
    let there = names.record.and_then(|record| record.get(&field.name)).and_then(Json::as_array);
    let there: Vec<&str> = there.into_iter().flatten().filter_map(Json::as_str).collect();
    let kept = there.iter().map(|member| {
        let title = member.parse().ok().and_then(|id: RecordId| names.titles.get(&id));
        let title = title.map_or_else(|| (*member).to_owned(), |(_, title)| title.clone());
        (format!("{name}.{member}.keep"), title, is_kept(member))
    });
    let mut new_ids: Vec<String> =
        row_ids(field, fields).into_iter().filter(|row| is_new_row(row)).collect();
    fill_up(&mut new_ids);
    let new = new_ids
        .iter()
        .flat_map(|row| inputs_of(&field.ty, &format!("{name}.{row}.member"), fields, names));
    Look::Links { kept: kept.collect(), new: new.collect() }
}

/// Adds empty rows until there are enough of them.
fn fill_up(ids: &mut Vec<String>) {
    let mut next = 0;
    while ids.len() < NEW_ROWS {
        let id = format!("+{next}");
        if !ids.contains(&id) {
            ids.push(id);
        }
        next += 1;
    }
}

fn table(
    field: &Field,
    name: &str,
    fields: &Fields,
    names: &Names<'_>,
    record: Option<&Json>,
) -> Look {
    let language = names.words.0;
    let ids = row_ids(field, fields);
    let mut rows: Vec<String> = ids.iter().filter(|id| !is_new_row(id)).cloned().collect();
    let mut new: Vec<String> = ids.into_iter().filter(|id| is_new_row(id)).collect();
    fill_up(&mut new);
    rows.append(&mut new);
    let row = |id: String| {
        let prefix = format!("{name}.{id}");
        let cells = field
            .columns
            .iter()
            .map(|column| inputs(column, &format!("{prefix}.{}", column.name), fields, names));
        InputRow {
            is_new: is_new_row(&id),
            is_removed: !fields.get(&format!("{prefix}.-")).is_empty(),
            cells: cells.collect(),
            id,
            prefix,
        }
    };
    let entries = if field.kind == Kind::Log { record.and_then(Json::as_array) } else { None };
    let entries = entries.into_iter().flatten().map(|entry| {
        let cell = |column: &Field| {
            let json = entry.get(&column.name).unwrap_or(&Json::Null);
            show(&column.ty, json, language, names.titles)
        };
        field.columns.iter().map(cell).collect()
    });
    Look::Table {
        columns: field.columns.iter().map(|column| column.label.get(language).to_owned()).collect(),
        rows: rows.into_iter().map(row).collect(),
        entries: entries.collect(),
    }
}

fn inputs(field: &Field, name: &str, fields: &Fields, names: &Names<'_>) -> Vec<Input> {
    let mut inputs = inputs_of(&field.ty, name, fields, names);
    if let Some(first) = inputs.first_mut().filter(|first| first.label.is_empty()) {
        first.label = field.label.get(names.words.0).to_owned();
    }
    inputs
}

fn inputs_of(ty: &Type, name: &str, fields: &Fields, names: &Names<'_>) -> Vec<Input> {
    let problem = names.problems.get(name).map(|problem| tell(problem, names.words));
    let parts = parts(ty);
    if parts.is_empty() {
        let control = control(ty, name, fields, names);
        let mut single = input(name, String::new(), fields.get(name), control);
        single.problem = problem;
        return vec![single];
    }
    let part_input = |part: &Part| {
        let name = format!("{name}.{}", part.member);
        let label = names.words.t(part.word);
        let mut value = fields.get(&name).to_owned();
        let control = match part.input {
            "currency" => {
                if value.is_empty() {
                    CURRENCY.clone_into(&mut value);
                }
                Control::Line { html: "currency", max: Some(3) }
            }
            "flag" => Control::Choice(yes_and_no(names.words.0)),
            html => Control::Line { html, max: None },
        };
        let mut part = input(&name, label, &value, control);
        part.problem.clone_from(&problem);
        part
    };
    parts.iter().map(part_input).collect()
}

fn input(name: &str, label: String, value: &str, control: Control) -> Input {
    Input {
        name: name.to_owned(),
        label,
        value: value.to_owned(),
        control,
        problem: None,
        is_required: false,
    }
}

fn yes_and_no(language: Language) -> Vec<(String, String)> {
    let word = |flag: bool| Type::Bool.display(&flag.into(), language);
    vec![("true".to_owned(), word(true)), ("false".to_owned(), word(false))]
}

fn control(ty: &Type, name: &str, fields: &Fields, names: &Names<'_>) -> Control {
    let language = names.words.0;
    if let Type::Picklist(list) = ty {
        let value = fields.get(name);
        let open = list.choices.iter().filter(|choice| !choice.retired || choice.id == value);
        return Control::Choice(
            open.map(|choice| (choice.id.clone(), choice.label.get(language).to_owned())).collect(),
        );
    }
    if let Type::Text { max } = ty {
        return if *max > LINE_CHARS_MAX {
            Control::Area { rows: 3, max: Some(*max) }
        } else {
            Control::Line { html: "text", max: Some(*max) }
        };
    }
    if let Some(entity) = linked(ty) {
        return Control::Link {
            entity: entity.to_owned(),
            id: fields.get(&format!("{name}.id")).to_owned(),
            candidates: names.open.get(name).cloned().unwrap_or_default(),
        };
    }
    let html = match ty.name() {
        "bool" => return Control::Choice(yes_and_no(language)),
        "json" => return Control::Area { rows: 4, max: None },
        "integer" => "number",
        "decimal" => "decimal",
        "date" => "date",
        "date_time" => "datetime-local",
        "email" => "email",
        "phone" => "tel",
        "url" => "url",
        _ => "text",
    };
    Control::Line { html, max: None }
}

/// A problem in the reader's words, with what to do about it.
pub(in crate::web) fn tell(problem: &Problem, words: Words) -> String {
    match problem {
        Problem::Required => words.t("problem-required"),
        Problem::Choose => words.t("problem-choose"),
        Problem::NotANumber => words.t("problem-not-a-number"),
        Problem::TooManyRows => words.t("problem-too-many-rows"),
        Problem::Value(error) => {
            let key = match error.code() {
                "too_long" => "problem-too-long",
                "out_of_range" => "problem-out-of-range",
                "too_precise" => "problem-too-precise",
                "ends_before_start" => "problem-ends-before-start",
                "unknown_choice" => "problem-unknown-choice",
                "unknown_currency" | "currency_missing" => "problem-currency",
                _ => "problem-malformed",
            };
            // The details (limits, an example) are in the error's own words.
            words.name(key, &error.to_string())
        }
        Problem::Said(said) => words.name("problem-said", said),
    }
}
