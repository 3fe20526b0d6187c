//! What is said about imports, in both languages.

use std::path::Path;

use outrider_core::{
    schema::Language,
    store::imports::Batch,
    time::to_rfc3339,
    transfer::{
        ImportReport, ImportUndone,
        propose::{Note, Proposal},
    },
};

use crate::table::Table;

/// The words in a language.
fn say(language: Language, en: &'static str, zh: &'static str) -> &'static str {
    match language {
        Language::En => en,
        Language::Zh => zh,
    }
}

/// What an import did.
pub(super) fn report(report: &ImportReport, language: Language) -> String {
    let mut text = match language {
        Language::En => report.to_string(),
        Language::Zh => in_chinese(report),
    };
    if let Some(batch) = report.batch {
        let words = say(language, "take it back with", "撤销导入请用");
        text.push_str(&format!("  {words}: outrider undo-import {batch}\n"));
    }
    text
}

fn in_chinese(report: &ImportReport) -> String {
    let dry = if report.is_dry_run { "（试运行，未写入）" } else { "" };
    let mut lines = vec![
        format!("{} ← {}{dry}", report.entity, report.source),
        format!("  行数     {:>9}", report.rows),
        format!("  新建     {:>9}", report.created),
        format!("  更新     {:>9}", report.updated),
        format!("  未变     {:>9}", report.unchanged),
        format!("  未导入   {:>9}", report.rejected),
    ];
    if report.adopted > 0 {
        lines.push(format!("  {} 条记录已存在，仅补全空字段", report.adopted));
    }
    let references = [
        ("为空", &report.empty_references),
        ("未找到，留空", &report.missing_references),
        ("对应多条记录，留空", &report.ambiguous_references),
    ];
    for (what, counts) in references {
        lines.extend(counts.iter().map(|(field, count)| format!("  {field}：{count} 个{what}")));
    }
    for (column, values) in &report.mapped_values {
        let replaced = values.iter().map(|(from, n)| format!("  {column}：“{from}”替换 {n} 次"));
        lines.extend(replaced);
    }
    for (field, sorts) in &report.cleaned {
        lines.extend(sorts.iter().map(|(sort, n)| format!("  {field}：整理 {sort} {n} 次")));
    }
    if report.alike > 0 {
        lines.push(format!("  {} 行可能与已有内容重复，可用 duplicates 查看", report.alike));
    }
    if report.linked_earlier > 0 {
        lines.push(format!("  此前导入中的 {} 个关联已找到对应记录", report.linked_earlier));
    }
    if !report.unused_columns.is_empty() {
        lines.push(format!("  未使用的列：{}", report.unused_columns.join("、")));
    }
    for note in report.errors.iter().chain(&report.left_empty) {
        lines.push(format!("  第 {} 行 {}：{}", note.row, note.column, note.reason));
    }
    let more = report.rejected.saturating_sub(report.errors.len() as u64);
    if more > 0 {
        lines.push(format!("  另有 {more} 行未导入"));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// What is proposed for a file.
pub(super) fn proposal(file: &Path, proposal: &Proposal, language: Language) -> String {
    let heading = [
        say(language, "column", "列"),
        say(language, "becomes", "对应字段"),
        say(language, "sure", "把握"),
        say(language, "for example", "示例"),
        say(language, "replaced", "替换"),
    ];
    let mut table = Table::new(heading);
    for column in &proposal.columns {
        let replaced: Vec<String> =
            column.replaced.iter().map(|(from, to)| format!("{from} → {to}")).collect();
        let by = column.by.as_ref().map_or_else(String::new, |by| format!(" ({by})"));
        table.row(vec![
            column.column.clone(),
            column.field.as_ref().map_or_else(|| "–".to_owned(), |field| format!("{field}{by}")),
            column.field.as_ref().map_or_else(String::new, |_| format!("{}%", column.confidence)),
            column.example.chars().take(30).collect(),
            replaced.join(", "),
        ]);
    }
    let mut text =
        format!("{} → {}\n{}", file.display(), proposal.entity, table.lines().join("\n"));
    for note in &proposal.notes {
        text.push_str(&format!("\n! {}", note_words(note, language)));
    }
    text
}

fn note_words(note: &Note, language: Language) -> String {
    match (note, language) {
        (Note::Unknown { column, values }, Language::En) => format!(
            "{column}: not understood, rows with it would be rejected: {}; add a map",
            values.join(", ")
        ),
        (Note::Unknown { column, values }, Language::Zh) => {
            format!("{column}：无法识别的值（所在行不会导入）：{}；请补充 map", values.join("、"))
        }
        (Note::AmbiguousDates { column, order }, Language::En) => {
            format!("{column}: dates fit more than one order; {order} was taken, look at it")
        }
        (Note::AmbiguousDates { column, order }, Language::Zh) => {
            format!("{column}：日期顺序不唯一，暂按 {order} 处理，请核对")
        }
        (Note::Required { field }, Language::En) => {
            format!("{field} is required and no column fills it; it is left empty")
        }
        (Note::Required { field }, Language::Zh) => {
            format!("{field} 为必填字段，但没有对应的列，将留空")
        }
        (Note::NoKey, Language::En) => {
            "no column names a row; equal rows are told apart by their order".to_owned()
        }
        (Note::NoKey, Language::Zh) => "没有可作为主键的列，相同的行按顺序区分".to_owned(),
        (Note::Currency { currency }, Language::En) => {
            format!("amounts name no currency; {currency} was taken, see --currency")
        }
        (Note::Currency { currency }, Language::Zh) => {
            format!("金额没有注明币种，暂按 {currency} 处理，可用 --currency 指定")
        }
        (Note::OtherType { record_type, records }, Language::En) => format!(
            "{records} of type {record_type} are not taken; a mapping with record_type = \"{record_type}\" does"
        ),
        (Note::OtherType { record_type, records }, Language::Zh) => format!(
            "{records} 条 {record_type} 类型的记录未导入；可用 record_type = \"{record_type}\" 的映射导入"
        ),
    }
}

/// Asks whether to import.
pub(super) fn question(language: Language) -> &'static str {
    say(language, "Import like this? [y/N]", "按此导入？[y/N]")
}

/// The imports of a device.
pub(super) fn batches(batches: &[Batch], language: Language) -> String {
    if batches.is_empty() {
        return say(language, "nothing was imported", "没有导入记录").to_owned();
    }
    let heading = [
        say(language, "number", "编号"),
        say(language, "when", "时间"),
        say(language, "file", "文件"),
        say(language, "entity", "实体"),
        say(language, "created", "新建"),
        say(language, "updated", "更新"),
        say(language, "rejected", "未导入"),
        say(language, "state", "状态"),
    ];
    let mut table = Table::new(heading);
    for batch in batches {
        let state = match (batch.undone_at, batch.ended_at) {
            (Some(_), _) => say(language, "taken back", "已撤销"),
            (None, Some(_)) => say(language, "done", "完成"),
            (None, None) => {
                say(language, "interrupted; import the file again", "已中断，请重新导入")
            }
        };
        table.row(vec![
            batch.id.to_string(),
            to_rfc3339(batch.begun_at),
            batch.file.clone(),
            batch.entity.clone(),
            batch.created.to_string(),
            batch.updated.to_string(),
            batch.rejected.to_string(),
            state.to_owned(),
        ]);
    }
    table.lines().join("\n")
}

/// What was taken back.
pub(super) fn undone(undone: &ImportUndone, language: Language) -> String {
    let ImportUndone { archived, restored, rows_removed, kept } = undone;
    match language {
        Language::En => format!(
            "archived {archived}, as before {restored}, rows removed {rows_removed}, kept because \
             somebody has changed them since {kept}"
        ),
        Language::Zh => format!(
            "已归档 {archived}，已还原 {restored}，已移除明细 {rows_removed}，因之后被修改而保留 {kept}"
        ),
    }
}
