//! One question after the other, within a budget.

use domain::upstream::Upstream;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;

use super::Reconcile;
use crate::bandwidth::{Ask, AskError};
use crate::store::StoreError;

/// How far ahead `X-RateLimit-Reset` is believed.
const RESET_MAX: SignedDuration = SignedDuration::from_hours(1);

/// Asks one upstream, so often and until then.
pub(super) struct Asker<'a> {
    pub(super) reconcile: &'a Reconcile,
    pub(super) upstream: &'a Upstream,
    asks_left: u32,
    ends_at: Timestamp,
    /// States that became events.
    pub(super) found: u64,
    /// Whether silence is told of: not of a time long past.
    pub(super) listens: bool,
}

/// Why work does not go on now.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The budget is spent; the next run goes on.
    Spent,
    /// Bandwidth is to be left alone, until then if it said so.
    Upstream {
        until: Option<Timestamp>,
        why: &'static str,
    },
    /// This very question has no good answer, for whatever reason; others may have.
    Question(String),
    Store(StoreError),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Trouble {
        Trouble::Store(error)
    }
}

impl<'a> Asker<'a> {
    pub(super) fn new(
        reconcile: &'a Reconcile,
        upstream: &'a Upstream,
        asks: u32,
        ends_at: Timestamp,
    ) -> Asker<'a> {
        Asker { reconcile, upstream, asks_left: asks, ends_at, found: 0, listens: true }
    }

    pub(super) fn asks_left(&self) -> u32 {
        self.asks_left
    }

    /// Whether there is enough left for so many questions.
    pub(super) fn can_ask(&self, asks: u32) -> Result<(), Trouble> {
        let is_late = self.reconcile.clock.now() >= self.ends_at;
        if is_late || self.asks_left < asks { Err(Trouble::Spent) } else { Ok(()) }
    }

    /// The body of a good answer; `None` where Bandwidth knows nothing of that path.
    pub(super) async fn get(&mut self, path: &str) -> Result<Option<Vec<u8>>, Trouble> {
        self.can_ask(1)?;
        let refused = |why| Trouble::Upstream { until: None, why };
        let Some(access) = &self.upstream.api else { return Err(refused("it has no credentials")) };
        self.asks_left -= 1;
        let ask = Ask { method: Method::GET, path, content_type: None, body: None };
        let asked = self.reconcile.bandwidth.ask(&self.upstream.account, access, ask).await;
        let answer = match asked {
            Ok(answer) => answer,
            Err(AskError::Store(error)) => return Err(Trouble::Store(error)),
            Err(error @ AskError::TooLong) => return Err(Trouble::Question(error.to_string())),
            Err(error) => {
                tracing::warn!(?error, "a question to Bandwidth failed");
                return Err(refused("it cannot be asked"));
            }
        };
        match answer.status {
            200 => Ok(Some(answer.body)),
            204 | 404 => Ok(None),
            401 => Err(refused("it does not know our credentials")),
            429 => {
                let reset = answer.headers.get("x-ratelimit-reset");
                let reset = reset.and_then(|reset| reset.to_str().ok()?.trim().parse().ok());
                let reset = reset.and_then(|second| Timestamp::from_second(second).ok());
                let latest = self.reconcile.clock.now() + RESET_MAX;
                let until = reset.map(|at| at.min(latest));
                Err(Trouble::Upstream { until, why: "it was asked too often" })
            }
            status => Err(Trouble::Question(format!("the answer is {status}"))),
        }
    }
}
