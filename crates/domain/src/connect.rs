//! Which subscriptions an upstream needs at Bandwidth, beside those that it has.

use crate::order::{ORDER_TYPES, same_type};
use crate::wire::{self, Held};

/// Events that belong to no order. (Source: Bandwidth's documentation of event webhooks.)
const EVENT_TYPES: [&str; 1] = ["MESSAGING_LOST"];

/// One that ends sooner than this, in seconds, is renewed: a year, in which somebody will look.
const EXPIRY_SECONDS_MIN: i64 = 365 * 86_400;

/// What a subscription tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    OrderType(&'static str),
    EventType(&'static str),
}

impl Told {
    /// All that Bandwidth tells of.
    fn all() -> impl Iterator<Item = Told> {
        let types = ORDER_TYPES.iter().map(|one| Told::OrderType(one.name));
        types.chain(EVENT_TYPES.map(Told::EventType))
    }

    pub fn name(self) -> &'static str {
        match self {
            Told::OrderType(name) | Told::EventType(name) => name,
        }
    }

    /// The body that creates its subscription, or replaces one.
    pub fn subscription(self, url: &str, username: &str, password: &str) -> String {
        let element = match self {
            Told::OrderType(_) => "OrderType",
            Told::EventType(_) => "EventType",
        };
        wire::wanted((element, self.name()), url, username, password)
    }

    fn is_of(self, held: &Held) -> bool {
        match self {
            Told::OrderType(name) => {
                held.order_type.as_ref().is_some_and(|other| same_type(name, other))
            }
            Told::EventType(name) => {
                held.event_type.as_ref().is_some_and(|other| name.eq_ignore_ascii_case(other))
            }
        }
    }
}

/// What is to become of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Create(Told),
    /// It stays as it is, until another one has to change: then it gets the new credentials too.
    Keep {
        id: String,
        told: Told,
    },
    Repair {
        id: String,
        told: Told,
        why: String,
    },
    /// There is another one for the same, at the same URL.
    Delete {
        id: String,
        told: Told,
    },
}

/// What there is to do so that all is told at `url`, to whoever presents `username`. What goes to other
/// URLs, or to one order, or by mail, is somebody else's.
pub fn plan(held: &[Held], url: &str, username: &str) -> Vec<Change> {
    let ours: Vec<_> = held
        .iter()
        .filter(|one| one.order_id.is_none() && one.url.as_deref().is_some_and(|is| same(is, url)))
        .collect();
    let mut changes = Vec::new();
    for told in Told::all() {
        let mut of_it = ours.iter().filter(|one| told.is_of(one));
        match of_it.next() {
            None => changes.push(Change::Create(told)),
            Some(first) => changes.push(judge(first, told, username)),
        }
        changes.extend(of_it.map(|extra| Change::Delete { id: extra.id.clone(), told }));
    }
    changes
}

fn same(a: &str, b: &str) -> bool {
    a.trim_end_matches('/') == b.trim_end_matches('/')
}

fn judge(held: &Held, told: Told, username: &str) -> Change {
    let id = held.id.clone();
    let status = held.status.as_deref().unwrap_or("READY");
    let why = if held.username.as_deref() != Some(username) {
        "it presents other credentials".to_owned()
    } else if held.expiry.is_some_and(|left| left < EXPIRY_SECONDS_MIN) {
        "it ends within a year".to_owned()
    } else if status.starts_with("401") {
        "its credentials were refused".to_owned()
    } else {
        return Change::Keep { id, told };
    };
    Change::Repair { id, told, why }
}

/// Whether there is nothing to do.
pub fn is_settled(plan: &[Change]) -> bool {
    plan.iter().all(|change| matches!(change, Change::Keep { .. }))
}

#[cfg(test)]
mod tests {
    use super::{Change, ORDER_TYPES, Told, is_settled, plan};
    use crate::wire::{EXPIRY_ENDLESS, Held};

    const URL: &str = "https://relay.example/notify/1";

    fn held(id: &str, order_type: &str) -> Held {
        Held {
            id: id.into(),
            order_type: Some(order_type.into()),
            url: Some(URL.into()),
            username: Some("u".into()),
            expiry: Some(EXPIRY_ENDLESS.as_secs()),
            ..Held::default()
        }
    }

    /// What is to become of the subscription to `portins`.
    #[track_caller]
    fn check(change: impl Fn(&mut Held), expected: &str) {
        let mut one = held("s-1", "portIns");
        change(&mut one);
        let plan = plan(&[one], URL, "u");
        let is_port = |told: &Told| *told == Told::OrderType("portins");
        let found = plan.iter().find_map(|change| match change {
            Change::Create(told) => is_port(told).then(|| "create".to_owned()),
            Change::Keep { id, told } => is_port(told).then(|| format!("keep {id}")),
            Change::Repair { id, told, .. } => is_port(told).then(|| format!("repair {id}")),
            Change::Delete { id, told } => is_port(told).then(|| format!("delete {id}")),
        });
        assert_eq!(found.as_deref(), Some(expected));
    }

    #[test]
    fn what_is_sound_is_kept_and_what_is_not_is_repaired() {
        check(|_| {}, "keep s-1");
        check(|one| one.url = Some(format!("{URL}/")), "keep s-1");
        check(|one| one.status = Some("200 OK".into()), "keep s-1");
        check(|one| one.status = Some("503 down".into()), "keep s-1");
        check(|one| one.status = Some("401 no".into()), "repair s-1");
        check(|one| one.username = None, "repair s-1");
        check(|one| one.username = Some("v".into()), "repair s-1");
        check(|one| one.expiry = Some(86_400), "repair s-1");
    }

    #[test]
    fn what_is_somebody_elses_is_left_alone() {
        check(|one| one.url = Some("https://other.example/".into()), "create");
        check(|one| one.url = None, "create");
        check(|one| one.order_id = Some("a-1".into()), "create");
        check(|one| one.order_type = Some("orders".into()), "create");
    }

    #[test]
    fn an_account_without_any_gets_one_for_each_type_and_event() {
        let plan = plan(&[], URL, "u");
        assert_eq!(plan.len(), ORDER_TYPES.len() + 1);
        assert!(plan.contains(&Change::Create(Told::EventType("MESSAGING_LOST"))));
        assert!(!is_settled(&plan));
    }

    #[test]
    fn one_too_many_goes() {
        let mut all: Vec<_> = ORDER_TYPES.iter().map(|one| held("s", one.name)).collect();
        all.push(Held {
            event_type: Some("messaging_lost".into()),
            order_type: None,
            ..held("s", "")
        });
        assert!(is_settled(&plan(&all, URL, "u")));
        all.push(held("s-2", "lidbs"));
        let told = Told::OrderType("lidb");
        assert!(plan(&all, URL, "u").contains(&Change::Delete { id: "s-2".into(), told }));
    }
}
