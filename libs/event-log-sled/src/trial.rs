//! Checking a log on a copy of its files, because sled rewrites what it opens: only a log that was found sound is opened itself, so a
//! refused one stays as it was. The original is the truth at every moment and the copy is never read again: what a crash leaves
//! of it is deleted. Must not know who asks.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use ballast_event_log::{Head, Index};
use ballast_events::Envelope;

use crate::directory;
use crate::error::{OpenError, io_error};
use crate::store::Store;

/// Beside the log: the same file system, so that the copy shares its blocks where the file system can do that.
const FOLDER: &str = "log.trial";

/// What sled may write to the copy, and what the copy shall leave to others on the volume.
const MARGIN_BYTES: u64 = 64 * 1024 * 1024;

pub(crate) fn folder_of(data_directory: &Path) -> PathBuf {
    data_directory.join(FOLDER)
}

/// Checks the whole log. `None`: the volume has no place for a copy, nothing was checked. The copy is left to be removed once sled's
/// threads have let go of it. The caller keeps others from the log meanwhile.
pub(crate) fn check(data_directory: &Path, head: Head, cache_bytes: u64) -> Result<Option<Index>, OpenError> {
    let copy = folder_of(data_directory);
    let checked = has_room(data_directory).and_then(|room| match room {
        true => {
            remove(data_directory)?;
            fold_copy(data_directory, &copy, head, cache_bytes, |_| ()).map(Some)
        }
        false => Ok(None),
    });
    match checked {
        Err(OpenError::Io { source, .. }) if cannot_be_written(source.kind()) => Ok(None),
        other => other,
    }
}

/// Copies the log's files to the empty or missing folder `copy`, opens them there and reads everything.
pub(crate) fn fold_copy(
    data_directory: &Path,
    copy: &Path,
    head: Head,
    cache_bytes: u64,
    seen: impl FnMut(&Envelope),
) -> Result<Index, OpenError> {
    let original = directory::store_folder_of(data_directory);
    fs::create_dir_all(copy).map_err(io_error("create", copy))?;
    if original.exists() {
        copy_folder(&original, copy)?;
    }
    directory::delete_unfinished_snapshots(copy)?;
    let store = Store::open(copy, cache_bytes).map_err(|error| in_place(error, data_directory))?;
    let store = store.ok_or_else(|| OpenError::InUse(data_directory.to_path_buf()))?;
    store.fold(data_directory, head, seen)
}

/// Deletes the copy, or what a crash left of one.
pub(crate) fn remove(data_directory: &Path) -> Result<(), OpenError> {
    let copy = folder_of(data_directory);
    match fs::remove_dir_all(&copy) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io_error("delete", &copy)(error)),
        _ => Ok(()),
    }
}

fn has_room(data_directory: &Path) -> Result<bool, OpenError> {
    let leftover = folder_of(data_directory);
    let reclaimed = if leftover.exists() { directory::disk_bytes(&leftover)? } else { 0 };
    let original = directory::store_folder_of(data_directory);
    let needed = if original.exists() { directory::disk_bytes(&original)? } else { 0 };
    let free = fs4::available_space(data_directory).map_err(io_error("ask for the free space of", data_directory))?;
    Ok(free.saturating_add(reclaimed) >= needed.saturating_add(MARGIN_BYTES))
}

/// The copy's problem, not the log's: where the cause lies in the log's own files, opening them names it again.
fn cannot_be_written(kind: ErrorKind) -> bool {
    use ErrorKind::{FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(kind, StorageFull | QuotaExceeded | FileTooLarge | PermissionDenied | ReadOnlyFilesystem)
}

/// An error about the copy, told of the original.
pub(crate) fn in_place(error: OpenError, data_directory: &Path) -> OpenError {
    match error {
        OpenError::StorageDamaged { what, .. } => OpenError::StorageDamaged { directory: data_directory.to_path_buf(), what },
        other => other,
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), OpenError> {
    for entry in fs::read_dir(from).map_err(io_error("list", from))? {
        let path = entry.map_err(io_error("list", from))?.path();
        let Some(name) = path.file_name() else { continue };
        let target = to.join(name);
        if path.is_dir() {
            fs::create_dir(&target).map_err(io_error("create", &target))?;
            copy_folder(&path, &target)?;
        } else {
            // Shares the blocks where the file system can.
            fs::copy(&path, &target).map_err(io_error("copy", &path))?;
        }
    }
    Ok(())
}
