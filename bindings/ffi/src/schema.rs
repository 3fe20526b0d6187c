//! What entities and fields there are, for forms and lists that are made of them.

use outrider_core::{
    ids::Part,
    schema::{Entity, Field, Type},
};

use crate::{error::CrmError, replica::Replica, words};

/// One choice of a picklist.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ChoiceInfo {
    /// What is stored.
    pub id: String,
    /// What people read, in the user's language.
    pub label: String,
}

/// A field of an entity.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct FieldInfo {
    /// Its name in records and queries.
    pub name: String,
    /// What people call it, in the user's language.
    pub label: String,
    /// What to enter, in the user's language.
    pub help: Option<String>,
    /// How it is laid out: `register`, `counter`, `set`, `rows`, `log`, `once`, `office`, `text`.
    pub kind: String,
    /// Its type: `text`, `integer`, `decimal`, `money`, `bool`, `date`, `date_time`, `period`, `picklist`,
    /// `link`, `email`, `phone`, `url`, `address`, `person_name`, `geo`, `time_span`, `sha256`, `json`.
    pub type_name: String,
    /// The entity that a link points to.
    pub links_to: Option<String>,
    /// The picklist of which it holds a choice.
    pub picklist: Option<String>,
    /// Characters, at most, of a text.
    pub chars_max: Option<u32>,
    /// Whether a form asks for it.
    pub is_required: bool,
    /// Whether a device may write it; the role may still forbid it.
    pub is_written_here: bool,
    /// Whether only some readers of the record see it.
    pub is_restricted: bool,
    /// The columns of rows and logs.
    pub columns: Vec<ColumnInfo>,
}

/// A column of rows.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ColumnInfo {
    /// Its name.
    pub name: String,
    /// What people call it, in the user's language.
    pub label: String,
    /// Its type.
    pub type_name: String,
    /// The picklist of which it holds a choice.
    pub picklist: Option<String>,
    /// Whether a row needs it.
    pub is_required: bool,
}

/// An entity.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct EntityInfo {
    /// Its name.
    pub name: String,
    /// What one record is called, in the user's language.
    pub label: String,
    /// What the table of them is called, in the user's language.
    pub plural: String,
    /// The field that is shown as a record's name.
    pub title: String,
    /// Its fields, in the order of forms.
    pub fields: Vec<FieldInfo>,
}

#[uniffi::export]
impl Replica {
    /// All entities.
    ///
    /// # Errors
    ///
    /// `Closed`.
    pub fn entities(&self) -> Result<Vec<EntityInfo>, CrmError> {
        self.with(|replica| {
            Ok(replica.schema().entities().map(|one| self.entity_info(one)).collect())
        })
    }

    /// The choices of a picklist, in the order of forms.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is no such picklist.
    pub fn choices(&self, picklist: String) -> Result<Vec<ChoiceInfo>, CrmError> {
        let found = self.with(|replica| Ok(replica.schema().picklist(&picklist)))?;
        let list = found.ok_or_else(|| CrmError::NotFound {
            code: "unknown_picklist".to_owned(),
            reason: words::say(words::NO_PICKLIST, self.language),
        })?;
        let choice = |choice: &outrider_core::schema::Choice| ChoiceInfo {
            id: choice.id.clone(),
            label: choice.label.get(self.language).to_owned(),
        };
        Ok(list.choices.iter().map(choice).collect())
    }
}

impl Replica {
    fn entity_info(&self, entity: &Entity) -> EntityInfo {
        let shown = entity.fields.iter().filter(|field| !field.by_program);
        EntityInfo {
            name: entity.name.clone(),
            label: entity.label.get(self.language).to_owned(),
            plural: entity.plural.get(self.language).to_owned(),
            title: entity.title.clone(),
            fields: shown.map(|field| self.field_info(field)).collect(),
        }
    }

    fn field_info(&self, field: &Field) -> FieldInfo {
        use outrider_core::schema::Kind;
        let columns = field.columns.iter().map(|column| ColumnInfo {
            name: column.name.clone(),
            label: column.label.get(self.language).to_owned(),
            type_name: column.ty.name().to_owned(),
            picklist: picklist_of(&column.ty),
            is_required: column.required,
        });
        FieldInfo {
            name: field.name.clone(),
            label: field.label.get(self.language).to_owned(),
            help: field.help.as_ref().map(|help| help.get(self.language).to_owned()),
            kind: field.kind.name().to_owned(),
            type_name: field.ty.name().to_owned(),
            links_to: if let Type::Link(entity) = &field.ty { Some(entity.clone()) } else { None },
            picklist: picklist_of(&field.ty),
            chars_max: if let Type::Text { max } = field.ty {
                u32::try_from(max).ok()
            } else {
                None
            },
            is_required: field.required,
            is_written_here: field.kind != Kind::Office,
            is_restricted: field.part == Part::Restricted,
            columns: columns.collect(),
        }
    }
}

fn picklist_of(ty: &Type) -> Option<String> {
    if let Type::Picklist(list) = ty { Some(list.name.clone()) } else { None }
}
