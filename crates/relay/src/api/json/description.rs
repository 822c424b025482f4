//! The OpenAPI document. It is made from the handlers, committed, and served as it was committed: a
//! function that starts need not make it, nor hold the code that does. Tests compare the three, and
//! the routes with it.

use std::collections::BTreeMap;

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Ref, RefOr};

use super::problem::Problem;
use super::{
    ROOT, claims, deliveries, keys, networks, notifications, orders, quarantine, replays,
    subscriptions, tenants, upstream_api, upstreams,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hookline",
        description = "Subscriptions, notifications, deliveries and orders of the relay's tenants, \
                       and what its operators set up. Errors are problems with a stable `code`. \
                       Any POST may carry an `Idempotency-Key`."
    ),
    security(("basic" = []), ("bearer" = [])),
    paths(
        subscriptions::list, subscriptions::create, subscriptions::get, subscriptions::replace,
        subscriptions::delete, subscriptions::rotate_secret, subscriptions::test,
        notifications::list, notifications::get,
        deliveries::undelivered, deliveries::dead, deliveries::retry,
        replays::create, replays::get,
        orders::list, orders::get,
        upstreams::list, upstreams::create, upstreams::get, upstreams::replace,
        upstreams::replace_credentials,
        upstream_api::replace, upstream_api::delete,
        claims::get, claims::set, claims::delete, claims::unowned,
        quarantine::list, quarantine::get, quarantine::delete, quarantine::retry,
        tenants::list, tenants::create, tenants::get, tenants::replace,
        keys::list, keys::create, keys::delete,
        networks::get, networks::replace,
    ),
    components(schemas(Problem))
)]
struct Handlers;

/// The document, made anew.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut document = Handlers::openapi();
    let below_root = |(path, item)| (format!("{ROOT}{path}"), item);
    let paths = std::mem::take(&mut document.paths.paths);
    document.paths.paths = paths.into_iter().map(below_root).collect();
    name_operations(&mut document);
    describe_answers(&mut document);
    share_problems(&mut document);
    let components = document.components.get_or_insert_default();
    for (name, scheme) in [("basic", HttpAuthScheme::Basic), ("bearer", HttpAuthScheme::Bearer)] {
        let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(scheme).build());
        components.add_security_scheme(name, scheme);
    }
    document
}

/// Handlers have short names, each within its module; in the document a name stands alone.
fn name_operations(document: &mut utoipa::openapi::OpenApi) {
    for operation in operations(document) {
        let tag = operation.tags.iter().flatten().next().cloned().unwrap_or_default();
        operation.operation_id = operation.operation_id.take().map(|id| format!("{tag}_{id}"));
    }
}

/// OpenAPI wants a description of each answer; what a good one is, the operation's summary says.
fn describe_answers(document: &mut utoipa::openapi::OpenApi) {
    for operation in operations(document) {
        for (status, response) in &mut operation.responses.responses {
            let RefOr::T(response) = response else { continue };
            if response.description.is_empty() {
                response.description = match status.as_str() {
                    "201" => "It is made.",
                    "202" => "It is begun.",
                    "204" => "It is gone.",
                    _ => "As it is now.",
                }
                .to_owned();
            }
        }
    }
}

/// Each problem is described once, and each operation refers to it.
fn share_problems(document: &mut utoipa::openapi::OpenApi) {
    let mut shared = BTreeMap::new();
    for operation in operations(document) {
        for (status, response) in &mut operation.responses.responses {
            if status.starts_with(['4', '5']) {
                let name = format!("Problem{status}");
                let reference = RefOr::Ref(Ref::from_response_name(&name));
                shared.insert(name, std::mem::replace(response, reference));
            }
        }
    }
    document.components.get_or_insert_default().responses.extend(shared);
}

fn operations(document: &mut utoipa::openapi::OpenApi) -> impl Iterator<Item = &mut Operation> {
    let items = document.paths.paths.values_mut();
    items
        .flat_map(|item| [&mut item.get, &mut item.put, &mut item.post, &mut item.delete])
        .flatten()
}

/// As it was committed.
const DOCUMENT: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json"));

pub(super) async fn document() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT)
}
