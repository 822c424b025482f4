//! Errors in Bandwidth's words and codes.

use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::wire::{self, ErrorRoot, Refused};

use super::XML;
use crate::api::PolicyError;
use crate::api::auth::{CHALLENGE, Denied};
use crate::secret::NoEntropy;
use crate::setup::SetupError;
use crate::store::StoreError;
use crate::subscriptions::SubscriptionsError;

/// Bandwidth's error codes, beyond those that reading a request gives. (Source: its list of number
/// API errors.)
mod code {
    pub(super) const ACCESS_DENIED: u16 = 1001;
    pub(super) const NO_RESOURCE: u16 = 1016;
    pub(super) const NO_NOTE: u16 = 5040;
    pub(super) const AUTHOR: u16 = 12501;
    pub(super) const CALLBACK_URL: u16 = 14506;
    pub(super) const NO_SUBSCRIPTION: u16 = 16000;
    pub(super) const NO_ORDER_OF_TYPE: u16 = 16004;
    pub(super) const TOO_MANY: u16 = 16006;
    pub(super) const NO_PERMISSION: u16 = 16007;
    pub(super) const DUPLICATE: u16 = 16008;
    /// Bandwidth has no code for these.
    pub(super) const BAD_REQUEST: u16 = 1003;
    pub(super) const UNAVAILABLE: u16 = 1000;
}

/// An answer that is no good one.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    root: ErrorRoot,
    refused: Refused,
}

/// Why a tenant's orders are not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    /// The tenant has no upstream to place orders at.
    NoUpstream,
    /// That upstream's gateway is closed.
    Off,
    /// It has just been opened.
    Opening,
    /// The order is of another upstream than the one at which the tenant places its own.
    Elsewhere,
}

impl Refusal {
    fn new(status: StatusCode, root: ErrorRoot, code: u16, text: impl Into<String>) -> Refusal {
        Refusal { status, root, refused: Refused::new(code, text) }
    }

    /// A body that is not what it should be.
    pub(super) fn of_body(root: ErrorRoot, refused: Refused) -> Refusal {
        // Bandwidth documents 404 for what is wrong with a subscription, 400 for the rest.
        let status = match refused.code {
            14500..=14508 => StatusCode::NOT_FOUND,
            _ => StatusCode::BAD_REQUEST,
        };
        Refusal { status, root, refused }
    }

    pub(super) fn callback_url(why: impl Into<String>) -> Refusal {
        let root = ErrorRoot::Subscriptions;
        Refusal::new(StatusCode::NOT_FOUND, root, code::CALLBACK_URL, why)
    }

    pub(super) fn no_subscription() -> Refusal {
        let text = "The subscription does not exist for this account";
        let root = ErrorRoot::Subscriptions;
        Refusal::new(StatusCode::NOT_FOUND, root, code::NO_SUBSCRIPTION, text)
    }

    pub(super) fn no_order_to_subscribe() -> Refusal {
        let text = "The relay knows no order with this id and type in this account";
        let root = ErrorRoot::Subscriptions;
        Refusal::new(StatusCode::NOT_FOUND, root, code::NO_ORDER_OF_TYPE, text)
    }

    pub(super) fn no_resource() -> Refusal {
        let text = "The resource does not exist";
        Refusal::new(StatusCode::NOT_FOUND, ErrorRoot::Error, code::NO_RESOURCE, text)
    }

    pub(super) fn no_note() -> Refusal {
        let text = "The note does not exist, or is Bandwidth's";
        Refusal::new(StatusCode::NOT_FOUND, ErrorRoot::Note, code::NO_NOTE, text)
    }

    pub(super) fn not_the_author() -> Refusal {
        let text = "UserId must be the username of the request";
        Refusal::new(StatusCode::BAD_REQUEST, ErrorRoot::Note, code::AUTHOR, text)
    }

    /// A parameter of the query that cannot be.
    pub(super) fn query(text: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, ErrorRoot::Error, code::BAD_REQUEST, text)
    }

    pub(super) fn no_orders_here(closed: Option<Closed>) -> Refusal {
        let why = match closed {
            None => "the path is none that is passed on",
            Some(Closed::NoUpstream) => "this account has no upstream to place orders at",
            Some(Closed::Off) => "the gateway of this account's upstream is closed",
            Some(Closed::Opening) => "the gateway of this account's upstream opens in some seconds",
            Some(Closed::Elsewhere) => {
                "the order is of an upstream that this account places none at"
            }
        };
        let text = format!("This is done at Bandwidth itself, not at this relay: {why}");
        Refusal::new(StatusCode::FORBIDDEN, ErrorRoot::Error, code::ACCESS_DENIED, text)
    }

    /// Bandwidth did not do what was asked, or nobody knows.
    pub(super) fn bad_gateway(text: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_GATEWAY, ErrorRoot::Error, code::UNAVAILABLE, text)
    }

    pub(super) fn late() -> Refusal {
        let text = "Bandwidth took too long; what was asked may have been done";
        Refusal::new(StatusCode::GATEWAY_TIMEOUT, ErrorRoot::Error, code::UNAVAILABLE, text)
    }

    /// What was asked was done, and is not on record here.
    pub(super) fn unrecorded(text: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, ErrorRoot::Error, code::UNAVAILABLE, text)
    }

    pub(super) fn no_account() -> Refusal {
        let text = "The account does not exist";
        Refusal::new(StatusCode::BAD_REQUEST, ErrorRoot::Error, code::NO_RESOURCE, text)
    }

    pub(super) fn no_such_path() -> Refusal {
        let text = "There is nothing at this path";
        Refusal::new(StatusCode::NOT_FOUND, ErrorRoot::Error, code::NO_RESOURCE, text)
    }

    pub(super) fn method() -> Refusal {
        let text = "This path does not take this method";
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Refusal::new(status, ErrorRoot::Error, code::BAD_REQUEST, text)
    }

    pub(super) fn too_long() -> Refusal {
        Refusal::longer_than(domain::limits::BODY_BYTES_MAX)
    }

    pub(super) fn longer_than(bytes_max: usize) -> Refusal {
        let text = format!("The body is longer than {bytes_max} bytes");
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        Refusal::new(status, ErrorRoot::Error, code::BAD_REQUEST, text)
    }

    pub(super) fn changed() -> Refusal {
        let text = "The subscription was changed by another request just now";
        let root = ErrorRoot::Subscriptions;
        Refusal::new(StatusCode::CONFLICT, root, code::DUPLICATE, text)
    }

    pub(super) fn unavailable(error: &dyn std::error::Error) -> Refusal {
        tracing::error!(?error, "a request to the API could not be answered");
        let text = "A store is out of reach, try again";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Refusal::new(status, ErrorRoot::Error, code::UNAVAILABLE, text)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = wire::error(self.root, &self.refused);
        let mut response = (self.status, [(CONTENT_TYPE, XML)], body).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static(CHALLENGE);
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl Refusal {
    /// `root` is that of good answers at the path.
    pub(super) fn denied(denied: Denied, root: ErrorRoot) -> Refusal {
        match denied {
            Denied::Unknown => {
                let text = "Access is denied: the username or the password is wrong";
                let status = StatusCode::UNAUTHORIZED;
                Refusal::new(status, root, code::ACCESS_DENIED, text)
            }
            Denied::Forbidden(why) => {
                Refusal::new(StatusCode::FORBIDDEN, root, code::NO_PERMISSION, why)
            }
            Denied::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Refusal {
        Refusal::unavailable(&error)
    }
}

impl From<PolicyError> for Refusal {
    fn from(error: PolicyError) -> Refusal {
        Refusal::unavailable(&error)
    }
}

impl From<SubscriptionsError> for Refusal {
    fn from(error: SubscriptionsError) -> Refusal {
        Refusal::unavailable(&error)
    }
}

impl From<NoEntropy> for Refusal {
    fn from(error: NoEntropy) -> Refusal {
        Refusal::unavailable(&error)
    }
}

impl From<SetupError> for Refusal {
    fn from(error: SetupError) -> Refusal {
        let root = ErrorRoot::Subscriptions;
        match error {
            SetupError::Store(error) => error.into(),
            SetupError::Subscriptions(error) => error.into(),
            SetupError::NoEntropy(error) => error.into(),
            SetupError::Changed => Refusal::changed(),
            SetupError::TooMany => {
                Refusal::new(StatusCode::BAD_REQUEST, root, code::TOO_MANY, error.to_string())
            }
            SetupError::Duplicate => {
                Refusal::new(StatusCode::CONFLICT, root, code::DUPLICATE, error.to_string())
            }
        }
    }
}
