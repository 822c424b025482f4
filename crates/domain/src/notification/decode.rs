//! From the bytes of a body to its text.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use quick_xml::{Reader, events::Event};

use super::Malformed;

/// The text of a body, without a byte order mark.
///
/// The bytes decide between UTF-8 with a mark, UTF-16 and everything else (XML 1.0, appendix F),
/// and a declaration must agree with them. Labels mean what the WHATWG Encoding Standard says, so
/// ISO-8859-1 is windows-1252.
pub(crate) fn decode(body: &[u8], bytes_max: usize) -> Result<Cow<'_, str>, Malformed> {
    if body.len() > bytes_max {
        return Err(Malformed::TooLong);
    }
    let (encoding, bytes) = match body {
        [] => return Err(Malformed::Empty),
        [0xEF, 0xBB, 0xBF, rest @ ..] => (UTF_8, rest),
        [0xFE, 0xFF, rest @ ..] => (UTF_16BE, rest),
        [0xFF, 0xFE, rest @ ..] => (UTF_16LE, rest),
        [0, b'<', ..] => (UTF_16BE, body),
        [b'<', 0, ..] => (UTF_16LE, body),
        _ => return decode_as_declared(body),
    };
    let text = decode_as(encoding, bytes)?;
    match declared(&text) {
        Some(label) if !names(&label, encoding) => {
            Err(Malformed::DeclaredEncoding { encoding: encoding.name() })
        }
        _ => Ok(text),
    }
}

/// Text in which a `<` is one byte, so that the declaration can be read before anything is decoded.
fn decode_as_declared(body: &[u8]) -> Result<Cow<'_, str>, Malformed> {
    let end = body.windows(2).position(|pair| pair == b"?>").map_or(0, |at| at + 2);
    let label = str::from_utf8(&body[..end]).ok().and_then(declared);
    let encoding = match label {
        Some(label) => Encoding::for_label_no_replacement(label.as_bytes())
            .ok_or(Malformed::UnknownEncoding)?,
        None => UTF_8,
    };
    if encoding == UTF_16LE || encoding == UTF_16BE {
        return Err(Malformed::Encoding { encoding: encoding.name() });
    }
    decode_as(encoding, body)
}

fn decode_as<'a>(encoding: &'static Encoding, bytes: &'a [u8]) -> Result<Cow<'a, str>, Malformed> {
    encoding
        .decode_without_bom_handling_and_without_replacement(bytes)
        .ok_or(Malformed::Encoding { encoding: encoding.name() })
}

/// The encoding that the XML declaration at the start of `text` names. A broken declaration names
/// none; the reading of the document refuses it.
fn declared(text: &str) -> Option<String> {
    match Reader::from_str(text).read_event() {
        Ok(Event::Decl(declaration)) => Some(declaration.encoding()?.ok()?.into_owned()),
        _ => None,
    }
}

/// Whether a declared `label` is right for text held in `encoding`. UTF-16 without a byte order is
/// either of the two.
fn names(label: &str, encoding: &'static Encoding) -> bool {
    let label = label.trim();
    Encoding::for_label(label.as_bytes()) == Some(encoding)
        || (encoding != UTF_8 && label.eq_ignore_ascii_case("utf-16"))
}
