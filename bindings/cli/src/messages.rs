//! Words that people read, in English and Chinese.

pub(crate) mod devices;
pub(crate) mod doctor;
pub(crate) mod merge;
pub(crate) mod past;
mod seal;

use outrider_core::{
    replica::{ReplicaError, session::Summary},
    schema::Language,
    store::{StoreError, is_denied},
    transfer::export,
};

use crate::error::CliError;

/// Words beside records: headings and short answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    Changed,
    Unchanged,
    Archived,
    Restored,
    Settled,
    Dismissed,
    Asked,
    NoRecords,
    NoConflicts,
    NothingWaits,
    NothingRefused,
    NoLinks,
    More,
    Shown,
    MustSettle,
    Unknown,
    ThisDevice,
    NotHere,
    Record,
    Part,
    Entity,
    Keys,
    Field,
    Reason,
    Value,
    WrittenAt,
    RefusedAt,
    Server,
    User,
    Device,
    Fingerprint,
    Records,
    Waiting,
    Conflicts,
    Refusals,
    Position,
    LastSync,
    Never,
    NotEnrolled,
    Folder,
    Ready,
    AlreadyThere,
    Enrolled,
    Label,
    Kind,
    Type,
    Merge,
    Required,
    Yes,
    No,
    Encrypted,
    Rebuilt,
    RowsAgree,
    Exported,
    WithoutHistory,
    LeftOut,
    To,
    From,
    NothingHappened,
    NothingFound,
    OneTypo,
    Narrower,
    Distance,
}

/// The word in a language.
pub(crate) fn word(word: Word, language: Language) -> &'static str {
    let (en, zh) = both(word);
    match language {
        Language::En => en,
        Language::Zh => zh,
    }
}

fn both(word: Word) -> (&'static str, &'static str) {
    match word {
        Word::Changed => ("changed", "已修改"),
        Word::Unchanged => ("nothing to change", "没有变化"),
        Word::Archived => ("archived", "已归档"),
        Word::Restored => ("brought back", "已恢复"),
        Word::Settled => ("settled", "已裁定"),
        Word::Dismissed => ("put away", "已处理"),
        Word::Asked => ("approval was asked for", "已申请审批"),
        Word::NothingFound => ("nothing found", "没有找到"),
        Word::OneTypo => (
            "not written exactly so: one letter differs, or it sounds the same",
            "没有完全一致的内容：相差一个字母或一个字，或读音相同",
        ),
        Word::Narrower => (
            "there are more than were ranked; another word narrows it down",
            "还有更多未参与排序；再加一个词可缩小范围",
        ),
        Word::Distance => ("Distance", "距离"),
        Word::NoRecords => ("no records", "没有记录"),
        Word::NoConflicts => ("no conflicts", "没有冲突"),
        Word::NothingWaits => ("nothing waits to be sent", "没有待发送的修改"),
        Word::NothingRefused => ("nothing was refused", "没有被拒绝的修改"),
        Word::NoLinks => ("no links", "没有关联"),
        Word::More => ("there is more; go on with", "还有更多，继续请用"),
        Word::Shown => ("shows now", "当前显示"),
        Word::MustSettle => ("a person must choose", "需要人工选择"),
        Word::Unknown => ("unknown", "未知"),
        Word::ThisDevice => ("this device", "本设备"),
        Word::NotHere => ("not on this device", "不在本设备上"),
        Word::Record => ("record", "记录"),
        Word::Part => ("part", "部分"),
        Word::Entity => ("entity", "实体"),
        Word::Keys => ("keys", "键"),
        Word::Field => ("field", "字段"),
        Word::Reason => ("reason", "原因"),
        Word::Value => ("value", "值"),
        Word::WrittenAt => ("written", "写入时间"),
        Word::RefusedAt => ("refused", "拒绝时间"),
        Word::Server => ("server", "服务器"),
        Word::User => ("user", "用户"),
        Word::Device => ("device", "设备"),
        Word::Fingerprint => ("fingerprint", "指纹"),
        Word::Records => ("records", "记录数"),
        Word::Waiting => ("waiting", "待发送"),
        Word::Conflicts => ("conflicts", "冲突"),
        Word::Refusals => ("refusals", "被拒绝"),
        Word::Position => ("position", "同步位置"),
        Word::LastSync => ("last sync", "上次同步"),
        Word::Never => ("never", "从未"),
        Word::NotEnrolled => ("not enrolled", "未登记"),
        Word::Folder => ("folder", "目录"),
        Word::Ready => ("the replica is ready in", "本地数据库已建立于"),
        Word::AlreadyThere => ("there is a replica already in", "本地数据库已存在于"),
        Word::Enrolled => ("enrolled as", "已登记为"),
        Word::Label => ("label", "名称"),
        Word::Kind => ("kind", "合并类型"),
        Word::Type => ("type", "值类型"),
        Word::Merge => ("merge", "冲突规则"),
        Word::Required => ("required", "必填"),
        Word::Yes => ("yes", "是"),
        Word::No => ("no", "否"),
        Word::Encrypted => ("encrypted", "已加密"),
        Word::Rebuilt => ("the lists are made anew", "列表已重建"),
        Word::RowsAgree => ("the lists say what the documents say", "列表与文档一致"),
        Word::Exported => ("written to", "已写入"),
        Word::WithoutHistory => (
            "the file holds the values of this device; the history is left out",
            "文件只含本设备上的值，不含历史",
        ),
        Word::LeftOut => ("have nothing that this format can hold", "条没有此格式可保存的内容"),
        Word::To => ("links to", "关联到"),
        Word::From => ("linked from", "被关联于"),
        Word::NothingHappened => ("nothing happened", "没有任何记录"),
    }
}

/// What a session did.
pub(crate) fn summary(summary: &Summary, language: Language) -> String {
    let Summary { pushed, refused, pulled, left, repaired, is_server_restored, .. } = summary;
    let Summary { erased, erased_values, recovered, waiting, forked, is_copy, .. } = summary;
    let parts = match language {
        Language::En => [
            (true, format!("sent {pushed} changes, received {pulled} documents")),
            (*refused > 0, format!("{refused} changes were refused")),
            (*left > 0, format!("{left} records left this device")),
            (*erased > 0, format!("{erased} records were erased, as the law demands")),
            (*erased_values > 0, format!("{erased_values} values that you typed went with them")),
            (*repaired > 0, format!("{repaired} documents were repaired")),
            (
                *is_copy,
                "this store is a copy or was put back: it goes on under a name of its own, nothing is lost"
                    .to_owned(),
            ),
            (
                *forked > 0,
                format!(
                    "{forked} changes were written anew, for a copy of this device had used their numbers"
                ),
            ),
            (*is_server_restored, "the server was restored and got back what it lacked".to_owned()),
            (
                *is_server_restored && *waiting > 0,
                format!("{waiting} changes wait until the other devices have synced"),
            ),
            (
                *recovered > 0,
                format!("{recovered} documents hold what the server had lost: it was sent anew"),
            ),
        ],
        Language::Zh => [
            (true, format!("发送 {pushed} 项修改，收到 {pulled} 份文档")),
            (*refused > 0, format!("{refused} 项修改被拒绝")),
            (*left > 0, format!("{left} 条记录已离开本设备")),
            (*erased > 0, format!("{erased} 条记录已依法删除")),
            (*erased_values > 0, format!("您录入的 {erased_values} 项内容随之删除")),
            (*repaired > 0, format!("修复了 {repaired} 份文档")),
            (*is_copy, "本机数据是副本或由备份恢复：已以新的身份继续，没有丢失内容".to_owned()),
            (*forked > 0, format!("{forked} 项修改已重新写入，因为本设备的副本用过相同的编号")),
            (*is_server_restored, "服务器曾从备份恢复，缺少的内容已补发".to_owned()),
            (*is_server_restored && *waiting > 0, format!("{waiting} 项修改需等待其他设备同步")),
            (*recovered > 0, format!("{recovered} 份文档含有服务器丢失的内容，已重新发送")),
        ],
    };
    let parts: Vec<String> =
        parts.into_iter().filter_map(|(is_said, text)| is_said.then_some(text)).collect();
    parts.join("; ")
}

/// That there is no connection, and that nobody need do anything about it.
pub(crate) fn tries_again(cause: &str, language: Language) -> String {
    match language {
        Language::En => format!("{cause}. Trying again from time to time"),
        Language::Zh => format!("{cause}。将不断重试"),
    }
}

/// How far a session has come.
pub(crate) fn progress(summary: &Summary, language: Language) -> String {
    let Summary { pushed, pulled, expected, .. } = summary;
    match language {
        Language::En => format!("sent {pushed}, received {pulled} of {expected}"),
        Language::Zh => format!("已发送 {pushed}，已接收 {pulled}/{expected}"),
    }
}

/// What a session that was cut off has done.
pub(crate) fn kept(summary: &Summary, language: Language) -> String {
    let Summary { applied, duplicates, pulled, .. } = summary;
    let arrived = applied + duplicates;
    match language {
        Language::En => {
            format!("{arrived} changes had arrived there and {pulled} documents here;")
        }
        Language::Zh => format!("已有 {arrived} 项修改送达、{pulled} 份文档保存在本地；"),
    }
}

/// An error for people; those that are met most have Chinese words of their own.
pub(crate) fn of_error(error: &CliError, language: Language) -> String {
    match language {
        Language::En => error.to_string(),
        Language::Zh => in_chinese(error).unwrap_or_else(|| error.to_string()),
    }
}

fn in_chinese(error: &CliError) -> Option<String> {
    Some(match error {
        CliError::NotInitialised(home) => format!(
            "{} 中没有本地数据库；请先运行 `outrider init`，或用 --home 指定目录",
            home.display()
        ),
        CliError::NotEnrolled => {
            "本设备尚未登记；请向公司索取登记码，然后运行 `outrider enroll URL CODE`".to_owned()
        }
        CliError::AlreadyEnrolled { url, user } => format!(
            "本设备已在 {url} 登记为 {user}；要重新登记请运行 `outrider enroll --again URL CODE`"
        ),
        CliError::StillWaiting { waiting, url } => format!(
            "还有 {waiting} 项修改待发送到 {url}；请先运行 `outrider sync`，或用 `outrider enroll --again` 以新登记发送"
        ),
        CliError::UnknownRecord(text) => format!(
            "本设备上没有记录 `{text}`；请用 `outrider list ENTITY` 查找，或运行 `outrider sync` 获取"
        ),
        CliError::AmbiguousRecord { text, some } => {
            format!("`{text}` 对应多条记录，请多写几位；例如：{some}")
        }
        CliError::BadReference(text) => format!(
            "`{text}` 不能指明记录；请写完整的编号、至少 8 位开头数字，或 entity:external_id"
        ),
        CliError::UnknownEntity { name, near } => format!("没有实体 `{name}`；{near}"),
        CliError::UnknownField { entity, field, near } => {
            format!("{entity} 没有字段 `{field}`；{near}。`outrider schema {entity}` 列出全部字段")
        }
        CliError::NoConflict { record, key } => format!(
            "记录 {record} 的 `{key}` 没有冲突；`outrider conflicts {record}` 显示待裁定的内容"
        ),
        CliError::NoRefusal(id) => format!("没有编号为 {id} 的拒绝；`outrider inbox` 列出全部"),
        CliError::Unreachable { url, cause } => {
            format!("无法连接 {url}（{cause}）；数据都保存在本地，联网后请再运行一次")
        }
        CliError::Untrusted { url, cause } => format!(
            "{url} 无法证明自己是公司的服务器（{cause}）；没有发送任何内容，数据都保存在本地。请换一个网络再试；若仍如此，请索取带指纹的登记码并运行 `outrider enroll --again URL CODE --ca-fingerprint FINGERPRINT`"
        ),
        CliError::Fingerprint { url, found, expected } => format!(
            "{url} 不是发出登记码的服务器：其颁发机构指纹为 {found}，而不是 {expected}。没有发送任何内容；请核对指纹，若无误则可能有人在中间拦截，请换一个网络"
        ),
        CliError::Plain(url) => format!(
            "{url} 是未加密的 HTTP，途中任何人都能看到内容；请使用 https:// 开头的地址，或向公司索取后重新登记"
        ),
        CliError::Cut { url, cause, kept } => {
            format!(
                "与 {url} 的连接中断（{cause}）；{kept} 再次运行 `outrider sync` 会从中断处继续"
            )
        }
        CliError::TokenRefused(cause) => format!(
            "服务器已不认识本设备（{cause}）；请索取登记码并运行 `outrider enroll --again URL CODE`"
        ),
        CliError::Barred { code, sent, .. } => devices::barred(code, *sent, Language::Zh),
        CliError::Wiped | CliError::Replica(ReplicaError::Wiped) => {
            devices::wiped(Language::Zh).to_owned()
        }
        CliError::WaitsForApproval { fingerprint } => {
            devices::still_waits(fingerprint, Language::Zh)
        }
        CliError::Replica(ReplicaError::Locked { days }) => devices::locked(*days, Language::Zh),
        CliError::Replica(ReplicaError::OtherUser { user }) => {
            devices::other_user(user, Language::Zh)
        }
        CliError::Refused(count) => {
            format!("公司拒绝了 {count} 项修改；`outrider inbox` 显示内容和原因")
        }
        CliError::Rejected(count) => {
            format!("有 {count} 行被拒绝；请在文件中更正后重新导入")
        }
        CliError::Unwell(count) => {
            format!("发现 {count} 个问题；以上各条说明了处理办法")
        }
        CliError::RowsDiffer(count) => {
            format!("有 {count} 行与文档不一致；请运行 `outrider rebuild`")
        }
        CliError::NoHistory(inner) => {
            format!("{}；或用 --offline 只写入本设备上的值", of_error(inner, Language::Zh))
        }
        CliError::NothingToUndo => "没有可撤销的修改".to_owned(),
        CliError::FileExists(path) => {
            format!("{} 已存在；用 --force 覆盖", path.display())
        }
        CliError::Write(export::ExportError::OneEntity) => {
            "一个 CSV 文件只能包含一个实体；请分别写入，或使用其他格式".to_owned()
        }
        CliError::Replica(ReplicaError::Store(StoreError::Seal(error))) => seal::in_chinese(error),
        CliError::Replica(ReplicaError::Store(StoreError::InUse(path))) => format!(
            "另一程序正在使用 {}；请结束该程序（例如 `outrider sync --watch`）后重试，没有作任何更改",
            path.display()
        ),
        CliError::Replica(ReplicaError::Store(StoreError::Denied { path, source })) => format!(
            "无法写入 {}（{source}）：该文件或其目录属于其他用户，或为只读。请把二者交给运行本程序的用户，或以其所有者身份运行；没有作任何更改",
            path.display()
        ),
        CliError::Replica(ReplicaError::Store(StoreError::Open { path, source })) => {
            format!("无法打开 {}（{source}）。请重试；如果仍然如此，请检查磁盘", path.display())
        }
        CliError::Replica(ReplicaError::Folder { path, source })
        | CliError::File { path, source } => format!(
            "无法使用 {}：{source}{}",
            path.display(),
            if is_denied(source) {
                "；它属于其他用户，或为只读：请把它交给运行本程序的用户，或以其所有者身份运行"
            } else {
                ""
            }
        ),
        CliError::Replica(ReplicaError::Store(StoreError::TooNew { found, known })) => format!(
            "本机数据由较新的应用写入（版本 {found}，本应用最高支持 {known}）；请重新安装较新的应用"
        ),
        CliError::Replica(ReplicaError::Protocol(words)) => {
            format!(
                "服务器的答复不符合协议（{words}）；请更新应用，若仍如此请联系办公室；没有丢失任何内容"
            )
        }
        CliError::Server { code, .. } if code == "protocol" => {
            "服务器使用另一版本的协议；请更新应用，或请办公室更新服务器；没有丢失任何内容"
                .to_owned()
        }
        CliError::NoHome
        | CliError::Usage(_)
        | CliError::Server { .. }
        | CliError::Json { .. }
        | CliError::BatchFailed { .. }
        | CliError::Import(_)
        | CliError::Own(_)
        | CliError::Export(_)
        | CliError::Write(_)
        | CliError::Replica(_)
        | CliError::OutputClosed
        | CliError::Output(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Language; 2] = [Language::En, Language::Zh];

    fn is_chinese(text: &str) -> bool {
        text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter))
    }

    /// What happens to a device or its server over the years ends with a sentence of its own.
    #[test]
    fn whatever_a_session_met_is_said_in_both_languages() {
        let quiet = Summary::default();
        let restored = Summary { is_server_restored: true, ..quiet.clone() };
        let stories = [
            Summary { is_copy: true, ..quiet.clone() },
            Summary { forked: 2, ..quiet.clone() },
            Summary { refused: 2, ..quiet.clone() },
            Summary { left: 2, ..quiet.clone() },
            Summary { erased: 2, ..quiet.clone() },
            Summary { erased_values: 2, ..quiet.clone() },
            Summary { repaired: 2, ..quiet.clone() },
            Summary { recovered: 2, ..quiet.clone() },
            restored.clone(),
            Summary { waiting: 2, ..restored },
        ];
        for language in BOTH {
            let said: Vec<String> = stories.iter().map(|one| summary(one, language)).collect();
            for (story, words) in stories.iter().zip(&said) {
                assert_ne!(*words, summary(&quiet, language), "{story:?}");
                assert_eq!(said.iter().filter(|other| *other == words).count(), 1, "{words}");
                assert_eq!(is_chinese(words), language == Language::Zh, "{words}");
            }
        }
    }

    #[test]
    fn what_stops_a_device_is_said_in_both_languages() {
        let server = |code: &str| CliError::Server {
            status: 400,
            code: code.to_owned(),
            message: "this server speaks another protocol; update the app or the server".to_owned(),
        };
        let barred = |code: &str| CliError::Barred {
            code: code.to_owned(),
            message: String::new(),
            sent: Some(2),
        };
        let stops: [CliError; 8] = [
            ReplicaError::from(StoreError::TooNew { found: 9, known: 8 }).into(),
            ReplicaError::from(StoreError::InUse("outrider.db".into())).into(),
            ReplicaError::Protocol("version 9 needs a newer app".to_owned()).into(),
            ReplicaError::Locked { days: 30 }.into(),
            server("protocol"),
            barred("device_revoked"),
            CliError::Wiped,
            CliError::TokenRefused("401".to_owned()),
        ];
        let next = [
            ["install", "end that program", "app", "sync", "update", "", "", "enroll"],
            ["安装", "结束", "更新", "sync", "更新", "", "", "enroll"],
        ];
        for (language, next) in BOTH.into_iter().zip(next) {
            for (stop, next) in stops.iter().zip(next) {
                let words = of_error(stop, language);
                assert!(!words.is_empty() && words.contains(next), "{words}");
                assert_eq!(is_chinese(&words), language == Language::Zh, "{words}");
            }
        }
    }
}
