//! What is kept of an order.

use jiff::{SignedDuration, Timestamp};

use super::kinds::Kind;
pub(crate) use super::numbers::Refused;
use super::portin::Portin;
use super::scenario::{Step, Wait};
use super::supply::Numbers;
use super::xml::Element;

/// Of a `CustomerOrderId` (error 5052).
const CUSTOMER_ORDER_ID_MAX: usize = 40;

/// An order of whatever type.
#[derive(Debug)]
pub(crate) struct Order {
    pub kind: &'static Kind,
    pub id: String,
    pub customer_order_id: Option<String>,
    pub user: String,
    pub created: Timestamp,
    /// Goes up by a millisecond at least with each change.
    pub modified: Timestamp,
    pub modified_by: String,
    pub state: String,
    pub history: Vec<Change>,
    pub notes: Vec<Note>,
    /// What is wrong with it.
    pub errors: Vec<Refused>,
    /// What the customer sent, and changed since.
    pub request: Element,
    /// What it is about, as far as that is known.
    pub numbers: Vec<String>,
    /// Those of its numbers that it was done for.
    pub completed: Vec<String>,
    pub script: Script,
    pub detail: Detail,
    /// Drafts can be deleted.
    pub deleted: bool,
}

/// What only some types have.
#[derive(Debug)]
pub(crate) enum Detail {
    Nothing,
    Numbers(Box<Numbers>),
    Portin(Portin),
}

/// An entry of the history.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub at: Timestamp,
    pub state: String,
    pub author: String,
    pub note: String,
    pub difference: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Note {
    pub id: u64,
    pub user: String,
    pub text: String,
    pub at: Timestamp,
}

/// What is still to happen to an order.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub steps: Vec<Step>,
    /// Of the steps, the one that comes next.
    pub next: usize,
    pub waiting: Option<Wait>,
    /// Counts the scripts that an order has had: what an older one planned does not happen.
    pub version: u32,
}

/// A refusal, as it stands in histories and notifications.
pub(crate) fn text(refused: &Refused) -> String {
    format!("{}: {}", refused.code, refused.description)
}

impl Order {
    pub(crate) fn is_terminal(&self) -> bool {
        self.kind.is_terminal(&self.state)
    }

    /// Something about it is another one now.
    pub(crate) fn touch(&mut self, author: &str, now: Timestamp) {
        self.modified = in_ms(now).max(self.modified + SignedDuration::from_millis(1));
        self.modified_by = author.into();
    }

    /// An entry of the history for a field that has changed, and the state has not.
    pub(crate) fn differ(
        &mut self,
        field: &str,
        (from, to): (Option<&str>, Option<&str>),
        author: &str,
        now: Timestamp,
        note: &str,
    ) {
        self.touch(author, now);
        let shown = |value: Option<&str>| value.unwrap_or("\"\"").to_owned();
        let difference = format!("{field} : {} --> {}", shown(from), shown(to));
        self.history.push(Change {
            at: self.modified,
            state: self.state.clone(),
            author: author.into(),
            note: note.into(),
            difference: Some(difference),
        });
    }
}

/// The same without what Bandwidth's dates do not show.
pub(crate) fn in_ms(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// As Bandwidth writes it.
pub(crate) fn date(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// `CustomerOrderId` of a request, if that can be one.
pub(crate) fn customer_order_id(request: &Element) -> Result<Option<String>, Refused> {
    let Some(id) = request.value("CustomerOrderId") else {
        return Ok(None);
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == ' ';
    if id.len() > CUSTOMER_ORDER_ID_MAX || !id.chars().all(allowed) {
        return Err(Refused::new(
            5052,
            "CustomerOrderId may have letters, digits, dashes and spaces, 40 at most",
        ));
    }
    Ok(Some(id.into()))
}

/// All the telephone numbers in a request, wherever they stand, each once.
pub(crate) fn telephone_numbers(request: &Element) -> Vec<String> {
    let mut found = Vec::new();
    collect(request, &mut found);
    found
}

fn collect(element: &Element, found: &mut Vec<String>) {
    let text = element.text.trim();
    let named = matches!(element.name.as_str(), "PhoneNumber" | "TelephoneNumber" | "FullNumber");
    if named && !text.is_empty() {
        let number = national(text);
        if !found.contains(&number) {
            found.push(number);
        }
    }
    element.children.iter().for_each(|child| collect(child, found));
}

/// A number of the North American plan with its ten digits, any other one as it is.
pub(crate) fn national(number: &str) -> String {
    match number.strip_prefix("+1") {
        Some(rest) if rest.len() == 10 => rest.into(),
        _ => number.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Refused, customer_order_id, date, telephone_numbers};
    use crate::sandbox::xml::Element;

    #[test]
    fn dates_have_three_digits_of_a_second() {
        assert_eq!(date("2026-01-02T03:04:05Z".parse().unwrap()), "2026-01-02T03:04:05.000Z");
        assert_eq!(date("2026-01-02T03:04:05.6789Z".parse().unwrap()), "2026-01-02T03:04:05.678Z");
    }

    #[test]
    fn numbers_are_found_wherever_they_stand() {
        let xml = "<a><b><PhoneNumber> 9195550100 </PhoneNumber><PhoneNumber/></b>\
            <TelephoneNumber>+19195550100</TelephoneNumber><TelephoneNumber>+4420</TelephoneNumber></a>";
        let request = Element::read(xml.as_bytes()).unwrap();
        assert_eq!(telephone_numbers(&request), ["9195550100", "+4420"]);
    }

    #[test]
    fn an_id_of_the_customer_has_limits() {
        let check = |id: &str| {
            let request = Element::new("Order", vec![Element::leaf("CustomerOrderId", id)]);
            customer_order_id(&request).map_err(|Refused { code, .. }| code)
        };
        assert_eq!(check("a-1 B"), Ok(Some("a-1 B".into())));
        assert_eq!(check(" "), Ok(None));
        assert_eq!(check(&"a".repeat(41)), Err(5052));
        assert_eq!(check("a_1"), Err(5052));
    }
}
