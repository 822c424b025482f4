//! `notes` of an order.

use axum::http::StatusCode;
use axum::response::Response;

use super::Call;
use super::answer::{created, empty, refused, xml};
use crate::sandbox::order::{Refused, date};
use crate::sandbox::state::State;
use crate::sandbox::xml::Element;

/// Characters of a note.
const NOTE_MAX: usize = 500;

/// 204 if there are none.
pub(super) fn list(state: &State, order: usize) -> Response {
    let notes = &state.orders[order].notes;
    if notes.is_empty() {
        return empty(StatusCode::NO_CONTENT);
    }
    let notes = notes.iter().map(|note| {
        let children = vec![
            Element::leaf("Id", note.id.to_string()),
            Element::leaf("UserId", &note.user),
            Element::leaf("Description", &note.text),
            Element::leaf("LastDateModifier", date(note.at)),
        ];
        Element::new("Note", children)
    });
    xml(StatusCode::OK, &Element::new("Notes", notes.collect()))
}

pub(super) fn add(state: &mut State, call: &Call, order: usize) -> Response {
    let text = match read(state, call) {
        Ok(text) => text,
        Err(error) => return refused(StatusCode::BAD_REQUEST, "NoteResponse", &error),
    };
    let user = state.username.clone();
    let id = state.note(order, &user, &text, call.now);
    let (kind, order) = (state.orders[order].kind, &state.orders[order].id);
    created(&format!("{}/{}/{order}/notes/{id}", call.base, kind.path), None)
}

/// Nobody is told of a note that was changed.
pub(super) fn change(state: &mut State, call: &Call, order: usize, id: &str) -> Response {
    let text = match read(state, call) {
        Ok(text) => text,
        Err(error) => return refused(StatusCode::BAD_REQUEST, "NoteResponse", &error),
    };
    let user = state.username.clone();
    let order = &mut state.orders[order];
    let Some(place) = order.notes.iter().position(|note| note.id.to_string() == id) else {
        let error = Refused::new(5040, format!("the order has no note {id}"));
        return refused(StatusCode::NOT_FOUND, "NoteResponse", &error);
    };
    order.touch(&user, call.now);
    order.notes[place].text = text;
    order.notes[place].at = order.modified;
    empty(StatusCode::OK)
}

/// The text of a note by the user who sends it.
fn read(state: &State, call: &Call) -> Result<String, Refused> {
    let body = Element::read(&call.body).map_err(|_| Refused::new(5041, "the body is no XML"))?;
    if body.value("UserId") != Some(state.username.as_str()) {
        return Err(Refused::new(12501, "UserId has to be the user who adds the note"));
    }
    match body.value("Description") {
        Some(text) if text.chars().count() <= NOTE_MAX => Ok(text.into()),
        _ => Err(Refused::new(5041, "a note has a Description of 500 characters at most")),
    }
}
