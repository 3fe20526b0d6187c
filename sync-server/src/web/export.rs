//! Files of what a page shows: the list as it was searched and sorted, or one record.

use axum::{
    extract::{Path, RawQuery, State},
    response::Response,
};
use outrider_core::{
    schema::Entity,
    transfer::export::{Format, Headers, Options},
};

use super::{
    edit::{entity_of, record_of},
    failure::Failure,
    list::Asked,
    session::Session,
};
use crate::{
    handlers::export::send_file,
    office::{FileOptions, Selection},
    state::AppState,
};

/// A format that a page offers, and where its file is.
#[derive(Debug, Clone)]
pub(super) struct Offer {
    /// The word of the format in the locales.
    pub(super) word: &'static str,
    pub(super) href: String,
}

/// The formats that a list of an entity's records can have.
pub(super) fn offers(entity: &Entity, address: impl Fn(&str) -> String) -> Vec<Offer> {
    let all = [Format::Xlsx, Format::Csv, Format::Json, Format::Vcard, Format::Ics];
    let offered = all.into_iter().filter(|format| format.takes(entity));
    offered.map(|format| Offer { word: word(format), href: address(format.ending()) }).collect()
}

/// The formats beside JSON that one record can have.
pub(super) fn record_offers(entity: &Entity, path: &str) -> Vec<Offer> {
    let offered = [Format::Vcard, Format::Ics].into_iter().filter(|format| format.takes(entity));
    offered
        .map(|format| Offer {
            word: word(format),
            href: format!("{path}/export/{}", format.ending()),
        })
        .collect()
}

fn word(format: Format) -> &'static str {
    match format {
        Format::Csv => "export-csv",
        Format::Xlsx => "export-xlsx",
        Format::Json | Format::JsonLines => "export-json",
        Format::Vcard => "export-vcf",
        Format::Ics => "export-ics",
    }
}

/// `GET /records/{entity}/export/{format}?…`: all pages of the list that the rest of the address
/// names, with heads in the reader's language.
pub(super) async fn export_list(
    State(state): State<AppState>,
    session: Session,
    Path((entity, format)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let entity = entity_of(&entity)?;
    let asked = Asked::read(&query.unwrap_or_default());
    let selection =
        state.run_as(session.eyes(), move |storage| asked.selection(&*storage.read()?)).await?;
    send(&state, &session, entity, selection, &format).await
}

/// `GET /records/{entity}/{id}/export/{format}`: one record.
pub(super) async fn export_record(
    State(state): State<AppState>,
    session: Session,
    Path((entity, id, format)): Path<(String, String, String)>,
) -> Result<Response, Failure> {
    let (entity, id) = record_of(&entity, &id)?;
    send(&state, &session, entity, Selection::Record(id), &format).await
}

async fn send(
    state: &AppState,
    session: &Session,
    entity: &'static Entity,
    selection: Selection,
    format: &str,
) -> Result<Response, Failure> {
    let format = Format::named(format).filter(|format| format.takes(entity));
    let options = Options {
        headers: Headers::Labels(session.language),
        // Without it Excel reads UTF-8 as something else, which Chinese heads show at once.
        bom: true,
        now_ms: state.now_ms(),
        ..Options::default()
    };
    let file = FileOptions {
        format: format.ok_or(Failure::NotFound)?,
        options,
        device: None,
        account: Some(session.account),
        subject: session.seen_id(),
    };
    Ok(send_file(state, session.eyes(), entity, selection, file).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::words::Words;
    use outrider_core::schema::{Language, Schema};

    #[test]
    fn every_format_has_its_words_in_both_languages() {
        for format in Format::ALL {
            for language in [Language::En, Language::Zh] {
                assert_ne!(Words(language).t(word(format)), word(format));
            }
        }
    }

    #[test]
    fn a_list_offers_what_the_schema_allows() {
        let words = |entity: &str| {
            let entity = Schema::builtin().entity(entity).unwrap();
            offers(entity, str::to_owned).into_iter().map(|o| o.word).collect::<Vec<_>>()
        };
        assert_eq!(words("team"), ["export-xlsx", "export-csv", "export-json", "export-vcf"]);
        assert_eq!(words("campaign"), ["export-xlsx", "export-csv", "export-json", "export-ics"]);
        assert_eq!(words("product"), ["export-xlsx", "export-csv", "export-json"]);
    }
}
