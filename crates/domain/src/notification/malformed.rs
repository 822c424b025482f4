//! Why a body is no notification.

use crate::limits::{BODY_BYTES_MAX, ORDER_ID_CHARS_MAX, TELEPHONE_NUMBERS_MAX, XML_DEPTH_MAX};

/// Why a body was refused.
///
/// The text goes to logs, so it holds element names of ours and positions, and nothing out of the
/// body. Positions count bytes of the body as UTF-8, without a byte order mark.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("the body is empty")]
    Empty,
    #[error("the body is longer than {BODY_BYTES_MAX} bytes")]
    TooLong,
    #[error("the body is not valid {encoding}")]
    Encoding { encoding: &'static str },
    #[error("the body declares an encoding that is unknown")]
    UnknownEncoding,
    #[error("the body declares an encoding but is written in {encoding}")]
    DeclaredEncoding { encoding: &'static str },
    #[error("the XML is broken at byte {position}: {problem}")]
    Syntax { position: u64, problem: &'static str },
    #[error("elements are nested more than {XML_DEPTH_MAX} deep")]
    Depth,
    #[error("the root element is not <Notification>")]
    Root,
    #[error("<{0}> is missing")]
    Missing(&'static str),
    #[error("<OrderType> with <OrderId> is missing, and so is <EventType>")]
    NoSubject,
    #[error("<{0}> appears twice")]
    Twice(&'static str),
    #[error("<{0}> contains elements where text belongs")]
    NotText(&'static str),
    #[error("<{element}> is longer than {chars_max} characters")]
    Length { element: &'static str, chars_max: usize },
    #[error("<{0}> holds more than {TELEPHONE_NUMBERS_MAX} numbers")]
    Count(&'static str),
    #[error(
        "<OrderId> is not 1 to {ORDER_ID_CHARS_MAX} ASCII letters, digits, hyphens, underscores \
         and dots"
    )]
    OrderId,
}
