//! A request as a tree. Bodies are small, and their children come in any order.

use crate::notification::Malformed;
use crate::notification::decode::decode;
use crate::notification::document::{Document, Part};
use crate::wire::Refused;

#[derive(Default)]
pub(super) struct Element {
    /// Without a prefix.
    name: String,
    /// All text within, exactly as it was written.
    text: String,
    children: Vec<Element>,
}

/// The root of a body, which must have this name. `code` is that of a body that is none.
pub(super) fn root(body: &[u8], name: &'static str, code: u16) -> Result<Element, Refused> {
    let root = read(body).map_err(|why| match why {
        Malformed::Root => Refused::new(code, format!("the root element is not <{name}>")),
        why => Refused::new(code, why.to_string()),
    })?;
    if !root.is(name) {
        return Err(Refused::new(code, format!("the root element is not <{name}>")));
    }
    Ok(root)
}

fn read(body: &[u8]) -> Result<Element, Malformed> {
    let text = decode(body)?;
    let mut document = Document::new(&text)?;
    // The innermost is last. The first stands for the document around the root.
    let mut open = vec![Element::default()];
    while let Some(part) = document.next()? {
        match part {
            Part::Open(name) => open.push(Element { name, ..Element::default() }),
            Part::Text(text) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&text);
                }
            }
            Part::Close => {
                if let Some(element) = open.pop()
                    && let Some(parent) = open.last_mut()
                {
                    parent.children.push(element);
                }
            }
        }
    }
    open.pop().and_then(|mut document| document.children.pop()).ok_or(Malformed::Root)
}

impl Element {
    /// In any case: clients differ in it, some write `Url` for `URL`.
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The child with this name, which may stand there once.
    pub(super) fn child(&self, name: &'static str, code: u16) -> Result<Option<&Element>, Refused> {
        let mut found = self.children.iter().filter(|child| child.is(name));
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(Refused::new(code, format!("<{name}> appears twice"))),
            (child, None) => Ok(child),
        }
    }

    /// The text of a child, as it was written.
    pub(super) fn exact(&self, name: &'static str, code: u16) -> Result<Option<&str>, Refused> {
        match self.child(name, code)? {
            Some(child) if !child.children.is_empty() => {
                Err(Refused::new(code, format!("<{name}> contains elements where text belongs")))
            }
            child => Ok(child.map(|child| child.text.as_str())),
        }
    }

    /// The text of a child, without the white space around it.
    pub(super) fn text(&self, name: &'static str, code: u16) -> Result<Option<&str>, Refused> {
        Ok(self.exact(name, code)?.map(str::trim))
    }
}
