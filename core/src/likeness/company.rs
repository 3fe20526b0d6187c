//! Names of companies taken apart: place, brand, trade, legal form, branch.
//!
//! `常州途畅互联网科技有限公司合肥分公司` is the brand 途畅, in 常州, of the trade 互联网科技, its
//! branch in 合肥. The brand tells companies apart; place and trade confirm or contradict; the
//! legal form says nothing, since people leave it out. **A branch is a record of its own**: it has
//! another address, other people and in China a tax number of its own.
//!
//! Names in Latin letters are words without the legal form and compared as
//! [`words`](super::words) are.

mod lists;

use strsim::osa_distance;

use super::{places, words::words_of};
use crate::writing::{fold, is_han, pinyin};

use lists::{BRANCHES, FORMS, GENERIC_WORDS, LATIN_FORMS, TRADES};

/// Characters of a name that are looked at, at most; longer ones are cut.
pub const NAME_CHARS_MAX: usize = 100;
/// Places that one name may have, at most.
const PLACES_MAX: usize = 4;
/// Legal forms and trades taken off one name, at most.
const STRIPS_MAX: usize = 8;
/// The legal forms that are known with a slip in them too.
const SLIPPED_FORMS: [&str; 2] = ["有限责任公司", "有限公司"];

/// The name of a company, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Company {
    /// Where it says that it is, without the words for province and city.
    pub places: Vec<String>,
    /// What tells it from others. For names in Latin letters the words, joined.
    pub brand: String,
    /// What it deals in.
    pub trade: String,
    /// Whose branch it is: the place, or an empty text where none is named.
    pub branch: Option<String>,
    /// Whether the brand is itself a word for a trade, which tells little.
    pub is_generic: bool,
    /// Words of a name in Latin letters, without the legal form; empty for one in Han characters.
    pub words: Vec<String>,
}

impl Company {
    /// Takes a name apart; `None` where nothing of a name is left.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let folded = fold(name);
        let company = if folded.chars().any(is_han) { han(&folded) } else { latin(&folded) };
        (!company.brand.is_empty()).then_some(company)
    }

    /// Place, brand and trade in one order, whatever the order they were written in.
    #[must_use]
    pub fn whole(&self) -> String {
        let mut places = self.places.clone();
        places.sort();
        [places.concat().as_str(), &self.brand, &self.trade].concat()
    }

    /// How the brand sounds, without gaps.
    #[must_use]
    pub fn sound(&self) -> String {
        pinyin(&self.brand).split_whitespace().collect()
    }
}

/// Whether a word in Latin letters tells little of a company.
pub(super) fn is_generic_word(word: &str) -> bool {
    GENERIC_WORDS.contains(&word)
}

fn latin(folded: &str) -> Company {
    let mut words = words_of(folded);
    // A name that is nothing but a form keeps it: there may be a company called Limited.
    while words.len() > 1 && words.last().is_some_and(|word| LATIN_FORMS.contains(&word.as_str())) {
        words.pop();
    }
    if words.len() > 1 && words.first().is_some_and(|word| word == "the") {
        words.remove(0);
    }
    let is_generic = words.iter().all(|word| is_generic_word(word));
    Company { brand: words.concat(), is_generic, words, ..Company::default() }
}

fn han(folded: &str) -> Company {
    let mut company = Company::default();
    let mut chars = without_brackets(folded, &mut company.places);
    chars.truncate(NAME_CHARS_MAX);
    take_branch(&mut chars, &mut company);
    take_forms(&mut chars);
    take_places(&mut chars, &mut company.places);
    let trade_from = trade_start(&chars);
    company.trade = chars.iter().skip(trade_from).collect();
    company.brand = chars.iter().take(trade_from).collect();
    if company.brand.is_empty() {
        // Nothing but places: then they are the name.
        company.brand = std::mem::take(&mut company.places).concat();
    }
    company.is_generic = is_trade(&company.brand);
    company
}

/// The characters of a name without spaces and marks; a place in brackets is noted, another word
/// in brackets stays unless it is a form.
fn without_brackets(folded: &str, places: &mut Vec<String>) -> Vec<char> {
    let mut chars: Vec<char> = Vec::new();
    let mut inside: Option<Vec<char>> = None;
    for c in folded.chars() {
        match (c, &mut inside) {
            ('(' | '[' | '【' | '〔', None) => inside = Some(Vec::new()),
            (')' | ']' | '】' | '〕', Some(held)) => {
                let held = std::mem::take(held);
                inside = None;
                keep_bracketed(&held, places, &mut chars);
            }
            (_, Some(held)) if c.is_alphanumeric() => held.push(c),
            (_, None) if c.is_alphanumeric() => chars.push(c),
            _ => {}
        }
    }
    chars.extend(inside.into_iter().flatten());
    chars
}

fn keep_bracketed(held: &[char], places: &mut Vec<String>, chars: &mut Vec<char>) {
    let text: String = held.iter().collect();
    let is_form = FORMS.contains(&text.as_str()) || text == "中国";
    match places::leading(held) {
        Some((place, taken)) if taken == held.len() => note_place(places, place),
        Some(_) | None if is_form => {}
        Some(_) | None => chars.extend(held),
    }
}

fn note_place(places: &mut Vec<String>, place: String) {
    if places.len() < PLACES_MAX && !places.contains(&place) {
        places.push(place);
    }
}

/// `…公司合肥分公司`, `…广东分公司`.
fn take_branch(chars: &mut Vec<char>, company: &mut Company) {
    let text: String = chars.iter().collect();
    let Some(head) = BRANCHES.iter().find_map(|end| text.strip_suffix(end)) else {
        return take_short_branch(&text, chars, company);
    };
    let mut head: Vec<char> = head.chars().collect();
    let head_text: String = head.iter().collect();
    let own = head_text.rfind("公司").and_then(|at| head_text.get(at + "公司".len()..));
    let branch = match own {
        Some(own) => own.to_owned(),
        None => places::trailing(&head).map(|(place, _)| place).unwrap_or_default(),
    };
    if head.len() < branch.chars().count() + 2 {
        return;
    }
    let left = head.len() - branch.chars().count();
    head.truncate(left);
    company.branch = Some(places::without_end(&branch).to_owned());
    *chars = head;
}

/// `…有限公司合肥`, `…有限公司合肥分`: a place behind the form, the word for branch left out.
fn take_short_branch(text: &str, chars: &mut Vec<char>, company: &mut Company) {
    let Some((head, tail)) = text.rsplit_once("公司") else { return };
    let tail: Vec<char> = tail.trim_end_matches('分').chars().collect();
    if let Some((place, taken)) = places::leading(&tail)
        && taken == tail.len()
    {
        company.branch = Some(place);
        *chars = [head, "公司"].concat().chars().collect();
    }
}

/// Takes legal forms off the end, also with one slip in them.
fn take_forms(chars: &mut Vec<char>) {
    for _ in 0..STRIPS_MAX {
        let text: String = chars.iter().collect();
        let exact = FORMS.iter().find(|form| text.ends_with(**form)).map(|f| f.chars().count());
        // A slip is looked for first where only the short word fits: 有线公司 ends with 公司.
        let short = exact.filter(|len| *len > 2);
        let Some(len) = short.or_else(|| slipped_form(chars)).or(exact) else { return };
        if chars.len() < len + 2 {
            return;
        }
        chars.truncate(chars.len() - len);
    }
}

/// How many characters at the end are a legal form with one slip.
fn slipped_form(chars: &[char]) -> Option<usize> {
    for form in SLIPPED_FORMS {
        let len = form.chars().count();
        for taken in [len, len - 1, len + 1] {
            let Some(from) = chars.len().checked_sub(taken) else { continue };
            let tail: String = chars.iter().skip(from).collect();
            let begins = tail.starts_with('有') || tail.ends_with("限公司") && taken < len;
            if (begins || taken == len) && osa_distance(&tail, form) == 1 {
                return Some(taken);
            }
        }
    }
    None
}

fn take_places(chars: &mut Vec<char>, places: &mut Vec<String>) {
    for _ in 0..PLACES_MAX {
        let text: String = chars.iter().collect();
        if text.starts_with("中国") && chars.len() >= 4 {
            chars.drain(..2);
            continue;
        }
        let Some((place, taken)) = places::leading(chars) else { break };
        if chars.len() < taken + 2 {
            break;
        }
        chars.drain(..taken);
        note_place(places, place);
    }
    if let Some((place, taken)) = places::trailing(chars)
        && chars.len() >= taken + 4
    {
        chars.truncate(chars.len() - taken);
        note_place(places, place);
    }
}

/// Where the words for the trade begin: as many as end the name, two characters being left.
fn trade_start(chars: &[char]) -> usize {
    let mut end = chars.len();
    for _ in 0..STRIPS_MAX {
        let text: String = chars.iter().take(end).collect();
        let fits = |trade: &&&str| text.ends_with(**trade);
        let longest = TRADES.iter().filter(fits).map(|trade| trade.chars().count()).max();
        match longest {
            Some(len) if end >= len + 2 => end -= len,
            Some(_) | None => break,
        }
    }
    end
}

/// Whether a brand is made of words for trades alone.
fn is_trade(brand: &str) -> bool {
    let mut rest = brand;
    for _ in 0..STRIPS_MAX {
        let Some(left) = TRADES.iter().filter_map(|trade| rest.strip_suffix(trade)).min() else {
            break;
        };
        rest = left;
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(name: &str) -> (String, String, String) {
        let company = Company::parse(name).unwrap();
        (company.places.join(" "), company.brand, company.trade)
    }

    #[test]
    fn names_are_taken_apart() {
        for (name, places, brand, trade) in [
            ("上海三川实业有限公司", "上海", "三川", "实业"),
            ("三川實業（上海）", "上海", "三川", "实业"),
            ("Ｓａｎｃｈｕａｎ三川貿易股份有限公司", "", "sanchuan三川", "贸易"),
            ("深圳市蓝鲸供应链管理集团有限责任公司", "深圳", "蓝鲸", "供应链管理"),
            ("蓝鲸供应链管理深圳有限公司", "深圳", "蓝鲸", "供应链管理"),
            ("昆山市云帆电子厂", "昆山", "云帆", "电子"),
            ("青禾环保有线公司", "", "青禾", "环保"),
            ("青禾环保有公司", "", "青禾", "环保"),
            ("重庆青禾环保公司", "重庆", "青禾", "环保"),
            ("成都咨询公司", "成都", "咨询", ""),
            ("北京有限公司", "", "北京", ""),
        ] {
            let wanted = (places.to_owned(), brand.to_owned(), trade.to_owned());
            assert_eq!(parts(name), wanted, "{name}");
        }
        assert!(Company::parse("成都咨询公司").unwrap().is_generic);
        assert_eq!(Company::parse("（）"), None);
    }

    #[test]
    fn branches_are_told_from_their_companies() {
        let branch = |name| Company::parse(name).unwrap().branch;
        assert_eq!(branch("杭州青禾环保有限公司合肥分公司").as_deref(), Some("合肥"));
        assert_eq!(branch("青禾环保广东分公司").as_deref(), Some("广东"));
        assert_eq!(branch("青禾环保有限公司分公司").as_deref(), Some(""));
        assert_eq!(branch("青禾环保有限公司合肥").as_deref(), Some("合肥"));
        assert_eq!(branch("青禾环保有限公司"), None);
    }

    #[test]
    fn legal_forms_of_latin_names_say_nothing() {
        for name in ["Blue Whale Ltd.", "The BLUE WHALE Pty Limited", "Blue Whale GmbH & Co. KG"] {
            assert_eq!(Company::parse(name).unwrap().words, ["blue", "whale"], "{name}");
        }
        assert_eq!(Company::parse("Limited").unwrap().words, ["limited"]);
        assert!(Company::parse("Global Services Ltd").unwrap().is_generic);
    }

    #[test]
    fn a_name_of_any_length_is_read_in_bounds() {
        let long = "三川".repeat(10_000);
        let company = Company::parse(&long).unwrap();
        assert_eq!(company.brand.chars().count(), NAME_CHARS_MAX);
    }
}
