//! Reading with somebody's eyes: a connection on which what a user may not read is not there.
//!
//! Temporary views stand in front of the tables of documents, changes, rows and what they are found
//! by. They have the tables' names, and SQLite looks among temporary names first: every question
//! that is asked on the connection is answered by the views, also one that is written years later
//! by somebody who does not think of access. A view leaves out records and parts that the user may
//! not read, and has nothing in the columns of fields in such parts.

use outrider_core::{
    access::{Grant, Level, Operation, PartKind},
    ids::Part,
    schema::{Entity, Field, Schema},
    store::rows::columns_of,
};
use rusqlite::{Connection, params};

use super::Doing;
use crate::storage::StorageError;

const DOING: &str = "preparing what a user may read";

/// The views over documents and what is told from them by their records.
///
/// `sight_level` has how far the user reads each part of each entity; `sight_scope` the scopes that
/// each level reaches.
const VIEWS: &str = "
    CREATE TEMP VIEW document AS
    SELECT d.* FROM main.document AS d
    WHERE (
        SELECT CASE l.level WHEN 4 THEN 1 WHEN 0 THEN 0 ELSE EXISTS (
            SELECT 1 FROM main.family_feed AS f
            CROSS JOIN temp.sight_scope AS s ON s.scope = f.scope
            WHERE f.family IN (d.family, d.alone) AND f.gone = 0 AND s.level <= l.level
        ) END
        FROM temp.sight_level AS l
        WHERE l.entity = d.entity
          AND l.part = CASE d.part WHEN 'main' THEN 0 WHEN 'restricted' THEN 1 ELSE 2 END
    );
    CREATE TEMP VIEW change AS
    SELECT c.* FROM main.change AS c
    WHERE EXISTS (SELECT 1 FROM temp.document AS d WHERE d.record = c.record AND d.part = c.part);
    CREATE TEMP VIEW search_record AS
    SELECT r.* FROM main.search_record AS r
    WHERE EXISTS (SELECT 1 FROM temp.document AS d WHERE d.record = r.record AND d.part = 'main');
    CREATE TEMP VIEW match_record AS
    SELECT r.* FROM main.match_record AS r
    WHERE EXISTS (SELECT 1 FROM temp.document AS d WHERE d.record = r.record AND d.part = 'main');
    CREATE TEMP VIEW match_key AS
    SELECT r.* FROM main.match_key AS r
    WHERE EXISTS (SELECT 1 FROM temp.document AS d WHERE d.record = r.record AND d.part = 'main');";

/// Puts the views of a grant in front of the tables.
pub(super) fn install(conn: &Connection, grant: &Grant) -> Result<(), StorageError> {
    conn.execute_batch(
        "CREATE TEMP TABLE sight_scope (scope TEXT PRIMARY KEY NOT NULL, level INTEGER NOT NULL)
             STRICT, WITHOUT ROWID;
         CREATE TEMP TABLE sight_level (
             entity TEXT NOT NULL, part INTEGER NOT NULL, level INTEGER NOT NULL,
             PRIMARY KEY (entity, part)
         ) STRICT, WITHOUT ROWID;",
    )
    .doing(DOING)?;
    for (level, scopes) in [(1, &grant.own), (2, &grant.team), (3, &grant.territory)] {
        for scope in scopes {
            // A scope of several levels belongs to the lowest, which comes first.
            conn.prepare_cached(
                "INSERT OR IGNORE INTO temp.sight_scope (scope, level) VALUES (?1, ?2)",
            )
            .and_then(|mut insert| insert.execute(params![scope.to_string(), level]))
            .doing(DOING)?;
        }
    }
    for entity in Schema::current().entities() {
        for (number, part) in (0_i64..).zip(PartKind::ALL) {
            let level = number_of(grant.level(&entity.name, Operation::Read, part));
            conn.prepare_cached(
                "INSERT INTO temp.sight_level (entity, part, level) VALUES (?1, ?2, ?3)",
            )
            .and_then(|mut insert| insert.execute(params![entity.name, number, level]))
            .doing(DOING)?;
        }
    }
    conn.execute_batch(VIEWS).doing(DOING)?;
    for entity in Schema::current().entities() {
        conn.execute_batch(&view_of(entity, grant)).doing(DOING)?;
    }
    Ok(())
}

fn number_of(level: Level) -> i64 {
    match level {
        Level::None => 0,
        Level::Own => 1,
        Level::Team => 2,
        Level::Territory => 3,
        Level::All => 4,
    }
}

/// The view over an entity's rows. Names come from the schema, which admits only `[a-z_]+`.
fn view_of(entity: &Entity, grant: &Grant) -> String {
    let read = |part| grant.level(&entity.name, Operation::Read, part);
    let mut columns = String::from("t.id, t.is_archived, t.conflicts");
    for field in &entity.fields {
        let level = read(PartKind::of(&field.part));
        for (name, _) in columns_of(field) {
            columns.push_str(", ");
            columns.push_str(&column_of(field, &name, level));
        }
    }
    let name = &entity.name;
    let condition = match read(PartKind::Main) {
        Level::All => String::new(),
        Level::None => " WHERE 0".to_owned(),
        Level::Own | Level::Team | Level::Territory => {
            " WHERE EXISTS (SELECT 1 FROM temp.document AS d WHERE d.record = t.id AND d.part = 'main')"
                .to_owned()
        }
    };
    format!("CREATE TEMP VIEW {name} AS SELECT {columns} FROM main.{name} AS t{condition};")
}

fn column_of(field: &Field, column: &str, level: Level) -> String {
    match (&field.part, level) {
        (Part::Main, _) | (_, Level::All) => format!("t.{column}"),
        (_, Level::None) => format!("NULL AS {column}"),
        (part, Level::Own | Level::Team | Level::Territory) => format!(
            "CASE WHEN EXISTS (SELECT 1 FROM temp.document AS d
                 WHERE d.record = t.id AND d.part = '{part}') THEN t.{column} END AS {column}"
        ),
    }
}
