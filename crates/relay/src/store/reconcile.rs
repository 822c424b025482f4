//! How far Bandwidth was asked, and which open orders it is to be asked about.

use domain::event::sortable;
use domain::subscription::type_key;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::item::{Item, text};
use super::table::{Read, unless_changed};
use super::{Store, StoreError, failed, key};

/// How far one upstream has been asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Of all changes before this, Bandwidth was asked.
    pub(crate) through: Timestamp,
    /// What is being asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sweep: Option<Sweep>,
    /// Nothing is asked before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) not_before: Option<Timestamp>,
    /// Runs one after the other that Bandwidth broke off.
    #[serde(default)]
    pub(crate) failures: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unheard: Option<Unheard>,
}

/// One pass over the lists of what changed within a span of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sweep {
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    /// The type whose list is being read.
    pub(crate) order_type: String,
    /// The page that comes next; `None` where the list of this type has been read.
    pub(crate) page: Option<String>,
    /// Orders of the last page that are still to be asked about.
    pub(crate) orders: Vec<Listed>,
    /// How often the question at hand was in vain.
    #[serde(default)]
    pub(crate) failures: u32,
    /// What there is, as far as lists have said, and what was asked about.
    pub(crate) listed: u64,
    pub(crate) asked_about: u64,
    /// States that were found.
    pub(crate) found: u64,
}

/// An order of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listed {
    pub(crate) id: String,
    /// When it last changed, as the list says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) changed_at: Option<Timestamp>,
}

/// Changes of state that no notification told of, and none was heard since the first of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unheard {
    pub(crate) since: Timestamp,
    pub(crate) states: u32,
}

/// An open order that is to be asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) tenant: String,
    /// In lower case.
    pub(crate) order_type: String,
    pub(crate) subject: String,
}

/// Whose progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    /// What `schedule` does.
    Standing,
    /// What somebody asked for.
    Backfill,
}

impl Pass {
    fn suffix(self) -> &'static str {
        match self {
            Pass::Standing => "",
            Pass::Backfill => "#BACKFILL",
        }
    }
}

impl Store {
    pub(crate) async fn progress(
        &self,
        account: &str,
        pass: Pass,
    ) -> Result<Option<Progress>, StoreError> {
        let action = "read how far Bandwidth was asked";
        self.get(action, key::reconcile(account, pass.suffix()), Read::Now).await
    }

    pub(crate) async fn put_progress(
        &self,
        account: &str,
        pass: Pass,
        progress: &Progress,
    ) -> Result<(), StoreError> {
        let item = Item::new(key::reconcile(account, pass.suffix()), progress);
        self.put("write how far Bandwidth was asked", &item).await
    }

    pub(crate) async fn delete_progress(
        &self,
        account: &str,
        pass: Pass,
    ) -> Result<(), StoreError> {
        let action = "forget how far Bandwidth was asked";
        self.delete(action, key::reconcile(account, pass.suffix())).await
    }

    /// The open orders of an upstream whose time has come, the longest overdue first.
    pub(crate) async fn watched(
        &self,
        account: &str,
        now: Timestamp,
        limit: u16,
    ) -> Result<Vec<Watched>, StoreError> {
        let found = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(key::DUE_INDEX)
            .key_condition_expression("#due = :account AND #at <= :now")
            .expression_attribute_names("#due", key::DUE)
            .expression_attribute_names("#at", key::DUE_AT)
            .expression_attribute_values(":account", text(key::watch(account)))
            .expression_attribute_values(":now", text(sortable(now)))
            .limit(limit.into())
            .send()
            .await
            .map_err(failed("read which orders are open"))?;
        let keys = found.items.unwrap_or_default().into_iter().filter_map(|mut item| {
            let pk = item.remove("pk")?.as_s().ok()?.clone();
            let (tenant, order_type) = key::parse_orders(&pk)?;
            Some(Watched {
                tenant: tenant.into(),
                order_type: order_type.into(),
                subject: item.remove("sk")?.as_s().ok()?.clone(),
            })
        });
        Ok(keys.collect())
    }

    /// Has an order asked about at that time, or no more.
    pub(crate) async fn watch(
        &self,
        account: &str,
        order: &Watched,
        at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let Watched { tenant, order_type, subject } = order;
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key::order_record(tenant, &type_key(order_type), subject).attributes()))
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#due", key::DUE)
            .expression_attribute_names("#at", key::DUE_AT);
        let update = match at {
            Some(at) => update
                .update_expression("SET #due = :account, #at = :at")
                .expression_attribute_values(":account", text(key::watch(account)))
                .expression_attribute_values(":at", text(sortable(at))),
            None => update.update_expression("REMOVE #due, #at"),
        };
        unless_changed("write when an order is to be asked about", update.send().await).map(drop)
    }
}
