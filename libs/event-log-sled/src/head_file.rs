//! The head file: where the log ended after the last commit, kept beside the log so that an end that was cut off is noticed.
//! Written after each commit, brought to the disk by the system: it may lag the log, never lead it. Must not know records.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use ballast_event_log::Head;

use crate::error::{OpenError, io_error};

pub(crate) const NAME: &str = "head";

/// Sequence, hash, checksum of both: far less than a disk sector, so that a write is whole or not there.
const BYTES: usize = 8 + 32 + 4;

pub(crate) struct HeadFile {
    file: File,
}

impl HeadFile {
    /// Writes the head of an empty log, durably.
    pub(crate) fn create(directory: &Path) -> Result<(), OpenError> {
        let path = directory.join(NAME);
        let file = File::create(&path).map_err(io_error("create", &path))?;
        let head = Self { file };
        head.write(&Head::default()).and_then(|()| head.sync()).map_err(io_error("write", &path))
    }

    pub(crate) fn open(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join(NAME);
        let file = File::options().read(true).write(true).open(&path).map_err(|error| unreadable(directory, &path, error))?;
        Ok(Self { file })
    }

    pub(crate) fn write(&self, head: &Head) -> io::Result<()> {
        self.file.write_all_at(&encode(head), 0)
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// The head that the directory's head file names.
pub(crate) fn read(directory: &Path) -> Result<Head, OpenError> {
    let path = directory.join(NAME);
    let bytes = std::fs::read(&path).map_err(|error| unreadable(directory, &path, error))?;
    decode(&bytes).ok_or_else(|| OpenError::StorageDamaged {
        directory: directory.to_path_buf(),
        what: format!("its file {NAME} does not hold a head with its checksum"),
    })
}

/// A data directory has a head file before it has a format file: one without was tampered with.
fn unreadable(directory: &Path, path: &Path, error: io::Error) -> OpenError {
    if error.kind() == io::ErrorKind::NotFound {
        return OpenError::StorageDamaged { directory: directory.to_path_buf(), what: format!("its file {NAME} is missing") };
    }
    io_error("open", path)(error)
}

/// Also the form in which the head stands in the store itself.
pub(crate) fn encode(head: &Head) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(BYTES);
    bytes.extend(head.sequence.to_be_bytes());
    bytes.extend(head.hash);
    bytes.extend(crc32c::crc32c(&bytes).to_be_bytes());
    bytes
}

pub(crate) fn decode(bytes: &[u8]) -> Option<Head> {
    let (covered, checksum) = bytes.split_last_chunk::<4>()?;
    let (sequence, hash) = covered.split_first_chunk::<8>()?;
    let sound = u32::from_be_bytes(*checksum) == crc32c::crc32c(covered);
    let head = Head { sequence: u64::from_be_bytes(*sequence), hash: hash.try_into().ok()? };
    sound.then_some(head)
}
