//! Subscribes an upstream's notifications at Bandwidth, with fresh credentials, to come to ingest.

use domain::connect::{Change, Told, plan};
use domain::notification::Malformed;
use domain::upstream::{ApiAccess, Upstream};
use domain::wire;
use jiff::Timestamp;
use reqwest::Method;

use crate::bandwidth::{Answer, Ask, AskError, Bandwidth};
use crate::secret::NoEntropy;
use crate::setup::{self, Login};
use crate::store::{StoreError, Written};

/// Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    #[error("there is no upstream {0}")]
    NoUpstream(String),
    #[error("upstream {0} has no credentials for Bandwidth's API")]
    NoApi(String),
    #[error("Bandwidth's subscriptions cannot be asked for")]
    Ask(#[from] AskError),
    #[error("Bandwidth answers {0} when it is asked for its subscriptions")]
    Refused(u16),
    #[error("Bandwidth's subscriptions cannot be read")]
    Malformed(#[from] Malformed),
    #[error("the upstream was changed by somebody else just now")]
    Changed,
}

/// An upstream, and what there is to do at Bandwidth.
pub struct Connection {
    bandwidth: Bandwidth,
    upstream: Upstream,
    access: ApiAccess,
    notify_url: String,
    pub plan: Vec<Change>,
}

impl Connection {
    /// Looks what there is to do so that everything comes to `{relay_url}/notify/{account}`.
    pub async fn look(
        bandwidth: Bandwidth,
        account: &str,
        relay_url: &str,
    ) -> Result<Connection, ConnectError> {
        let upstream = bandwidth.store.refreshed_upstream(account).await?;
        let upstream = upstream.ok_or_else(|| ConnectError::NoUpstream(account.into()))?;
        let access = upstream.api.clone().ok_or_else(|| ConnectError::NoApi(account.into()))?;
        let notify_url = format!("{}/notify/{account}", relay_url.trim_end_matches('/'));
        let ask =
            Ask { method: Method::GET, path: "/subscriptions", content_type: None, body: None };
        let answer = bandwidth.ask(account, &access, ask).await?;
        let held = match answer.status {
            200 => wire::held(&answer.body)?,
            // Some accounts without any.
            404 => Vec::new(),
            status => return Err(ConnectError::Refused(status)),
        };
        let newest = upstream.credentials.first().map(|one| one.username.as_str());
        let plan = plan(&held, &notify_url, newest.unwrap_or_default());
        let upstream = Upstream::clone(&upstream);
        Ok(Connection { bandwidth, upstream, access, notify_url, plan })
    }

    /// Makes new credentials; those before are accepted for another day, so that nothing is refused
    /// while subscriptions are being changed.
    pub async fn renew(&mut self, now: Timestamp) -> Result<Login, ConnectError> {
        let (new, login) = setup::with_fresh_credentials(&self.upstream, now)?;
        match self.bandwidth.store.put_upstream(&new).await? {
            Written::Done => self.upstream = new,
            Written::Changed => return Err(ConnectError::Changed),
        }
        Ok(login)
    }

    /// Makes one change of the plan, with these credentials; answers why not, where Bandwidth refuses.
    pub async fn make(
        &self,
        change: &Change,
        login: &Login,
    ) -> Result<Result<(), String>, AskError> {
        let Login { username, password } = login;
        let wanted = |told: Told| Some(told.subscription(&self.notify_url, username, password));
        let one = |id: &str| format!("/subscriptions/{id}");
        let (method, path, body) = match change {
            Change::Create(told) => (Method::POST, "/subscriptions".to_owned(), wanted(*told)),
            Change::Keep { id, told } | Change::Repair { id, told, .. } => {
                (Method::PUT, one(id), wanted(*told))
            }
            Change::Delete { id, .. } => (Method::DELETE, one(id), None),
        };
        let content_type = body.is_some().then_some("application/xml");
        let ask = Ask { method, path: &path, content_type, body };
        let answer = self.bandwidth.ask(&self.upstream.account, &self.access, ask).await?;
        Ok(match answer.status {
            200..=299 => Ok(()),
            _ => Err(refusal(&answer)),
        })
    }
}

/// Bandwidth's words for why not.
fn refusal(answer: &Answer) -> String {
    let said = wire::refusal(&answer.body).unwrap_or_default();
    format!("Bandwidth answers {} {said}", answer.status).trim_end().to_owned()
}
