//! API keys: for operators of the role admin, whatever the method.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use domain::limits;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::{Problem, Problems};
use super::request::{Asked, Body, Listed, PageQuery};
use super::{fields, tenants};
use crate::api::Api;
use crate::api::auth::{Caller, KEY_ID_BYTES_MAX};
use crate::secret;
use crate::setup;
use crate::store::{ApiKey, Role};

/// A key to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyRequest {
    /// For whom it speaks. Left out: for the operators.
    #[schema(max_length = 64)]
    tenant: Option<String>,
    role: RoleField,
    /// What it is for, in your words.
    #[schema(max_length = 200)]
    name: Option<String>,
}

/// What a key may do; each may do what those before it may.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum RoleField {
    /// GET.
    Read,
    /// All but API keys.
    Write,
    /// API keys too.
    Admin,
}

/// A key, without its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyView {
    id: String,
    /// Absent: it is an operator's.
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    role: RoleField,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    created_at: Timestamp,
}

/// A new key, and its secret, shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyCreated {
    #[serde(flatten)]
    key: KeyView,
    /// With the id as username: the password.
    secret: String,
    /// Both as one, for `Authorization: Bearer`.
    token: String,
}

/// The keys of all tenants and of the operators, by id. Takes the role admin.
#[utoipa::path(
    get, path = "/keys", tag = "keys", params(PageQuery),
    responses((status = 200, body = Listed<KeyView>), Problems)
)]
pub(super) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<Listed<KeyView>>, Problem> {
    caller.with_role(Role::Admin)?;
    let (found, next) = api.store.api_keys(query.page()?).await?;
    Ok(Json(Listed::new(found.into_iter().map(KeyView::from).collect(), next)))
}

/// Makes a key. Takes the role admin.
#[utoipa::path(
    post, path = "/keys", tag = "keys",
    params(("Idempotency-Key" = Option<String>, Header)),
    request_body = KeyRequest,
    responses((status = 201, body = KeyCreated), Problems)
)]
pub(super) async fn create(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Body(request): Body<KeyRequest>,
) -> Result<(StatusCode, Json<KeyCreated>), Problem> {
    caller.with_role(Role::Admin)?;
    if let Some(name) = &request.name {
        fields::text("name", name, limits::NAME_CHARS_MAX)?;
    }
    let tenant = request.tenant.as_deref();
    if let Some(tenant) = tenant {
        tenants::must_exist(&api, "tenant", tenant).await?;
    }
    let id = format!("key-{:016x}", u64::from_be_bytes(secret::random()?));
    let (key, login) =
        setup::api_key(&id, tenant, request.role.into(), request.name, api.clock.now())?;
    api.store.put_api_key(&key).await?;
    let token = login.token();
    let made = KeyCreated { key: key.into(), secret: login.password, token };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Deletes a key. It may be good for 5 seconds more. Takes the role admin, and another key.
#[utoipa::path(
    delete, path = "/keys/{id}", tag = "keys", params(("id" = String, Path)),
    responses((status = 204), Problems)
)]
pub(super) async fn delete(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.with_role(Role::Admin)?;
    if caller.key_id == id {
        let detail = "A key does not delete itself: there might be none left.";
        return Err(Problem::conflict("own_key", detail));
    }
    let missing = || Problem::not_found("key");
    fields::text("id", &id, KEY_ID_BYTES_MAX).map_err(|_| missing())?;
    api.store.api_key(&id).await?.ok_or_else(missing)?;
    api.store.delete_api_key(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<ApiKey> for KeyView {
    fn from(key: ApiKey) -> KeyView {
        KeyView {
            id: key.id,
            tenant: key.tenant,
            role: match key.role {
                Role::Read => RoleField::Read,
                Role::Write => RoleField::Write,
                Role::Admin => RoleField::Admin,
            },
            name: key.name,
            created_at: key.created_at,
        }
    }
}

impl From<RoleField> for Role {
    fn from(role: RoleField) -> Role {
        match role {
            RoleField::Read => Role::Read,
            RoleField::Write => Role::Write,
            RoleField::Admin => Role::Admin,
        }
    }
}
