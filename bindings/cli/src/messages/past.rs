//! Words about what happened: histories, undo, sizes.

use outrider_core::{replica::undo::Reason, schema::Language};

fn pick((en, zh): (&'static str, &'static str), language: Language) -> &'static str {
    match language {
        Language::En => en,
        Language::Zh => zh,
    }
}

/// What happened to a field, by its name in JSON.
pub(crate) fn what(name: &str, language: Language) -> &str {
    let words = match name {
        "changed" => ("changed", "修改"),
        "settled" => ("settled", "裁定"),
        "added" => ("added", "新增"),
        "removed" => ("removed", "移除"),
        "came_back" => ("came back", "恢复"),
        "archived" => ("archived", "归档"),
        "restored" => ("brought back", "恢复"),
        "revived" => ("came back beside an edit", "因并发修改而恢复"),
        "edited" => ("edited", "编辑"),
        _ => return name,
    };
    pick(words, language)
}

/// Why a piece was not taken back.
pub(crate) fn reason(reason: Reason, by: Option<&str>, is_own: bool, language: Language) -> String {
    let who = match (is_own, by, language) {
        (true, _, Language::En) => "this device",
        (true, _, Language::Zh) => "本设备",
        (false, Some(by), _) => by,
        (false, None, Language::En) => "somebody",
        (false, None, Language::Zh) => "他人",
    };
    match (reason, language) {
        (Reason::WrittenSince, Language::En) => format!("stays: {who} wrote there since"),
        (Reason::WrittenSince, Language::Zh) => format!("保留：此后{who}已修改"),
        (Reason::NotHere, Language::En) => "stays: the record is not here any more".to_owned(),
        (Reason::NotHere, Language::Zh) => "保留：记录已不在本设备".to_owned(),
        (Reason::Final, Language::En) => "stays: entries are final".to_owned(),
        (Reason::Final, Language::Zh) => "保留：此类条目不可撤回".to_owned(),
    }
}

/// Other words of these commands.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Past {
    NothingToUndo,
    Undid,
    IsUndone,
    Waiting,
    NothingDone,
    NoHistory,
    OwnAnswer,
    NotSettled,
    /// Who granted an edit that was refused.
    GrantedBy,
    StateBytes,
    TextBytes,
    OwnChanges,
    File,
    Free,
    Documents,
    StoreExported,
    StoreImported,
}

/// The word in a language.
pub(crate) fn say(word: Past, language: Language) -> &'static str {
    let words = match word {
        Past::NothingToUndo => ("nothing can be undone", "没有可撤销的修改"),
        Past::Undid => ("undoes", "撤销了"),
        Past::IsUndone => ("undone", "已撤销"),
        Past::Waiting => ("waiting", "待发送"),
        Past::NothingDone => ("there was nothing to undo", "没有需要撤销的内容"),
        Past::NoHistory => ("no history", "没有历史"),
        Past::OwnAnswer => (
            "this is what this device knows: its own changes, and who wrote the values that it has",
            "以下为本设备所知：自己的修改，以及现有各值的作者",
        ),
        Past::NotSettled => ("several values", "存在多个值"),
        Past::GrantedBy => ("granted by", "批准人"),
        Past::StateBytes => ("values", "字段字节"),
        Past::TextBytes => ("long texts", "长文本字节"),
        Past::OwnChanges => ("own changes", "本设备修改"),
        Past::File => ("on disk", "磁盘占用"),
        Past::Free => ("free", "空闲"),
        Past::Documents => ("documents", "文档数"),
        Past::StoreExported => (
            "the file holds everything that this device holds: keep it as confidential; \
             the enrolment and the private key are not in it",
            "文件包含本设备的全部数据，请同样保密；其中不含登记信息和私钥",
        ),
        Past::StoreImported => (
            "this is a copy: another device, enrolled with nobody. If it is enrolled, it sends \
             what waits here; what the first device sends too then counts twice",
            "这是一份副本：另一台设备，尚未登记。登记后会发送此处待发送的修改；若原设备也发送，则会重复计算",
        ),
    };
    pick(words, language)
}
