//! Brings what the database has logged into its file, beside all else.
//!
//! SQLite does it where somebody writes, once a thousand pages have been logged: whoever writes then
//! waits for the disk, and everybody else for them. So a connection of its own does it, and
//! `.cargo/config.toml` has SQLite itself wait for more, which under full load is still reached.

use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// How long it rests in between.
const REST: Duration = Duration::from_millis(250);

/// SQLite begins its log anew only when nothing in it is left to be done. So it is done again and
/// again until nothing was logged meanwhile, but under full load, where that may never be.
const PASSES_MAX: u32 = 4;

/// Goes on until it is dropped.
#[derive(Debug)]
pub(super) struct Checkpoints {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Of a database that is there.
    pub(super) fn of(path: &Path) -> anyhow::Result<Checkpoints> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new().name("checkpoints".into()).spawn(move || {
            let mut logged = 0;
            while stopped.recv_timeout(REST) == Err(RecvTimeoutError::Timeout) {
                for _ in 0..PASSES_MAX {
                    // What could not be done now is done next time, or by whoever writes.
                    let now = checkpoint(&connection).unwrap_or(logged);
                    if std::mem::replace(&mut logged, now) == now {
                        break;
                    }
                }
            }
        })?;
        Ok(Checkpoints { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Waits for nobody. Answers how many pages were logged.
#[inline(never)] // infra/bench/own.py counts what is below it.
fn checkpoint(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))
}

#[cfg(test)]
mod tests {
    use super::{Checkpoints, REST, checkpoint};
    use rusqlite::Connection;

    /// A database with a row that is logged, and not in its file.
    fn logged(path: &std::path::Path) -> Connection {
        let writer = Connection::open(path).unwrap();
        let set_up = "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (v);
            INSERT INTO t VALUES ('a row that was written');";
        writer.execute_batch(set_up).unwrap();
        assert!(!holds(path));
        writer
    }

    fn holds(path: &std::path::Path) -> bool {
        let file = std::fs::read(path).unwrap();
        file.windows(22).any(|bytes| bytes == b"a row that was written")
    }

    #[test]
    fn it_is_done_beside_whoever_writes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.sqlite");
        let _writer = logged(&path);
        let _checkpoints = Checkpoints::of(&path).unwrap();
        while !holds(&path) {
            std::thread::yield_now();
        }
    }

    #[test]
    fn the_log_begins_anew_once_nothing_in_it_is_left_to_be_done() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.sqlite");
        let writer = logged(&path);
        // Its first bytes have a salt, which is another one then.
        let head = || std::fs::read(path.with_extension("sqlite-wal")).unwrap()[..32].to_vec();
        let first = head();
        let _checkpoints = Checkpoints::of(&path).unwrap();
        while head() == first {
            std::thread::sleep(REST);
            writer.execute_batch("INSERT INTO t VALUES (2)").unwrap();
        }
    }

    #[test]
    fn it_waits_for_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.sqlite");
        let writer = logged(&path);
        writer.execute_batch("BEGIN IMMEDIATE; INSERT INTO t VALUES (2);").unwrap();
        let beside = Connection::open(&path).unwrap();
        beside.busy_timeout(std::time::Duration::ZERO).unwrap();
        checkpoint(&beside).unwrap();
        assert!(holds(&path), "what was committed is in the file");
        writer.execute_batch("COMMIT").unwrap();
    }
}
