//! What people type, beside a plain scan (`LIKE '%x%'` over the names) and beside what the index alone
//! takes for the same question.

use std::time::Instant;

use outrider_core::{
    replica::Replica,
    search::{Asked, Reach, expression},
    store::search::{CANDIDATES_MAX, SearchQuery},
};
use serde_json::{Map, Value as Json};
use tempfile::TempDir;

use super::{BATCH, STEP_MS, Setting};
use crate::{
    Outcome,
    figure::Figure,
    floor::Sync,
    input::{Dice, ENTITY, customer},
    measure::median,
    office::open_device,
};

/// What is typed, by what it shows.
const QUERIES: &[(&str, &str)] = &[
    ("two_letters", "sh"),
    ("word", "meiwushan"),
    ("common_word", "logistics"),
    ("two_words", "chengdu foods"),
    ("han_1", "川"),
    ("han_2", "三川"),
    ("han_4", "三川实业"),
    ("pinyin", "sanchuan"),
    ("initials_4", "scsy"),
    ("initials_2", "sc"),
    ("phone", "21 1234"),
    ("email", "office@chen"),
    ("typo", "meiwushna"),
    ("nothing", "qqqqqqqq"),
];
const PLACES: [&str; 6] = ["上海", "成都", "重庆", "深圳", "杭州", "武汉"];
const SIGNS: [&str; 24] = [
    "三", "川", "山", "海", "华", "明", "兴", "隆", "盛", "德", "和", "顺", "长", "安", "新", "宏",
    "达", "远", "金", "鑫", "瑞", "康", "泰", "丰",
];
const TRADES: [&str; 5] = ["实业", "科技", "贸易", "机械", "食品"];

/// Every second customer has a Chinese name.
fn record(at: usize) -> Map<String, Json> {
    let mut fields = customer(at);
    if at % 2 == 1 {
        let mut dice = Dice::new(at as u64 + 1_000_003);
        let mut pick = |from: &[&str]| {
            from.get(dice.below(from.len())).copied().unwrap_or_default().to_owned()
        };
        let name =
            [pick(&PLACES), pick(&SIGNS), pick(&SIGNS), pick(&TRADES), "有限公司".to_owned()];
        fields.insert("company_name".to_owned(), name.concat().into());
        fields.remove("short_name");
    }
    fields
}

pub(crate) fn run(setting: &Setting) -> Outcome<Vec<Figure>> {
    let folder = TempDir::new()?;
    let (mut replica, clock) = open_device(folder.path(), Sync::Off, 5)?;
    let inputs: Vec<_> = (0..setting.records).map(record).collect();
    for batch in inputs.chunks(BATCH) {
        replica.transaction(|writer| {
            for fields in batch {
                writer.create(ENTITY, None, fields)?;
            }
            Ok(())
        })?;
        clock.advance(STEP_MS);
    }
    let mut figures = Vec::new();
    for (name, text) in QUERIES {
        figures.extend(measure(&replica, setting, name, text)?);
    }
    figures.push(index_size(&replica, setting)?);
    Ok(figures)
}

fn measure(replica: &Replica, setting: &Setting, name: &str, text: &str) -> Outcome<[Figure; 2]> {
    let query = SearchQuery { text: text.to_owned(), ..SearchQuery::default() };
    let wanted = expression(&Asked::read(text), Reach::All).ok_or("no question")?;
    let conn = replica.store().conn();
    let mut like = conn.prepare(&format!(
        "SELECT id FROM {ENTITY} WHERE company_name LIKE ?1 AND is_archived = 0 LIMIT {CANDIDATES_MAX}"
    ))?;
    let mut index = conn.prepare(&format!(
        "SELECT rowid FROM search_text WHERE search_text MATCH ?1 LIMIT {CANDIDATES_MAX}"
    ))?;
    let (mut ours, mut scans, mut matches) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..setting.repetitions {
        ours.push(millis(|| Ok(replica.search(&query)?.hits.len()))?);
        scans.push(millis(|| Ok(like.query_map([format!("%{text}%")], |_| Ok(()))?.count()))?);
        matches.push(millis(|| Ok(index.query_map([&wanted], |_| Ok(()))?.count()))?);
    }
    let (ours, scan, index) = (median(&ours), median(&scans), median(&matches));
    let count = setting.records;
    Ok([
        Figure::cost(&format!("search_{name}"), count, (ours, scan), "ms"),
        Figure::cost(&format!("search_{name}_beside_match"), count, (ours, index), "ms"),
    ])
}

fn millis(work: impl FnOnce() -> Outcome<usize>) -> Outcome<f64> {
    let start = Instant::now();
    std::hint::black_box(work()?);
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

/// Bytes of the index for each record.
fn index_size(replica: &Replica, setting: &Setting) -> Outcome<Figure> {
    let bytes: i64 = replica.store().conn().query_row(
        "SELECT sum(length(block)) FROM search_text_data",
        [],
        |row| row.get(0),
    )?;
    Ok(Figure::new("search_index", setting.records, bytes as f64 / setting.records as f64, "B"))
}
