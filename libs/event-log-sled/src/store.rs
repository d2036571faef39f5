//! sled itself: one tree, one batch per commit, flushed and then synced. Must not know who appends or why.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use ballast_event_log::{Damage, Flaw, Head, Index, open_record};
use ballast_events::Envelope;

use crate::error::{OpenError, io_error};
use crate::head_file;

/// Before a record's sequence in its key.
const RECORD: u8 = 0x01;
/// Sorts before every record.
const HEAD_KEY: [u8; 1] = [0x00];
/// The device is flushed at each commit; this is sled's own belt beside those braces.
const FLUSH_EVERY_MILLISECONDS: u64 = 500;

/// sled puts a page above a quarter of this into a file of its own that it never syncs. A page splits at 16 records and may take
/// a few more from a neighbour: with records of 64 KiB it stays below 2 MiB, so such files do not come about.
const SEGMENT_BYTES: usize = 8 * 1024 * 1024;

pub(crate) struct Store {
    db: sled::Db,
    /// A second handle to sled's file, to sync it: sled's flush asks the system to write, not the device.
    data: File,
}

/// A commit being put together.
#[derive(Default)]
pub(crate) struct Commit {
    batch: sled::Batch,
}

impl Commit {
    pub(crate) fn insert(&mut self, sequence: u64, record: Vec<u8>) {
        self.batch.insert(&key(sequence), record);
    }
}

impl Store {
    /// Opens sled in `folder`. sled may panic over files it does not understand: that is damage, not a reason to die. `None`:
    /// a log of this very process is just letting go of the files.
    pub(crate) fn open(folder: &Path, cache_bytes: u64) -> Result<Option<Self>, OpenError> {
        let damaged = |what: String| OpenError::StorageDamaged {
            directory: folder.to_path_buf(),
            what: format!("its storage says: {what}"),
        };
        let config = sled::Config::new()
            .path(folder)
            .cache_capacity(cache_bytes)
            .segment_size(SEGMENT_BYTES)
            .flush_every_ms(Some(FLUSH_EVERY_MILLISECONDS));
        let db = match catch_unwind(AssertUnwindSafe(|| config.open())) {
            Ok(Ok(db)) => db,
            Ok(Err(sled::Error::Io(error))) if error.to_string().contains("could not acquire lock") => return Ok(None),
            Ok(Err(sled::Error::Io(error))) => return Err(io_error("open", folder)(error)),
            Ok(Err(error)) => return Err(damaged(error.to_string())),
            Err(panic) => return Err(damaged(panic_text(&*panic))),
        };
        let data_path = folder.join("db");
        let data = File::options().read(true).write(true).open(&data_path).map_err(io_error("open", &data_path))?;
        Ok(Some(Self { db, data }))
    }

    /// Reads everything into an index: density, versions, chain, checksums, and nothing there that is not ours. `head` is what
    /// the head file says; `seen` is called with each sound record.
    pub(crate) fn fold(&self, directory: &Path, head: Head, seen: impl FnMut(&Envelope)) -> Result<Index, OpenError> {
        guarded(directory, || self.fold_records(directory, head, seen))
    }

    /// Whether it ends where the copy ended that was checked: the same files, so sled must have found the same in them.
    pub(crate) fn confirm(&self, directory: &Path, checked: &Head) -> Result<(), OpenError> {
        guarded(directory, || {
            let damaged = |what: String| OpenError::StorageDamaged { directory: directory.to_path_buf(), what };
            let stored = self.db.get(HEAD_KEY).map_err(|error| damaged(format!("its storage says: {error}")))?;
            let stored = stored.map_or(Some(Head::default()), |value| head_file::decode(&value));
            if stored.as_ref() == Some(checked) {
                return Ok(());
            }
            Err(damaged(format!(
                "its copy ended at sequence {}, it ends at {:?}",
                checked.sequence,
                stored.map(|head| head.sequence)
            )))
        })
    }

    fn fold_records(&self, directory: &Path, head: Head, mut seen: impl FnMut(&Envelope)) -> Result<Index, OpenError> {
        let damaged = |damage| OpenError::Damaged { directory: directory.to_path_buf(), damage };
        let mut index = Index::default();
        let mut stored_head = Head::default();
        for entry in self.db.iter() {
            let sequence = index.head().sequence + 1;
            let foreign = |what: String| damaged(Damage { sequence, flaw: Flaw::Foreign(what) });
            let (key, value) = entry.map_err(|error| damaged(Damage { sequence, flaw: Flaw::Unreadable(error.to_string()) }))?;
            if *key == HEAD_KEY {
                stored_head = head_file::decode(&value).ok_or_else(|| foreign("a head without its checksum".into()))?;
                continue;
            }
            let place = sequence_of(&key).ok_or_else(|| foreign(format!("the key {:02x?}", &*key)))?;
            if place != sequence {
                return Err(damaged(Damage { sequence, flaw: Flaw::Missing }));
            }
            let envelope = open_record(sequence, &value).map_err(damaged)?;
            index.admit(&envelope).map_err(damaged)?;
            if sequence == head.sequence && envelope.hash != head.hash {
                return Err(damaged(Damage { sequence, flaw: Flaw::Changed }));
            }
            seen(&envelope);
        }
        let last = index.head();
        if last.sequence < head.sequence {
            return Err(OpenError::ShorterThanHead {
                directory: directory.to_path_buf(),
                head: head.sequence,
                last: last.sequence,
            });
        }
        if stored_head != last {
            return Err(damaged(Damage { sequence: last.sequence + 1, flaw: Flaw::Missing }));
        }
        Ok(index)
    }

    /// Makes a commit durable: all of it or, after a crash, nothing of it. After an error the store must not be used again.
    pub(crate) fn commit(&self, mut commit: Commit, head: &Head) -> Result<(), String> {
        commit.batch.insert(&HEAD_KEY, head_file::encode(head));
        let durable = catch_unwind(AssertUnwindSafe(|| -> Result<(), String> {
            self.db.apply_batch(commit.batch).map_err(|error| error.to_string())?;
            self.db.flush().map_err(|error| error.to_string())?;
            self.data.sync_data().map_err(|error| error.to_string())
        }));
        durable.unwrap_or_else(|panic| Err(panic_text(&*panic)))
    }

    /// The records from `first` to `last`, verified.
    pub(crate) fn read(&self, first: u64, last: u64) -> Result<Vec<Envelope>, Damage> {
        let mut expected = first;
        let mut envelopes = Vec::new();
        for entry in self.db.range(key(first)..=key(last)) {
            let damage = |flaw| Damage { sequence: expected, flaw };
            let (key, value) = entry.map_err(|error| damage(Flaw::Unreadable(error.to_string())))?;
            if sequence_of(&key) != Some(expected) {
                return Err(damage(Flaw::Missing));
            }
            envelopes.push(open_record(expected, &value)?);
            expected += 1;
        }
        if expected <= last {
            return Err(Damage { sequence: expected, flaw: Flaw::Missing });
        }
        Ok(envelopes)
    }
}

fn key(sequence: u64) -> [u8; 9] {
    let [a, b, c, d, e, f, g, h] = sequence.to_be_bytes();
    [RECORD, a, b, c, d, e, f, g, h]
}

fn sequence_of(key: &[u8]) -> Option<u64> {
    let (&kind, sequence) = key.split_first()?;
    (kind == RECORD).then(|| sequence.try_into().ok().map(u64::from_be_bytes))?
}

/// sled may panic over what it reads, too: that is damage.
fn guarded<T>(directory: &Path, read: impl FnOnce() -> Result<T, OpenError>) -> Result<T, OpenError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| {
        let what = format!("its storage says: {}", panic_text(&*panic));
        Err(OpenError::StorageDamaged { directory: directory.to_path_buf(), what })
    })
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "an unnamed panic".into())
}
