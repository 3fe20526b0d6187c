//! Words about this device: enrolment, its users, and what the office did to it.

use std::path::Path;

use outrider_core::schema::Language;

/// That the office must approve the device, and what to compare.
pub(crate) fn waits(user: &str, fingerprint: &str, language: Language) -> String {
    match language {
        Language::En => format!(
            "this device waits for the office to approve it for {user}; the office must see this fingerprint:\n{fingerprint}"
        ),
        Language::Zh => {
            format!("本设备等待公司批准，用户为 {user}；公司看到的指纹必须是：\n{fingerprint}")
        }
    }
}

/// What the office sees of a device that waits.
pub(crate) fn still_waits(fingerprint: &str, language: Language) -> String {
    match language {
        Language::En => format!(
            "the office has not approved this device yet (fingerprint {fingerprint}); everything is kept, run `outrider sync` again later"
        ),
        Language::Zh => format!(
            "公司尚未批准本设备（指纹 {fingerprint}）；数据都保存在本地，请稍后再运行 `outrider sync`"
        ),
    }
}

/// That the office turned the device away.
pub(crate) fn barred(code: &str, sent: Option<u64>, language: Language) -> String {
    let who = match (code, language) {
        ("user_disabled", Language::En) => "the office turned this user away",
        ("user_disabled", Language::Zh) => "公司已停用该用户",
        ("wipe_ordered", Language::En) => "the office ordered this device to be wiped",
        ("wipe_ordered", Language::Zh) => "公司已下令清除本设备",
        (_, Language::En) => "the office turned this device away",
        (_, Language::Zh) => "公司已停用本设备",
    };
    match (sent, language) {
        (Some(0), _) | (None, Language::En | Language::Zh) => {
            let rest = match language {
                Language::En => "ask it why; what waits stays here",
                Language::Zh => "请向公司询问；待发送的修改保留在本地",
            };
            [who, rest].join(if language == Language::En { "; " } else { "；" })
        }
        (Some(sent), Language::En) => {
            format!("{who}; the {sent} changes that waited were sent for review")
        }
        (Some(sent), Language::Zh) => format!("{who}；待发送的 {sent} 项修改已提交审核"),
    }
}

/// That the device was wiped.
pub(crate) fn wiped(language: Language) -> &'static str {
    match language {
        Language::En => {
            "the office ordered this device to be wiped, and it was; ask for a code to begin anew"
        }
        Language::Zh => "公司下令清除本设备，现已清除；如需重新开始请索取登记码",
    }
}

/// That the device was away for too long.
pub(crate) fn locked(days: i64, language: Language) -> String {
    match language {
        Language::En => format!(
            "locked: lease: this device has not reached its office for {days} days; run `outrider sync` where there is a connection, nothing is lost"
        ),
        Language::Zh => format!(
            "已锁定（lease）：本设备已有 {days} 天未与公司联系；请联网后运行 `outrider sync`，数据不会丢失"
        ),
    }
}

/// That the store is another user's.
pub(crate) fn other_user(user: &str, language: Language) -> String {
    match language {
        Language::En => format!(
            "this store is {user}'s, and what waits in it is sent as {user}'s; run `outrider user switch NAME` first, and enroll there"
        ),
        Language::Zh => format!(
            "此数据库属于 {user}，其中待发送的修改以 {user} 的名义发送；请先运行 `outrider user switch NAME`，再登记"
        ),
    }
}

/// That a name is none.
pub(crate) fn bad_user_name(chars_max: usize, language: Language) -> String {
    match language {
        Language::En => format!("a user's name has 1 to {chars_max} characters"),
        Language::Zh => format!("用户名须为 1 到 {chars_max} 个字符"),
    }
}

/// Whose store it is from now on.
pub(crate) fn switched(name: Option<&str>, home: &Path, language: Language) -> String {
    let home = home.display();
    match (name, language) {
        (Some(name), Language::En) => format!("this device is {name}'s now ({home})"),
        (Some(name), Language::Zh) => format!("本设备现由 {name} 使用（{home}）"),
        (None, Language::En) => format!("this device is its first user's again ({home})"),
        (None, Language::Zh) => format!("本设备恢复为首个用户使用（{home}）"),
    }
}
