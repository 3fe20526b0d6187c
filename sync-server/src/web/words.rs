//! The words of the pages, in both languages, from `locales/*.ftl`.
//!
//! Names of entities, fields and choices come from the schema; here is only what the pages say
//! besides. A test compares the two files, and every key that a page uses with them.

use std::{borrow::Cow, sync::OnceLock};

use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};
use outrider_core::schema::Language;
use unic_langid::LanguageIdentifier;

type Bundle = FluentBundle<FluentResource>;

pub(super) const ENGLISH: &str = concat!(
    include_str!("../../locales/en.ftl"),
    "\n",
    include_str!("../../locales/people.en.ftl"),
    "\n",
    include_str!("../../locales/access.en.ftl")
);
pub(super) const CHINESE: &str = concat!(
    include_str!("../../locales/zh.ftl"),
    "\n",
    include_str!("../../locales/people.zh.ftl"),
    "\n",
    include_str!("../../locales/access.zh.ftl")
);

/// The words of one language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Words(pub(super) Language);

impl Words {
    /// The words under `key`; the key itself if there are none.
    pub(super) fn t(self, key: &str) -> String {
        self.say(key, None)
    }

    /// The words under `key` with a number, `$count`.
    pub(super) fn count(self, key: &str, count: u64) -> String {
        let mut arguments = FluentArgs::new();
        arguments.set("count", count);
        self.say(key, Some(&arguments))
    }

    /// The words under `key` with a name, `$name`.
    pub(super) fn name(self, key: &str, name: &str) -> String {
        let mut arguments = FluentArgs::new();
        arguments.set("name", FluentValue::from(Cow::Borrowed(name)));
        self.say(key, Some(&arguments))
    }

    /// The language as HTML names it.
    pub(super) fn tag(self) -> &'static str {
        match self.0 {
            Language::En => "en",
            Language::Zh => "zh-CN",
        }
    }

    fn say(self, key: &str, arguments: Option<&FluentArgs<'_>>) -> String {
        let bundle = bundle(self.0);
        let Some(pattern) = bundle.get_message(key).and_then(|message| message.value()) else {
            return key.to_owned();
        };
        bundle.format_pattern(pattern, arguments, &mut Vec::new()).into_owned()
    }
}

fn bundle(language: Language) -> &'static Bundle {
    static BUNDLES: [OnceLock<Bundle>; 2] = [const { OnceLock::new() }; 2];
    let [english, chinese] = &BUNDLES;
    match language {
        Language::En => english.get_or_init(|| read("en", ENGLISH)),
        Language::Zh => chinese.get_or_init(|| read("zh-CN", CHINESE)),
    }
}

fn read(language: &str, source: &str) -> Bundle {
    let language: LanguageIdentifier = language.parse().unwrap_or_default();
    let mut bundle = Bundle::new_concurrent(vec![language]);
    // The marks that fluent puts around arguments would be seen in titles and attributes.
    bundle.set_use_isolating(false);
    let resource = match FluentResource::try_new(source.to_owned()) {
        Ok(resource) | Err((resource, _)) => resource,
    };
    // A key that is there twice keeps its first words; the tests find it.
    let _ = bundle.add_resource(resource);
    bundle
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    fn keys(source: &str) -> BTreeSet<String> {
        let lines =
            source.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
        let keys: Vec<String> =
            lines.filter_map(|line| Some(line.split_once('=')?.0.trim().to_owned())).collect();
        let unique: BTreeSet<String> = keys.iter().cloned().collect();
        assert_eq!(unique.len(), keys.len(), "a key is there twice");
        unique
    }

    /// The text of all templates and handlers.
    fn sources(folder: &Path, text: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, text);
            } else if !path.ends_with("words.rs") {
                text.push_str(&fs::read_to_string(&path).unwrap());
            }
        }
    }

    #[test]
    fn every_word_is_there_in_both_languages() {
        for (source, language) in [(ENGLISH, Language::En), (CHINESE, Language::Zh)] {
            assert!(FluentResource::try_new(source.to_owned()).is_ok());
            for key in keys(source) {
                assert!(!Words(language).t(&key).is_empty(), "{key}");
            }
        }
        assert_eq!(keys(ENGLISH), keys(CHINESE));
        let is_chinese = |text: &str| text.chars().any(|c| matches!(c, '\u{4e00}'..='\u{9fff}'));
        // The other language is offered in its own words.
        let english = ENGLISH.lines().filter(|line| !line.starts_with("language-switch"));
        assert!(english.clone().count() > 100 && !english.clone().any(is_chinese));
        for line in CHINESE.lines().filter(|line| line.contains(" = ")) {
            assert!(is_chinese(line) || line.is_ascii() && line.len() < 40, "{line}");
        }
    }

    #[test]
    fn every_word_that_a_page_uses_is_there() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut text = String::new();
        sources(&here.join("src/web"), &mut text);
        sources(&here.join("templates"), &mut text);
        let calls = [".t(\"", ".count(\"", ".name(\""];
        let named = calls.into_iter().flat_map(|call| text.split(call).skip(1));
        let named: BTreeSet<&str> = named.filter_map(|rest| rest.split('"').next()).collect();
        assert!(named.len() > 100, "the search found next to nothing");
        let known = keys(ENGLISH);
        let unknown: Vec<_> = named.iter().filter(|key| !known.contains(**key)).collect();
        assert!(unknown.is_empty(), "no words for {unknown:?}");
        // Others are said by way of a table or a variable: their key stands somewhere.
        let is_said = |key: &&String| text.contains(&format!("\"{key}\""));
        let unsaid: Vec<_> = known.iter().filter(|key| !is_said(key)).collect();
        assert!(unsaid.is_empty(), "words that nothing says: {unsaid:?}");
    }

    #[test]
    fn numbers_and_names_go_into_words() {
        assert_eq!(Words(Language::En).count("list-total", 1), "1 record");
        assert_eq!(Words(Language::En).count("list-total", 2), "2 records");
        assert_eq!(Words(Language::Zh).count("list-total", 2), "共 2 条");
        assert_eq!(Words(Language::En).t("no-such-key"), "no-such-key");
    }
}
