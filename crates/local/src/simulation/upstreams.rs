//! What an operator changes of the upstreams: who owns their new orders, and what Bandwidth presents.

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::bandwidth::{ACCOUNTS, PASSWORD, PREFIXES, TENANTS, USER};
use super::draw::Draw;

/// Rules are remembered for 5 s after a run of a minute at most, and the next run decides by them.
const NOTICED: SignedDuration = SignedDuration::from_secs(126);

/// Replaced credentials that are good beside the newest.
const REPLACED_MAX: usize = 2;

/// An upstream, as its operator knows it.
pub(super) struct Upstream {
    account: &'static str,
    default: Option<usize>,
    /// Those that may have been in force, oldest first.
    rules: Vec<Rules>,
    /// What Bandwidth presents.
    login: String,
    /// What it will present, and from when on.
    next: Option<(Timestamp, String)>,
    /// How often credentials may have been replaced since Bandwidth was given some.
    replaced: usize,
    is_busy: bool,
}

struct Rules {
    /// When the operator heard that they are in force.
    told_at: Option<Timestamp>,
    /// By prefix.
    tenants: [usize; PREFIXES.len()],
}

/// What an operator asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Rules,
    Credentials,
}

impl Upstream {
    /// Those that there are from the start.
    pub(super) fn all(now: Timestamp) -> Vec<Upstream> {
        let first = || Rules { told_at: Some(now), tenants: [0, 1, 2] };
        let upstream = |(account, default)| Upstream {
            account,
            default,
            rules: vec![first()],
            login: format!("{USER}:{PASSWORD}"),
            next: None,
            replaced: 0,
            is_busy: false,
        };
        ACCOUNTS.map(upstream).into()
    }

    /// Decides what to ask for, and how.
    pub(super) fn ask(&mut self, draw: &Draw) -> Option<(Change, Method, String, Option<Value>)> {
        if self.is_busy {
            return None;
        }
        let path = format!("/upstreams/{}", self.account);
        if draw.chance(0.5) {
            // Once more, and what Bandwidth presents would be good no longer.
            if self.replaced >= REPLACED_MAX || self.next.is_some() {
                return None;
            }
            (self.replaced, self.is_busy) = (self.replaced + 1, true);
            return Some((Change::Credentials, Method::POST, path + "/credentials", None));
        }
        let mut tenants = [0, 1, 2];
        tenants.rotate_left(draw.within(0..TENANTS.len()));
        self.rules.push(Rules { told_at: None, tenants });
        self.is_busy = true;
        let rules = PREFIXES.iter().zip(tenants);
        let rules = rules
            .map(|(prefix, tenant)| json!({ "prefix": prefix, "tenant": TENANTS[tenant] }))
            .collect::<Vec<_>>();
        let body = json!({
            "rules": rules,
            "default_tenant": self.default.map(|tenant| TENANTS[tenant]),
        });
        Some((Change::Rules, Method::PUT, path, Some(body)))
    }

    /// Hears what came of it; `None` where no answer came, or no good one.
    pub(super) fn hear(
        &mut self,
        change: Change,
        answer: Option<&Value>,
        draw: &Draw,
        now: Timestamp,
    ) {
        self.is_busy = false;
        match (change, answer) {
            (Change::Rules, Some(_)) => {
                if let Some(newest) = self.rules.last_mut() {
                    newest.told_at = Some(now);
                }
            }
            (Change::Credentials, Some(answer)) => {
                let said = |field: &str| answer[field].as_str().unwrap_or_default();
                let login = format!("{}:{}", said("username"), said("password"));
                self.next = Some((now + draw.seconds(1..120), login));
            }
            (_, None) => {}
        }
    }

    /// What Bandwidth presents now, as `username:password`.
    pub(super) fn login(&mut self, now: Timestamp) -> String {
        if let Some((_, login)) = self.next.take_if(|(at, _)| *at <= now) {
            (self.login, self.replaced) = (login, 0);
        }
        self.login.clone()
    }

    /// Credentials may have been replaced that Bandwidth will not hear of.
    pub(super) fn is_unsure(&self) -> bool {
        self.is_busy || (self.replaced > 0 && self.next.is_none())
    }

    /// Whether an order with the nth prefix, first told of at `since`, may be a tenant's.
    pub(super) fn may_own(&self, tenant: usize, nth: usize, since: Timestamp) -> bool {
        self.rules.iter().enumerate().any(|(n, rules)| {
            let followed_at = self.rules[n + 1..].iter().find_map(|next| next.told_at);
            rules.tenants[nth] == tenant && followed_at.is_none_or(|at| since < at + NOTICED)
        })
    }
}
