//! Values as people read them: lists, pages, search. Not to be read back.

use crate::{
    schema::{
        entity::Language,
        types::{Type, read_parts},
    },
    value::{Address, PersonName, Value, compound::Compound},
};

impl Type {
    /// The value in words of a language: labels of choices, names and addresses in one line.
    #[must_use]
    pub fn display(&self, value: &Value, language: Language) -> String {
        let words = match (self, value) {
            (Self::Picklist(list), Value::Text(id)) => {
                list.choice(id).map(|choice| choice.label.get(language).to_owned())
            }
            (Self::Bool, Value::Bool(flag)) => Some(yes_or_no(*flag, language).to_owned()),
            (Self::Address, Value::Text(text)) => {
                read_parts::<Address>(text).map(|address| address.display())
            }
            (Self::PersonName, Value::Text(text)) => {
                read_parts::<PersonName>(text).map(|name| name.display())
            }
            (_, _) => None,
        };
        words.unwrap_or_else(|| self.to_text(value))
    }
}

fn yes_or_no(flag: bool, language: Language) -> &'static str {
    match (flag, language) {
        (true, Language::En) => "Yes",
        (false, Language::En) => "No",
        (true, Language::Zh) => "是",
        (false, Language::Zh) => "否",
    }
}
