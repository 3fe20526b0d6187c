//! The page about settings says what the program says.

use outrider_sync_server::config::{Config, to_markdown};

#[test]
fn every_setting_is_in_the_documentation() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/CONFIGURATION.md");
    let page = to_markdown();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs")).unwrap();
        std::fs::write(path, &page).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(found == page, "run the tests with UPDATE_DOCS=1 to write docs/CONFIGURATION.md anew");
}

#[test]
fn the_defaults_can_be_read_and_wrong_settings_are_refused() {
    let config = Config::from_flags([]).unwrap();
    assert_eq!(config.network.listen.to_string(), "127.0.0.1:8480");
    for wrong in [["--listen", "nowhere"], ["--requests-per-second", "0"], ["--unknown", "1"]] {
        assert!(Config::from_flags(wrong).is_err(), "{wrong:?}");
    }
}
