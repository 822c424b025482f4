//! Answers in the shapes that all resources share.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use crate::sandbox::order::Refused;
use crate::sandbox::xml::{Element, Malformed};

pub(super) fn xml(status: StatusCode, root: &Element) -> Response {
    let mut answer = Response::new(Body::from(root.document()));
    *answer.status_mut() = status;
    let content_type = HeaderValue::from_static("application/xml");
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    answer
}

pub(super) fn empty(status: StatusCode) -> Response {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    answer
}

/// 201, with the place of what was made.
pub(super) fn created(location: &str, root: Option<&Element>) -> Response {
    let mut answer = match root {
        Some(root) => xml(StatusCode::CREATED, root),
        None => empty(StatusCode::CREATED),
    };
    if let Ok(location) = HeaderValue::from_str(location) {
        answer.headers_mut().insert(LOCATION, location);
    }
    answer
}

/// What is wrong, under the root of the resource.
pub(super) fn refused(status: StatusCode, root: &str, refused: &Refused) -> Response {
    let children = vec![
        Element::leaf("ErrorCode", refused.code.to_string()),
        Element::leaf("Description", &refused.description),
    ];
    xml(status, &Element::new(root, vec![Element::new("ResponseStatus", children)]))
}

pub(super) fn malformed(error: &Malformed) -> Response {
    let description = vec![Element::leaf("Description", format!("the body is no XML: {error}"))];
    let status = Element::new("ResponseStatus", description);
    xml(StatusCode::BAD_REQUEST, &Element::new("ErrorResponse", vec![status]))
}

/// 404, which has no code.
pub(super) fn no_such_resource(root: &str) -> Response {
    let description = vec![Element::leaf("Description", "The resource does not exist")];
    let status = Element::new("ResponseStatus", description);
    xml(StatusCode::NOT_FOUND, &Element::new(root, vec![status]))
}

/// Elements within each other, the outermost first.
pub(super) fn nested(path: &[&str], children: Vec<Element>) -> Element {
    let Some((name, inner)) = path.split_first() else {
        return Element::new("Response", children);
    };
    match inner {
        [] => Element::new(name, children),
        inner => Element::new(name, vec![nested(inner, children)]),
    }
}

/// An element of text, if there is text.
pub(super) fn optional(name: &str, text: Option<&str>) -> Option<Element> {
    text.map(|text| Element::leaf(name, text))
}
