//! The order gateway: what a tenant asks of its orders is asked of Bandwidth, as the upstream's user.
//!
//! The relay decides whose an order is, and exchanges the names of the account; for the rest it is
//! Bandwidth that answers. Nothing is asked twice.

mod passage;
mod rewrite;
mod target;
mod upload;

use axum::Extension;
use axum::extract::{RawPathParams, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use domain::upstream::ApiAccess;
use jiff::SignedDuration;

use super::refusal::{Closed, Refusal};
use super::{Arrived, Base};
use crate::api::auth::Caller;
use crate::api::{Api, origin};
use crate::store::StoreError;
use passage::Passage;
use target::Target;

/// For this long after its gateway was opened an upstream's orders are not yet placed: by then every
/// function knows of it, for none goes by what it read more than 5 s ago.
const OPENING: SignedDuration = SignedDuration::from_secs(10);

/// Where a tenant's requests go.
struct Open {
    upstream: String,
    access: ApiAccess,
}

/// Whose an order is, as far as a tenant is concerned.
enum Whose {
    Own,
    /// The tenant's, but another upstream's.
    Elsewhere,
    /// Another's, or unknown.
    NotOwn,
}

/// Passes on what is for Bandwidth; the rest is answered here.
pub(super) async fn divert(
    State(api): State<Api>,
    Extension(base): Extension<Base>,
    Extension(Arrived(arrived)): Extension<Arrived>,
    Extension(caller): Extension<Caller>,
    path: RawPathParams,
    mut request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let Some(target) = Target::of(request.uri().path()) else {
        return Ok(next.run(request).await);
    };
    // Bandwidth's lists show the whole account.
    if target.order.is_none() && *request.method() != Method::POST {
        return Ok(next.run(request).await);
    }
    let tenant = path.iter().find(|(name, _)| *name == "account").map(|(_, tenant)| tenant);
    let tenant = tenant.ok_or_else(Refusal::no_such_path)?;
    let closed = match open(&api, tenant).await? {
        Err(closed) => closed,
        Ok(open) => match whose(&api, tenant, &open.upstream, &target).await? {
            Whose::NotOwn => return Err(Refusal::no_resource()),
            Whose::Elsewhere => Closed::Elsewhere,
            Whose::Own => {
                let passage = Passage {
                    relay: format!("{}{}", origin::of(request.headers()), base.path),
                    tenant: tenant.to_owned(),
                    user: caller.key_id,
                    upstream: open.upstream,
                    access: open.access,
                    target,
                    arrived,
                    api,
                };
                return passage.pass(request).await;
            }
        },
    };
    request.extensions_mut().insert(closed);
    Ok(next.run(request).await)
}

async fn open(api: &Api, tenant: &str) -> Result<Result<Open, Closed>, StoreError> {
    let tenant = api.store.tenant(tenant).await?;
    let Some(account) = tenant.and_then(|tenant| tenant.upstream) else {
        return Ok(Err(Closed::NoUpstream));
    };
    let upstream = api.store.upstream(&account).await?;
    let access = upstream.and_then(|upstream| upstream.api.clone());
    Ok(match access.as_ref().and_then(|access| access.gateway_since).zip(access) {
        None => Err(Closed::Off),
        Some((since, _)) if since + OPENING > api.clock.now() => Err(Closed::Opening),
        Some((_, access)) => Ok(Open { upstream: account, access }),
    })
}

/// What is recorded for an order counts; without it, that the tenant was told of the order.
async fn whose(
    api: &Api,
    tenant: &str,
    upstream: &str,
    target: &Target,
) -> Result<Whose, StoreError> {
    let Some(order) = &target.order else { return Ok(Whose::Own) };
    let subject = order.to_ascii_lowercase();
    let order_type = target.kind.order_type().name;
    if let Some(owner) = api.store.claim_now(upstream, &subject).await? {
        return Ok(if owner == tenant { Whose::Own } else { Whose::NotOwn });
    }
    let record = api.store.order_record(tenant, order_type, &subject).await?;
    Ok(match record {
        Some(record) if record.upstream == upstream => Whose::Own,
        Some(_) => Whose::Elsewhere,
        None => Whose::NotOwn,
    })
}
