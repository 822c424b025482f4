//! Where Bandwidth is asked about orders of a type.
//!
//! Source: Bandwidth's public API reference (the specification of its numbers API) and that of its
//! command-line client, which says that the days of most lists are those of the last change.

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::Kind;
use super::answer::Answer;
use super::answer::subscription::EXPIRY_ENDLESS;

/// Where its path is not the name of the type. Paths of Bandwidth's are sensitive to case.
const PATHS: [(&str, &str); 5] = [
    ("lidb", "lidbs"),
    ("importtnorders", "importTnOrders"),
    ("emergencyNotificationGroup", "emergencyNotificationGroupOrders"),
    ("emergencyEndpointGroup", "emergencyNotificationEndpointOrders"),
    ("importToAccounts", "importToAccount"),
];

/// Types that have no history.
const WITHOUT_HISTORY: [&str; 8] = [
    "disconnects",
    "csrs",
    "lidb",
    "portouts",
    "externalTns",
    "emergencyNotificationGroup",
    "emergencyEndpointGroup",
    "tollfreePortingValidations",
];

/// Types whose lists are asked for by a first day only.
const FROM_A_DAY: [&str; 7] = [
    "e911s",
    "tnoptions",
    "lidb",
    "importtnorders",
    "removeImportedTnOrders",
    "importVoiceTnOrders",
    "removeImportedVoiceTnOrders",
];

/// The type whose lists go by the day on which an order was made. Most of these orders end within a
/// second, and one that does not is known by its first state, which came this many days later at most.
const BY_CREATION: &str = "orders";
const DAYS_TO_FIRST_STATE: i32 = 2;

impl Kind {
    /// The segment of a path at Bandwidth.
    pub fn path(self) -> &'static str {
        let name = self.order_type().name;
        PATHS.iter().find(|(of, _)| *of == name).map_or(name, |(_, path)| path)
    }

    /// Whether its orders have a history at Bandwidth.
    pub fn has_history(self) -> bool {
        !WITHOUT_HISTORY.contains(&self.order_type().name)
    }

    /// The query for what changed on these days, both included. An answer may hold more.
    pub fn changed(self, from: Date, until: Date) -> String {
        let name = self.order_type().name;
        if FROM_A_DAY.contains(&name) {
            // After that day.
            let before = from.yesterday().unwrap_or(from);
            return format!("lastModifiedAfter={before}");
        }
        match name {
            BY_CREATION => {
                let from = from.saturating_sub(DAYS_TO_FIRST_STATE.days());
                format!("startdate={from}&enddate={until}")
            }
            "dldas" => format!("modifiedDateFrom={from}&modifiedDateTo={until}"),
            _ => format!("startdate={from}&enddate={until}"),
        }
    }
}

/// The body that creates a subscription to what this element names, or replaces one. It lasts for as long
/// as Bandwidth can say.
pub fn wanted((element, name): (&str, &str), url: &str, username: &str, password: &str) -> String {
    Answer::write(&["Subscription"], |body| {
        body.text(element, name);
        body.within(&["CallbackSubscription"], |body| {
            body.text("URL", url);
            body.number("Expiry", EXPIRY_ENDLESS.as_secs());
            body.within(&["CallbackCredentials", "BasicAuthentication"], |body| {
                body.text("Username", username);
                body.text("Password", password);
            });
        });
    })
}

#[cfg(test)]
mod tests {
    use crate::order::{ORDER_TYPES, order_type};
    use crate::wire::Kind;

    #[test]
    fn every_path_leads_back_to_its_type() {
        for order_type in ORDER_TYPES {
            let kind = Kind::of(order_type.name).unwrap();
            assert_eq!(Kind::of(kind.path()), Some(kind), "{}", kind.path());
        }
    }

    #[test]
    fn every_name_in_the_tables_is_that_of_a_type() {
        let paths = super::PATHS.iter().map(|(name, _)| name);
        let names = paths.chain(&super::WITHOUT_HISTORY).chain(&super::FROM_A_DAY);
        assert!(names.into_iter().all(|name| order_type(name).is_some_and(|is| is.name == *name)));
    }

    #[test]
    fn lists_are_asked_for_by_the_days_of_the_last_change() {
        let days = |kind: &str| {
            let (from, until) = ("2026-03-01".parse().unwrap(), "2026-03-02".parse().unwrap());
            Kind::of(kind).unwrap().changed(from, until)
        };
        assert_eq!(days("portins"), "startdate=2026-03-01&enddate=2026-03-02");
        assert_eq!(days("orders"), "startdate=2026-02-27&enddate=2026-03-02");
        assert_eq!(days("dldas"), "modifiedDateFrom=2026-03-01&modifiedDateTo=2026-03-02");
        assert_eq!(days("e911s"), "lastModifiedAfter=2026-02-28");
    }
}
