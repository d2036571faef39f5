//! A log that is refused stays as it was, byte for byte, wherever the damage lies; a sound one opens whatever a crash left beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use ballast_clock::Clock;
use ballast_event_log::contract::event;
use ballast_event_log::{Append, Context, EventLog};
use ballast_event_log_sled::{OpenError, Options, SledLog, verify_directory};
use ballast_events::StreamName;

const APPENDS: u64 = 150;
const EVENTS: u64 = 2 * APPENDS;

/// Every file of a directory with its content, folders too.
type Contents = BTreeMap<PathBuf, Option<Vec<u8>>>;

async fn open(directory: &Path) -> Result<SledLog, OpenError> {
    SledLog::open(directory, Clock::system(), Options { reserve_bytes: 0, ..Options::default() }).await
}

fn numbered(number: u64) -> Append {
    let stream = StreamName::task("a");
    let payload = format!("payload {number:06} {}", "x".repeat(400));
    Append::new(Context::default(), None, vec![event(&stream, payload.as_bytes()), event(&stream, b"second")])
}

/// A log that was closed, opened and closed again, so that sled's files of every kind are there.
async fn written() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for half in [0..APPENDS / 2, APPENDS / 2..APPENDS] {
        let log = open(directory.path()).await.expect("opens");
        for number in half {
            log.append(numbered(number)).await.expect("append");
        }
        log.close().await;
    }
    directory
}

fn contents(folder: &Path) -> Contents {
    let mut all = Contents::new();
    for entry in fs::read_dir(folder).expect("list") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            all.extend(contents(&path));
            all.insert(path, None);
        } else {
            let bytes = fs::read(&path).expect("read");
            all.insert(path, Some(bytes));
        }
    }
    all
}

/// Makes the directory what it was.
fn restore(folder: &Path, contents: &Contents) {
    for entry in fs::read_dir(folder).expect("list") {
        let path = entry.expect("entry").path();
        if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }.expect("remove");
    }
    for (path, bytes) in contents {
        match bytes {
            // A folder comes before what is in it.
            None => fs::create_dir(path).expect("create"),
            Some(bytes) => fs::write(path, bytes).expect("write"),
        }
    }
}

/// Opens a log that may be damaged. Refused: by name, and nothing changed. Opened: nothing is missing. Says whether it was refused.
async fn refused_unchanged_or_whole(directory: &Path, what: &str) -> bool {
    let before = contents(directory);
    match open(directory).await {
        Err(error) => {
            assert!(matches!(error.reason_code(), "LOG_DAMAGED" | "LOG_SHORTER_THAN_HEAD"), "{what}: {error}");
            assert!(contents(directory) == before, "{what}: the refusal changed {:?}", changes(&before, &contents(directory)));
            true
        }
        Ok(log) => {
            assert_eq!(log.read(1, 10_000).await.expect("read").len() as u64, EVENTS, "{what}: nothing is missing silently");
            log.close().await;
            false
        }
    }
}

fn changes(before: &Contents, after: &Contents) -> BTreeSet<PathBuf> {
    let other = |one: &Contents, two: &Contents| -> Vec<PathBuf> {
        one.iter().filter(|(path, bytes)| two.get(*path) != Some(bytes)).map(|(path, _)| path.clone()).collect()
    };
    other(before, after).into_iter().chain(other(after, before)).collect()
}

fn places(haystack: &[u8], needle: &str) -> Vec<usize> {
    haystack.windows(needle.len()).enumerate().filter(|(_, window)| *window == needle.as_bytes()).map(|(at, _)| at).collect()
}

#[tokio::test]
async fn a_flipped_byte_anywhere_changes_nothing_more() {
    let directory = written().await;
    let sound = contents(directory.path());
    let (mut flips, mut refusals) = (0, 0);
    for (path, bytes) in sound.iter().filter_map(|(path, bytes)| Some((path, bytes.as_ref()?))) {
        let name = path.file_name().expect("a file").to_string_lossy();
        if bytes.is_empty() || name == "ballast.format" {
            continue;
        }
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
        // sled's header of the file, then places all over it, then the end of what it holds.
        let mut flipped: BTreeSet<usize> =
            (0..8).chain([12, 19, 20, 27, used]).chain((0..8).map(|part| used * part / 8)).collect();
        for record in [0, 1, APPENDS / 2, APPENDS - 2, APPENDS - 1] {
            flipped.extend(places(bytes, &format!("payload {record:06}")));
        }
        for at in flipped.into_iter().filter(|at| *at < bytes.len()) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x04;
            fs::write(path, damaged).expect("write");
            flips += 1;
            refusals +=
                u32::from(refused_unchanged_or_whole(directory.path(), &format!("byte {at} of {}", path.display())).await);
            restore(directory.path(), &sound);
        }
    }
    println!("{refusals} of {flips} flips were refused");
    assert!(refusals >= 20, "only {refusals} of {flips} flips were refused");
    assert!(!refused_unchanged_or_whole(directory.path(), "restored").await);
}

#[tokio::test]
async fn a_truncated_or_missing_file_changes_nothing_more() {
    let directory = written().await;
    let sound = contents(directory.path());
    let mut refusals = 0;
    for (path, bytes) in sound.iter().filter_map(|(path, bytes)| Some((path, bytes.as_ref()?))) {
        let name = path.file_name().expect("a file").to_string_lossy();
        if bytes.is_empty() || name == "ballast.format" {
            continue;
        }
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
        for length in [0, 1, 20, used / 2, used * 9 / 10, used - 100_usize.min(used), used] {
            fs::write(path, &bytes[..length.min(bytes.len())]).expect("write");
            let what = format!("{} cut to {length}", path.display());
            refusals += u32::from(refused_unchanged_or_whole(directory.path(), &what).await);
            restore(directory.path(), &sound);
        }
        fs::remove_file(path).expect("remove");
        refusals += u32::from(refused_unchanged_or_whole(directory.path(), &format!("{} missing", path.display())).await);
        restore(directory.path(), &sound);
    }
    fs::remove_dir_all(directory.path().join("log")).expect("remove");
    assert!(refused_unchanged_or_whole(directory.path(), "no log").await);
    assert!(refusals >= 10, "only {refusals} were refused");
}

/// What a crash may leave: no moment of a check touches the log, so the copy is rubbish whatever is in it.
#[tokio::test]
async fn a_copy_that_a_crash_left_is_nothing_to_the_log() {
    let directory = written().await;
    let sound = contents(directory.path());
    let trial = directory.path().join("log.trial");
    let leave = |data: &[u8]| {
        fs::create_dir_all(trial.join("blobs")).expect("create");
        fs::write(trial.join("db"), data).expect("write");
        fs::write(trial.join("snap.00000000000FFFFF"), b"a snapshot of other files").expect("write");
    };
    let whole = fs::read(directory.path().join("log/db")).expect("read");
    let rewritten: Vec<u8> = whole.iter().map(|byte| byte ^ 1).collect();
    for (what, data) in [("nothing", &b""[..]), ("half", &whole[..whole.len() / 2]), ("whole", &whole), ("other", &rewritten)] {
        leave(data);
        verify_directory(directory.path()).expect("a look does not mind the copy");
        assert!(!refused_unchanged_or_whole(directory.path(), what).await, "{what}");
        assert!(!trial.exists(), "{what}: the copy was left");
        restore(directory.path(), &sound);
    }
    // A sound copy does not heal a damaged log.
    leave(&whole);
    fs::write(directory.path().join("log/db"), &rewritten).expect("write");
    let log = contents(&directory.path().join("log"));
    open(directory.path()).await.err().expect("a damaged log is refused");
    assert!(contents(&directory.path().join("log")) == log && !trial.exists());
}

#[tokio::test]
async fn a_log_without_place_for_a_copy_opens() {
    let directory = written().await;
    // Sparse, and larger than what any test machine has free: a copy would not fit.
    let large = fs::File::create(directory.path().join("log/large")).expect("create");
    large.set_len(1 << 43).expect("a sparse file");
    let log = open(directory.path()).await.expect("a sound log opens");
    assert_eq!(log.read(1, 10_000).await.expect("read").len() as u64, EVENTS);
    log.append(numbered(APPENDS)).await.expect("and goes on");
    log.close().await;
}
