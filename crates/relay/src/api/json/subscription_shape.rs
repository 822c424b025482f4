//! How a subscription looks in JSON, on its way in and on its way out.

use std::collections::BTreeMap;

use domain::notification::NumberFormat;
use domain::sign::{self, Scheme};
use domain::subscription::{
    Callback, Credentials, Digest, Email, Format, GivenUp, Mode, Policy, Subscription, Target,
    Topic,
};
use domain::{limits, order};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::fields;
use super::problem::Problem;
use crate::api::Api;
use crate::setup::Wanted;
use crate::subscriptions::{scheme, signing};

/// What a subscription is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SubscriptionRequest {
    /// Only orders of this type, such as `portins`. Without it and `event_type`: everything.
    #[schema(max_length = 64)]
    order_type: Option<String>,
    /// Only this order; needs `order_type`. Ends when its final state has been delivered.
    #[schema(max_length = 64)]
    order_id: Option<String>,
    /// Only events of this type, such as `MESSAGING_LOST`.
    #[schema(max_length = 64)]
    event_type: Option<String>,
    /// The endpoint: https, unless the operator allows http.
    #[schema(max_length = 2048)]
    url: String,
    /// Basic credentials that the endpoint asks for.
    credentials: Option<CredentialsRequest>,
    /// The endpoint's certificate, base64 of DER: connections to whoever shows another are refused,
    /// and nothing else about it is checked. Without it, it is one of the public authorities.
    #[schema(max_length = 24576)]
    certificate: Option<String>,
    /// How deliveries are signed, by default `v1`. Left out when replacing: stays as it is. It
    /// changes with the secret, by `POST .../secret`.
    signature: Option<SignatureField>,
    #[serde(default)]
    format: FormatField,
    #[serde(default)]
    number_format: NumberFormatField,
    #[serde(default)]
    mode: ModeField,
    #[serde(default)]
    order_policy: PolicyField,
    /// Only these states; notes are then left out.
    #[serde(default)]
    #[schema(max_items = 20)]
    states: Vec<String>,
    /// Seconds between attempts; by default 12 waits over three days.
    #[schema(max_items = 30)]
    retry_schedule: Option<Vec<u32>>,
    /// Sent with each delivery.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Attempts a second, at most; by default as many as there are.
    #[schema(minimum = 1, maximum = 1000)]
    rate_limit: Option<u32>,
    /// While it is not, its events collect.
    #[serde(default = "yes")]
    enabled: bool,
    /// From then on nothing new matches.
    expires_at: Option<Timestamp>,
    /// First deliver the present state of each open order that matches. Only when creating.
    #[serde(default)]
    pub(super) snapshot: bool,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CredentialsRequest {
    #[schema(max_length = 100)]
    username: String,
    /// Never returned. Left out when replacing: stays as it is.
    #[schema(max_length = 256)]
    password: Option<String>,
}

/// A scheme of Standard Webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum SignatureField {
    /// HMAC-SHA256, with a secret that the tenant has too.
    V1,
    /// Ed25519: the relay alone can sign, and the public key verifies.
    V1a,
}

impl SignatureField {
    fn of(scheme: Scheme) -> SignatureField {
        match scheme {
            Scheme::V1 => SignatureField::V1,
            Scheme::V1a => SignatureField::V1a,
        }
    }

    pub(super) fn scheme(self) -> Scheme {
        match self {
            SignatureField::V1 => Scheme::V1,
            SignatureField::V1a => Scheme::V1a,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum FormatField {
    /// Bandwidth's `<Notification>`.
    #[default]
    Xml,
    Json,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum NumberFormatField {
    /// Numbers of country code 1 as 10 digits.
    #[default]
    Legacy,
    E164,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ModeField {
    /// Every event, one after the other.
    #[default]
    Every,
    /// The newest that waits; those before it are superseded.
    Latest,
    /// Only states that end an order.
    Final,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum PolicyField {
    /// When all attempts for an event have failed, the order goes on with its next.
    #[default]
    Skip,
    /// The order then waits until somebody acts.
    Halt,
}

/// A subscription as it stands.
#[derive(Serialize, ToSchema)]
pub(crate) struct SubscriptionView {
    pub(super) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// Of a subscription by mail, which only Bandwidth's API makes.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'static str>,
    /// Of the credentials for the endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
    format: FormatField,
    number_format: NumberFormatField,
    mode: ModeField,
    order_policy: PolicyField,
    states: Vec<String>,
    /// Seconds between attempts.
    retry_schedule: Vec<i64>,
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_limit: Option<u32>,
    enabled: bool,
    /// Why the relay disabled it: `failing` for five days, or `gone`, which is the answer 410.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_because: Option<&'static str>,
    /// Attempts in a row that failed.
    failures: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_since: Option<Timestamp>,
    /// Since then the endpoint is only probed, and its deliveries wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    probed_since: Option<Timestamp>,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    /// What the endpoint said when its answer last changed, such as `200 OK`.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    signature: SignatureField,
    /// How many secrets sign at present: two while one is being rotated.
    signing_secrets: usize,
    /// `whpk_...`, which verify the signatures of those secrets that are `v1a`.
    public_keys: Vec<String>,
}

/// Checks what is wanted, field by field. `old` is what it takes the place of.
pub(super) async fn wanted(
    api: &Api,
    tenant: &str,
    request: SubscriptionRequest,
    old: Option<&Subscription>,
) -> Result<Wanted, Problem> {
    let topic = topic(&request)?;
    fields::endpoint(&request.url, request.certificate.as_deref(), &*api.policy().await?)?;
    let signature = signature(request.signature, old)?;
    if request.states.len() > limits::STATES_MAX {
        let detail = format!("There are more than {} states.", limits::STATES_MAX);
        return Err(Problem::invalid("states", detail));
    }
    for (n, state) in request.states.iter().enumerate() {
        fields::text(&format!("states[{n}]"), state, limits::STATUS_CHARS_MAX)?;
    }
    request.expires_at.map_or(Ok(()), |at| fields::time("expires_at", at))?;
    if request.expires_at.is_some_and(|at| at <= api.clock.now()) {
        return Err(Problem::invalid("expires_at", "This is in the past."));
    }
    let headers: Vec<_> = request.headers.into_iter().collect();
    fields::headers("headers", &headers)?;
    if request.rate_limit.is_some_and(|rate| !(1..=limits::RATE_MAX).contains(&rate)) {
        let detail = format!("A limit is 1 to {} a second.", limits::RATE_MAX);
        return Err(Problem::invalid("rate_limit", detail));
    }
    let waits = request.retry_schedule.map(|waits| fields::waits("retry_schedule", &waits));
    let callback = Callback {
        url: request.url,
        basic: request.credentials.map(|wanted| basic(wanted, old)).transpose()?,
        public_key: request.certificate,
    };
    Ok(Wanted {
        format: match request.format {
            FormatField::Xml => Format::Xml,
            FormatField::Json => Format::Json,
        },
        numbers: match request.number_format {
            NumberFormatField::Legacy => NumberFormat::Legacy,
            NumberFormatField::E164 => NumberFormat::E164,
        },
        mode: match request.mode {
            ModeField::Every => Mode::Every,
            ModeField::Latest => Mode::Latest,
            ModeField::Final => Mode::Final,
        },
        policy: match request.order_policy {
            PolicyField::Skip => Policy::Skip,
            PolicyField::Halt => Policy::Halt,
        },
        states: request.states,
        waits: waits.transpose()?,
        headers,
        rate: request.rate_limit,
        signature,
        enabled: request.enabled,
        expires_at: request.expires_at,
        ..Wanted::at(tenant, topic, Target::Callback(callback))
    })
}

fn topic(request: &SubscriptionRequest) -> Result<Topic, Problem> {
    let named = [
        ("order_type", &request.order_type, limits::ORDER_TYPE_CHARS_MAX),
        ("order_id", &request.order_id, limits::ORDER_ID_CHARS_MAX),
        ("event_type", &request.event_type, limits::EVENT_TYPE_CHARS_MAX),
    ];
    for (field, value, chars_max) in named {
        if let Some(value) = value {
            fields::text(field, value, chars_max)?;
        }
    }
    let unknown = |name: &&String| order::order_type(name).is_none();
    if request.order_type.as_ref().filter(unknown).is_some() {
        let known: Vec<_> = order::ORDER_TYPES.iter().map(|known| known.name).collect();
        let detail = format!("There are the types {}.", known.join(", "));
        return Err(Problem::invalid("order_type", detail));
    }
    match (&request.order_type, &request.order_id, &request.event_type) {
        (None, None, None) => Ok(Topic::All),
        (Some(order_type), None, None) => Ok(Topic::OrderType(order_type.clone())),
        (Some(order_type), Some(order_id), None) => {
            Ok(Topic::Order { order_type: order_type.clone(), order_id: order_id.clone() })
        }
        (None, None, Some(event_type)) => Ok(Topic::EventType(event_type.clone())),
        (None, Some(_), _) => Err(Problem::invalid("order_id", "This needs order_type too.")),
        (Some(_), _, Some(_)) => {
            Err(Problem::invalid("event_type", "A subscription is to orders or to events."))
        }
    }
}

fn basic(wanted: CredentialsRequest, old: Option<&Subscription>) -> Result<Credentials, Problem> {
    fields::text("credentials.username", &wanted.username, limits::USERNAME_CHARS_MAX)?;
    if wanted.username.contains(':') {
        return Err(Problem::invalid("credentials.username", "A username holds no colon."));
    }
    let password = match (wanted.password, old.map(|old| &old.target)) {
        (Some(password), _) => {
            fields::text("credentials.password", &password, limits::PASSWORD_CHARS_MAX)?;
            SecretString::from(password)
        }
        (None, Some(Target::Callback(Callback { basic: Some(old), .. }))) => old.password.clone(),
        (None, _) => return Err(Problem::invalid("credentials.password", "This is missing.")),
    };
    Ok(Credentials { username: wanted.username, password })
}

/// A change of it would be the change of a secret, which is an answer of its own.
fn signature(
    wanted: Option<SignatureField>,
    old: Option<&Subscription>,
) -> Result<Scheme, Problem> {
    let standing = old.map(scheme);
    match (wanted.map(SignatureField::scheme), standing) {
        (Some(wanted), Some(standing)) if wanted != standing => Err(Problem::invalid(
            "signature",
            "A new secret changes this: POST .../secret?signature=... makes one.",
        )),
        (Some(scheme), _) | (None, Some(scheme)) => Ok(scheme),
        (None, None) => Ok(Scheme::default()),
    }
}

/// What is shown of a subscription.
pub(super) fn view(one: Subscription, now: Timestamp) -> SubscriptionView {
    let signing_secrets = signing(&one, now).count();
    let signature = SignatureField::of(scheme(&one));
    let public_keys = signing(&one, now)
        .filter_map(|secret| sign::public_key_of(secret.expose_secret()))
        .collect();
    let waits = one.waits.as_deref().unwrap_or(&domain::retry::WAITS);
    let retry_schedule = waits.iter().map(|wait| wait.as_secs()).collect();
    let (order_type, order_id, event_type) = match one.topic {
        Topic::All => (None, None, None),
        Topic::OrderType(order_type) => (Some(order_type), None, None),
        Topic::Order { order_type, order_id } => (Some(order_type), Some(order_id), None),
        Topic::EventType(event_type) => (None, None, Some(event_type)),
    };
    let (callback, mail) = match one.target {
        Target::Callback(callback) => (Some(callback), None),
        Target::Email(email) => (None, Some(email)),
    };
    let (url, basic, certificate) = match callback {
        Some(callback) => (Some(callback.url), callback.basic, callback.public_key),
        None => (None, None, None),
    };
    SubscriptionView {
        id: one.id,
        order_type,
        order_id,
        event_type,
        url,
        digest: mail.as_ref().map(|mail: &Email| match mail.digest {
            Digest::None => "none",
            Digest::Daily => "daily",
        }),
        email: mail.map(|mail| mail.address),
        username: basic.map(|basic| basic.username),
        certificate,
        format: match one.format {
            Format::Xml => FormatField::Xml,
            Format::Json => FormatField::Json,
        },
        number_format: match one.numbers {
            NumberFormat::Legacy => NumberFormatField::Legacy,
            NumberFormat::E164 => NumberFormatField::E164,
        },
        mode: match one.mode {
            Mode::Every => ModeField::Every,
            Mode::Latest => ModeField::Latest,
            Mode::Final => ModeField::Final,
        },
        order_policy: match one.policy {
            Policy::Skip => PolicyField::Skip,
            Policy::Halt => PolicyField::Halt,
        },
        states: one.states,
        retry_schedule,
        headers: one.headers.into_iter().collect(),
        rate_limit: one.rate,
        enabled: one.enabled,
        disabled_because: one.given_up.map(|given_up| match given_up {
            GivenUp::Failing => "failing",
            GivenUp::Gone => "gone",
        }),
        failures: one.health.failures,
        failing_since: one.health.failing_since,
        probed_since: one.health.open_since,
        created_at: one.created_at,
        expires_at: one.expires_at,
        status: one.status,
        signature,
        signing_secrets,
        public_keys,
    }
}
