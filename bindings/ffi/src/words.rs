//! What people are told, in English and Chinese: what happened, and what to do next.

use outrider_core::{
    access,
    schema::{Language, Schema, ValueError},
};

pub(crate) const CLOSED: [&str; 2] =
    ["The records are locked. Open the app again.", "数据已锁定，请重新打开应用。"];
pub(crate) const CANCELLED: [&str; 2] =
    ["Cancelled. What was done until then is kept.", "已取消，此前完成的内容已保留。"];
pub(crate) const FAILED: [&str; 2] = ["This did not work: ", "操作失败："];
pub(crate) const NO_ENTITY: [&str; 2] = ["This app has no such table.", "此应用没有该数据表。"];
pub(crate) const NO_RECORD: [&str; 2] = [
    "This record is not on this device. Sync, or ask whether you may see it.",
    "此记录不在本设备上，请同步，或确认您有查看权限。",
];
pub(crate) const NO_CONFLICT: [&str; 2] =
    ["Somebody has settled this already.", "此冲突已被处理。"];
pub(crate) const NO_TAP: [&str; 2] = ["This edit cannot be undone.", "此操作无法撤销。"];
pub(crate) const NO_REFUSAL: [&str; 2] =
    ["This entry of the inbox is done already.", "此条目已处理。"];
pub(crate) const ERASED: [&str; 2] = [
    "The person whom this is about asked for erasure; nothing may be written any more.",
    "相关人员已要求删除个人信息，不能再写入。",
];
pub(crate) const EXISTS: [&str; 2] = ["This record exists already.", "此记录已存在。"];
pub(crate) const GROUP: [&str; 2] =
    ["This is too much at once. Save in smaller steps.", "一次保存的内容过多，请分步保存。"];
pub(crate) const LIVE: [&str; 2] =
    ["Too many lists are open. Close one first.", "打开的列表过多，请先关闭一个。"];
pub(crate) const WINDOW: [&str; 2] = [
    "This list is too long to be kept up to date. Ask for fewer rows.",
    "实时列表过长，请减少行数。",
];
pub(crate) const WIPED: [&str; 2] = [
    "The office ordered this device to be wiped. Ask it for a code to begin anew.",
    "公司已要求清除此设备的数据，请向公司索取新的注册码。",
];
pub(crate) const OTHER_USER: [&str; 2] = [
    "The records here are another user's. Open a store of your own.",
    "此处的数据属于其他用户，请使用您自己的数据。",
];
pub(crate) const KEY: [&str; 2] = [
    "The key of this device is locked. Unlock the phone and try again.",
    "设备密钥已锁定，请解锁手机后重试。",
];
pub(crate) const KEY_DAMAGED: [&str; 2] = [
    "What is kept as the key is no key. Nothing was changed; ask support.",
    "保存的密钥无效，数据未作更改，请联系支持人员。",
];
pub(crate) const KEY_MISSING: [&str; 2] = [
    "The records are encrypted and their key is gone. Enrol again: the office has all that was sent.",
    "数据已加密而密钥丢失。请重新注册，已发送的内容保存在公司。",
];
pub(crate) const KEY_WRONG: [&str; 2] = [
    "The records are encrypted with another key. Nothing was changed.",
    "数据由另一密钥加密，未作更改。",
];
pub(crate) const NO_CIPHER: [&str; 2] =
    ["This build cannot encrypt. Use one that can.", "此版本不支持加密，请使用支持加密的版本。"];
pub(crate) const FULL: [&str; 2] = [
    "The disk is full. Free some room and save again; nothing that was saved is lost.",
    "存储空间已满，请清理后再次保存，已保存的内容不会丢失。",
];
pub(crate) const DAMAGED: [&str; 2] = [
    "Something on this device is damaged. Sync: the office has a copy. What you wrote is kept.",
    "本设备上的部分数据已损坏，请同步以从公司恢复，您填写的内容已保留。",
];
pub(crate) const DENIED: [&str; 2] =
    ["The system does not let this app use the file.", "系统不允许此应用使用该文件。"];
pub(crate) const IN_USE: [&str; 2] = [
    "Another program uses the records. Try again in a moment.",
    "数据正被其他程序使用，请稍后重试。",
];
pub(crate) const TOO_NEW: [&str; 2] = [
    "The records were made by a newer version of the app. Install that.",
    "数据由更新版本的应用创建，请安装新版本。",
];
pub(crate) const QUERY: [&str; 2] = ["The list cannot be made: ", "无法生成列表："];
pub(crate) const FOREIGN: [&str; 2] =
    ["This file is not this app's. Nothing was changed.", "此文件不属于本应用，未作更改。"];
pub(crate) const NO_FILE: [&str; 2] = ["There is no such file.", "找不到该文件。"];
pub(crate) const FILE_EXISTS: [&str; 2] =
    ["A file of this name is there already.", "已存在同名文件。"];
pub(crate) const NOT_ENROLLED: [&str; 2] =
    ["This device has no office yet. Ask for a code.", "此设备尚未注册，请向公司索取注册码。"];
pub(crate) const ALREADY_ENROLLED: [&str; 2] =
    ["This device is enrolled already.", "此设备已注册。"];
pub(crate) const STILL_WAITING: [&str; 2] =
    ["Changes wait for the office of now. Sync first.", "仍有更改等待发送到当前公司，请先同步。"];
pub(crate) const WAITS: [&str; 2] = [
    "The office has not approved this device yet. Tell it the fingerprint.",
    "公司尚未批准此设备，请告知设备指纹。",
];
pub(crate) const OFFLINE: [&str; 2] = [
    "The office cannot be reached. Go on working; it is sent later.",
    "无法连接公司服务器，可继续工作，稍后发送。",
];
pub(crate) const CUT: [&str; 2] = [
    "The connection broke off. What arrived is kept; try again.",
    "连接中断，已收到的内容已保留，请重试。",
];
pub(crate) const BUSY: [&str; 2] =
    ["The office is busy. Try again in a moment.", "服务器繁忙，请稍后重试。"];
pub(crate) const UNTRUSTED: [&str; 2] = [
    "What answers cannot prove to be the office. Nothing was sent; try another network.",
    "对方无法证明是公司服务器，未发送任何内容，请更换网络。",
];
pub(crate) const FINGERPRINT: [&str; 2] = [
    "What answers is not the office that gave the code. Compare the fingerprint.",
    "对方不是发放注册码的公司服务器，请核对指纹。",
];
pub(crate) const FINGERPRINT_FORM: [&str; 2] = [
    "A fingerprint has 64 digits, 0 to 9 and a to f. Copy it from beside the code.",
    "指纹为 64 位，由 0–9 和 a–f 组成，请从注册码旁复制。",
];
pub(crate) const AUTHORITY: [&str; 2] = [
    "What is known of the office cannot be read. Enrol again.",
    "公司服务器的信息无法读取，请重新注册。",
];
pub(crate) const PLAIN: [&str; 2] = [
    "This address is not protected: everybody on the way could read along. It must begin with https://",
    "此地址未加密，他人可读取内容，地址须以 https:// 开头。",
];
pub(crate) const ADDRESS: [&str; 2] = [
    "This is no address of a server. It begins with https://",
    "服务器地址无效，应以 https:// 开头。",
];
pub(crate) const TOKEN_REFUSED: [&str; 2] = [
    "The office does not know this device any more. Ask for a code.",
    "公司不再识别此设备，请索取新的注册码。",
];
pub(crate) const BARRED: [&str; 2] = [
    "The office has turned this device away. Talk to it; what you wrote is kept or was sent for review.",
    "公司已停用此设备，请联系公司。您填写的内容已保留或已送审。",
];
pub(crate) const CODE_REFUSED: [&str; 2] = [
    "This code is not valid, or not any more. Ask for a new one.",
    "注册码无效或已过期，请索取新的注册码。",
];
pub(crate) const SERVER_SAYS: [&str; 2] = ["The office refused: ", "公司服务器拒绝："];
pub(crate) const UNKNOWN_FIELD: [&str; 2] = ["there is no such field", "没有该字段"];
pub(crate) const REQUIRED: [&str; 2] = ["this is required", "必填"];
pub(crate) const OFFICE_OWNED: [&str; 2] = ["the office alone fills this in", "由公司填写"];
pub(crate) const WRITTEN_ONCE: [&str; 2] = ["this is written once", "只能填写一次"];
pub(crate) const NO_ROW: [&str; 2] = ["this row is gone", "该行已不存在"];
pub(crate) const TOO_MANY: [&str; 2] = ["too many rows at once", "一次编辑的行数过多"];
pub(crate) const WRONG_ENTITY: [&str; 2] =
    ["This button is for another kind of record.", "此操作不适用于该类记录。"];
pub(crate) const CHECKLIST: [&str; 2] = [
    "Required checks are open. Do them, or say another outcome.",
    "仍有必做检查项未完成，请完成或选择其他结果。",
];
pub(crate) const QUANTITY: [&str; 2] =
    ["The quantity must be a number above 0.", "数量必须大于 0。"];
pub(crate) const BAD_MERGE: [&str; 2] =
    ["These two records cannot be merged.", "这两条记录无法合并。"];

pub(crate) const MERGED_ALREADY: [&str; 2] = [
    "One of them was merged already. Undo that first, or merge the record that goes on.",
    "其中一条记录已被合并，请先撤销，或合并继续使用的记录。",
];
pub(crate) const NOT_MERGED: [&str; 2] =
    ["This record was not merged into another.", "此记录未被合并。"];
pub(crate) const NO_CHOICE: [&str; 2] = ["only single values can be chosen", "只能选择单一值"];

pub(crate) const PLAIN_COPY: [&str; 2] = [
    "This copy would not be encrypted: whoever has the file can read everything. Say that you want it so.",
    "该副本不加密，任何持有文件的人都能读取全部内容，请确认后再导出。",
];
pub(crate) const IMPORT: [&str; 2] = ["This file cannot be imported: ", "无法导入此文件："];
pub(crate) const BAD_SHAPE: &str = "格式不正确";

/// A sentence that owns its words.
pub(crate) fn owned([en, zh]: [&str; 2]) -> [String; 2] {
    [en.to_owned(), zh.to_owned()]
}

/// How long the office was not reached.
pub(crate) fn lease(days: i64, language: Language) -> String {
    match language {
        Language::En => format!(
            "The office was not reached for {days} days, so the records are locked. Sync; nothing is lost."
        ),
        Language::Zh => format!("已 {days} 天未连接公司，数据已锁定，请同步，内容不会丢失。"),
    }
}

/// What the policy says, as the office would.
pub(crate) fn not_permitted(code: &str, language: Language) -> String {
    let known = access::words::sentence(code, language);
    known
        .unwrap_or(match language {
            Language::En => "Your role does not allow this.",
            Language::Zh => "您的角色无权执行此操作。",
        })
        .to_owned()
}

/// What is wrong with a value.
pub(crate) fn bad_value(error: &ValueError) -> [String; 2] {
    let zh = match error {
        ValueError::WrongShape(_) | ValueError::Malformed(_) => "格式不正确".to_owned(),
        ValueError::NotCanonical => "不是规范格式".to_owned(),
        ValueError::TooLong { max } => format!("超过 {max} 个字符"),
        ValueError::OutOfRange { min, max } => format!("不在 {min} 与 {max} 之间"),
        ValueError::TooPrecise { scale } => format!("小数超过 {scale} 位"),
        ValueError::EndsBeforeStart => "结束早于开始".to_owned(),
        ValueError::UnknownChoice { .. } => "选项不存在".to_owned(),
        ValueError::Money(_) => "金额或币种不正确".to_owned(),
    };
    [error.to_string(), zh]
}

/// A field as a form calls it.
pub(crate) fn label_of(entity: Option<&str>, field: &str, language: Language) -> String {
    let known = entity.and_then(|entity| Schema::current().entity(entity)?.field(field));
    known.map_or_else(|| field.to_owned(), |known| known.label.get(language).to_owned())
}

/// Nobody said where a key is kept.
pub(crate) const NO_KEY_STORE: [&str; 2] = [
    "Nobody says where the key is kept: give a secret store.",
    "未指定密钥存储位置，请提供密钥存储。",
];

/// A search is no list that stays up to date.
pub(crate) const WATCHED_SEARCH: [&str; 2] = [
    "A search is not kept up to date. Search again, or watch a list with filters.",
    "搜索结果不会实时更新，请重新搜索，或使用带筛选条件的列表。",
];

/// A place that is none.
pub(crate) const PLACE: [&str; 2] = ["This is no place on Earth.", "位置无效。"];
/// A value that is in several columns.
pub(crate) const FILTER: [&str; 2] = [
    "Lists are not filtered by such a value; name one of its columns, such as `amount_minor`.",
    "不能按此类值筛选，请使用其中一列，例如 amount_minor。",
];

/// The field of a key as forms call it: of a cell, with its column.
pub(crate) fn label_of_key(entity: &str, key: &str, language: Language) -> String {
    let mut names = key.split('/');
    let name = names.next().unwrap_or_default();
    let label = label_of(Some(entity), name, language);
    let field = Schema::current().entity(entity).and_then(|entity| entity.field(name));
    match names.nth(1).and_then(|column| field?.column(column)) {
        Some(column) => format!("{label} · {}", column.label.get(language)),
        None => label,
    }
}

/// What the office refuses that no person did.
pub(crate) fn refused(code: &str, language: Language) -> String {
    match language {
        Language::En => {
            format!("The office could not take this ({code}). Write it again, or ask support.")
        }
        Language::Zh => format!("公司服务器无法接受此内容（{code}），请重新填写或联系支持人员。"),
    }
}

/// Heads that are none.
pub(crate) const VERSION: [&str; 2] =
    ["This is no version of the text. Read it again.", "文本版本无效，请重新读取。"];

/// No such list.
pub(crate) const NO_PICKLIST: [&str; 2] = ["There is no such picklist.", "没有该选项列表。"];

/// A sentence in a language.
pub(crate) fn say([en, zh]: [&str; 2], language: Language) -> String {
    match language {
        Language::En => en.to_owned(),
        Language::Zh => zh.to_owned(),
    }
}

/// A format that has no place for an entity.
pub(crate) const NOT_THAT_FORMAT: [&str; 2] = [
    "This format has no place for such records. Choose another.",
    "此格式不支持该类记录，请选择其他格式。",
];

/// A repair that there is not.
pub(crate) const NO_FIX: [&str; 2] = ["There is no such repair.", "没有该修复方式。"];

/// What a finding means, for people.
pub(crate) fn finding(kind: outrider_core::doctor::Kind, count: u64, language: Language) -> String {
    use outrider_core::doctor::Kind;
    let (en, zh) = match kind {
        Kind::Unopenable => ("The records cannot be opened", "数据无法打开"),
        Kind::Key => (
            "The device's key is missing: enrol again, nothing is lost",
            "设备密钥缺失：请重新注册，数据不会丢失",
        ),
        Kind::Instance => {
            ("These records are a copy and go on as one", "此为数据副本，将作为新副本继续")
        }
        Kind::Permissions => {
            ("Others on this computer may read the device's key", "本机其他用户可读取设备密钥")
        }
        Kind::DiskSpace => ("The disk is nearly full", "存储空间即将用尽"),
        Kind::Pages => ("Pages of the database are damaged", "数据库页已损坏"),
        Kind::Documents => ("Documents are damaged", "文档已损坏"),
        Kind::Follow => ("Documents do not follow from their changes", "文档与其更改不符"),
        Kind::Digests => ("Digests are wrong", "摘要不正确"),
        Kind::Awaited => {
            ("Documents wait for the office's copy: sync", "文档等待从公司恢复：请同步")
        }
        Kind::Quarantine => ("Damaged pieces are kept aside", "损坏的内容已另行保存"),
        Kind::Rows => ("Rows of lists differ from their documents", "列表与文档不一致"),
        Kind::Outbox => ("Edits that wait are damaged", "等待发送的更改已损坏"),
        Kind::Strays => ("Rows belong to no document", "存在无主的行"),
        Kind::OwnChanges => ("Sent edits are damaged", "已发送的更改已损坏"),
        Kind::Cursor => {
            ("It is not known where this device stands with the office", "同步位置未知")
        }
        Kind::Clock => ("The clock of this device is off", "设备时钟不准"),
        Kind::OtherProcess => ("Another program uses the records", "其他程序正在使用数据"),
        Kind::Waiting => ("Edits have waited for long", "更改等待发送已久"),
        Kind::Inbox => ("Refusals wait in the inbox", "收件箱中有被拒绝的内容"),
    };
    let sentence = if language == Language::En { en } else { zh };
    if kind == Kind::DiskSpace {
        return format!("{sentence} ({} MB)", count / 1_000_000);
    }
    if count > 1 { format!("{sentence} ({count})") } else { sentence.to_owned() }
}
