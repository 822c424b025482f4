//! What Bandwidth says no with.

/// One error of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Bandwidth's number for it.
    pub code: u32,
    pub description: String,
    /// The number it is about, if it is about one: ten digits, or what was sent instead.
    pub telephone_number: Option<String>,
}

impl Refused {
    pub fn new(code: u32, description: impl Into<String>) -> Refused {
        Refused { code, description: description.into(), telephone_number: None }
    }

    pub fn of(code: u32, description: &str, telephone_number: &str) -> Refused {
        let telephone_number = Some(telephone_number.to_owned());
        Refused { telephone_number, ..Refused::new(code, description) }
    }
}
