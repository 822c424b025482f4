//! XML as a plain tree of elements, read within limits and written.
//!
//! Attributes, comments and processing instructions are passed over: Bandwidth's documents say
//! nothing in them.

use std::borrow::Cow;
use std::fmt;

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

/// Bytes of a document. An order for 5,000 given numbers takes a quarter of it.
pub const XML_SIZE_MAX: usize = 1024 * 1024;

/// Elements within each other. Bandwidth's go to 6; the tree is freed by recursion.
pub const XML_DEPTH_MAX: usize = 16;

/// Attributes of an element. Comparing their names takes the square of their number.
pub const XML_ATTRIBUTES_MAX: usize = 16;

const DECLARATION: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#;

/// An element: its children, or its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Element {
    /// Without namespace prefix. Case matters.
    pub name: String,
    /// All of its own text, references resolved. White space stands as it was written.
    pub text: String,
    pub children: Vec<Element>,
}

/// Why a document cannot be read. Shows what is wrong, and nothing of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(&'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}

impl Element {
    /// An element of other elements.
    pub fn new(name: &str, children: Vec<Element>) -> Element {
        Element { name: name.into(), text: String::new(), children }
    }

    /// An element of text.
    pub fn leaf(name: &str, text: impl Into<String>) -> Element {
        Element { name: name.into(), text: text.into(), children: Vec::new() }
    }

    /// The root of a document. No document type, no references but the five of XML and numbers.
    pub fn read(document: &[u8]) -> Result<Element, Malformed> {
        if document.len() > XML_SIZE_MAX {
            return Err(Malformed("the document is too large"));
        }
        let document =
            std::str::from_utf8(document).map_err(|_| Malformed("the document is not UTF-8"))?;
        if !document.chars().all(is_legal) {
            return Err(Malformed("a character that XML does not allow"));
        }
        read(document.trim_start_matches('\u{FEFF}'))
    }

    /// The first child of that name.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// What stands in the first child of that name, without white space around it; `None` if that
    /// is nothing.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim()).filter(|text| !text.is_empty())
    }

    /// A whole document.
    pub fn document(&self) -> String {
        let mut xml = DECLARATION.to_owned();
        self.write(&mut xml);
        xml
    }

    /// The element alone. One without anything in it is written as an empty tag.
    pub fn write(&self, xml: &mut String) {
        if self.text.is_empty() && self.children.is_empty() {
            xml.push_str(&format!("<{}/>", self.name));
            return;
        }
        xml.push_str(&format!("<{}>", self.name));
        escape(xml, &self.text);
        for child in &self.children {
            child.write(xml);
        }
        xml.push_str(&format!("</{}>", self.name));
    }
}

fn read(document: &str) -> Result<Element, Malformed> {
    let mut reader = Reader::from_str(document);
    // An empty element is then a start and an end.
    reader.config_mut().expand_empty_elements = true;
    // The elements that are still open, the root first.
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    loop {
        let event = reader.read_event().map_err(|_| Malformed("markup that is not well-formed"))?;
        let text = match event {
            Event::Start(_) if root.is_some() => return Err(Malformed("a second root element")),
            Event::Start(_) if open.len() == XML_DEPTH_MAX => {
                return Err(Malformed("elements stand too deep within each other"));
            }
            Event::Start(tag) => {
                open.push(element(&tag)?);
                continue;
            }
            Event::End(_) => {
                let closed = open.pop();
                match (open.last_mut(), closed) {
                    (Some(parent), Some(closed)) => parent.children.push(closed),
                    (None, closed) => root = closed,
                    (Some(_), None) => {}
                }
                continue;
            }
            Event::Text(text) => text.xml10_content(),
            Event::CData(text) => text.xml10_content(),
            Event::GeneralRef(reference) => Cow::Owned(referred(&reference)?.into()),
            Event::DocType(_) => return Err(Malformed("a document type is not allowed")),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) | Event::Empty(_) => continue,
            Event::Eof if open.is_empty() => return root.ok_or(Malformed("no root element")),
            Event::Eof => return Err(Malformed("an element is not closed")),
        };
        match open.last_mut() {
            Some(element) => element.text.push_str(&text),
            None if text.trim().is_empty() => {}
            None => return Err(Malformed("text outside of the root element")),
        }
    }
}

fn element(tag: &BytesStart) -> Result<Element, Malformed> {
    let name = tag.local_name().as_ref().to_owned();
    let letter = |c: char| c.is_alphabetic() || c == '_';
    let sound = name.starts_with(letter)
        && name.chars().all(|c| letter(c) || c.is_numeric() || matches!(c, '-' | '.'));
    let mut attributes = tag.attributes().enumerate();
    if !sound || !attributes.all(|(n, attribute)| n < XML_ATTRIBUTES_MAX && attribute.is_ok()) {
        return Err(Malformed("a tag that is not well-formed"));
    }
    Ok(Element::new(&name, Vec::new()))
}

/// The character that a reference stands for.
fn referred(reference: &BytesRef) -> Result<char, Malformed> {
    let c = match &**reference {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => reference.resolve_char_ref().ok().flatten().filter(|c| is_legal(*c)),
    };
    c.ok_or(Malformed("a reference that is not allowed"))
}

/// What XML 1.0 has as a character.
fn is_legal(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

fn escape(xml: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '&' => xml.push_str("&amp;"),
            // A reader takes a bare one for a line feed.
            '\r' => xml.push_str("&#13;"),
            c if is_legal(c) => xml.push(c),
            _ => xml.push(char::REPLACEMENT_CHARACTER),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Element, Malformed, XML_ATTRIBUTES_MAX, XML_DEPTH_MAX, XML_SIZE_MAX};

    #[track_caller]
    fn check(document: &str, written: Result<&str, &'static str>) {
        let again = Element::read(document.as_bytes()).map(|element| {
            let mut xml = String::new();
            element.write(&mut xml);
            xml
        });
        assert_eq!(again, written.map(str::to_owned).map_err(Malformed));
    }

    #[test]
    fn a_document_is_read_and_written() {
        let tags = "<?xml version='1.0' encoding='UTF-8'?>\n<!-- c --><n:Order xmlns:n='x' a=\"1\">\
            <Name>a</Name><Name/><name></name><?pi?></n:Order>\n";
        check(tags, Ok("<Order><Name>a</Name><Name/><name/></Order>"));
        check("<a>1&lt;&#50;<![CDATA[&<]]>&quot;\u{e9}</a>", Ok("<a>1&lt;2&amp;&lt;\"\u{e9}</a>"));
        check("\u{FEFF}<a>\r\n&#13;</a>", Ok("<a>\n&#13;</a>"));
    }

    #[test]
    fn what_is_no_document_is_refused() {
        check("", Err("no root element"));
        check("<a/><b/>", Err("a second root element"));
        check("<a/>b", Err("text outside of the root element"));
        check("<a><b></a></b>", Err("markup that is not well-formed"));
        check("<a><b>", Err("an element is not closed"));
        check("<a b></a>", Err("a tag that is not well-formed"));
        check("<1/>", Err("a tag that is not well-formed"));
        check("<a>&b;</a>", Err("a reference that is not allowed"));
        check("<a>&#0;</a>", Err("a reference that is not allowed"));
        check("<a>\u{1}</a>", Err("a character that XML does not allow"));
        let bomb = "<!DOCTYPE a [<!ENTITY b 'b'>]><a>&b;</a>";
        check(bomb, Err("a document type is not allowed"));
        assert_eq!(Element::read(b"<a>\xFF</a>"), Err(Malformed("the document is not UTF-8")));
    }

    #[test]
    fn limits_hold() {
        let nested = |depth| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(Element::read(nested(XML_DEPTH_MAX).as_bytes()).is_ok());
        let too_deep = Malformed("elements stand too deep within each other");
        assert_eq!(Element::read(nested(XML_DEPTH_MAX + 1).as_bytes()), Err(too_deep));

        let with_attributes = |count| {
            let attributes: String = (0..count).map(|n| format!(" a{n}=''")).collect();
            Element::read(format!("<a{attributes}/>").as_bytes())
        };
        assert!(with_attributes(XML_ATTRIBUTES_MAX).is_ok());
        assert!(with_attributes(XML_ATTRIBUTES_MAX + 1).is_err());

        let long = |size: usize| format!("<a>{}</a>", " ".repeat(size - 7));
        assert!(Element::read(long(XML_SIZE_MAX).as_bytes()).is_ok());
        let too_large = Malformed("the document is too large");
        assert_eq!(Element::read(long(XML_SIZE_MAX + 1).as_bytes()), Err(too_large));
    }

    #[test]
    fn values_are_trimmed_and_never_empty() {
        let order = Element::read(b"<Order><Name> a b\n</Name><PeerId> </PeerId></Order>").unwrap();
        assert_eq!(order.value("Name"), Some("a b"));
        assert_eq!(order.value("PeerId"), None);
        assert_eq!(order.value("name"), None);
    }

    #[test]
    fn a_text_that_is_no_xml_is_replaced() {
        let xml = Element::leaf("a", "\u{0}b").document();
        let head = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>";
        assert_eq!(xml, format!("{head}<a>\u{FFFD}b</a>"));
    }
}
