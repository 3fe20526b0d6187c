//! Records that may be the same: of the store, or of a file before it is imported.

mod file;
mod measure;

use indicatif::ProgressBar;
use outrider_core::{
    likeness::{Likeness, POSSIBLE_FROM, SURE_FROM},
    replica::{Replica, likeness::NamedLikely},
    schema::Language,
    store::likeness::{LikelyPair, SCAN_MAX},
};
use serde_json::json;

use crate::{
    cli::DuplicatesArgs,
    context::Context,
    error::CliError,
    messages::merge::{self, Merge, say},
    output::Output,
    table::Table,
};

/// Shows pairs that may be the same, or measures the detection against an answer key.
pub(crate) fn duplicates(
    context: &Context,
    args: &DuplicatesArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    let replica = context.open()?;
    let threshold = threshold(&args.threshold)?;
    if let Some(path) = &args.file {
        return file::duplicates(context, &replica, args, (path, threshold), output);
    }
    let entities: Vec<String> = match &args.entity {
        Some(name) => vec![replica.entity(name)?.name.clone()],
        None => {
            let taking_part = replica.schema().entities().filter(|e| e.likeness.is_some());
            taking_part.map(|entity| entity.name.clone()).collect()
        }
    };
    let mut measured = match (&args.answer_key, entities.as_slice()) {
        (Some(field), [entity]) => {
            Some(measure::Measured::of_store(&replica, entity, field, args.key_pattern.as_deref())?)
        }
        _ => None,
    };
    let mut best: Vec<(String, LikelyPair)> = Vec::new();
    let bar = if context.json { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
    for entity in entities {
        let mut after = None;
        loop {
            let page = replica.duplicates(&entity, after, SCAN_MAX)?;
            bar.inc(page.scanned as u64);
            bar.set_message(format!("{entity}: {}", bar.position()));
            for pair in page.pairs.into_iter().filter(|pair| pair.likeness.score >= threshold) {
                if let Some(measured) = &mut measured {
                    measured.found(&pair.one.to_string(), &pair.other.to_string());
                }
                best.push((entity.clone(), pair));
            }
            keep_best(&mut best, args.limit.into());
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    bar.finish_and_clear();
    let named = best.iter().map(|(entity, pair)| named(&replica, entity, pair));
    let named = named.collect::<Result<Vec<_>, CliError>>()?;
    if output.is_json {
        let pairs: Vec<_> = named
            .iter()
            .map(|(pair, names)| {
                json!({
                    "entity": names[0], "one": pair.one, "one_title": names[1], "other": pair.other,
                    "other_title": names[2], "score": pair.likeness.score,
                    "verdict": pair.likeness.verdict, "reasons": pair.likeness.reasons,
                })
            })
            .collect();
        return output.json(&json!({ "pairs": pairs, "measured": measured.map(|m| m.told()) }));
    }
    show(context, &named, output)?;
    measured.map_or(Ok(()), |measured| output.line(&measured.in_words()))
}

/// The pair with the names of its entity and of both records.
type Named<'a> = (&'a LikelyPair, [String; 3]);

fn named<'a>(replica: &Replica, entity: &str, pair: &'a LikelyPair) -> Result<Named<'a>, CliError> {
    let title = |id| -> Result<String, CliError> {
        Ok(replica.title(id)?.map(|(_, title)| title).unwrap_or_default())
    };
    Ok((pair, [entity.to_owned(), title(pair.one)?, title(pair.other)?]))
}

fn show(context: &Context, named: &[Named<'_>], output: &mut Output) -> Result<(), CliError> {
    let language = context.language;
    if named.is_empty() {
        return output.line(say(Merge::NoDuplicates, language));
    }
    let heads = [Merge::Score, Merge::One, Merge::One, Merge::Other, Merge::Other, Merge::Reasons];
    let mut table = Table::new(heads.map(|head| say(head, language)));
    for (pair, [_, one, other]) in named {
        table.row([
            score(&pair.likeness, language),
            pair.one.to_string(),
            one.clone(),
            pair.other.to_string(),
            other.clone(),
            reasons(&pair.likeness, language),
        ]);
    }
    table.write(output)
}

/// Keeps the likeliest pairs alone: memory is bounded by what is shown.
fn keep_best(pairs: &mut Vec<(String, LikelyPair)>, limit: usize) {
    pairs.sort_by(|(_, a), (_, b)| {
        b.likeness.score.total_cmp(&a.likeness.score).then((a.one, a.other).cmp(&(b.one, b.other)))
    });
    pairs.truncate(limit);
}

fn threshold(text: &str) -> Result<f64, CliError> {
    let bits = match text {
        "possible" => Some(POSSIBLE_FROM),
        "sure" => Some(SURE_FROM),
        bits => bits.parse().ok().filter(|bits: &f64| *bits >= POSSIBLE_FROM && bits.is_finite()),
    };
    bits.ok_or_else(|| {
        CliError::Usage(format!(
            "--threshold {text}: write possible, sure, or a number of bits from {POSSIBLE_FROM} on"
        ))
    })
}

/// A score with what it means.
fn score(likeness: &Likeness, language: Language) -> String {
    format!("{:.1} {}", likeness.score, merge::verdict(likeness.verdict, language))
}

/// What speaks for and against, in words.
fn reasons(likeness: &Likeness, language: Language) -> String {
    let words = likeness
        .reasons
        .iter()
        .map(|reason| format!("{} {:+.1}", merge::feature(reason.feature, language), reason.bits));
    words.collect::<Vec<_>>().join(", ")
}

/// Says beside an answer which records a new one may be the same as.
pub(crate) fn warn(likely: &[NamedLikely], language: Language, output: &Output) {
    if likely.is_empty() {
        return;
    }
    output.note(say(Merge::Likely, language));
    for NamedLikely { title, likely } in likely {
        let (score, why) = (score(&likely.likeness, language), reasons(&likely.likeness, language));
        let title = crate::table::one_line(title);
        output.note(&format!("  {} {title} ({score}: {why})", likely.record));
    }
    output.note(say(Merge::GoOn, language));
}
