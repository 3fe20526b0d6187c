//! The data model as a page for people.

use crate::schema::Schema;

pub(super) fn write_schema(schema: &Schema) -> String {
    let _ = schema;
    String::new()
}
