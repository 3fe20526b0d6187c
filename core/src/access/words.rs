//! What the codes of refusals say to people.

use super::change::{
    NOT_ARCHIVABLE, NOT_ASSIGNABLE, NOT_MERGEABLE, NOT_PERMITTED, OVER_DISCOUNT_LIMIT, READ_ONLY,
};
use crate::schema::Language;

/// A sentence for a code with which the office refuses; none for codes of the gate, which tell of
/// broken programs and not of people.
#[must_use]
pub fn sentence(code: &str, language: Language) -> Option<&'static str> {
    let (en, zh) = match code {
        NOT_PERMITTED => {
            ("Your role does not allow you to change this.", "您的角色无权修改此内容。")
        }
        NOT_ASSIGNABLE => (
            "Your role does not allow you to give records to others.",
            "您的角色无权更改负责人或所属团队。",
        ),
        NOT_ARCHIVABLE => (
            "Your role does not allow you to archive this record or bring it back.",
            "您的角色无权归档或恢复此记录。",
        ),
        NOT_MERGEABLE => {
            ("Your role does not allow you to merge records.", "您的角色无权合并记录。")
        }
        READ_ONLY => ("You may see this field but not change it.", "此字段仅可查看，不可修改。"),
        OVER_DISCOUNT_LIMIT => (
            "The discount is higher than you may give; ask for approval.",
            "折扣超出您的权限，请申请审批。",
        ),
        "in_review" => (
            "What you may do has changed since you wrote this; somebody at the office will decide.",
            "您的权限在填写之后发生了变化，将由公司人员审核。",
        ),
        "erased" => (
            "The person whom this is about asked for erasure; nothing may be written any more.",
            "相关人员已要求删除个人信息，不能再写入。",
        ),
        _ => return None,
    };
    Some(match language {
        Language::En => en,
        Language::Zh => zh,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::change::CODES;

    #[test]
    fn every_code_of_the_policy_has_a_sentence_in_both_languages() {
        for code in CODES.into_iter().chain(["in_review", "erased"]) {
            let [en, zh] = [Language::En, Language::Zh].map(|language| sentence(code, language));
            assert!(en.is_some() && zh.is_some() && en != zh, "{code}");
        }
        assert_eq!(sentence("foreign_actor", Language::En), None);
    }
}
