//! A body as a tree. Bodies are small, and their children come in any order.

use crate::limits::BODY_BYTES_MAX;
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
    let root = read(body, BODY_BYTES_MAX).map_err(|why| match why {
        Malformed::Root => Refused::new(code, format!("the root element is not <{name}>")),
        why => Refused::new(code, why.to_string()),
    })?;
    if !root.is(name) {
        return Err(Refused::new(code, format!("the root element is not <{name}>")));
    }
    Ok(root)
}

pub(super) fn read(body: &[u8], bytes_max: usize) -> Result<Element, Malformed> {
    let text = decode(body, bytes_max)?;
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
    pub(super) fn is(&self, name: &str) -> bool {
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

    /// All elements within, in the order in which they begin.
    pub(super) fn within(&self) -> Vec<&Element> {
        let mut found = Vec::new();
        for child in &self.children {
            found.push(child);
            found.extend(child.within());
        }
        found
    }

    /// The first element within that has this name and holds no others.
    pub(super) fn find(&self, name: &str) -> Option<&str> {
        let mut found = self.within().into_iter().filter(|one| one.is(name));
        found.find_map(Element::leaf)
    }

    /// The text of the first child with this name, if it is no more than text.
    pub(super) fn own(&self, name: &str) -> Option<&str> {
        self.children.iter().find(|child| child.is(name)).and_then(Element::leaf)
    }

    /// The text of an element that holds no others; `None` where it is empty.
    pub(super) fn leaf(&self) -> Option<&str> {
        let text = self.text.trim();
        (self.children.is_empty() && !text.is_empty()).then_some(text)
    }

    /// The text of a child, without the white space around it.
    pub(super) fn text(&self, name: &'static str, code: u16) -> Result<Option<&str>, Refused> {
        Ok(self.exact(name, code)?.map(str::trim))
    }
}
