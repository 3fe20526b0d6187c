//! Two records that are the same: what the one that goes on takes over, and what it gives back.
//!
//! Pure plans over records as people see them, for device and office alike. The record that goes
//! on (the survivor) takes what it has not, what a person chose, and the members and rows that the
//! other has alone. What it had before is noted with the other record, so that the merge can be
//! taken back. Counters, logs and long texts stay in their own half, where they are read.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use crate::{
    crdt::{Action, Edit},
    domain::edit::EditError,
    ids::{Part, RecordId},
    schema::{Entity, Field, Kind},
    value::Value,
};

/// The field that leads to the record that goes on.
pub const REDIRECT: &str = "redirect_to";
/// Where it is noted what the merge took over, in the main part and in the restricted one.
const NOTES: [(&str, Part); 2] = [("merged", Part::Main), ("merged_restricted", Part::Restricted)];
/// Fields that say which record of another system one is: both halves are still found by theirs.
const NOT_TAKEN: [&str; 1] = ["external_id"];

/// Why two records are not merged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// A record with itself.
    #[error("record {0} cannot be merged with itself")]
    Itself(RecordId),
    /// Records of different entities.
    #[error(
        "record {loser} is a {loser_entity} and {survivor} a {survivor_entity}: only records of one entity can be merged"
    )]
    OtherEntity {
        /// The record that was to go.
        loser: RecordId,
        /// What it is.
        loser_entity: String,
        /// The record that was to go on.
        survivor: RecordId,
        /// What that is.
        survivor_entity: String,
    },
    /// One of them was merged before.
    #[error(
        "record {record} was merged into {into} already; merge that one, or undo the merge first"
    )]
    Already {
        /// The record.
        record: RecordId,
        /// Which record goes on for it.
        into: RecordId,
    },
    /// There is no merge to take back.
    #[error("record {0} was not merged into another")]
    NotMerged(RecordId),
    /// A field that nobody can choose.
    #[error("`{field}` of {entity} cannot be chosen: only single values can")]
    NoChoice {
        /// The entity.
        entity: String,
        /// The field.
        field: String,
    },
    /// What is noted with the record cannot be written.
    #[error(transparent)]
    Note(#[from] EditError),
}

/// Whether two records can be the same: two of one entity.
///
/// # Errors
///
/// [`MergeError::Itself`] and [`MergeError::OtherEntity`].
pub fn check_pair(
    (loser, loser_entity): (RecordId, &Entity),
    (survivor, survivor_entity): (RecordId, &Entity),
) -> Result<(), MergeError> {
    if loser == survivor {
        return Err(MergeError::Itself(loser));
    }
    if loser_entity.name == survivor_entity.name {
        return Ok(());
    }
    let (loser_entity, survivor_entity) = (loser_entity.name.clone(), survivor_entity.name.clone());
    Err(MergeError::OtherEntity { loser, loser_entity, survivor, survivor_entity })
}

/// Which half a field's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Taken {
    /// Both say the same.
    Same,
    /// The survivor's stays.
    Survivor,
    /// The other's is taken over.
    Loser,
    /// What both have.
    Both,
    /// Each stays in its half.
    Apart,
}

/// A field of both halves, side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// The field.
    pub field: String,
    /// What the record says that goes.
    pub loser: Json,
    /// What the record says that goes on.
    pub survivor: Json,
    /// What the survivor will say.
    pub taken: Taken,
    /// Whether a person can choose.
    pub is_choice: bool,
}

/// What a merge writes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MergePlan {
    /// Both halves.
    pub sides: Vec<Side>,
    /// Fields of the survivor.
    pub fields: Map<String, Json>,
    /// What is noted, by part.
    notes: BTreeMap<Part, Map<String, Json>>,
}

/// Plans a merge of two records of one entity; `take` names fields of which the other's value
/// replaces the survivor's.
///
/// # Errors
///
/// [`MergeError::NoChoice`] for a field that cannot be chosen.
pub fn plan(
    entity: &Entity,
    loser: &Map<String, Json>,
    survivor: &Map<String, Json>,
    take: &BTreeSet<String>,
) -> Result<MergePlan, MergeError> {
    for name in take {
        if !entity.field(name).is_some_and(is_choice) {
            let field = name.chars().take(80).collect();
            return Err(MergeError::NoChoice { entity: entity.name.clone(), field });
        }
    }
    let mut plan = MergePlan::default();
    for field in entity.fields.iter().filter(|field| !field.by_program) {
        let of = |record: &Map<String, Json>| record.get(&field.name).cloned().unwrap_or_default();
        let (theirs, ours) = (of(loser), of(survivor));
        if theirs.is_null() && ours.is_null() {
            continue;
        }
        let is_chosen = take.contains(&field.name);
        let taken = plan.take_field(field, &theirs, &ours, is_chosen);
        let is_choice = is_choice(field) && !theirs.is_null() && theirs != ours;
        let (field, loser, survivor) = (field.name.clone(), theirs, ours);
        plan.sides.push(Side { field, loser, survivor, taken, is_choice });
    }
    Ok(plan)
}

fn is_choice(field: &Field) -> bool {
    field.kind == Kind::Register && !field.by_program && !NOT_TAKEN.contains(&field.name.as_str())
}

impl MergePlan {
    fn take_field(&mut self, field: &Field, theirs: &Json, ours: &Json, is_chosen: bool) -> Taken {
        if theirs == ours {
            return Taken::Same;
        }
        match field.kind {
            Kind::Register if is_choice(field) => {
                if theirs.is_null() || !ours.is_null() && !is_chosen {
                    return Taken::Survivor;
                }
                self.note(field, "fields", json!([ours, theirs]));
                self.fields.insert(field.name.clone(), theirs.clone());
                Taken::Loser
            }
            Kind::Set => {
                let (theirs, ours) = (items(theirs), items(ours));
                let more: Vec<Json> =
                    theirs.filter(|item| !ours.clone().any(|o| o == *item)).cloned().collect();
                self.add(field, "members", more.clone(), more)
            }
            Kind::Rows => {
                let known: BTreeSet<&str> = items(ours).filter_map(id_of).collect();
                let more =
                    items(theirs).filter(|row| id_of(row).is_some_and(|id| !known.contains(id)));
                let more: Vec<Json> = more.map(without_flag).collect();
                let ids = more.iter().filter_map(|row| row.get("id").cloned()).collect();
                self.add(field, "rows", more, ids)
            }
            Kind::Register | Kind::Once | Kind::Office => {
                if theirs.is_null() {
                    Taken::Survivor
                } else {
                    Taken::Apart
                }
            }
            Kind::Counter | Kind::Log | Kind::Text => Taken::Apart,
        }
    }

    fn add(&mut self, field: &Field, what: &str, more: Vec<Json>, noted: Vec<Json>) -> Taken {
        if more.is_empty() {
            return Taken::Survivor;
        }
        self.note(field, what, Json::Array(noted));
        self.fields.insert(field.name.clone(), json!({ "add": more }));
        Taken::Both
    }

    fn note(&mut self, field: &Field, what: &str, noted: Json) {
        let note = self.notes.entry(field.part.clone()).or_default();
        let of_kind = note.entry(what).or_insert_with(|| json!({}));
        if let Json::Object(of_kind) = of_kind {
            of_kind.insert(field.name.clone(), noted);
        }
    }

    /// The edits of the record that goes, by part: where it leads, and what is noted.
    ///
    /// # Errors
    ///
    /// [`MergeError::Note`] if more is taken over than can be noted.
    pub fn loser_edits(
        &self,
        entity: &Entity,
        survivor: RecordId,
    ) -> Result<BTreeMap<Part, Vec<Edit>>, MergeError> {
        let put = |key: &str, value| Edit { key: key.to_owned(), action: Action::Put(value) };
        let mut edits: BTreeMap<Part, Vec<Edit>> = BTreeMap::new();
        let leads = put(REDIRECT, Value::Text(survivor.to_string()));
        edits.entry(Part::Main).or_default().push(leads);
        for (name, part) in NOTES {
            let mut note = self.notes.get(&part).cloned().unwrap_or_default();
            if part == Part::Main {
                note.insert("survivor".to_owned(), survivor.to_string().into());
            }
            let Some(field) = entity.field(name).filter(|_| !note.is_empty()) else { continue };
            let value = field
                .ty
                .from_json(&Json::Object(note))
                .map_err(|source| EditError::Value { field: name.to_owned(), source })?;
            edits.entry(part).or_default().push(put(name, value));
        }
        Ok(edits)
    }
}

fn items(json: &Json) -> impl Iterator<Item = &Json> + Clone {
    json.as_array().into_iter().flatten()
}

fn id_of(row: &Json) -> Option<&str> {
    row.get("id").and_then(Json::as_str)
}

fn without_flag(row: &Json) -> Json {
    let mut row = row.clone();
    if let Json::Object(cells) = &mut row {
        cells.remove("is_revived");
    }
    row
}

/// What taking a merge back writes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UnmergePlan {
    /// Fields of the survivor.
    pub fields: Map<String, Json>,
    /// Fields that the survivor keeps, because somebody has written there since.
    pub stays: Vec<String>,
    /// Edits of the record that comes back, by part.
    pub loser_edits: BTreeMap<Part, Vec<Edit>>,
}

/// The record that a merge was made with, as it is noted; `None` for a record that is whole.
#[must_use]
pub fn noted_survivor(loser: &Map<String, Json>) -> Option<RecordId> {
    let noted = loser.get("merged").and_then(|note| note.get("survivor")).and_then(Json::as_str);
    let leads = loser.get(REDIRECT).and_then(Json::as_str)?;
    noted.unwrap_or(leads).parse().ok()
}

/// Plans to take a merge back: what the survivor took over goes where nobody has written since.
#[must_use]
pub fn unmerge(
    entity: &Entity,
    loser: &Map<String, Json>,
    survivor: &Map<String, Json>,
) -> UnmergePlan {
    let mut plan = UnmergePlan::default();
    let delete = |key: &str| Edit { key: key.to_owned(), action: Action::Delete };
    plan.loser_edits.entry(Part::Main).or_default().push(delete(REDIRECT));
    for (name, part) in NOTES {
        let Some(note) = loser.get(name) else { continue };
        plan.loser_edits.entry(part).or_default().push(delete(name));
        let noted = |what: &str| note.get(what).and_then(Json::as_object).into_iter().flatten();
        for (field, change) in noted("fields") {
            let (before, after) = (change.get(0), change.get(1));
            let now = survivor.get(field).unwrap_or(&Json::Null);
            let before = before.cloned().unwrap_or_default();
            let required = entity.field(field).is_none_or(|field| field.required);
            if after != Some(now) || before.is_null() && required {
                if *now != before {
                    plan.stays.push(field.clone());
                }
                continue;
            }
            plan.fields.insert(field.clone(), before);
        }
        for (field, members) in noted("members") {
            let now = survivor.get(field).unwrap_or(&Json::Null);
            let gone: Vec<&Json> = items(members).filter(|m| items(now).any(|n| n == *m)).collect();
            if !gone.is_empty() {
                plan.fields.insert(field.clone(), json!({ "remove": gone }));
            }
        }
        for (field, ids) in noted("rows") {
            let row = |record: &Map<String, Json>, id: &Json| {
                let rows = items(record.get(field)?);
                rows.into_iter().find(|row| row.get("id") == Some(id)).map(without_flag)
            };
            let mut gone: Vec<&Json> = Vec::new();
            for id in items(ids) {
                match (row(survivor, id), row(loser, id)) {
                    (Some(now), Some(theirs)) if now == theirs => gone.push(id),
                    (Some(_), _) => plan.stays.push(field.clone()),
                    (None, _) => {}
                }
            }
            if !gone.is_empty() {
                plan.fields.insert(field.clone(), json!({ "remove": gone }));
            }
        }
    }
    plan.stays.dedup();
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;

    fn record(json: &Json) -> Map<String, Json> {
        json.as_object().unwrap().clone()
    }

    fn customer() -> &'static Entity {
        Schema::builtin().entity("customer").unwrap()
    }

    fn halves() -> (Map<String, Json>, Map<String, Json>) {
        let loser = record(&json!({
            "company_name": "Acme", "phone": "021", "website": "https://a.example", "tags": ["vip", "east"],
            "phones": [{ "id": "aaaaaaaaaa", "number": "1" }, { "id": "bbbbbbbbbb", "number": "2" }],
            "external_id": "erp:1", "visits": 3,
        }));
        let survivor = record(&json!({
            "company_name": "Acme Pumps", "phone": "022", "tags": ["east"],
            "phones": [{ "id": "bbbbbbbbbb", "number": "2" }],
        }));
        (loser, survivor)
    }

    #[test]
    fn the_survivor_takes_what_it_has_not_and_what_was_chosen() {
        let (loser, survivor) = halves();
        let chosen = BTreeSet::from(["phone".to_owned()]);
        let plan = plan(customer(), &loser, &survivor, &chosen).unwrap();
        assert_eq!(
            Json::Object(plan.fields.clone()),
            json!({
                "phone": "021", "website": "https://a.example", "tags": { "add": ["vip"] },
                "phones": { "add": [{ "id": "aaaaaaaaaa", "number": "1" }] },
            })
        );
        let taken = |name: &str| plan.sides.iter().find(|side| side.field == name).unwrap().taken;
        assert_eq!(taken("company_name"), Taken::Survivor);
        assert_eq!(taken("visits"), Taken::Apart);
        assert_eq!(taken("external_id"), Taken::Apart);
        let no_choice = BTreeSet::from(["tags".to_owned()]);
        assert!(super::plan(customer(), &loser, &survivor, &no_choice).is_err());
    }

    #[test]
    fn taking_back_gives_what_nobody_wrote_since() {
        let (mut loser, survivor) = halves();
        let chosen = BTreeSet::from(["phone".to_owned()]);
        let plan = plan(customer(), &loser, &survivor, &chosen).unwrap();
        let id = RecordId::new(1, [1; 10]);
        for edit in plan.loser_edits(customer(), id).unwrap().into_values().flatten() {
            let Action::Put(value) = &edit.action else { panic!("{edit:?}") };
            let json = customer().field(&edit.key).unwrap().ty.to_json(value);
            loser.insert(edit.key, json);
        }
        assert_eq!(noted_survivor(&loser), Some(id));
        let mut merged = survivor;
        merged.insert("phone".to_owned(), json!("021"));
        merged.insert("website".to_owned(), json!("https://later.example"));
        merged.insert("tags".to_owned(), json!(["vip", "east", "new"]));
        merged.insert("phones".to_owned(), loser["phones"].clone());
        let back = unmerge(customer(), &loser, &merged);
        assert_eq!(
            Json::Object(back.fields),
            json!({
                "phone": "022", "tags": { "remove": ["vip"] }, "phones": { "remove": ["aaaaaaaaaa"] },
            })
        );
        assert_eq!(back.stays, ["website"]);
    }
}
