//! Whose an order is, where a rule decides: what the relay has recorded is learned, once it may be so,
//! and then must stay.

use simulator::aws::Aws;

use super::bandwidth::{ACCOUNTS, TENANTS};
use super::{Model, ledger};

impl Model {
    /// Learns whose those orders are that have been recorded meanwhile.
    pub(super) fn learn_owners(&mut self, aws: &Aws) -> Result<(), String> {
        let unowned: Vec<_> = self.bandwidth.unowned.clone();
        for (account, subject, prefix) in unowned {
            let posted = self.bandwidth.first_posted_at(&subject);
            let recorded = ledger::owner_of(aws, account, &subject);
            let (Some(since), Some(recorded)) = (posted, recorded) else { continue };
            let upstream = ACCOUNTS.iter().zip(&self.upstreams).find(|((of, _), _)| *of == account);
            let tenant = TENANTS.iter().position(|tenant| *tenant == recorded);
            let owner = tenant
                .zip(upstream)
                .filter(|(tenant, (_, upstream))| upstream.may_own(*tenant, prefix, since));
            let Some((tenant, _)) = owner else {
                return Err(format!("order {subject} became {recorded}'s"));
            };
            self.bandwidth.set_owner(&subject, tenant);
        }
        Ok(())
    }
}
