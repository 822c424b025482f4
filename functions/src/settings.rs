//! What differs between deployments, read once from the environment.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `TABLE` | name of the DynamoDB table |
//! | `WAKE_QUEUE_URL` | SQS queue of wakes |
//! | `INBOX_QUEUE_URL` | SQS queue that keeps what the table refuses |
//! | `KEY_ID` | key of KMS that wraps data keys |
//! | `ALLOWED_NETWORKS` | networks (CIDR, comma between them) that may be delivered to although they are not public |
//! | `ALLOW_HTTP` | `true`: endpoints may be plain http |
//! | `STACK` | the deployment, a dimension of its metrics |
//! | `RUST_LOG` | what is logged; `info` by default |
//! | `AWS_REGION`, `AWS_ENDPOINT_URL` | as the AWS SDKs document them |

use std::collections::HashMap;

use domain::address::Policy;
use ipnet::IpNet;
use tracing_subscriber::filter::Targets;

/// The settings, and what was found wrong with them so far.
pub struct Settings {
    variables: HashMap<String, String>,
    problems: Vec<String>,
}

/// Every setting that is missing or malformed, so that one failed deployment shows them all.
pub struct SettingsError(Vec<String>);

/// What a program that ends with it prints.
impl std::fmt::Debug for SettingsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::fmt::Display for SettingsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "bad settings: {}", self.0.join("; "))
    }
}

impl std::error::Error for SettingsError {}

impl Settings {
    pub fn from_environment() -> Settings {
        Settings::new(std::env::vars())
    }

    fn new(variables: impl IntoIterator<Item = (String, String)>) -> Settings {
        Settings { variables: variables.into_iter().collect(), problems: Vec::new() }
    }

    /// Fails when anything that was asked for is missing or malformed.
    pub fn check(&self) -> Result<(), SettingsError> {
        match self.problems.is_empty() {
            true => Ok(()),
            false => Err(SettingsError(self.problems.clone())),
        }
    }

    pub(crate) fn optional(&self, name: &str) -> Option<String> {
        self.variables.get(name).filter(|value| !value.is_empty()).cloned()
    }

    pub(crate) fn required(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.problems.push(format!("{name} is missing"));
            String::new()
        })
    }

    /// `RUST_LOG` as `Targets` reads it: `info`, or `warn,relay=debug`. Regular expressions, which
    /// the larger `EnvFilter` knows, would cost each binary half a megabyte.
    pub(crate) fn log_filter(&mut self) -> Targets {
        let wanted = self.optional("RUST_LOG").unwrap_or_else(|| "info".into());
        wanted.parse().unwrap_or_else(|_| {
            self.problems.push("RUST_LOG is no log filter".into());
            Targets::new().with_default(tracing::Level::INFO)
        })
    }

    /// Where deliveries may go.
    pub fn policy(&mut self) -> Policy {
        let http = match self.optional("ALLOW_HTTP").as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => {
                self.problems.push("ALLOW_HTTP is neither true nor false".into());
                false
            }
        };
        let listed = self.optional("ALLOWED_NETWORKS").unwrap_or_default();
        let named = listed.split(',').map(str::trim).filter(|network| !network.is_empty());
        let mut networks = Vec::new();
        for name in named {
            match name.parse::<IpNet>() {
                Ok(network) => networks.push(network),
                Err(_) => self.problems.push(format!("ALLOWED_NETWORKS: {name} is no network")),
            }
        }
        Policy { networks, http }
    }
}

#[cfg(test)]
mod tests {
    use super::Settings;

    fn settings(variables: &[(&str, &str)]) -> Settings {
        Settings::new(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())))
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let mut settings =
            settings(&[("ALLOW_HTTP", "yes"), ("ALLOWED_NETWORKS", "10.0.0.0/8, moon")]);
        assert_eq!(settings.required("TABLE"), "");
        assert_eq!(settings.policy().networks.len(), 1);
        assert_eq!(
            settings.check().unwrap_err().to_string(),
            "bad settings: TABLE is missing; ALLOW_HTTP is neither true nor false; \
             ALLOWED_NETWORKS: moon is no network"
        );
    }

    #[test]
    fn only_public_https_endpoints_are_reached_unless_told_otherwise() {
        let mut settings = settings(&[]);
        let policy = settings.policy();
        assert!(policy.networks.is_empty() && !policy.http);
        settings.check().unwrap();
        for (said, http) in [("", false), ("false", false), ("true", true)] {
            let mut settings = Settings::new([("ALLOW_HTTP".into(), said.into())]);
            assert_eq!(settings.policy().http, http, "{said}");
            settings.check().unwrap();
        }
    }
}
