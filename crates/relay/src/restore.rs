//! Puts back what the table lacks of another, which is the same table as it was at an earlier time.
//!
//! Nothing is replaced. Events come last: each goes through the stream and is fanned out again, which
//! finds what had been decided, and does nothing twice.

use futures::{StreamExt as _, TryStreamExt as _};

use crate::store::{ScanCursor, Store, StoreError, Which};

/// Items that are put at once: at 5 ms each, 3,000 a second, less than a new table takes.
const PUTS_AT_ONCE: usize = 16;

/// One pass over the other table.
pub struct Restore {
    from: Store,
    to: Store,
    /// What is to be read next; none when all has been.
    at: Option<(Which, Option<ScanCursor>)>,
}

/// What came of it.
#[derive(Debug, Default, Clone, Copy)]
pub struct Step {
    pub read: u64,
    /// Of them, those that the table lacked.
    pub put: u64,
    /// What reading them is billed by.
    pub read_units: f64,
}

impl Restore {
    pub fn new(from: Store, to: Store) -> Restore {
        Restore { from, to, at: Some((Which::Others, None)) }
    }

    /// Works on one page; `None` after the last. After an error a new one has to begin.
    pub async fn step(&mut self) -> Result<Option<Step>, StoreError> {
        let Some((which, after)) = self.at.take() else { return Ok(None) };
        let page = self.from.scan_whole(which, after).await?;
        let read = page.items.len() as u64;
        let put = futures::stream::iter(page.items)
            .map(|item| self.to.put_whole(item))
            .buffer_unordered(PUTS_AT_ONCE)
            .try_fold(0, async |sum, put| Ok(sum + u64::from(put)))
            .await?;
        self.at = match (page.next, which) {
            (Some(next), _) => Some((which, Some(next))),
            (None, Which::Others) => Some((Which::FannedOut, None)),
            (None, Which::FannedOut) => None,
        };
        Ok(Some(Step { read, put, read_units: page.read_units }))
    }
}
