//! What stands below an order: its history, its notes, its numbers.

use std::collections::BTreeMap;

use super::Answer;
use crate::notification::NumberFormat;
use crate::record::{HistoryEntry, OrderNote};

/// By what part telephone numbers are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// The first three digits.
    AreaCode,
    /// The first six digits.
    NpaNxx,
}

pub fn history(entries: &[HistoryEntry]) -> String {
    Answer::write(&["OrderHistoryWrapper"], |answer| {
        for entry in entries {
            answer.within(&["OrderHistory"], |answer| {
                answer.date("OrderDate", entry.at);
                answer.maybe("Note", entry.note.as_deref());
                answer.text("Author", &entry.author);
                answer.maybe("Status", entry.status.as_deref());
            });
        }
    })
}

/// With `LastDateModifier`, as Bandwidth writes it.
pub fn notes(notes: &[OrderNote]) -> String {
    Answer::write(&["Notes"], |answer| {
        for note in notes {
            answer.within(&["Note"], |answer| {
                answer.number("Id", note.id);
                answer.text("UserId", &note.user);
                answer.text("Description", &note.text);
                answer.date("LastDateModifier", note.at);
            });
        }
    })
}

pub fn telephone_numbers(numbers: &[String], format: NumberFormat) -> String {
    Answer::write(&["TelephoneNumbers"], |answer| {
        answer.number("Count", numbers.len());
        answer.telephone_numbers(&["TelephoneNumber"], numbers, format);
    })
}

/// How many numbers an order has, as lists of ports count them.
pub fn quantity(count: usize) -> String {
    Answer::write(&["Quantity"], |answer| answer.number("Count", count))
}

/// How many numbers share their first digits, in the order of these. Numbers outside of country
/// code 1 have no such parts and are not counted.
pub fn reports(by: Report, numbers: &[String]) -> String {
    let (element, digits) = match by {
        Report::AreaCode => ("AreaCode", 3),
        Report::NpaNxx => ("NPA-NXX", 6),
    };
    let mut counts = BTreeMap::<String, u32>::new();
    for number in numbers {
        let number = NumberFormat::Legacy.write(number);
        if number.len() == 10 && number.bytes().all(|b| b.is_ascii_digit()) {
            *counts.entry(number[..digits].to_owned()).or_default() += 1;
        }
    }
    Answer::write(&["TelephoneDetailsReports"], |answer| {
        for (part, count) in counts {
            answer.within(&["TelephoneDetailsReport"], |answer| {
                answer.text(element, &part);
                answer.number("Count", count);
            });
        }
    })
}
