//! What entities, fields and choices may be called, and how typed text is compared.

use unicode_normalization::UnicodeNormalization;

/// Bytes of a name, at most.
pub(super) const NAME_BYTES_MAX: usize = 64;

/// Names that the envelope, the keys or the tables of a record need for themselves.
const RESERVED: &[&str] = &["id", "itself", "main", "restricted", "rowid", "record", "part"];

/// Words that SQL would have to quote: SQLite's list, with PostgreSQL's reserved words but for
/// `user`, which is an entity.
const SQL_KEYWORDS: &str = " abort action add after all alter always analyse analyze and any array \
as asc asymmetric attach authorization autoincrement before begin between both by cascade case \
cast check collate column commit concurrently conflict constraint create cross current \
current_date current_time current_timestamp current_user database default deferrable deferred \
delete desc detach distinct do drop each else end escape except exclude exclusive exists explain \
fail false filter first following for foreign freeze from full generated glob grant group groups \
having if ignore ilike immediate in index indexed initially inner insert instead intersect into \
is isnull join key last lateral leading left like limit localtime localtimestamp match \
materialized natural no not nothing notnull null nulls of offset on only or order others outer \
over overlaps partition placing plan pragma preceding primary query raise range recursive \
references regexp reindex release rename replace restrict returning right rollback row rows \
savepoint select session_user similar some symmetric table temp temporary then ties to trailing \
transaction trigger true unbounded union unique update using vacuum values variadic verbose \
view virtual when where window with without ";

/// Whether a field, a column or a derived value may have this name.
pub(super) fn is_field_name(name: &str) -> bool {
    is_name(name) && !RESERVED.contains(&name) && !is_sql_keyword(name)
}

/// Whether the name is lower-case letters, digits and underscores, a letter first, and not too long.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Whether the id is of the form that a choice has.
pub(super) fn is_choice_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= NAME_BYTES_MAX
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn is_sql_keyword(name: &str) -> bool {
    SQL_KEYWORDS.split(' ').any(|keyword| keyword == name)
}

/// The text as two spellings of the same are compared: one width, no capitals, single spaces.
///
/// Folding what is folded changes nothing.
pub(super) fn fold(text: &str) -> String {
    let mut folded = fold_once(text);
    // A few letters decompose only after they were made lower-case.
    for _ in 0..4 {
        let again = fold_once(&folded);
        if again == folded {
            break;
        }
        folded = again;
    }
    folded
}

fn fold_once(text: &str) -> String {
    let lower: String = text.nfkc().flat_map(char::to_lowercase).nfkc().collect();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}
