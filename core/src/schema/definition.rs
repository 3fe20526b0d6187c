//! Definitions as they are written in files: short forms, defaults filled in here.
//!
//! What a newer version adds to a definition is kept in `unknown`, so that an old app can hand on
//! what it does not know.

use std::{collections::BTreeMap, sync::Arc};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{
    ids::Part,
    schema::{
        check::SchemaError,
        entity::{Derived, Entity, Family, Label},
        field::{Field, Kind, Settle},
        key::VALUE_BYTES_MAX,
        likeness::Likeness,
        picklist::{Choice, Picklist},
        rollup::Rollup,
        sql::Texts,
        types::Type,
    },
    value::money::MONEY_MINOR_MAX,
};

/// Characters of a text for which its definition gives no limit.
const TEXT_CHARS_DEFAULT: usize = 200;
/// Bytes of an object of JSON for which its definition gives no limit.
const JSON_BYTES_DEFAULT: usize = 16_384;
/// Digits after the point of a decimal for which its definition gives none.
const SCALE_DEFAULT: u32 = 2;
/// Limit of a number, either sign, for which its definition gives none.
const NUMBER_MAX_DEFAULT: i64 = MONEY_MINOR_MAX;

const ENTITIES: &[&str] = &[
    include_str!("entities/customer.toml"),
    include_str!("entities/contact.toml"),
    include_str!("entities/lead.toml"),
    include_str!("entities/opportunity.toml"),
    include_str!("entities/activity.toml"),
    include_str!("entities/interaction.toml"),
    include_str!("entities/contract.toml"),
    include_str!("entities/product.toml"),
    include_str!("entities/sales_order.toml"),
    include_str!("entities/shipment.toml"),
    include_str!("entities/payment.toml"),
    include_str!("entities/service_request.toml"),
    include_str!("entities/visit.toml"),
    include_str!("entities/check_in.toml"),
    include_str!("entities/asset.toml"),
    include_str!("entities/campaign.toml"),
    include_str!("entities/campaign_member.toml"),
    include_str!("entities/campaign_response.toml"),
    include_str!("entities/cost_entry.toml"),
    include_str!("entities/stock_location.toml"),
    include_str!("entities/stock_move.toml"),
    include_str!("entities/stock_reservation.toml"),
    include_str!("entities/price_list.toml"),
    include_str!("entities/price_entry.toml"),
    include_str!("entities/feedback.toml"),
    include_str!("entities/consent.toml"),
    include_str!("entities/comment.toml"),
    include_str!("entities/hold_interval.toml"),
    include_str!("entities/sla_policy.toml"),
    include_str!("entities/report.toml"),
    include_str!("entities/report_result.toml"),
    include_str!("entities/user.toml"),
    include_str!("entities/role.toml"),
    include_str!("entities/team.toml"),
    include_str!("entities/territory.toml"),
    include_str!("entities/proposal.toml"),
    include_str!("entities/saved_filter.toml"),
    include_str!("entities/distinct_pair.toml"),
];
const ENVELOPE: &str = include_str!("envelope.toml");
const PICKLISTS: &str = include_str!("picklists.toml");

/// An entity as its file defines it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntityDefinition {
    /// Its name in the API, in SQL and on the wire.
    pub name: String,
    /// What a record's id is called, unless it follows from the label.
    #[serde(default)]
    pub id: Option<Label>,
    /// What one record is called.
    pub label: Label,
    /// What the table of them is called.
    pub plural: Label,
    /// The field that is shown as a record's name.
    pub title: String,
    /// `itself`, or the field that links to the head of the family.
    pub family: String,
    /// The field that places a record on a timeline.
    #[serde(default = "created_at")]
    pub moment: String,
    /// Its own fields; one of an envelope's name changes that field's labels and help.
    pub fields: Vec<FieldDefinition>,
    /// What is computed.
    #[serde(default)]
    pub derived: Vec<Derived>,
    /// What is computed from the records that link here.
    #[serde(default)]
    pub rollups: Vec<Rollup>,
    /// What tells that two records are the same.
    #[serde(default)]
    pub likeness: Option<Likeness>,
    /// Fields that name users who may read a record though they may not read its family.
    #[serde(default)]
    pub readers: Vec<String>,
    /// Links whose records those users may read with it.
    #[serde(default)]
    pub shares: Vec<String>,
    /// What a newer version says besides.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Json>,
}

/// A field as its file defines it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldDefinition {
    /// Its name.
    pub name: String,
    /// Its name for people in English.
    pub en: String,
    /// Its name for people in Chinese.
    pub zh: String,
    /// How it is laid out; a register unless said.
    #[serde(default)]
    pub kind: Kind,
    /// Name of its type; `text` unless said.
    #[serde(default = "text_type", rename = "type")]
    pub type_name: String,
    /// The smallest number.
    #[serde(default)]
    pub min: Option<i64>,
    /// The largest number, or the most characters.
    #[serde(default)]
    pub max: Option<i64>,
    /// Digits after the point.
    #[serde(default)]
    pub scale: Option<u32>,
    /// The picklist of a picklist field.
    #[serde(default)]
    pub of: Option<String>,
    /// The entity that a link points to.
    #[serde(default)]
    pub to: Option<String>,
    /// `restricted`, where the field is not for every reader.
    #[serde(default)]
    pub part: Option<String>,
    /// Whether a form asks for it.
    #[serde(default)]
    pub required: bool,
    /// Which of several concurrent values counts.
    #[serde(default)]
    pub settle: Settle,
    /// Columns of rows, members of a log's entries.
    #[serde(default)]
    pub columns: Vec<Self>,
    /// Whether other systems name the record by it.
    #[serde(default)]
    pub external_key: bool,
    /// What to enter.
    #[serde(default)]
    pub help: Option<Label>,
    /// Whether queries look records up by it.
    #[serde(default)]
    pub indexed: bool,
    /// Whether the program alone writes it.
    #[serde(default)]
    pub by_program: bool,
    /// What a newer version says besides.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Json>,
}

/// A picklist as its file defines it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PicklistDefinition {
    /// Its name.
    pub name: String,
    /// Its name for people.
    #[serde(flatten)]
    pub label: Label,
    /// Its values.
    pub choices: Vec<Choice>,
}

fn text_type() -> String {
    "text".to_owned()
}

fn created_at() -> String {
    "created_at".to_owned()
}

#[derive(Deserialize)]
struct EnvelopeFile {
    fields: Vec<FieldDefinition>,
}

#[derive(Deserialize)]
struct PicklistsFile {
    picklists: Vec<PicklistDefinition>,
}

/// Reads the embedded files.
pub(super) fn builtin() -> Result<(Vec<EntityDefinition>, Vec<PicklistDefinition>), toml::de::Error>
{
    let entities = ENTITIES.iter().map(|file| toml::from_str(file)).collect::<Result<_, _>>()?;
    let lists: PicklistsFile = toml::from_str(PICKLISTS)?;
    Ok((entities, lists.picklists))
}

fn envelope() -> Result<Vec<FieldDefinition>, SchemaError> {
    let file: Result<EnvelopeFile, _> = toml::from_str(ENVELOPE);
    file.map(|file| file.fields).map_err(|error| SchemaError::new("envelope", error.to_string()))
}

pub(super) fn resolve_picklists(
    definitions: Vec<PicklistDefinition>,
) -> Result<Vec<Arc<Picklist>>, SchemaError> {
    let resolve = |definition: PicklistDefinition| {
        let PicklistDefinition { name, label, choices } = definition;
        Arc::new(Picklist { name, label, choices })
    };
    Ok(definitions.into_iter().map(resolve).collect())
}

pub(super) fn resolve_entities(
    definitions: Vec<EntityDefinition>,
    picklists: &[Arc<Picklist>],
) -> Result<Vec<Entity>, SchemaError> {
    let envelope = envelope()?;
    definitions.into_iter().map(|entity| resolve_entity(entity, &envelope, picklists)).collect()
}

fn resolve_entity(
    definition: EntityDefinition,
    envelope: &[FieldDefinition],
    picklists: &[Arc<Picklist>],
) -> Result<Entity, SchemaError> {
    let EntityDefinition {
        name,
        id,
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
        unknown: _,
    } = definition;
    let id_label = id
        .unwrap_or_else(|| Label { en: format!("{} id", label.en), zh: format!("{}ID", label.zh) });
    let family = if family == "itself" { Family::Itself } else { Family::Link(family) };
    let (renamed, own): (Vec<_>, Vec<_>) = fields
        .into_iter()
        .partition(|field| envelope.iter().any(|common| common.name == field.name));
    // A common field of the restricted part is there where the entity has such a part.
    let has_restricted = own.iter().any(|field| field.part.is_some());
    let envelope = envelope.iter().filter(|common| common.part.is_none() || has_restricted);
    let common = envelope.map(|common| {
        let mut common = common.clone();
        if let Some(words) = renamed.iter().find(|field| field.name == common.name) {
            common.en.clone_from(&words.en);
            common.zh.clone_from(&words.zh);
            common.help.clone_from(&words.help);
        }
        common
    });
    let fields: Vec<Field> = own
        .into_iter()
        .chain(common)
        .map(|field| resolve_field(field, &name, picklists))
        .collect::<Result<_, _>>()?;
    let positions = fields.iter().enumerate().map(|(at, f)| (f.name.clone(), at)).collect();
    let texts = Texts::default();
    Ok(Entity {
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
        positions,
        texts,
    })
}

fn resolve_field(
    definition: FieldDefinition,
    owner: &str,
    picklists: &[Arc<Picklist>],
) -> Result<Field, SchemaError> {
    let place = format!("{owner}.{}", definition.name);
    let ty = resolve_type(&definition, owner, &place, picklists)?;
    let part = match (definition.kind, definition.part.as_deref()) {
        (Kind::Text, _) => Part::Text(definition.name.clone()),
        (_, None | Some("main")) => Part::Main,
        (_, Some("restricted")) => Part::Restricted,
        (_, Some(_)) => return Err(SchemaError::new(place, "the part is main or restricted")),
    };
    let resolve_column = |mut column: FieldDefinition| {
        column.part = definition.part.clone();
        resolve_field(column, &place, picklists)
    };
    let columns =
        definition.columns.iter().cloned().map(resolve_column).collect::<Result<_, _>>()?;
    let FieldDefinition {
        name,
        en,
        zh,
        kind,
        required,
        settle,
        external_key,
        help,
        indexed,
        by_program,
        ..
    } = definition;
    let label = Label { en, zh };
    Ok(Field {
        name,
        label,
        kind,
        ty,
        part,
        required,
        settle,
        columns,
        external_key,
        help,
        indexed,
        by_program,
    })
}

fn resolve_type(
    definition: &FieldDefinition,
    owner: &str,
    place: &str,
    picklists: &[Arc<Picklist>],
) -> Result<Type, SchemaError> {
    let wrong = |problem: &str| SchemaError::new(place, problem);
    let max = definition.max.unwrap_or(NUMBER_MAX_DEFAULT);
    let min = definition.min.unwrap_or(-NUMBER_MAX_DEFAULT);
    Ok(match definition.type_name.as_str() {
        "text" => {
            let max = definition.max.map_or(Ok(TEXT_CHARS_DEFAULT), usize::try_from);
            Type::Text { max: max.map_err(|_| wrong("a negative length"))? }
        }
        "integer" => Type::Integer { min, max },
        "decimal" => Type::Decimal {
            scale: definition.scale.unwrap_or(SCALE_DEFAULT),
            min: Decimal::from(min),
            max: Decimal::from(max),
        },
        "money" => Type::Money,
        "bool" => Type::Bool,
        "date" => Type::Date,
        "date_time" => Type::DateTime,
        "period" => Type::Period,
        "picklist" => {
            let list = definition.of.as_deref().ok_or_else(|| wrong("`of` names its list"))?;
            let list = picklists.iter().find(|known| known.name == list);
            Type::Picklist(Arc::clone(list.ok_or_else(|| wrong("an unknown picklist"))?))
        }
        "link" => match definition.to.as_deref() {
            // Only the envelope needs it: a link to a record of the same entity.
            Some("self") => Type::Link(owner.to_owned()),
            Some(entity) => Type::Link(entity.to_owned()),
            None => return Err(wrong("`to` names its entity")),
        },
        "email" => Type::Email,
        "phone" => Type::Phone,
        "url" => Type::Url,
        "address" => Type::Address,
        "person_name" => Type::PersonName,
        "geo" => Type::Geo,
        "time_span" => Type::TimeSpan,
        "sha256" => Type::Sha256,
        "json" => {
            let max = definition.max.map_or(Ok(JSON_BYTES_DEFAULT), usize::try_from);
            let max = max.map_err(|_| wrong("a negative length"))?;
            if max > VALUE_BYTES_MAX {
                return Err(wrong("more bytes than a value may have"));
            }
            Type::Json { max }
        }
        _ => return Err(wrong("an unknown type")),
    })
}
