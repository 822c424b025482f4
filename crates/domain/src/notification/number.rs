//! The two ways in which Bandwidth writes telephone numbers.

use std::borrow::Cow;

/// How a subscription wants telephone numbers written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NumberFormat {
    /// Numbers of country code 1 as 10 digits, others as E.164.
    #[default]
    Legacy,
    /// Every number as E.164.
    E164,
}

impl NumberFormat {
    /// `number` in this format. What is no number in either format stays as it is.
    pub fn write(self, number: &str) -> Cow<'_, str> {
        match (self, national(number)) {
            (_, None) => Cow::Borrowed(number),
            (NumberFormat::Legacy, Some(digits)) => Cow::Borrowed(digits),
            (NumberFormat::E164, Some(digits)) => Cow::Owned(format!("+1{digits}")),
        }
    }
}

/// The 10 digits of a number of country code 1, written with or without `1` or `+1` before them.
fn national(number: &str) -> Option<&str> {
    let digits = match number.len() {
        10 => number,
        11 => number.strip_prefix('1')?,
        12 => number.strip_prefix("+1")?,
        _ => return None,
    };
    digits.bytes().all(|b| b.is_ascii_digit()).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::NumberFormat::{E164, Legacy};

    #[track_caller]
    fn check(number: &str, legacy: &str, e164: &str) {
        assert_eq!(Legacy.write(number), legacy);
        assert_eq!(E164.write(number), e164);
    }

    #[test]
    fn numbers_of_country_code_1_have_two_forms_and_all_others_one() {
        check("9195550100", "9195550100", "+19195550100");
        check("19195550100", "9195550100", "+19195550100");
        check("+19195550100", "9195550100", "+19195550100");
        check("+442079460100", "+442079460100", "+442079460100");
        check("+4420794601", "+4420794601", "+4420794601");
        check("29195550100", "29195550100", "29195550100");
        check("+29195550100", "+29195550100", "+29195550100");
        check("919-555-0100", "919-555-0100", "919-555-0100");
        check("919555010x", "919555010x", "919555010x");
        check("9195550١0", "9195550١0", "9195550١0");
        check("5550100", "5550100", "5550100");
        check("", "", "");
    }
}
