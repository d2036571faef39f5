//! The sled engine: the contract of every engine, what survives reopening, and what is refused.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ballast_clock::Clock;
use ballast_event_log::contract::{self, event};
use ballast_event_log::{Append, Appended, Context, EventLog, ExpectedVersion, LogError};
use ballast_event_log_sled::{OpenError, Options, SledLog, info_directory, verify_directory};
use ballast_events::{RequestRef, StreamName};

async fn open(directory: &Path) -> Result<SledLog, OpenError> {
    SledLog::open(directory, Clock::system(), Options { reserve_bytes: 0, ..Options::default() }).await
}

fn append(payloads: &[&[u8]]) -> Append {
    let stream = StreamName::task("a");
    Append::new(Context::default(), None, payloads.iter().map(|payload| event(&stream, payload)).collect())
}

/// A data directory with a closed log of `appends` appends of two events each.
async fn written(appends: usize) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let log = open(directory.path()).await.expect("a new log opens");
    for number in 0..appends {
        log.append(append(&[format!("payload {number:06}").as_bytes(), b"second"])).await.expect("append");
    }
    log.close().await;
    directory
}

fn refusal<T>(result: Result<T, OpenError>) -> OpenError {
    match result {
        Ok(_) => panic!("this must be refused"),
        Err(error) => error,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sled_engine_keeps_the_contract() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let number = AtomicU32::new(0);
    contract::run_all(|| async {
        let directory = root.path().join(number.fetch_add(1, Ordering::Relaxed).to_string());
        Arc::new(open(&directory).await.expect("a new log opens")) as Arc<dyn EventLog>
    })
    .await;
}

#[tokio::test]
async fn everything_acknowledged_is_there_after_reopening() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let request = RequestRef { id: "r1".into(), body_hash: [7; 32] };
    let mut place = Appended { first_sequence: 0, last_sequence: 0, replayed: false };
    for round in 0..5_u64 {
        let log = open(directory.path()).await.expect("opens");
        assert_eq!(log.head().borrow().sequence, round * 2);
        let mut next = append(&[b"x", b"y"]).expecting(StreamName::task("a"), ExpectedVersion::Exactly(round * 2));
        if round == 1 {
            next.context.request = Some(request.clone());
        }
        let appended = log.append(next).await.expect("the version went on counting");
        if round == 1 {
            place = appended;
        }
        // Dropped, not closed: what was acknowledged does not depend on a farewell.
    }
    let log = open(directory.path()).await.expect("opens");
    assert_eq!(log.request("r1").await, Ok(Some((place, request.body_hash))));
    let events = log.read(1, 100).await.expect("read");
    assert_eq!(events.len(), 10);
    assert!(events.windows(2).all(|pair| pair[1].previous_hash == pair[0].hash));
}

#[tokio::test]
async fn a_directory_in_use_is_refused_and_free_once_dropped() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let log = open(directory.path()).await.expect("opens");
    assert_eq!(refusal(open(directory.path()).await).reason_code(), "DATA_DIR_IN_USE");
    assert_eq!(refusal(verify_directory(directory.path())).reason_code(), "DATA_DIR_IN_USE");
    drop(log);
    open(directory.path()).await.expect("free again");
}

#[tokio::test]
async fn a_directory_of_somebody_else_is_left_alone() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("photos.zip"), "mine").expect("write");
    let error = refusal(open(directory.path()).await);
    assert_eq!(error.reason_code(), "NOT_A_DATA_DIR");
    assert!(error.to_string().contains("photos.zip"), "{error}");
    let names: Vec<_> = fs::read_dir(directory.path()).expect("list").map(|entry| entry.expect("entry").file_name()).collect();
    assert_eq!(names, ["photos.zip"], "nothing was added");
    let missing = directory.path().join("missing");
    assert_eq!(refusal(verify_directory(&missing)).reason_code(), "NOT_A_DATA_DIR");
    assert!(!missing.exists());
}

#[tokio::test]
async fn a_newer_format_is_refused() {
    let directory = written(1).await;
    fs::write(directory.path().join("ballast.format"), "ballast data directory, format 2\n").expect("write");
    assert_eq!(refusal(open(directory.path()).await).reason_code(), "LOG_FORMAT_NEWER");
    assert_eq!(refusal(verify_directory(directory.path())).reason_code(), "LOG_FORMAT_NEWER");
}

#[tokio::test]
async fn a_log_whose_end_was_cut_off_is_refused() {
    let directory = written(3).await;
    let older = tempfile::tempdir().expect("a temporary directory");
    copy(directory.path(), older.path());
    let log = open(directory.path()).await.expect("opens");
    log.append(append(&[b"the end"])).await.expect("append");
    log.close().await;
    drop(log);
    fs::copy(directory.path().join("head"), older.path().join("head")).expect("copy");
    let error = refusal(open(older.path()).await);
    assert!(matches!(error, OpenError::ShorterThanHead { head: 7, last: 6, .. }), "{error}");
    assert_eq!(refusal(verify_directory(older.path())).reason_code(), "LOG_SHORTER_THAN_HEAD");
}

#[tokio::test]
async fn a_log_that_was_written_anew_under_an_old_head_is_refused() {
    let (first, second) = (written(3).await, written(3).await);
    let other = open(second.path()).await.expect("opens");
    other.append(append(&[b"another history"])).await.expect("append");
    other.close().await;
    drop(other);
    let log = open(first.path()).await.expect("opens");
    log.append(append(&[b"one history"])).await.expect("append");
    log.close().await;
    drop(log);
    fs::copy(first.path().join("head"), second.path().join("head")).expect("copy");
    assert_eq!(refusal(open(second.path()).await).reason_code(), "LOG_DAMAGED");
}

#[tokio::test]
async fn a_missing_or_changed_head_file_is_refused() {
    let directory = written(2).await;
    let head = directory.path().join("head");
    let bytes = fs::read(&head).expect("read");
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        fs::write(&head, changed).expect("write");
        assert_eq!(refusal(verify_directory(directory.path())).reason_code(), "LOG_DAMAGED", "byte {at}");
    }
    fs::remove_file(&head).expect("remove");
    assert_eq!(refusal(open(directory.path()).await).reason_code(), "LOG_DAMAGED");
}

#[tokio::test]
async fn an_unfinished_snapshot_of_sled_is_swept() {
    let directory = written(2).await;
    fs::write(directory.path().join("log/snap.0000000000001000.generating"), b"half").expect("write");
    let log = open(directory.path()).await.expect("opens");
    assert_eq!(log.read(1, 10).await.expect("read").len(), 4);
}

#[tokio::test]
async fn a_flipped_byte_in_any_record_is_found() {
    let directory = written(20).await;
    let data = directory.path().join("log/db");
    let stored = fs::read(&data).expect("read");
    let (mut flips, mut found) = (0, 0);
    for number in 0..20 {
        let text = format!("payload {number:06}");
        // Every copy that sled keeps of the record.
        for at in places(&stored, text.as_bytes()) {
            let file = fs::File::options().write(true).open(&data).expect("open");
            file.write_all_at(&[stored[at + 9] ^ 0x01], at as u64 + 9).expect("write");
            flips += 1;
            match verify_directory(directory.path()) {
                Err(error) => {
                    assert!(matches!(error.reason_code(), "LOG_DAMAGED" | "LOG_SHORTER_THAN_HEAD"), "{error}");
                    found += 1;
                }
                // A copy that sled had replaced already.
                Ok(report) => assert_eq!(report.events, 40, "nothing is missing silently"),
            }
            file.write_all_at(&stored, 0).expect("restore");
        }
    }
    assert!(flips >= 20 && found > 0, "{found} of {flips} flips were found");
    verify_directory(directory.path()).expect("restored");
}

#[tokio::test]
async fn the_report_says_what_is_there() {
    let directory = written(3).await;
    let report = verify_directory(directory.path()).expect("sound");
    assert_eq!((report.events, report.streams, report.requests, report.head.sequence), (6, 1, 0, 6));
    assert!(report.first_recorded_at <= report.last_recorded_at && report.first_recorded_at.is_some());
    let info = info_directory(directory.path()).expect("a data directory");
    assert_eq!((info.format, info.head_file, info.report.expect("sound")), (1, report.head, report));
    assert!(info.disk_bytes > 0);
}

#[tokio::test]
async fn a_full_volume_stops_all_but_closing_work() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let free = fs4::available_space(directory.path()).expect("free space");
    let reserve_bytes = free.saturating_add(free / 2);
    let options = Options { reserve_bytes, ..Options::default() };
    let log = SledLog::open(directory.path(), Clock::system(), options).await.expect("opens");
    assert!(matches!(log.append(append(&[b"x"])).await, Err(LogError::VolumeFull { .. })));
    log.append(append(&[b"x"]).essential()).await.expect("closing work may use half of the reserve");
    assert_eq!(log.read(1, 10).await.expect("reads go on").len(), 1);
}

#[tokio::test]
async fn records_of_the_largest_size_stay_in_the_synced_file() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let log = open(directory.path()).await.expect("opens");
    let chunk = vec![0xa5; 48 * 1024];
    for _ in 0..20 {
        log.append(append(&[&chunk, &chunk, &chunk, &chunk, &chunk, b"small"])).await.expect("append");
    }
    let blobs = fs::read_dir(directory.path().join("log/blobs")).expect("list").count();
    assert_eq!(blobs, 0, "sled never syncs its blob files: nothing may be in one");
    assert_eq!(log.read(1, 1_000).await.expect("read").len(), 120);
}

fn places(haystack: &[u8], needle: &[u8]) -> Vec<usize> {
    haystack.windows(needle.len()).enumerate().filter(|(_, window)| *window == needle).map(|(at, _)| at).collect()
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("list") {
        let entry = entry.expect("entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir_all(&target).expect("create");
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copy");
        }
    }
}
