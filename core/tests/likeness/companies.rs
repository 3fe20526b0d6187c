//! Chinese companies, drawn from a seed, each written in other ways.
//!
//! What counts as the same: the same company. A branch is another one, and so is a company of
//! another brand, place or trade.

use outrider_core::writing::pinyin;
use serde_json::{Map, json};

use crate::measure::{Dice, Known, measure};

const SEEDS: [u64; 3] = [1, 20, 300];
const COMPANIES: usize = 1_000;

const PLACES: &[&str] = &[
    "上海",
    "苏州市",
    "成都",
    "杭州",
    "武汉市",
    "济南",
    "深圳市",
    "厦门",
    "长沙",
    "郑州市",
    "西安",
    "合肥",
    "广东",
    "浙江省",
    "哈尔滨",
    "昆山市",
];
const TRADES: &[&str] = &[
    "科技",
    "环保科技",
    "信息技术",
    "贸易",
    "进出口",
    "机械设备",
    "电子",
    "食品",
    "餐饮管理",
    "教育咨询",
    "文化传媒",
    "建筑工程",
    "物流",
    "生物科技",
    "汽车销售",
    "包装材料",
    "广告",
];
const SUFFIXES: &[&str] = &["有限公司", "有限责任公司", "股份有限公司", "公司", "集团有限公司"];
/// Characters of brands.
const BRAND: &str = "华盛瑞丰鼎泰恒润博远宏达嘉诚正源天成金利隆兴凯旋星辰海纳云帆青禾蓝鲸晨曦百川千里万合德信仁和\
                     卓越启明方舟景行致远弘毅朗润思源锐捷优创联众智汇融通航宇光耀东升南巽西岭北辰";
/// Traditional forms of some of the characters above.
const TRADITIONAL: &[(char, char)] = &[
    ('华', '華'),
    ('丰', '豐'),
    ('恒', '恆'),
    ('润', '潤'),
    ('远', '遠'),
    ('达', '達'),
    ('诚', '誠'),
    ('兴', '興'),
    ('凯', '凱'),
    ('纳', '納'),
    ('云', '雲'),
    ('蓝', '藍'),
    ('鲸', '鯨'),
    ('万', '萬'),
    ('启', '啟'),
    ('锐', '銳'),
    ('优', '優'),
    ('创', '創'),
    ('联', '聯'),
    ('众', '眾'),
    ('汇', '匯'),
    ('东', '東'),
    ('岭', '嶺'),
    ('贸', '貿'),
    ('进', '進'),
    ('机', '機'),
    ('设', '設'),
    ('备', '備'),
    ('电', '電'),
    ('饮', '飲'),
    ('询', '詢'),
    ('传', '傳'),
    ('筑', '築'),
    ('汽', '汽'),
    ('车', '車'),
    ('销', '銷'),
    ('术', '術'),
    ('环', '環'),
    ('苏', '蘇'),
    ('责', '責'),
    ('团', '團'),
    ('广', '廣'),
    ('济', '濟'),
    ('长', '長'),
    ('厦', '廈'),
    ('汉', '漢'),
    ('滨', '濱'),
    ('库', '庫'),
    ('业', '業'),
];

pub(crate) struct Parts {
    pub(crate) place: String,
    pub(crate) middle: String,
    pub(crate) suffix: String,
}

impl Parts {
    fn whole(&self) -> String {
        [self.place.as_str(), &self.middle, &self.suffix].concat()
    }
}

/// The ways of writing of which the issue of duplicates is full.
pub(crate) fn variants(parts: &Parts, dice: &mut Dice) -> Vec<(&'static str, String)> {
    let whole = parts.whole();
    let Parts { place, middle, suffix } = parts;
    let mut found = vec![
        ("Traditional", traditional(&whole)),
        ("one typo", typo(&whole, dice)),
        ("full width", full_width(&whole)),
    ];
    if !suffix.is_empty() {
        found.push(("suffix dropped", [place.as_str(), middle].concat()));
    }
    if !place.is_empty() {
        found.push((
            "place moved",
            match dice.below(3) {
                0 => format!("{middle}（{place}）{suffix}"),
                1 => format!("{middle}({place}){suffix}"),
                _ => format!("{middle}{}{suffix}", place.trim_end_matches(['市', '省'])),
            },
        ));
    }
    found
}

pub(crate) fn traditional(text: &str) -> String {
    let form = |c| TRADITIONAL.iter().find(|(simple, _)| *simple == c).map_or(c, |(_, old)| *old);
    text.chars().map(form).collect()
}

/// Brackets, digits and letters in full width, and spaces between.
pub(crate) fn full_width(text: &str) -> String {
    let wide = |c: char| match c {
        '!'..='~' => char::from_u32(u32::from(c) + 0xfee0).unwrap(),
        other => other,
    };
    let mut chars: Vec<char> = text.chars().map(wide).collect();
    chars.insert(chars.len() / 2, '\u{3000}');
    chars.into_iter().collect()
}

/// One slip anywhere in the name: a character that sounds the same (as input methods make them),
/// another one, two changed over, one left out.
pub(crate) fn typo(text: &str, dice: &mut Dice) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let at = dice.below(chars.len() - 1);
    match dice.below(4) {
        0 | 1 => {
            let sound = pinyin(&chars[at].to_string());
            let same = |c: &char| *c != chars[at] && pinyin(&c.to_string()) == sound;
            // The first such characters of the common ones.
            let other = ('\u{4e00}'..='\u{9fa5}').filter(same).nth(dice.below(8));
            chars[at] = other.unwrap_or('某');
        }
        2 => chars.swap(at, at + 1),
        _ => {
            chars.remove(at);
        }
    }
    chars.into_iter().collect()
}

fn drawn(seed: u64) -> Vec<Known> {
    let mut dice = Dice::new(seed);
    let brand: Vec<char> = BRAND.chars().filter(|c| !c.is_whitespace()).collect();
    let mut known = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for who in 0..COMPANIES {
        let parts = loop {
            let len = [2, 2, 3, 3, 4][dice.below(5)];
            let name: String = (0..len).map(|_| brand[dice.below(brand.len())]).collect();
            let place = if dice.below(8) == 0 { "" } else { dice.pick(PLACES) };
            let parts = Parts {
                place: place.to_owned(),
                middle: name + dice.pick(TRADES),
                suffix: dice.pick(SUFFIXES).to_owned(),
            };
            if seen.insert(parts.place.clone() + &parts.middle) {
                break parts;
            }
        };
        let mut add = |who, way, name: String| {
            let fields = Map::from_iter([("company_name".to_owned(), json!(name))]);
            known.push(Known { who, way, fields });
        };
        add(who, "original", parts.whole());
        for (way, name) in variants(&parts, &mut dice) {
            add(who, way, name);
        }
        // A branch is another record than its company.
        if dice.below(20) == 0 {
            let branch = format!("{}{}分公司", parts.whole(), dice.pick(&["常州", "滨州", "合肥"]));
            add(COMPANIES + who, "branch", branch);
        }
    }
    known
}

#[test]
fn companies_are_found_however_they_are_written() {
    for seed in SEEDS {
        let measured = measure(&format!("drawn companies, seed {seed}"), "customer", &drawn(seed));
        assert!(measured.recall >= 0.9, "seed {seed}: {measured:?}");
        assert!(measured.precision >= 0.95, "seed {seed}: {measured:?}");
    }
}
