//! What a doctor says: a sentence for each finding, with what can be done.

use outrider_core::{
    doctor::{Finding, Fix, Fixed, Kind, Reason},
    replica::Status,
    schema::Language,
};

/// Nothing was found.
pub(crate) fn well(language: Language) -> &'static str {
    match language {
        Language::En => "nothing is wrong",
        Language::Zh => "没有发现问题",
    }
}

/// A finding as a sentence.
pub(crate) fn finding(found: &Finding, language: Language) -> String {
    let count = found.count;
    let (en, zh) = sentence(found);
    let is_counted = matches!(
        found.kind,
        Kind::Documents
            | Kind::Follow
            | Kind::Digests
            | Kind::Awaited
            | Kind::Quarantine
            | Kind::Rows
            | Kind::Outbox
            | Kind::Strays
            | Kind::OwnChanges
            | Kind::Inbox
    );
    match (language, is_counted) {
        (Language::En, false) => en,
        (Language::Zh, false) => zh,
        (Language::En, true) => format!("{count} {en}"),
        (Language::Zh, true) => format!("{count} {zh}"),
    }
}

fn sentence(found: &Finding) -> (String, String) {
    let words = |en: &str, zh: &str| (en.to_owned(), zh.to_owned());
    match found.kind {
        Kind::Unopenable => words(
            "the store cannot be opened; what can still be read can be copied into a new file",
            "无法打开本地数据库；可将仍可读的部分复制到新文件",
        ),
        Kind::Key => words(
            "the device's private key is missing or unreadable: ask the office for a code and run `outrider enroll --again`, nothing is lost",
            "设备私钥缺失或无法读取：请向办公室索取登记码并运行 `outrider enroll --again`，数据不会丢失",
        ),
        Kind::Instance => words(
            "the token that tells copies of this store apart was missing; it goes on as a new copy, nothing need be done",
            "区分副本的标记缺失；已作为新副本继续，无需处理",
        ),
        Kind::Permissions => words(
            "others on this computer may read the device's private key; it can be taken away from them",
            "本机其他用户可读取设备私钥；可收回其权限",
        ),
        Kind::DiskSpace => (
            format!(
                "only {} bytes are free on the disk: make room, or edits cannot be saved",
                found.count
            ),
            format!("磁盘仅剩 {} 字节：请清理空间，否则无法保存修改", found.count),
        ),
        Kind::Pages => words(
            "pages or indexes of the database file are damaged; what can be read can be copied into a new file, the rest comes back with the next sync",
            "数据库文件的页或索引已损坏；可将可读部分复制到新文件，其余在下次同步时取回",
        ),
        Kind::Documents => words(
            "documents are damaged; they can be put aside and made anew, or fetched with the next sync",
            "份文档已损坏；可另行保存并重建，或在下次同步时取回",
        ),
        Kind::Follow => words(
            "documents are not what the office confirmed with the edits that wait; they can be made anew from both",
            "份文档与已确认内容和待发送修改不符；可由两者重建",
        ),
        Kind::Digests => words(
            "digests are not those of their documents, so syncs compare in vain; they can be counted anew",
            "个摘要与文档不符，同步会白白比对；可以重新计算",
        ),
        Kind::Awaited => words(
            "damaged documents wait for the office's copy: run `outrider sync`; edits of them are kept",
            "份损坏的文档等待办公室的副本：请运行 `outrider sync`；对它们的修改已保留",
        ),
        Kind::Quarantine => words(
            "damaged pieces are kept aside in this store; nothing need be done",
            "份损坏的数据已另行保存在本地数据库中，无需处理",
        ),
        Kind::Rows => words(
            "rows of lists say something else than their documents; they can be made anew",
            "行列表与文档不符；可以重建",
        ),
        Kind::Outbox => words(
            "edits that wait are damaged and cannot be sent; they can be written anew from their records",
            "项待发送的修改已损坏，无法发送；可由记录重新写出",
        ),
        Kind::Strays => words(
            "documents have edits that wait, but are not here: run `outrider sync`, which sends them and fetches the documents",
            "份文档有待发送的修改，但不在本设备上：请运行 `outrider sync` 发送并取回",
        ),
        Kind::OwnChanges => words(
            "edits that the office has are damaged here: a server that lost them could not get them back from this device; `--fix outbox` puts them aside",
            "项已送达办公室的修改在本设备上已损坏：服务器若丢失则无法从此取回；`--fix outbox` 可将其另行保存",
        ),
        Kind::Cursor => words(
            "where this device stands with the office cannot be read; it can be forgotten, the next sync compares everything",
            "同步位置无法读取；可将其清除，下次同步将全部比对",
        ),
        Kind::Clock => (
            format!(
                "the clock of this device is {} minutes off the office's: set it right, times of edits are wrong meanwhile",
                found.count
            ),
            format!("本设备时钟与办公室相差 {} 分钟：请校准，否则修改时间不准", found.count),
        ),
        Kind::OtherProcess => words(
            "another process writes into this store just now; run again when it is done",
            "另一个进程正在写入；请待其完成后再运行",
        ),
        Kind::Waiting => waiting(found),
        Kind::Inbox => words(
            "refusals wait for you: `outrider inbox` shows them with their reasons",
            "项被拒绝的修改等待处理：`outrider inbox` 显示内容和原因",
        ),
    }
}

fn waiting(found: &Finding) -> (String, String) {
    let (count, days) = (found.count, found.names.first().map_or("?", String::as_str));
    let (en, zh) = match found.reason {
        Some(Reason::NotEnrolled) => (
            "this device is enrolled with nobody; run `outrider enroll URL CODE`",
            "本设备尚未登记；请运行 `outrider enroll URL CODE`",
        ),
        Some(Reason::PutOff) => (
            "the office put them off although there was contact; `outrider outbox` lists them, ask the office to run `doctor`",
            "虽有联系，办公室仍暂缓处理；`outrider outbox` 列出，请办公室运行 `doctor`",
        ),
        Some(Reason::NoContact) | None => (
            "there was no contact with the office since; run `outrider sync` where there is a connection",
            "此后未与办公室联系；请在有网络处运行 `outrider sync`",
        ),
    };
    (
        format!("{count} edits wait, the oldest for {days} days: {en}"),
        format!("{count} 项修改待发送，最早的已等待 {days} 天：{zh}"),
    )
}

/// What a repair does.
pub(crate) fn fix_words(fix: Fix, language: Language) -> &'static str {
    let (en, zh) = match fix {
        Fix::Documents => (
            "puts damaged documents aside, makes them anew or has them fetched",
            "另存损坏的文档，重建或重新获取",
        ),
        Fix::Outbox => (
            "writes damaged edits anew from their records; what is replaced is kept",
            "由记录重新写出损坏的修改；被替换的内容会保留",
        ),
        Fix::Digests => ("counts the digests anew", "重新计算摘要"),
        Fix::Rows => {
            ("makes the lists anew; rows that were wrong are kept", "重建列表；错误的行会保留")
        }
        Fix::ForgetCursor => (
            "forgets where this device stands; the next sync compares everything",
            "清除同步位置；下次同步全部比对",
        ),
        Fix::Permissions => ("takes the private key away from others", "收回他人对私钥的权限"),
        Fix::Salvage => (
            "copies what can be read into a new file; the old file is kept",
            "将可读部分复制到新文件；旧文件会保留",
        ),
    };
    match language {
        Language::En => en,
        Language::Zh => zh,
    }
}

/// What a repair did.
pub(crate) fn fixed(done: &Fixed, language: Language) -> String {
    let (fix, count) = (done.fix, done.repaired);
    let kept = done.kept_in.as_ref().map(|path| path.display().to_string());
    match (language, kept) {
        (Language::En, None) => format!("{fix}: repaired {count}"),
        (Language::Zh, None) => format!("{fix}：已修复 {count} 处"),
        (Language::En, Some(kept)) => {
            format!("{fix}: {count} rows are in the new file; the old file is {kept}")
        }
        (Language::Zh, Some(kept)) => format!("{fix}：新文件含 {count} 行；旧文件保存在 {kept}"),
    }
}

/// Asks whether to repair.
pub(crate) fn question(fix: Fix, language: Language) -> String {
    match language {
        Language::En => format!("{}: {}? [y/N] ", fix, fix_words(fix, language)),
        Language::Zh => format!("{}：{}？[y/N] ", fix, fix_words(fix, language)),
    }
}

/// The line of the status about damage, if there is any.
pub(crate) fn status(status: &Status, language: Language) -> Option<String> {
    let (kept, awaited) = (status.damaged.kept, status.damaged.awaited);
    if kept == 0 {
        return None;
    }
    Some(match language {
        Language::En => format!(
            "damaged: {kept} pieces were found damaged and kept aside, {awaited} documents wait for the office's copy; `outrider doctor` says more"
        ),
        Language::Zh => format!(
            "损坏: 发现并另存 {kept} 份损坏的数据，{awaited} 份文档等待办公室的副本；`outrider doctor` 查看详情"
        ),
    })
}

/// What a bundle holds and what not.
pub(crate) fn bundle_words(language: Language) -> &'static str {
    match language {
        Language::En => {
            "the bundle holds versions, sizes, findings, and the structure of the store; every word, name, number and id in it is replaced, addresses and keys are left out:"
        }
        Language::Zh => {
            "诊断包含版本、大小、检查结果和数据结构；其中所有文字、姓名、号码和标识均已替换，不含地址和密钥："
        }
    }
}
