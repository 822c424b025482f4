//! Who calls, and what that caller may do.
//!
//! A caller shows the id of an API key and its secret: as `Authorization: Basic`, as Bandwidth's
//! clients do, or both as one token, `Authorization: Bearer {id}.{secret}`.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::limits;
use secrecy::{ExposeSecret as _, SecretString};

use super::Api;
use crate::secret::{same, sha256};
use crate::store::{ApiKey, Role, StoreError};

/// An authenticated caller.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) key_id: String,
    /// `None` for an operator.
    pub(super) tenant: Option<String>,
    pub(super) role: Role,
}

/// Why a caller may not.
#[derive(Debug)]
pub(super) enum Denied {
    /// No credentials, or wrong ones.
    Unknown,
    /// Another tenant's, or not enough of a role.
    Forbidden(&'static str),
    Store(StoreError),
}

/// The `id` of a key is at most this long, in bytes: ours have up to 71, `tenant-` and an account.
pub(super) const KEY_ID_BYTES_MAX: usize = 128;

/// The value of `WWW-Authenticate` in every 401: some of Bandwidth's clients send their credentials
/// only when asked like this.
pub(super) const CHALLENGE: &str = "Basic realm=\"hookline\"";

/// Who sent a request with these headers.
pub(super) async fn caller(api: &Api, headers: &HeaderMap) -> Result<Caller, Denied> {
    let Some((id, secret)) = presented(headers) else { return Err(Denied::Unknown) };
    if id.is_empty() || id.len() > KEY_ID_BYTES_MAX {
        return Err(Denied::Unknown);
    }
    let key = api.store.api_key(&id).await.map_err(Denied::Store)?;
    // A key that does not exist costs the same as a wrong secret.
    let expected = key.as_ref().map_or([0; 32], |key| key.secret_sha256);
    let proven = same(&expected, &sha256(secret.expose_secret().as_bytes()));
    match key {
        Some(ApiKey { id, tenant, role, .. }) if proven => Ok(Caller { key_id: id, tenant, role }),
        _ => Err(Denied::Unknown),
    }
}

/// Whether there is something to change: a tenant's own key proves that the tenant is there, an
/// operator may have mistyped.
pub(super) async fn may_change(
    api: &Api,
    caller: &Caller,
    tenant: &str,
    method: &Method,
) -> Result<bool, StoreError> {
    let is_proven = caller.tenant.is_some() || method.is_safe();
    let can_be = (1..=limits::ACCOUNT_BYTES_MAX).contains(&tenant.len());
    Ok(is_proven || (can_be && api.store.tenant(tenant).await?.is_some()))
}

impl Caller {
    /// Whether this caller may do that to what belongs to `tenant`.
    pub(super) fn for_tenant(&self, tenant: &str, method: &Method) -> Result<(), Denied> {
        if self.tenant.as_deref().is_some_and(|own| own != tenant) {
            return Err(Denied::Forbidden("This key is another tenant's."));
        }
        self.with_role(role_for(method))
    }

    /// Whether this caller may do that as an operator.
    pub(super) fn for_operators(&self, method: &Method) -> Result<(), Denied> {
        if self.tenant.is_some() {
            return Err(Denied::Forbidden("This is for operators, and this key is a tenant's."));
        }
        self.with_role(role_for(method))
    }

    pub(super) fn with_role(&self, needed: Role) -> Result<(), Denied> {
        match self.role >= needed {
            true => Ok(()),
            false => Err(Denied::Forbidden(match needed {
                Role::Read => "The role of this key does not allow reading.",
                Role::Write => "The role of this key allows reading only.",
                Role::Admin => "This takes a key of the role admin.",
            })),
        }
    }
}

fn role_for(method: &Method) -> Role {
    if method.is_safe() { Role::Read } else { Role::Write }
}

/// Reads `Authorization: Basic` (RFC 7617) or our Bearer tokens.
fn presented(headers: &HeaderMap) -> Option<(String, SecretString)> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    let (id, secret) = if scheme.eq_ignore_ascii_case("basic") {
        let decoded = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
        let (id, secret) = decoded.split_once(':')?;
        (id.to_owned(), SecretString::from(secret))
    } else if scheme.eq_ignore_ascii_case("bearer") {
        let (id, secret) = rest.trim().rsplit_once('.')?;
        (id.to_owned(), SecretString::from(secret))
    } else {
        return None;
    };
    Some((id, secret))
}
