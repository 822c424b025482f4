//! Networks that endpoints may be in although they are not public.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use domain::{address, limits};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::{Problem, Problems};
use super::request::{self, Body, etag};
use crate::api::Api;
use crate::store::Written;

/// Networks to which the relay delivers besides public addresses; by plain http too, where a URL names
/// the address itself. Those of its environment come on top, and are not shown.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Networks {
    /// In CIDR, such as `10.20.0.0/16`. None may hold loopback or link-local addresses.
    #[schema(max_items = 100, value_type = Vec<String>)]
    networks: Vec<IpNet>,
}

/// The allowed networks.
#[utoipa::path(
    get, path = "/networks", tag = "networks",
    responses((status = 200, body = Networks, headers(("ETag" = String))), Problems)
)]
pub(super) async fn get(State(api): State<Api>) -> Result<Response, Problem> {
    let (networks, revision) = api.store.networks().await?;
    Ok((etag(revision), Json(Networks { networks })).into_response())
}

/// Replaces the allowed networks. Deliveries go by it within 5 seconds.
#[utoipa::path(
    put, path = "/networks", tag = "networks",
    params(("If-Match" = Option<String>, Header)),
    request_body = Networks,
    responses((status = 200, body = Networks, headers(("ETag" = String))), Problems)
)]
pub(super) async fn replace(
    State(api): State<Api>,
    headers: HeaderMap,
    Body(request): Body<Networks>,
) -> Result<Response, Problem> {
    let (_, revision) = api.store.networks().await?;
    request::check_match(&headers, revision)?;
    let networks = checked(request.networks)?;
    match api.store.put_networks(networks.clone(), revision + 1).await? {
        Written::Done => Ok((etag(revision + 1), Json(Networks { networks })).into_response()),
        Written::Changed => Err(Problem::changed()),
    }
}

/// The networks without the bits that name a host in them.
fn checked(networks: Vec<IpNet>) -> Result<Vec<IpNet>, Problem> {
    if networks.len() > limits::NETWORKS_MAX {
        let detail = format!("There are more than {} networks.", limits::NETWORKS_MAX);
        return Err(Problem::invalid("networks", detail));
    }
    if let Some(n) = networks.iter().position(|network| !address::may_be_allowed(network)) {
        let detail = "This holds addresses of the relay's own machine.";
        return Err(Problem::invalid(&format!("networks[{n}]"), detail));
    }
    Ok(networks.iter().map(IpNet::trunc).collect())
}
