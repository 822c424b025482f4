//! An operator, who changes the upstreams now and then.

use super::{Outcome, Run};
use crate::simulation::lock;
use crate::simulation::requests::Caller;
use crate::simulation::tasks::Role;
use crate::simulation::upstreams::Change;

impl Run {
    pub(super) fn operate(&mut self) {
        let now = self.now();
        let draw = self.scene.draw.clone();
        let asked = {
            let upstreams = &mut lock(&self.model).upstreams;
            let n = draw.within(0..upstreams.len());
            upstreams[n].ask(&draw).map(|asked| (n, asked))
        };
        let Some((upstream, (change, method, path, body))) = asked else { return };
        self.scene.note(format!("the operator: {change:?} of {path}"));
        let caller = Caller::new(self.router.clone(), &self.operator);
        let worker = self.tasks.spawn(Role::Api, now, async move {
            let (status, answer) = caller.ask(method, &path, body).await;
            Outcome::Operated { upstream, change, answer: (status == 200).then_some(answer) }
        });
        self.operating.push((worker, upstream, change));
    }

    pub(super) fn operated(
        &self,
        upstream: usize,
        change: Change,
        answer: Option<&serde_json::Value>,
    ) {
        let now = self.now();
        if answer.is_some() {
            self.scene.count(match change {
                Change::Rules => "rules replaced",
                Change::Credentials => "credentials replaced",
            });
        }
        lock(&self.model).upstreams[upstream].hear(change, answer, &self.scene.draw, now);
    }
}
