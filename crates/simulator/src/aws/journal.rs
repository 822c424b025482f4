//! An append-only file of JSON lines.
//!
//! A line is written with one call and not flushed to the disk: it survives the death of the
//! process at any moment, not the loss of power. A last line that was cut off is dropped; a whole
//! line that cannot be read is an error, because nothing but a loss of power or a hand leaves one.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    lines: usize,
}

impl Journal {
    /// Opens a journal, and reads what stands in it.
    pub(super) fn open(path: &Path) -> std::io::Result<(Journal, Vec<Value>)> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        // Bytes, because the cut may go through a character.
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if whole < bytes.len() {
            file.set_len(whole as u64)?;
        }
        let lines = bytes[..whole].split_inclusive(|byte| *byte == b'\n');
        let lines: Vec<Value> = lines.map(serde_json::from_slice).collect::<Result<_, _>>()?;
        Ok((Journal { path: path.into(), file, lines: lines.len() }, lines))
    }

    pub(super) fn append(&mut self, line: &Value) -> std::io::Result<()> {
        let before = self.file.metadata()?.len();
        if let Err(error) = self.file.write_all(format!("{line}\n").as_bytes()) {
            // A part of a line would spoil the next one.
            self.file.set_len(before)?;
            return Err(error);
        }
        self.lines += 1;
        Ok(())
    }

    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    /// Puts `lines` in place of all that stands here, at once.
    pub(super) fn replace(&mut self, lines: impl Iterator<Item = Value>) -> std::io::Result<()> {
        let fresh = self.path.with_extension("new");
        let mut text = String::new();
        let mut count = 0;
        for line in lines {
            text.push_str(&format!("{line}\n"));
            count += 1;
        }
        std::fs::write(&fresh, text)?;
        // Opened before it is renamed: what fails here leaves the old journal in use.
        let file = OpenOptions::new().append(true).open(&fresh)?;
        std::fs::rename(&fresh, &self.path)?;
        self.file = file;
        self.lines = count;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Journal;
    use serde_json::json;

    #[test]
    fn lines_come_back_and_one_that_was_cut_off_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let (mut journal, lines) = Journal::open(&path).unwrap();
        assert!(lines.is_empty());
        journal.append(&json!({ "a": 1 })).unwrap();
        journal.append(&json!({ "a": 2 })).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in 1..8 {
            std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            assert_eq!(Journal::open(&path).unwrap().1, [json!({ "a": 1 })]);
        }
        let (mut journal, _) = Journal::open(&path).unwrap();
        journal.append(&json!({ "a": 3 })).unwrap();
        assert_eq!(Journal::open(&path).unwrap().1, [json!({ "a": 1 }), json!({ "a": 3 })]);
    }

    #[test]
    fn a_cut_at_any_byte_costs_no_more_than_the_last_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let (mut journal, _) = Journal::open(&path).unwrap();
        journal.append(&json!({ "a": "é" })).unwrap();
        journal.append(&json!({ "a": "日本" })).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let ends = whole[..length].iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(Journal::open(&path).unwrap().1.len(), ends, "cut to {length} bytes");
        }
    }

    #[test]
    fn a_whole_line_that_cannot_be_read_is_not_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        std::fs::write(&path, "{\"a\":1}\n{\"a\":\n{\"a\":3}\n").unwrap();
        assert!(Journal::open(&path).is_err());
    }

    #[test]
    fn replacing_leaves_only_the_new_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let (mut journal, _) = Journal::open(&path).unwrap();
        journal.append(&json!(1)).unwrap();
        journal.replace([json!(2)].into_iter()).unwrap();
        journal.append(&json!(3)).unwrap();
        assert_eq!(journal.lines(), 2);
        assert_eq!(Journal::open(&path).unwrap().1, [json!(2), json!(3)]);
    }
}
