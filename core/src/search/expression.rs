//! A question as FTS5 understands it. Nothing that a person typed stands outside of quotes.

use super::{
    asked::{Asked, Piece, Term},
    prepare::{WINDOW, pairs, sounds, threes},
    sound::cuts,
};

/// Where terms are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// In names: as words, by sound, by initials.
    Names,
    /// In everything.
    All,
}

impl Reach {
    /// The columns that hold words.
    fn words(self) -> &'static str {
        match self {
            Self::Names => "name",
            Self::All => "{name text}",
        }
    }

    /// The columns in which a word may begin, sounds and initials among them.
    fn begun(self) -> &'static str {
        match self {
            Self::Names => "{name sound initials}",
            Self::All => "{name text sound initials}",
        }
    }
}

/// Letters of a word of initials, at most.
const INITIALS_MAX: usize = 12;
/// Characters of a run of Han in which one may be wrong, or sound alike; at most.
const HAN_SLIP_MAX: usize = 12;

/// What to ask an index with the columns of [`Columns`](super::Columns); `None` if nothing is
/// looked for.
#[must_use]
pub fn expression(asked: &Asked, reach: Reach) -> Option<String> {
    let parts: Vec<String> = asked.terms.iter().map(|term| term_expression(term, reach)).collect();
    (!parts.is_empty()).then(|| parts.join(" AND "))
}

fn term_expression(term: &Term, reach: Reach) -> String {
    match term {
        Term::Words(words) => words_expression(words, reach),
        Term::Han(run) => han(run, reach.words()),
        Term::Digits { forms, words } => {
            let words: Vec<String> = words.iter().map(|w| plain_words(w, reach.words())).collect();
            let mut parts = Vec::new();
            if !words.is_empty() {
                parts.push(format!("({})", words.join(" AND ")));
            }
            if reach == Reach::All {
                let form = |form: &String| {
                    format!("digits : {}", quoted(&threes(form).collect::<Vec<_>>().join(" ")))
                };
                parts.extend(forms.iter().map(form));
            }
            any(&parts)
        }
        Term::Phrase(pieces) => format!("({} : {})", reach.words(), quoted(&phrase(pieces))),
    }
}

fn words_expression(words: &[String], reach: Reach) -> String {
    let [word] = words else {
        // Joined too: `t-mobile` finds TMobile.
        let joined = format!("{} : {} *", reach.begun(), quoted(&words.concat()));
        return any(&[plain_words(words, reach.words()), joined]);
    };
    if word.chars().count() < 2 {
        // Half of all words begin with it.
        return format!("({} : {})", reach.words(), quoted(word));
    }
    let mut parts = vec![format!("{} : {} *", reach.begun(), quoted(word))];
    for cut in cuts(word).into_iter().filter(|cut| cut.len() > 2) {
        let pairs: Vec<String> = cut
            .windows(2)
            .enumerate()
            .map(|(at, pair)| {
                // The last syllable may be only begun.
                let begun = if at + 2 == cut.len() { " *" } else { "" };
                format!("sound : {}{begun}", quoted(&pair.concat()))
            })
            .collect();
        parts.push(format!("({})", pairs.join(" AND ")));
    }
    let letters: Vec<char> = word.chars().collect();
    if (WINDOW + 1..=INITIALS_MAX).contains(&letters.len()) && word.is_ascii() {
        let windows: Vec<String> = letters
            .windows(WINDOW)
            .map(|window| format!("initials : {}", quoted(&window.iter().collect::<String>())))
            .collect();
        parts.push(format!("({})", windows.join(" AND ")));
    }
    any(&parts)
}

/// Words in a row, the last of which may be only begun.
fn plain_words(words: &[String], columns: &str) -> String {
    format!("({columns} : {} *)", quoted(&words.join(" ")))
}

/// Han characters in a row: one by how a pair begins, several by their pairs.
fn han(run: &[char], columns: &str) -> String {
    if let [c] = run {
        return format!("({columns} : {} *)", quoted(&c.to_string()));
    }
    let tokens: Vec<String> = pairs(run).take(run.len().saturating_sub(1)).collect();
    format!("({columns} : {})", quoted(&tokens.join(" ")))
}

fn phrase(pieces: &[Piece]) -> String {
    let mut tokens: Vec<String> = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        let is_last = at + 1 == pieces.len();
        match piece {
            Piece::Word(word) => tokens.push(word.clone()),
            // Where the run goes on in the text, its last character does not stand alone.
            Piece::Han(run) if is_last && run.len() > 1 => {
                tokens.extend(pairs(run).take(run.len().saturating_sub(1)));
            }
            Piece::Han(run) => tokens.extend(pairs(run)),
        }
    }
    tokens.join(" ")
}

/// The question with a typo forgiven: `words` are the words of the index that may be meant, by the
/// place of the term. `None` if no term may have one.
#[must_use]
pub fn slip_expression(asked: &Asked, words: &[(usize, Vec<String>)]) -> Option<String> {
    let mut is_any = false;
    let mut parts = Vec::new();
    for (at, term) in asked.terms.iter().enumerate() {
        let mut ways = vec![term_expression(term, Reach::All)];
        let meant = words.iter().find(|(place, _)| *place == at).map(|(_, words)| words);
        ways.extend(meant.into_iter().flatten().map(|word| format!("name : {}", quoted(word))));
        if let Term::Han(run) = term {
            ways.extend(han_slips(run));
        }
        is_any |= ways.len() > 1;
        parts.push(any(&ways));
    }
    is_any.then(|| parts.join(" AND "))
}

/// One character wrong, in any place; all characters others that sound the same.
fn han_slips(run: &[char]) -> Vec<String> {
    if run.len() > HAN_SLIP_MAX {
        return Vec::new();
    }
    let mut ways = Vec::new();
    if run.len() > 2 {
        for at in 0..run.len() {
            let sides = [run.get(..at), run.get(at + 1..)].into_iter().flatten();
            let sides: Vec<String> =
                sides.filter(|side| !side.is_empty()).map(|side| han(side, "name")).collect();
            ways.push(format!("({})", sides.join(" AND ")));
        }
    }
    let sounding: Vec<String> = run
        .windows(2)
        .map(|pair| {
            let sounds: Vec<String> = sounds(pair).iter().map(|sound| quoted(sound)).collect();
            if sounds.is_empty() {
                String::new()
            } else {
                format!("sound : ({})", sounds.join(" OR "))
            }
        })
        .collect();
    if !sounding.is_empty() && sounding.iter().all(|sound| !sound.is_empty()) {
        ways.push(format!("({})", sounding.join(" AND ")));
    }
    ways
}

fn any(ways: &[String]) -> String {
    match ways {
        [way] => format!("({way})"),
        _ => format!("({})", ways.join(" OR ")),
    }
}

/// A text as a string of FTS5.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_become_expressions() {
        for (typed, wanted) in [
            ("mill", r#"({name sound initials} : "mill" *)"#),
            ("s", r#"(name : "s")"#),
            ("川", r#"(name : "川" *)"#),
            ("三川实", r#"(name : "三川 川实")"#),
            ("\"三川 abc\"", r#"(name : "三川 川 abc")"#),
        ] {
            let made = expression(&Asked::read(typed), Reach::Names);
            assert_eq!(made.as_deref(), Some(wanted), "{typed}");
        }
        assert_eq!(expression(&Asked::read("!?"), Reach::All), None);
    }

    #[test]
    fn only_words_and_runs_of_han_may_slip() {
        let asked = Asked::read("schmidt");
        assert!(slip_expression(&asked, &[(0, vec!["schmitt".to_owned()])]).is_some());
        assert!(slip_expression(&asked, &[]).is_none());
        assert!(slip_expression(&Asked::read("三川实"), &[]).is_some());
        assert!(slip_expression(&Asked::read("12345"), &[]).is_none());
    }
}
