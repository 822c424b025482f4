//! Errors as `application/problem+json` (RFC 9457), each with a code that stays.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::api::PolicyError;
use crate::api::auth::{CHALLENGE, Denied};
use crate::egress::EgressError;
use crate::secret::NoEntropy;
use crate::setup::SetupError;
use crate::store::StoreError;
use crate::subscriptions::SubscriptionsError;
use crate::vault::VaultError;

/// What went wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// Names the kind of error; does not change.
    code: &'static str,
    /// The field at fault, such as `retry_schedule[2]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// A sentence for a person.
    detail: String,
}

/// What any request may be answered.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "for the description of the API")]
pub(super) enum Problems {
    /// The request is malformed.
    #[response(status = 400, content_type = "application/problem+json")]
    Malformed(Problem),
    /// No credentials, or wrong ones.
    #[response(status = 401, content_type = "application/problem+json")]
    Unknown(Problem),
    /// The key is another tenant's, or its role does not allow this.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// There is no such thing.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
    /// It does not go with what is there, or is being worked on.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Problem),
    /// It was changed meanwhile: If-Match names another version.
    #[response(status = 412, content_type = "application/problem+json")]
    Changed(Problem),
    /// The body is too long.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLong(Problem),
    /// The body is not JSON by its content type.
    #[response(status = 415, content_type = "application/problem+json")]
    MediaType(Problem),
    /// A field is missing, unknown, or has a value that cannot be.
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(Problem),
    /// A store is out of reach. Repeating is safe with an Idempotency-Key.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Problem),
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Problem {
        Problem { status: status.as_u16(), code, field: None, detail: detail.into() }
    }

    pub(in crate::api) fn malformed(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "malformed", detail)
    }

    pub(in crate::api) fn forbidden(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// `what` such as "subscription".
    pub(in crate::api) fn not_found(what: &str) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not_found", format!("There is no such {what}."))
    }

    pub(in crate::api) fn conflict(code: &'static str, detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::CONFLICT, code, detail)
    }

    pub(in crate::api) fn changed() -> Problem {
        let detail = "It was changed meanwhile. Read it again.";
        Problem::new(StatusCode::PRECONDITION_FAILED, "changed", detail)
    }

    pub(in crate::api) fn too_long(bytes_max: usize) -> Problem {
        let detail = format!("The body is longer than {bytes_max} bytes.");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_long", detail)
    }

    pub(in crate::api) fn media_type() -> Problem {
        let detail = "The content type is not application/json.";
        Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_type", detail)
    }

    /// A field whose value cannot be.
    pub(in crate::api) fn invalid(field: &str, detail: impl Into<String>) -> Problem {
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail);
        Problem { field: Some(field.into()).filter(|field| field != "."), ..problem }
    }

    pub(in crate::api) fn no_such_route() -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "no_such_route", "There is nothing at this path.")
    }

    pub(in crate::api) fn method() -> Problem {
        let detail = "This path does not take this method.";
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
    }

    pub(in crate::api) fn unavailable() -> Problem {
        let detail = "A store is out of reach. Try again.";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or_default();
        let body = serde_json::to_string(&self).unwrap_or_default();
        let mut response =
            (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static(CHALLENGE);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Problem {
        match denied {
            Denied::Unknown => Problem::new(
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "This takes the id and the secret of an API key.",
            ),
            Denied::Forbidden(why) => Problem::forbidden(why),
            Denied::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        tracing::error!(?error, "a request to the API could not be answered");
        Problem::unavailable()
    }
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Problem {
        tracing::error!(?error, "a request to the API could not be answered");
        Problem::unavailable()
    }
}

impl From<PolicyError> for Problem {
    fn from(error: PolicyError) -> Problem {
        tracing::error!(?error, "a request to the API could not be answered");
        Problem::unavailable()
    }
}

impl From<EgressError> for Problem {
    fn from(error: EgressError) -> Problem {
        tracing::error!(?error, "a request to the API could not be answered");
        Problem::unavailable()
    }
}

impl From<SubscriptionsError> for Problem {
    fn from(error: SubscriptionsError) -> Problem {
        match error {
            SubscriptionsError::Store(error) => error.into(),
            SubscriptionsError::Vault(error) => error.into(),
        }
    }
}

impl From<NoEntropy> for Problem {
    fn from(error: NoEntropy) -> Problem {
        tracing::error!(?error, "a request to the API could not be answered");
        Problem::unavailable()
    }
}

impl From<SetupError> for Problem {
    fn from(error: SetupError) -> Problem {
        match error {
            SetupError::Store(error) => error.into(),
            SetupError::Subscriptions(error) => error.into(),
            SetupError::NoEntropy(error) => error.into(),
            SetupError::Changed => Problem::conflict("exists", "This id is taken."),
            SetupError::Duplicate => Problem::conflict(
                "duplicate",
                "There is a subscription to the same for the same endpoint.",
            ),
            SetupError::TooMany => Problem::conflict("too_many", format!("{error}.")),
        }
    }
}
