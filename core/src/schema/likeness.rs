//! Which fields tell that two records are the same.
//!
//! Part of an entity's definition, so that a company's own entities have it by naming fields. A
//! path is the name of a field, or `phones.number` for a column of rows.

use serde::{Deserialize, Serialize};

/// What the fields of an entity tell about its records. An entity without it takes no part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Likeness {
    /// Names of companies, or of persons where those stand in the same field.
    pub organisation: Vec<String>,
    /// Names of persons.
    pub person: Vec<String>,
    /// Telephone numbers.
    pub phone: Vec<String>,
    /// E-mail addresses.
    pub email: Vec<String>,
    /// Numbers that an authority gives once: of a tax payer, of a person.
    pub number: Vec<String>,
    /// Days of birth.
    pub born: Vec<String>,
    /// Postal addresses.
    pub address: Vec<String>,
    /// Links to what a record belongs to: a person's company.
    pub within: Vec<String>,
}

impl Likeness {
    /// All paths.
    pub fn paths(&self) -> impl Iterator<Item = &String> {
        let Self { organisation, person, phone, email, number, born, address, within } = self;
        [organisation, person, phone, email, number, born, address, within].into_iter().flatten()
    }

    /// The names of all fields that tell something.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.paths().map(|path| path.split_once('.').map_or(path.as_str(), |(field, _)| field))
    }
}
