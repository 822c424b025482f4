//! Bandwidth's order types and the states of their orders.
//!
//! Source: Bandwidth's public documentation of order subscriptions and order webhooks
//! (dev.bandwidth.com, "Subscriptions" and "Order Webhook") for types and notified states. Only for
//! `orders` does it say which states are final; all other `terminal` entries are inferred from the
//! lists of states. Both sets grow without notice, so nothing is refused for not being here.

use jiff::SignedDuration;

/// One kind of order.
#[derive(Debug, PartialEq, Eq)]
pub struct OrderType {
    /// As Bandwidth's documentation writes it.
    pub name: &'static str,
    /// Other names for it in Bandwidth's documentation. Case makes no difference anywhere.
    pub aliases: &'static [&'static str],
    /// States that Bandwidth notifies of.
    pub notified: &'static [&'static str],
    /// States that an order does not leave.
    pub terminal: &'static [&'static str],
}

/// Whether an order of this type has come to its end with this status. An order of a type that is
/// not known here never does.
pub fn is_terminal(type_name: &str, status: &str) -> bool {
    order_type(type_name).is_some_and(|order_type| {
        order_type.terminal.iter().any(|state| state.eq_ignore_ascii_case(status))
    })
}

/// Whether Bandwidth sends a notification when an order of this type comes to this state. Where it
/// documents none for a type, it is taken to tell of the end; of a type not known here, of all.
pub fn is_notified(type_name: &str, status: &str) -> bool {
    let Some(order_type) = order_type(type_name) else { return true };
    let of = |states: &[&str]| states.iter().any(|state| state.eq_ignore_ascii_case(status));
    match order_type.notified.is_empty() {
        true => of(order_type.terminal),
        // An older page of its documentation has one state more.
        false => of(order_type.notified) || (order_type.name == "portins" && of(&["SNAPBACK"])),
    }
}

/// How long an order usually stays in a state. Bandwidth says nothing of it: these are guesses, after
/// which it is worth a question.
pub fn usual_stay(type_name: &str, status: &str) -> SignedDuration {
    const HOUR: SignedDuration = SignedDuration::from_hours(1);
    let is = |name: &str| same_type(type_name, name);
    match status.to_ascii_uppercase().as_str() {
        "RECEIVED" | "PROCESSING" | "PENDING_DOCUMENTS" => HOUR,
        // The other carrier takes its time, and a human may have to act.
        "SUBMITTED" | "FOC" | "EXCEPTION" | "ACTION_REQUIRED" | "NEEDS_ATTENTION" => HOUR * 48,
        _ if is("portins") || is("bulkPortins") || is("lsrorders") => HOUR * 24,
        _ => HOUR * 12,
    }
}

/// Whether two names stand for the same type of order, known here or not.
pub fn same_type(a: &str, b: &str) -> bool {
    let known = |name| order_type(name).map(|order_type| order_type.name);
    a.eq_ignore_ascii_case(b) || (known(a).is_some() && known(a) == known(b))
}

/// The type with this name.
pub fn order_type(name: &str) -> Option<&'static OrderType> {
    ORDER_TYPES.iter().find(|order_type| {
        order_type.name.eq_ignore_ascii_case(name)
            || order_type.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
    })
}

const fn of(
    name: &'static str,
    notified: &'static [&'static str],
    terminal: &'static [&'static str],
) -> OrderType {
    OrderType { name, aliases: &[], notified, terminal }
}

const DONE: &[&str] = &["COMPLETE", "PARTIAL", "FAILED"];
const PROCESSED: &[&str] = &["PROCESSING", "COMPLETE", "PARTIAL", "FAILED"];
const RECEIVED: &[&str] = &["RECEIVED", "PROCESSING", "COMPLETE", "PARTIAL", "FAILED"];
const IMPORTED: &[&str] = &["COMPLETE", "PARTIAL", "FAILED", "EXCEPTION"];
const DONE_OR_NOT: &[&str] = &["COMPLETE", "FAILED"];

pub const ORDER_TYPES: &[OrderType] = &[
    of(
        "portins",
        &[
            "PENDING_DOCUMENTS",
            "SUBMITTED",
            "FOC",
            "REQUESTED_SUPP",
            "COMPLETE",
            "CANCELLED",
            "EXCEPTION",
            "REQUESTED_CANCEL",
        ],
        // An EXCEPTION is mended by a supplement, and the order goes on.
        &["COMPLETE", "CANCELLED"],
    ),
    of("orders", &["COMPLETE", "PARTIAL", "BACKORDERED", "FAILED"], DONE),
    of("portouts", &["COMPLETE"], &["COMPLETE"]),
    of("disconnects", DONE, DONE),
    of("dldas", RECEIVED, DONE),
    of(
        "lsrorders",
        &["PENDING", "FOC", "EXCEPTION", "COMPLETE", "CANCELLED", "PARTIAL", "FAILED"],
        &["COMPLETE", "CANCELLED", "PARTIAL", "FAILED"],
    ),
    of(
        "e911s",
        &[
            "RECEIVED",
            "PROCESSING",
            "COMPLETE",
            "ADJUSTED_COMPLETE",
            "PARTIAL",
            "ADJUSTED_PARTIAL",
            "FAILED",
        ],
        &["COMPLETE", "ADJUSTED_COMPLETE", "PARTIAL", "ADJUSTED_PARTIAL", "FAILED"],
    ),
    of("tnoptions", RECEIVED, DONE),
    of("externalTns", DONE, DONE),
    // The table of types says lidb, the list of valid types in error 14500 says lidbs.
    OrderType { name: "lidb", aliases: &["lidbs"], notified: PROCESSED, terminal: DONE },
    of(
        "bulkPortins",
        &["DRAFT", "IN_PROGRESS", "NEEDS_ATTENTION", "PARTIAL", "COMPLETED", "CANCELLED"],
        // COMPLETED is what the table says, COMPLETE what all other types have. PARTIAL is unclear,
        // and an order that counts as ended too early costs events.
        &["COMPLETED", "COMPLETE", "CANCELLED"],
    ),
    // Whether EXCEPTION is final is unclear.
    of("importtnorders", IMPORTED, DONE),
    of("removeImportedTnOrders", PROCESSED, DONE),
    of("importVoiceTnOrders", IMPORTED, DONE),
    of("removeImportedVoiceTnOrders", PROCESSED, DONE),
    of("csrs", &["COMPLETE", "FAILED", "ACTION_REQUIRED"], DONE_OR_NOT),
    of("emergencyNotificationGroup", DONE_OR_NOT, DONE_OR_NOT),
    of("emergencyEndpointGroup", DONE_OR_NOT, DONE_OR_NOT),
    // Only in the lists of valid types, which differ in the case of the F. Its notified states are
    // documented nowhere.
    of("tollfreePortingValidations", &[], &["COMPLETE", "FAILED", "CANCELLED"]),
    // Only in the list of valid types of error 14500; its states are documented nowhere.
    of("importToAccounts", &[], &[]),
];

#[cfg(test)]
mod tests {
    use super::{ORDER_TYPES, is_terminal, order_type, same_type};

    #[track_caller]
    fn check(order_type: &str, ongoing: &str, terminal: &str) {
        for state in ongoing.split_whitespace() {
            assert!(!is_terminal(order_type, state), "{order_type} {state}");
        }
        for state in terminal.split_whitespace() {
            assert!(is_terminal(order_type, state), "{order_type} {state}");
            assert!(is_terminal(&order_type.to_uppercase(), &state.to_lowercase()));
        }
    }

    #[test]
    fn an_order_ends_with_a_terminal_state_of_its_type() {
        check("orders", "RECEIVED BACKORDERED", "COMPLETE PARTIAL FAILED");
        check("portins", "SUBMITTED FOC EXCEPTION REQUESTED_CANCEL FAILED", "COMPLETE CANCELLED");
        check("portouts", "NEW", "COMPLETE");
        check("disconnects", "PROCESSING", "COMPLETE PARTIAL FAILED");
        check("dldas", "RECEIVED PROCESSING", "COMPLETE PARTIAL FAILED");
        check("lsrorders", "PENDING FOC EXCEPTION", "COMPLETE CANCELLED PARTIAL FAILED");
        check("e911s", "RECEIVED PROCESSING", "COMPLETE ADJUSTED_COMPLETE ADJUSTED_PARTIAL FAILED");
        check("tnoptions", "RECEIVED PROCESSING", "COMPLETE PARTIAL FAILED");
        check("externalTns", "RECEIVED", "COMPLETE PARTIAL FAILED");
        check("lidbs", "PROCESSING", "COMPLETE PARTIAL FAILED");
        check("bulkPortins", "DRAFT IN_PROGRESS NEEDS_ATTENTION PARTIAL", "COMPLETED CANCELLED");
        check("importTnOrders", "EXCEPTION", "COMPLETE PARTIAL FAILED");
        check("csrs", "ACTION_REQUIRED", "COMPLETE FAILED");
        check("tollFreePortingValidations", "SUBMITTED PROCESSING", "COMPLETE FAILED CANCELLED");
        check("importToAccounts", "COMPLETE", "");
        check("ordersOfTheFuture", "COMPLETE FAILED", "");
        check("", "COMPLETE", "");
    }

    #[test]
    fn types_are_found_in_any_case_and_under_their_aliases() {
        assert_eq!(order_type("PORTINS").unwrap().name, "portins");
        assert_eq!(order_type("lidbs").unwrap().name, "lidb");
        assert_eq!(
            order_type("TollFreePortingValidations"),
            order_type("tollfreeportingvalidations")
        );
        assert_eq!(order_type("portin"), None);
        assert_eq!(order_type(""), None);
    }

    #[test]
    fn subscriptions_match_a_type_in_any_case_known_or_not() {
        assert!(same_type("lidb", "LIDBS"));
        assert!(same_type("importtnorders", "importTnOrders"));
        assert!(same_type("ordersOfTheFuture", "OrdersOfTheFuture"));
        assert!(!same_type("orders", "portins"));
        assert!(!same_type("some", "other"));
    }

    #[test]
    fn no_name_stands_for_two_types() {
        let names = ORDER_TYPES.iter().flat_map(|t| std::iter::once(&t.name).chain(t.aliases));
        let mut seen = std::collections::HashSet::new();
        assert!(names.map(|name| name.to_lowercase()).all(|name| seen.insert(name)));
    }
}
