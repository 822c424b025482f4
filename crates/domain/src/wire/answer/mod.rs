//! Writing what clients read.
//!
//! Nothing in an answer about something that exists may be called `ErrorCode`, `Error`, `Errors` or
//! `ResultCode`, in any nesting: one of Bandwidth's clients then takes the whole answer for an error.

pub(super) mod error;
pub(super) mod order;
pub(super) mod orders;
pub(super) mod parts;
pub(super) mod subscription;

use jiff::Timestamp;

use crate::notification::{NumberFormat, xml};

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#;

/// A document that is being written.
pub(super) struct Answer(String);

impl Answer {
    /// A document within this path of elements.
    pub(super) fn write(path: &[&str], content: impl FnOnce(&mut Answer)) -> String {
        let mut answer = Answer(HEAD.to_owned());
        answer.within(path, content);
        answer.0
    }

    /// Elements within each other, and the content of the innermost. Always with an end tag of its
    /// own: for an empty element some clients then have an empty value instead of none.
    pub(super) fn within(&mut self, path: &[&str], content: impl FnOnce(&mut Answer)) {
        for element in path {
            self.0.push_str(&format!("<{element}>"));
        }
        content(self);
        for element in path.iter().rev() {
            self.0.push_str(&format!("</{element}>"));
        }
    }

    pub(super) fn text(&mut self, element: &str, text: &str) {
        self.maybe(element, Some(text));
    }

    /// Without a text, nothing.
    fn maybe(&mut self, element: &str, text: Option<&str>) {
        xml::text(&mut self.0, element, text);
    }

    pub(super) fn number(&mut self, element: &str, number: impl std::fmt::Display) {
        self.text(element, &number.to_string());
    }

    /// With three digits of a fraction, without which some clients see no date.
    fn date(&mut self, element: &str, at: Timestamp) {
        self.text(element, &format!("{at:.3}"));
    }

    /// Each within this path, which is not empty.
    fn telephone_numbers(&mut self, path: &[&str], numbers: &[String], format: NumberFormat) {
        let Some((element, around)) = path.split_last() else { return };
        for number in numbers {
            self.within(around, |answer| answer.text(element, &format.write(number)));
        }
    }
}
