use std::fs;

use outrider_core::ids::{ActorPrefix, DeviceId, to_hex};
use tempfile::TempDir;
use uuid::Uuid;

use super::{chain::hash_line, *};

fn device(n: u8) -> Entry {
    Entry::Enrolled(EnrolledDevice {
        device: DeviceId(Uuid::from_bytes([n; 16])),
        name: "Phone\n电话".to_owned(),
        user: "Li Na".to_owned(),
        user_record: None,
        prefix: ActorPrefix([n; 12]),
        public_key: vec![n; 33],
        token_hash: [n; 32],
        enrolled_at: 1,
        is_office: n == 2,
        code_hash: (n == 3).then_some([n; 32]),
    })
}

fn begun() -> (TempDir, PathBuf, Vec<Entry>) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(LEDGER_FILE);
    let ledger = Ledger::begin(&path, [7; 16], &[device(1)], true).unwrap();
    let shut_out = Entry::Revoked { device: DeviceId(Uuid::from_bytes([1; 16])), at: 2 };
    let disabled = Entry::AccountDisabled { login: "li".to_owned(), at: 3 };
    ledger.append(&[device(2)]).unwrap();
    ledger.append(&[shut_out.clone(), disabled.clone()]).unwrap();
    (folder, path, vec![device(1), device(2), shut_out, disabled])
}

fn read(path: &Path) -> Result<Vec<Entry>, LedgerError> {
    let (_, entries) = Ledger::open(path, true)?.expect("a ledger");
    Ok(entries.into_iter().map(|noted| noted.entry).collect())
}

#[test]
fn what_was_appended_is_read_again() {
    let (_folder, path, entries) = begun();
    assert_eq!(read(&path).unwrap(), entries);
    let (ledger, noted) = Ledger::open(&path, true).unwrap().unwrap();
    assert_eq!((ledger.reached().id, ledger.reached().entries), ([7; 16], 4));
    assert_eq!(noted.last().map(|noted| noted.hash), Some(ledger.reached().hash));
    assert!(Ledger::open(Path::new("/nowhere/ledger"), true).unwrap().is_none());
}

#[test]
fn a_last_line_that_was_never_finished_is_cut_off_at_every_length() {
    let (_folder, path, entries) = begun();
    let whole = fs::read(&path).unwrap();
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for end in last..whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        assert_eq!(read(&path).unwrap(), entries[..3], "cut at {end}");
    }
    let (ledger, _) = Ledger::open(&path, true).unwrap().unwrap();
    ledger.append(&[device(3)]).unwrap();
    assert_eq!(read(&path).unwrap(), [&entries[..3], &[device(3)]].concat());
    // The file had grown, the disk had not what it grew by.
    let mut unwritten = whole[..last].to_vec();
    unwritten.resize(whole.len() - 1, 0);
    unwritten.push(b'\n');
    fs::write(&path, &unwritten).unwrap();
    assert_eq!(read(&path).unwrap(), entries[..3]);
}

#[test]
fn any_changed_byte_is_found_and_its_line_named() {
    let (_folder, path, _) = begun();
    let whole = fs::read(&path).unwrap();
    // The end of the last line alone may have been lost.
    for at in 0..whole.len() - 1 {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let line = whole[..at].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        match read(&path) {
            Err(LedgerError::Changed { line: found, .. }) => assert_eq!(found, line, "byte {at}"),
            other => panic!("byte {at}: {other:?}"),
        }
    }
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    fs::write(&path, [lines[0], lines[2], lines[1], lines[3]].concat()).unwrap();
    assert!(matches!(read(&path), Err(LedgerError::Changed { line: 2, .. })));
}

#[test]
fn two_processes_append_one_after_the_other() {
    let (_folder, path, mut entries) = begun();
    let open = || Ledger::open(&path, true).unwrap().unwrap().0;
    let (one, other) = (open(), open());
    one.append(&[device(4)]).unwrap();
    other.read_on().unwrap();
    other.append(&[device(5)]).unwrap();
    one.read_on().unwrap();
    assert_eq!(one.reached(), other.reached());
    entries.extend([device(4), device(5)]);
    assert_eq!(read(&path).unwrap(), entries);
}

#[test]
fn what_a_newer_server_wrote_and_what_is_too_long_is_refused() {
    let (_folder, path, _) = begun();
    let (ledger, _) = Ledger::open(&path, true).unwrap().unwrap();
    let json = "{\"something_new\":{}}";
    let hash = to_hex(&hash_line(&ledger.reached().hash, json.as_bytes()));
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{whole}{hash} {json}\n")).unwrap();
    assert!(matches!(read(&path), Err(LedgerError::TooNew { line: 6, .. })));
    fs::write(&path, &whole).unwrap();
    let login = |chars: usize| Entry::AccountDisabled { login: "x".repeat(chars), at: 0 };
    let frame = 64 + 1 + serde_json::to_string(&login(0)).unwrap().len() + 1;
    ledger.append(&[login(LINE_BYTES_MAX - frame)]).unwrap();
    let error = ledger.append(&[login(LINE_BYTES_MAX - frame + 1)]).unwrap_err();
    assert!(matches!(error, LedgerError::TooLong { .. }), "{error}");
}
