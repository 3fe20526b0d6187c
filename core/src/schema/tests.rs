//! Tests of the whole room: the built-in definitions, keys, canonical encodings.

use crate::schema::Schema;

#[test]
fn the_embedded_definitions_fit_together() {
    let (entities, picklists) = super::definition::builtin().unwrap();
    if let Err(error) = Schema::new(1, entities, picklists) {
        panic!("{error}");
    }
}
