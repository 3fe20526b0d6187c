//! Words about records that are the same.

use outrider_core::{
    domain::merge::Taken,
    likeness::{Verdict, score::Feature},
    schema::Language,
};

fn pick((en, zh): (&'static str, &'static str), language: Language) -> &'static str {
    match language {
        Language::En => en,
        Language::Zh => zh,
    }
}

/// What a score means.
pub(crate) fn verdict(verdict: Verdict, language: Language) -> &'static str {
    let words = match verdict {
        Verdict::No => ("no", "否"),
        Verdict::Possible => ("possible", "可能"),
        Verdict::Sure => ("sure", "确定"),
    };
    pick(words, language)
}

/// What was compared.
pub(crate) fn feature(feature: Feature, language: Language) -> &'static str {
    let words = match feature {
        Feature::Name => ("name", "名称"),
        Feature::Phone => ("phone", "电话"),
        Feature::Email => ("e-mail", "电子邮件"),
        Feature::Number => ("number", "税号"),
        Feature::Born => ("birthday", "生日"),
        Feature::Address => ("address", "地址"),
        Feature::Within => ("customer", "所属客户"),
    };
    pick(words, language)
}

/// Which half a value comes from.
pub(crate) fn taken(taken: Taken, language: Language) -> &'static str {
    let words = match taken {
        Taken::Same => ("same", "相同"),
        Taken::Survivor => ("stays", "保留"),
        Taken::Loser => ("taken over", "并入"),
        Taken::Both => ("both", "合并"),
        Taken::Apart => ("each in its half", "各自保留"),
    };
    pick(words, language)
}

/// Other words of these commands.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Merge {
    NoDuplicates,
    Likely,
    GoOn,
    Score,
    Reasons,
    One,
    Other,
    Goes,
    GoesOn,
    Outcome,
    Merged,
    DryRun,
    Unmerged,
    Stays,
    Distinct,
    DistinctAlready,
    Row,
}

/// The word in a language.
pub(crate) fn say(word: Merge, language: Language) -> &'static str {
    let words = match word {
        Merge::NoDuplicates => ("no duplicates", "没有发现重复"),
        Merge::Likely => ("this may be here already:", "可能已有相同的记录："),
        Merge::GoOn => (
            "it was created all the same; `outrider merge NEW OLD` makes them one, \
             `outrider distinct NEW OLD` says that they are not the same",
            "记录已创建；`outrider merge 新 旧` 合并二者，`outrider distinct 新 旧` 声明二者不同",
        ),
        Merge::Score => ("score", "分数"),
        Merge::Reasons => ("because of", "依据"),
        Merge::One => ("record", "记录"),
        Merge::Other => ("other record", "另一记录"),
        Merge::Goes => ("goes", "被合并"),
        Merge::GoesOn => ("goes on", "保留"),
        Merge::Outcome => ("outcome", "结果"),
        Merge::Merged => ("merged into", "已合并至"),
        Merge::DryRun => ("nothing was written; it would be merged into", "未写入；将合并至"),
        Merge::Unmerged => ("stands by itself again; it was merged into", "已恢复独立；曾合并至"),
        Merge::Stays => ("stays, because it was written since", "此后已修改，故保留"),
        Merge::Distinct => ("they will not be asked about again", "以后不再提示"),
        Merge::DistinctAlready => ("this was said before", "此前已声明"),
        Merge::Row => ("row", "行"),
    };
    pick(words, language)
}
