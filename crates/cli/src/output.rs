//! What people and scripts read: results on stdout, everything else on stderr.

use std::io::Write as _;

/// Writes one line of result. A reader that has gone away is no reason to fail.
pub(crate) fn say(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

pub(crate) fn complain(error: &anyhow::Error) {
    let _ = writeln!(std::io::stderr(), "hookline: {error:#}");
}
