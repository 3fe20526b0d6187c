//! The command `doctor`: what is wrong with a data folder, in sentences, and repairs by name.

use std::{
    collections::BTreeMap,
    error::Error,
    io::{self, BufRead as _, IsTerminal as _, Write as _},
};

use clap::Args;
use outrider_core::{
    doctor::free_bytes,
    time::{Clock as _, DAY_MS, SystemClock},
};
use serde::Serialize;
use serde_json::json;

use super::{DataArgs, say};
use crate::{
    ledger::LEDGER_FILE,
    lock::lock,
    storage::sqlite::{
        SqliteStorage,
        repair::{Repair, Repaired, repair},
        verify::{Findings, Subject, care, verify},
    },
};

/// Free bytes below which commits may soon fail.
const FREE_BYTES_MIN: u64 = 256 * 1024 * 1024;
/// Names of what was found that are told one by one.
const NAMES_MAX: usize = 20;
/// Days after which a backup is old.
const BACKUP_DAYS: i64 = 7;

/// What `doctor` can be told.
#[derive(Debug, Clone, Args)]
pub struct DoctorArgs {
    /// Whose data.
    #[command(flatten)]
    pub data: DataArgs,
    /// Repair this, or all-safe for everything but exchanging the database's file; may be given
    /// several times. No server may run meanwhile
    #[arg(long, value_name = "NAME")]
    pub fix: Vec<String>,
    /// Do not ask before a repair
    #[arg(long)]
    pub yes: bool,
    /// Language of the sentences: en or zh
    #[arg(long, env = "OUTRIDER_LANG", default_value = "en", value_name = "LANGUAGE")]
    pub language: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Found {
    /// What was looked at.
    subject: String,
    /// `problem` or `notice`.
    level: &'static str,
    count: u64,
    /// Ids and what is wrong; never values.
    names: Vec<String>,
    fix: Option<&'static str>,
    sentence: String,
}

/// Looks at a data folder, repairs what is asked for, and looks again; whether nothing is wrong.
///
/// # Errors
///
/// Fails when there is no data, a server runs that a repair would disturb, or a fix is unknown.
pub fn examine(args: &DoctorArgs) -> Result<bool, Box<dyn Error>> {
    let place = args.data.place()?;
    place.must_have_data()?;
    let is_zh = args.language.starts_with("zh");
    let ledger = place.ledger.clone().unwrap_or_else(|| place.data.join(LEDGER_FILE));
    let check = || verify(&place.data, Some(&ledger), &mut |_, _, _| ());
    let mut findings = check()?;
    let mut found = told(&findings, &place.data, is_zh);
    let asked = asked(args, &findings)?;
    let mut done: Vec<Repaired> = Vec::new();
    if !asked.is_empty() {
        let _lock = lock(&place.data)?;
        for what in asked {
            if !args.yes && !args.json && !is_agreed(what, is_zh)? {
                continue;
            }
            done.push(repair(&place.data, what, &findings, SystemClock.now_ms())?);
            if what == Repair::Salvage {
                // Opening makes its rows anew.
                drop(SqliteStorage::open_with_ledger(&place.data, Some(&ledger))?);
            }
            findings = check()?;
        }
        found = told(&findings, &place.data, is_zh);
    }
    let is_well = found.iter().all(|found| found.level != "problem");
    let mut words: Vec<String> = done.iter().map(|done| in_words(done, is_zh)).collect();
    words.extend(found.iter().map(|found| found.sentence.clone()));
    if is_well {
        words.push(pick(is_zh, "nothing is wrong", "没有发现问题").to_owned());
    }
    say(args.json, &json!({ "found": found, "fixed": done }), &words.join("\n"))?;
    Ok(is_well)
}

fn pick(is_zh: bool, en: &'static str, zh: &'static str) -> &'static str {
    if is_zh { zh } else { en }
}

/// The repairs that are asked for, in the order in which they are done.
fn asked(args: &DoctorArgs, findings: &Findings) -> Result<Vec<Repair>, Box<dyn Error>> {
    let mut asked = Vec::new();
    for name in &args.fix {
        if name == "all-safe" {
            let needed = findings.problems.iter().filter_map(|found| Repair::of(found.subject));
            asked.extend(needed.filter(|repair| repair.is_safe()));
        } else {
            asked.push(name.parse()?);
        }
    }
    Ok(Repair::ALL.into_iter().filter(|repair| asked.contains(repair)).collect())
}

fn is_agreed(what: Repair, is_zh: bool) -> Result<bool, Box<dyn Error>> {
    if !io::stdin().is_terminal() {
        return Ok(true);
    }
    let question = pick(is_zh, "repair", "修复");
    write!(io::stderr(), "{question} {}? [y/N] ", what.name())?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "是"))
}

/// Everything that was found, by what was looked at.
fn told(findings: &Findings, data: &std::path::Path, is_zh: bool) -> Vec<Found> {
    let mut by_subject: BTreeMap<Subject, (u64, Vec<String>)> = BTreeMap::new();
    for problem in &findings.problems {
        let (count, names) = by_subject.entry(problem.subject).or_default();
        *count += 1;
        if names.len() < NAMES_MAX {
            names.push(format!("{}: {}", problem.name, problem.found));
        }
    }
    let mut found: Vec<Found> = by_subject
        .into_iter()
        .map(|(subject, (count, names))| {
            let fix = Repair::of(subject).map(Repair::name);
            let sentence = sentence(subject, count, fix, is_zh);
            let names_in_words: String = names.iter().map(|name| format!("\n  {name}")).collect();
            let subject = format!("{subject:?}").to_lowercase();
            let sentence = [sentence, names_in_words].concat();
            Found { subject, level: "problem", count, names, fix, sentence }
        })
        .collect();
    let free = free_bytes(data).filter(|free| *free < FREE_BYTES_MIN);
    found.extend(free.map(|free| Found {
        subject: "disk_space".to_owned(),
        level: "problem",
        count: free,
        names: Vec::new(),
        fix: None,
        sentence: if is_zh {
            format!("磁盘仅剩 {free} 字节：请清理空间，否则提交将失败")
        } else {
            format!("only {free} bytes are free on the disk: make room, or commits will fail")
        },
    }));
    if let Ok(care) = care(data) {
        found.extend(notices(&care, is_zh));
    }
    found
}

fn notices(care: &crate::storage::sqlite::verify::Care, is_zh: bool) -> Vec<Found> {
    let notice = |subject: &str, count: u64, en: String, zh: String| Found {
        subject: subject.to_owned(),
        level: "notice",
        count,
        names: Vec::new(),
        fix: None,
        sentence: if is_zh { zh } else { en },
    };
    let mut found = Vec::new();
    if care.quarantined > 0 {
        let count = care.quarantined;
        found.push(notice(
            "quarantine",
            count,
            format!("{count} damaged pieces are kept aside in the table `quarantine`; nothing need be done"),
            format!("{count} 份损坏的数据已保存在 quarantine 表中，无需处理"),
        ));
    }
    let age = care.last_backup_at.map(|at| (SystemClock.now_ms() - at) / DAY_MS);
    match age {
        None => found.push(notice(
            "backup",
            0,
            "no backup was made yet: `backup` makes one; until then devices keep all that they wrote"
                .to_owned(),
            "尚未备份：请运行 `backup`；在此之前各设备保留自己写入的全部内容".to_owned(),
        )),
        Some(days) if days > BACKUP_DAYS => found.push(notice(
            "backup",
            days.unsigned_abs(),
            format!("the last backup is {days} days old: `backup` makes one"),
            format!("上次备份已是 {days} 天前：请运行 `backup`"),
        )),
        Some(_) => {}
    }
    found
}

/// What it means, and what can be done.
fn sentence(subject: Subject, count: u64, fix: Option<&str>, is_zh: bool) -> String {
    let (en, zh) = match subject {
        Subject::Database => (
            "pages or indexes of the database are damaged; what can be read can be copied into a new file, or a backup put back",
            "数据库的页或索引已损坏；可将可读部分复制到新文件，或恢复备份",
        ),
        Subject::History => (
            "changes say something else than their columns, or cannot be read; columns can be made anew, bytes come back only from a backup or from the device that wrote them",
            "更改与其列不符或无法读取；列可以重建，内容只能从备份或原设备取回",
        ),
        Subject::Document => (
            "documents are not what their history comes to; they can be made anew from it, what is there now is kept aside",
            "文档与其历史不符；可由历史重建，现有内容会另行保存",
        ),
        Subject::Row => (
            "rows of lists say something else than their documents; they can be made anew",
            "列表行与文档不符；可以重建",
        ),
        Subject::Index => (
            "what records are found by says something else than their rows; it can be made anew",
            "检索数据与记录不符；可以重建",
        ),
        Subject::Feed => (
            "documents do not stand in the feed where they should, so devices may miss them; they can be put there",
            "文档在变更流中的位置不对，设备可能收不到；可以重新放置",
        ),
        Subject::Stream => (
            "digests of streams are not those of their documents, so devices compare in vain; they can be counted anew",
            "摘要与文档不符，设备会白白比对；可以重新计算",
        ),
        Subject::Scope => (
            "who may see a record is not what the record says; the next server that starts after `rules` are published works it out anew",
            "记录的可见范围与记录不符；重新发布规则后将重新计算",
        ),
        Subject::Chain => (
            "the chain of the feed is broken: devices will send back what they have; put back a backup, or ask support",
            "变更链已断：设备会补发其内容；请恢复备份或联系支持",
        ),
        Subject::Device => (
            "devices are not what the ledger says; `device` lists them",
            "设备与登记簿不符；用 `device` 查看",
        ),
        Subject::Ledger => (
            "the ledger beside the database does not fit; `ledger check` says more, `ledger renew` begins a new one",
            "数据库旁的登记簿不符；`ledger check` 查看详情，`ledger renew` 重新建立",
        ),
    };
    let what = pick(is_zh, "fix", "修复");
    let fix = fix.map_or_else(String::new, |fix| format!(" (--fix {fix}: {what})"));
    if is_zh { format!("{count} 处：{zh}{fix}") } else { format!("{count}: {en}{fix}") }
}

fn in_words(done: &Repaired, is_zh: bool) -> String {
    let (name, repaired, lost) = (done.repair.name(), done.repaired, done.lost);
    let kept = done.kept_in.as_ref().map(|path| path.display().to_string());
    match (is_zh, kept) {
        (false, None) => format!("{name}: {repaired} repaired, {lost} cannot be repaired here"),
        (true, None) => format!("{name}：已修复 {repaired} 处，{lost} 处无法在此修复"),
        (false, Some(kept)) => format!(
            "{name}: {repaired} rows are in the new file, {lost} tables are not whole; the old file is {kept}"
        ),
        (true, Some(kept)) => {
            format!("{name}：新文件含 {repaired} 行，{lost} 张表不完整；旧文件保存在 {kept}")
        }
    }
}
