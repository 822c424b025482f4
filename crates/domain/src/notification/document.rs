//! Well-formed XML as a stream of parts, without DTD and without entities of its own.
//!
//! quick-xml finds the markup and matches the tags. What it leaves to its caller is checked here:
//! legal characters and names, attributes, references, depth, and one root with nothing around it.

use std::borrow::Cow;

use quick_xml::errors::{Error, IllFormedError};
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use quick_xml::{Reader, escape};

use super::Malformed;
use crate::limits::{XML_ATTRIBUTES_MAX, XML_DEPTH_MAX};

/// What a document consists of, once comments and processing instructions are gone.
pub(crate) enum Part<'a> {
    /// A start tag, by local name.
    Open(String),
    /// Some of the text of an element, references resolved.
    Text(Cow<'a, str>),
    /// An end tag.
    Close,
}

pub(crate) struct Document<'a> {
    reader: Reader<&'a [u8]>,
    depth: usize,
    /// Something was read. Only before that may a declaration stand.
    started: bool,
    /// The root was opened.
    rooted: bool,
}

impl<'a> Document<'a> {
    pub(crate) fn new(text: &'a str) -> Result<Document<'a>, Malformed> {
        if let Some((at, _)) = text.char_indices().find(|(_, c)| !is_legal(*c)) {
            return Err(broken(at as u64, "an illegal character"));
        }
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_comments = true;
        // An empty element is then an Open and a Close.
        reader.config_mut().expand_empty_elements = true;
        Ok(Document { reader, depth: 0, started: false, rooted: false })
    }

    /// The next part; `None` at the end of a document that is complete.
    pub(crate) fn next(&mut self) -> Result<Option<Part<'a>>, Malformed> {
        loop {
            let position = self.reader.buffer_position();
            let event = self.reader.read_event().map_err(|error| self.syntax(&error))?;
            let first = !std::mem::replace(&mut self.started, true);
            match event {
                Event::Start(tag) => return self.open(&tag, position).map(Some),
                Event::End(_) => {
                    self.depth -= 1;
                    return Ok(Some(Part::Close));
                }
                Event::Text(text) if self.depth > 0 => {
                    if text.contains("]]>") {
                        return Err(broken(position, "]]> in text"));
                    }
                    return Ok(Some(Part::Text(text.xml10_content())));
                }
                Event::Text(text) if text.trim().is_empty() => {}
                Event::CData(text) if self.depth > 0 => {
                    return Ok(Some(Part::Text(text.xml10_content())));
                }
                Event::GeneralRef(reference) if self.depth > 0 => {
                    let c = referred(&reference)
                        .ok_or(broken(position, "a reference that is not allowed"))?;
                    return Ok(Some(Part::Text(Cow::Owned(c.into()))));
                }
                Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => {
                    return Err(broken(position, "text outside of the root element"));
                }
                Event::Decl(declaration) if first => check_declaration(&declaration, position)?,
                Event::Decl(_) => return Err(broken(position, "a declaration after the start")),
                Event::PI(instruction) => {
                    let target = instruction.target();
                    if !is_name(target) || target.eq_ignore_ascii_case("xml") {
                        return Err(broken(position, "a processing instruction without a name"));
                    }
                }
                Event::DocType(_) => {
                    return Err(broken(position, "a document type declaration is not allowed"));
                }
                Event::Comment(_) => {}
                Event::Empty(_) => unreachable!("empty elements are expanded"),
                Event::Eof if self.depth > 0 => {
                    return Err(broken(position, "an element is not closed"));
                }
                Event::Eof if !self.rooted => return Err(Malformed::Root),
                Event::Eof => return Ok(None),
            }
        }
    }

    /// The text of the element just opened, up to and with its end tag.
    pub(super) fn text(&mut self, element: &'static str) -> Result<String, Malformed> {
        let mut content = String::new();
        while let Some(part) = self.next()? {
            match part {
                Part::Open(_) => return Err(Malformed::NotText(element)),
                Part::Text(text) => content.push_str(&text),
                Part::Close => break,
            }
        }
        Ok(content)
    }

    /// Passes over the rest of the element just opened.
    pub(super) fn skip(&mut self) -> Result<(), Malformed> {
        let outside = self.depth - 1;
        while self.depth > outside && self.next()?.is_some() {}
        Ok(())
    }

    fn open(&mut self, tag: &BytesStart, position: u64) -> Result<Part<'a>, Malformed> {
        if self.depth == 0 && std::mem::replace(&mut self.rooted, true) {
            return Err(broken(position, "a second root element"));
        }
        self.depth += 1;
        if self.depth > XML_DEPTH_MAX {
            return Err(Malformed::Depth);
        }
        if !is_name(tag.name().as_ref()) {
            return Err(broken(position, "an element name that is not allowed"));
        }
        if !has_sound_attributes(tag) {
            return Err(broken(position, "a broken attribute or too many"));
        }
        Ok(Part::Open(tag.local_name().as_ref().to_owned()))
    }

    fn syntax(&self, error: &Error) -> Malformed {
        // Never their own text: it quotes names out of the body.
        let problem = match error {
            Error::Syntax(_) => "markup that does not end",
            Error::IllFormed(IllFormedError::MismatchedEndTag { .. }) => {
                "an end tag that does not match its start tag"
            }
            Error::IllFormed(IllFormedError::UnmatchedEndTag(_)) => "an end tag without a start",
            Error::IllFormed(IllFormedError::UnclosedReference) => "an & that begins no reference",
            Error::IllFormed(IllFormedError::DoubleHyphenInComment) => "-- in a comment",
            _ => "markup that is not well-formed",
        };
        broken(self.reader.error_position(), problem)
    }
}

fn broken(position: u64, problem: &'static str) -> Malformed {
    Malformed::Syntax { position, problem }
}

fn check_declaration(declaration: &BytesDecl, position: u64) -> Result<(), Malformed> {
    let version = declaration.version().is_ok_and(|version| version.starts_with("1."));
    let encoding = declaration.encoding().is_none_or(|encoding| encoding.is_ok());
    let standalone = declaration
        .standalone()
        .is_none_or(|value| value.is_ok_and(|value| matches!(&*value, "yes" | "no")));
    if version && encoding && standalone {
        return Ok(());
    }
    Err(broken(position, "a broken declaration"))
}

/// Attributes mean nothing here, but a document in which they are broken is not XML.
fn has_sound_attributes(tag: &BytesStart) -> bool {
    are_apart(tag.attributes_raw())
        && tag.attributes().enumerate().all(|(n, attribute)| {
            n < XML_ATTRIBUTES_MAX
                && attribute.is_ok_and(|attribute| {
                    is_name(attribute.key.as_ref())
                        && !attribute.value.contains('<')
                        && escape::unescape(&attribute.value)
                            .is_ok_and(|value| value.chars().all(is_legal))
                })
        })
}

/// Whether white space follows each quoted value. quick-xml lets attributes touch.
fn are_apart(attributes: &str) -> bool {
    let mut quote = None;
    let mut ended = false;
    attributes.chars().all(|c| {
        let apart = !ended || c.is_ascii_whitespace();
        ended = quote == Some(c);
        quote = match quote {
            None => Some(c).filter(|c| matches!(c, '"' | '\'')),
            Some(_) if ended => None,
            within => within,
        };
        apart
    })
}

/// The character that a reference stands for, if it is one of the predefined five or a number.
fn referred(reference: &BytesRef) -> Option<char> {
    match &**reference {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => reference.resolve_char_ref().ok().flatten().filter(|c| is_legal(*c)),
    }
}

/// XML 1.0, production 2.
pub(super) fn is_legal(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

/// XML 1.0, production 5, with every character beyond ASCII taken for a letter.
fn is_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | ':') || !c.is_ascii();
    name.starts_with(letter)
        && name.chars().all(|c| letter(c) || c.is_ascii_digit() || matches!(c, '-' | '.'))
}
