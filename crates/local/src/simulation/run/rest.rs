//! Whether anything is left to do.

use super::{Phase, Run};
use crate::simulation::ledger::Table;
use crate::simulation::lock;
use crate::world::{ASIDE, INBOX, INBOX_DEAD, WAKES, WAKES_DEAD};

impl Run {
    /// The table, once nothing is left to do.
    pub(super) fn at_rest(&self) -> Option<Table> {
        let settled = || lock(&self.model).subscriptions.iter().all(|one| one.settled);
        let table = (self.phase == Phase::End && settled() && self.is_quiet())
            .then(|| Table::read(&self.scene.aws))?;
        (!table.waits(self.now()) && !table.has_breakers()).then_some(table)
    }

    /// The table, once nothing is left to do but to probe endpoints that fail.
    pub(super) fn between_phases(&self) -> Option<Table> {
        let passing = matches!(self.phase, Phase::Before | Phase::After);
        let table = (passing && self.is_quiet()).then(|| Table::read(&self.scene.aws))?;
        (!table.waits(self.now())).then_some(table)
    }

    fn is_quiet(&self) -> bool {
        let aws = &self.scene.aws;
        let queues = [WAKES, ASIDE, WAKES_DEAD, INBOX, INBOX_DEAD];
        self.tasks.is_empty()
            && queues.iter().all(|name| aws.queue(name).is_empty())
            && aws.stream().first().is_none()
            && lock(&self.model).bandwidth.next_post_at().is_none()
    }
}
