//! `loas` of a port-in: its documents.

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use super::Call;
use super::answer::{created, empty, no_such_resource, optional, refused, xml};
use crate::sandbox::order::{Detail, Refused};
use crate::sandbox::portin::{LOA_NAME_MAX, LOAS_MAX, Loa};
use crate::sandbox::scenario::Wait;
use crate::sandbox::state::State;
use crate::sandbox::xml::Element;

/// What a document may be, and the ending that its file gets.
const CONTENT_TYPES: &[(&str, &str)] = &[
    ("application/pdf", "pdf"),
    ("text/plain", "txt"),
    ("image/jpeg", "jpg"),
    ("image/tiff", "tif"),
    ("text/csv", "csv"),
    ("application/xml", "xml"),
    ("audio/x-wav", "wav"),
    ("application/zip", "zip"),
];

const DOCUMENT_TYPES: &[&str] = &["LOA", "INVOICE", "CSR", "OTHER"];

pub(super) fn route(
    state: &mut State,
    call: &Call,
    order: usize,
    method: &str,
    path: &[&str],
) -> Response {
    let Detail::Portin(portin) = &state.orders[order].detail else {
        return no_such_resource("ErrorResponse");
    };
    match (method, path) {
        ("GET", []) => return list(&portin.loas, call.parameter("metadata") == Some("true")),
        ("POST", []) => return upload(state, call, order, None),
        _ => {}
    }
    let file = path.first().and_then(|file| portin.loas.iter().position(|loa| loa.file == *file));
    let (Some(file), [_, rest @ ..]) = (file, path) else {
        return no_such_resource("fileUploadResponse");
    };
    match (method, rest) {
        ("GET", []) => download(&portin.loas[file]),
        ("PUT", []) => upload(state, call, order, Some(file)),
        ("DELETE", []) => with_loas(state, order, |loas| {
            loas.remove(file);
            empty(StatusCode::OK)
        }),
        ("GET", ["metadata"]) => xml(StatusCode::OK, &metadata(&portin.loas[file])),
        ("PUT", ["metadata"]) => describe(state, call, order, file),
        ("DELETE", ["metadata"]) => with_loas(state, order, |loas| {
            (loas[file].name, loas[file].document_type) = (None, None);
            empty(StatusCode::OK)
        }),
        _ => no_such_resource("fileUploadResponse"),
    }
}

fn with_loas(
    state: &mut State,
    order: usize,
    change: impl FnOnce(&mut Vec<Loa>) -> Response,
) -> Response {
    match &mut state.orders[order].detail {
        Detail::Portin(portin) => change(&mut portin.loas),
        _ => no_such_resource("ErrorResponse"),
    }
}

/// A document, in the place of another one or not. An order that waited for one goes on.
fn upload(state: &mut State, call: &Call, order: usize, replaced: Option<usize>) -> Response {
    let content_type = call.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default();
    let known = CONTENT_TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(content_type));
    let given = call.headers.get("documentType").and_then(|value| value.to_str().ok());
    let document_type = call.parameter("documentType").or(given);
    let (Some((content_type, ending)), true, false) =
        (known, document_type.is_none_or(|t| DOCUMENT_TYPES.contains(&t)), call.body.is_empty())
    else {
        return failed("the document is empty, or of no type that is taken");
    };
    let id = state.orders[order].id.clone();
    let stem = format!("{id}-{}", call.now.as_millisecond());
    let (body, document_type) = (call.body.to_vec(), document_type.map(str::to_owned));
    let mut loa = Loa {
        file: String::new(),
        name: None,
        document_type,
        content_type: (*content_type).into(),
        content: body,
    };
    let location = |file: &str| format!("{}/portins/{id}/loas/{file}", call.base);
    let answer = with_loas(state, order, |loas| {
        if let Some(old) = replaced.and_then(|place| loas.get_mut(place)) {
            loa.file = old.file.clone();
            let answer = xml(StatusCode::OK, &uploaded(&loa.file, &id));
            *old = loa;
            return answer;
        }
        if loas.len() == LOAS_MAX {
            return failed("the order has too many documents");
        }
        // Two may come within a millisecond.
        let nth = loas.iter().filter(|loa| loa.file.starts_with(&stem)).count();
        let nth = if nth == 0 { String::new() } else { format!("-{nth}") };
        loa.file = format!("{stem}{nth}.{ending}");
        let answer = created(&location(&loa.file), Some(&uploaded(&loa.file, &id)));
        loas.push(loa);
        answer
    });
    if answer.status().is_success() {
        let user = state.username.clone();
        state.orders[order].touch(&user, call.now);
        state.arrived(order, Wait::Loa, call.now);
    }
    answer
}

fn describe(state: &mut State, call: &Call, order: usize, file: usize) -> Response {
    let given = match call.xml() {
        Ok(given) => given,
        Err(answer) => return answer,
    };
    let (name, document_type) = (given.value("DocumentName"), given.value("DocumentType"));
    if name.is_some_and(|name| name.chars().count() > LOA_NAME_MAX) {
        let error = Refused::new(7800, "the document's name is longer than 50 characters");
        return refused(StatusCode::BAD_REQUEST, "FileMetaData", &error);
    }
    if document_type.is_some_and(|given| !DOCUMENT_TYPES.contains(&given)) {
        return failed("DocumentType is one of LOA, INVOICE, CSR and OTHER");
    }
    with_loas(state, order, |loas| {
        loas[file].name = name.map(str::to_owned);
        loas[file].document_type = document_type.map(str::to_owned);
        empty(StatusCode::OK)
    })
}

fn download(loa: &Loa) -> Response {
    let mut answer = Response::new(Body::from(loa.content.clone()));
    let headers = answer.headers_mut();
    let disposition = format!("attachment; filename={}", loa.file);
    if let Ok(disposition) = HeaderValue::from_str(&disposition) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    if let Ok(content_type) = HeaderValue::from_str(&loa.content_type) {
        headers.insert(CONTENT_TYPE, content_type);
    }
    answer
}

fn list(loas: &[Loa], with_metadata: bool) -> Response {
    let mut children = vec![Element::leaf("fileCount", loas.len().to_string())];
    children.extend(loas.iter().map(|loa| {
        let mut file = vec![Element::leaf("FileName", &loa.file)];
        file.extend(with_metadata.then(|| metadata(loa)));
        Element::new("fileData", file)
    }));
    children.push(Element::leaf("resultCode", "0"));
    children.push(Element::leaf("resultMessage", "These are the documents"));
    xml(StatusCode::OK, &Element::new("fileListResponse", children))
}

fn metadata(loa: &Loa) -> Element {
    let mut children = Vec::new();
    children.extend(optional("DocumentName", loa.name.as_deref()));
    children.extend(optional("DocumentType", loa.document_type.as_deref()));
    Element::new("FileMetaData", children)
}

fn uploaded(file: &str, order: &str) -> Element {
    let message = format!("The document was taken for order {order}");
    result(Some(file), "0", &message)
}

fn failed(message: &str) -> Response {
    xml(StatusCode::BAD_REQUEST, &result(None, "1", message))
}

fn result(file: Option<&str>, code: &str, message: &str) -> Element {
    let mut children = Vec::new();
    children.extend(optional("filename", file));
    children.push(Element::leaf("resultCode", code));
    children.push(Element::leaf("resultMessage", message));
    Element::new("fileUploadResponse", children)
}
