//! Reading what clients send.

mod credentials;
pub(super) mod note;
pub(super) mod subscription;

use super::element;

/// The codes of Bandwidth's list of errors that a request's body can lead to.
mod code {
    /// Something that must be there is not.
    pub(super) const REQUIRED: u16 = 1003;
    pub(super) const NOT_A_UUID: u16 = 1008;
    pub(super) const ORDER_TYPE: u16 = 14500;
    /// Anything that has no code of its own.
    pub(super) const SUBSCRIPTION: u16 = 14501;
    pub(super) const DIGEST: u16 = 14502;
    pub(super) const URL_EMPTY: u16 = 14503;
    pub(super) const PUBLIC_KEY: u16 = 14504;
    pub(super) const BASIC_AUTHENTICATION: u16 = 14505;
    pub(super) const EVENT_TYPE: u16 = 14507;
    pub(super) const NO_TYPE: u16 = 14508;
}
