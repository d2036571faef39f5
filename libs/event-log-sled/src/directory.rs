//! The data directory: whose it is, who may use it now, and which files must reach the disk once. Must not know records.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{OpenError, io_error};
use crate::head_file;

/// The newest format that this version reads and the one it writes.
const FORMAT: u32 = 1;
const FORMAT_FILE: &str = "ballast.format";
const FORMAT_FILE_NEW: &str = "ballast.format.new";
const FORMAT_PREFIX: &str = "ballast data directory, format ";
const LOCK_FILE: &str = "lock";
const STORE_FOLDER: &str = "log";

/// What an unfinished first start, or a new file system, may have left in a directory that is otherwise empty.
const AS_GOOD_AS_EMPTY: [&str; 4] = [LOCK_FILE, FORMAT_FILE_NEW, head_file::NAME, "lost+found"];

/// A data directory that this process alone may use while this value lives.
pub(crate) struct Directory {
    pub(crate) path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Takes the directory for this process; makes it one of Ballast when it does not exist or is empty.
    pub(crate) fn take(path: &Path) -> Result<Self, OpenError> {
        if format_of(path)?.is_none() {
            refuse_foreign(path)?;
            fs::create_dir_all(path).map_err(io_error("create", path))?;
        }
        let lock_path = path.join(LOCK_FILE);
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path);
        let lock = try_lock(lock.map_err(io_error("open", &lock_path))?, path)?;
        // Only now: another process may have been creating it.
        if format_of(path)?.is_none() {
            refuse_foreign(path)?;
            create(path)?;
        }
        Ok(Self { path: path.to_path_buf(), _lock: lock })
    }
}

/// Checks that `path` is a data directory that no process uses, and keeps others out while the answer lives. Writes nothing.
pub(crate) fn hold_stopped(path: &Path) -> Result<Option<File>, OpenError> {
    if format_of(path)?.is_none() {
        let found = if path.is_dir() { format!("it has no file {FORMAT_FILE}") } else { "there is no such directory".into() };
        return Err(OpenError::NotADataDirectory { directory: path.to_path_buf(), found });
    }
    match File::open(path.join(LOCK_FILE)) {
        Ok(lock) => try_lock(lock, path).map(Some),
        // A copy made without the lock file is nobody's.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error("open", &path.join(LOCK_FILE))(error)),
    }
}

/// Keeps sled from the files in `store` while the answer lives. `None`: threads of a sled of this process still use them.
pub(crate) fn hold_store(store: &Path) -> Result<Option<StoreHold>, OpenError> {
    let data = store.join("db");
    let file = match File::open(&data) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Some(StoreHold { _data: None })),
        Err(error) => return Err(io_error("open", &data)(error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(StoreHold { _data: Some(file) })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(io_error("lock", &data)(error)),
    }
}

/// sled's own lock, on its data file; none is needed where there is no such file.
pub(crate) struct StoreHold {
    _data: Option<File>,
}

/// Where sled keeps its files.
pub(crate) fn store_folder_of(path: &Path) -> PathBuf {
    path.join(STORE_FOLDER)
}

fn try_lock(lock: File, path: &Path) -> Result<File, OpenError> {
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_path_buf())),
        Err(TryLockError::Error(error)) => Err(io_error("lock", &path.join(LOCK_FILE))(error)),
    }
}

/// The format that the directory says it has; `None` when it does not say so.
pub(crate) fn format_of(path: &Path) -> Result<Option<u32>, OpenError> {
    let file = path.join(FORMAT_FILE);
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(io_error("read", &file)(error)),
    };
    let format = text.trim_end().strip_prefix(FORMAT_PREFIX).and_then(|number| number.parse().ok());
    let Some(found) = format else {
        let found = format!("its file {FORMAT_FILE} says {text:?}");
        return Err(OpenError::NotADataDirectory { directory: path.to_path_buf(), found });
    };
    if found > FORMAT {
        return Err(OpenError::FormatNewer { directory: path.to_path_buf(), found, known: FORMAT });
    }
    Ok(Some(found))
}

fn refuse_foreign(path: &Path) -> Result<(), OpenError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_error("list", path)(error)),
    };
    for entry in entries {
        let name = entry.map_err(io_error("list", path))?.file_name();
        if !AS_GOOD_AS_EMPTY.iter().any(|known| name == *known) {
            let found = format!("it is not empty (it has {}) and has no file {FORMAT_FILE}", name.display());
            return Err(OpenError::NotADataDirectory { directory: path.to_path_buf(), found });
        }
    }
    Ok(())
}

/// Makes an empty directory one of Ballast: the head file first, the format file last and at once.
fn create(path: &Path) -> Result<(), OpenError> {
    head_file::HeadFile::create(path)?;
    let (new, file) = (path.join(FORMAT_FILE_NEW), path.join(FORMAT_FILE));
    let mut written = File::create(&new).map_err(io_error("create", &new))?;
    writeln!(written, "{FORMAT_PREFIX}{FORMAT}").and_then(|()| written.sync_all()).map_err(io_error("write", &new))?;
    fs::rename(&new, &file).map_err(io_error("rename", &new))?;
    sync_folder(path)?;
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), sync_folder)
}

/// Deletes snapshot files that sled did not finish: it would take one for its newest and find itself damaged.
pub(crate) fn delete_unfinished_snapshots(store: &Path) -> Result<(), OpenError> {
    if !store.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(store).map_err(io_error("list", store))? {
        let path = entry.map_err(io_error("list", store))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(&path).map_err(io_error("delete", &path))?;
        }
    }
    Ok(())
}

/// Brings sled's files and folders to the disk once after opening: it writes some at creation and never syncs them.
pub(crate) fn sync_store(store: &Path) -> Result<(), OpenError> {
    for entry in fs::read_dir(store).map_err(io_error("list", store))? {
        let path = entry.map_err(io_error("list", store))?.path();
        if path.is_dir() {
            sync_store(&path)?;
            continue;
        }
        match File::open(&path).and_then(|file| file.sync_all()) {
            // sled replaces its snapshots from a thread of its own.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            result => result.map_err(io_error("sync", &path))?,
        }
    }
    sync_folder(store)?;
    store.parent().map_or(Ok(()), sync_folder)
}

pub(crate) fn sync_folder(path: &Path) -> Result<(), OpenError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(io_error("sync", path))
}

/// Bytes of all files below `path`.
pub(crate) fn disk_bytes(path: &Path) -> Result<u64, OpenError> {
    let mut bytes = 0;
    for entry in fs::read_dir(path).map_err(io_error("list", path))? {
        let entry = entry.map_err(io_error("list", path))?;
        let metadata = entry.metadata().map_err(io_error("look at", &entry.path()))?;
        bytes += if metadata.is_dir() { disk_bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
