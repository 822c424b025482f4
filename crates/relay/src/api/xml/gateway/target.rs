//! What of an account a request is about.

use domain::limits::ORDER_ID_CHARS_MAX;
use domain::wire::Kind;

/// Segments below an order: `loas/{file}/metadata` has three.
const SEGMENTS_MAX: usize = 4;

/// One of them, in bytes: names of files have some sixty.
const SEGMENT_BYTES_MAX: usize = 255;

/// Orders of one kind, or one of them, or something of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) kind: Kind,
    pub(super) order: Option<String>,
    /// Below the order.
    pub(super) below: Vec<String>,
    /// All of it, as it was asked for.
    pub(super) path: String,
}

impl Target {
    /// Reads a path below an account. Nothing is passed on that is written in another way than this:
    /// then both sides read it alike, and nobody climbs out of an account.
    pub(super) fn of(path: &str) -> Option<Target> {
        let mut segments = path.strip_prefix('/')?.split('/');
        let kind = Kind::of(segments.next()?)?;
        let order = segments.next();
        let below: Vec<_> = segments.collect();
        let is_sound = order.is_none_or(is_order_id)
            && below.len() <= SEGMENTS_MAX
            && below.iter().all(|segment| is_segment(segment));
        is_sound.then(|| Target {
            kind,
            order: order.map(Into::into),
            below: below.into_iter().map(Into::into).collect(),
            path: path.into(),
        })
    }

    /// Its notes, or one of them.
    pub(super) fn is_note(&self) -> bool {
        self.below.first().is_some_and(|first| first.eq_ignore_ascii_case("notes"))
    }

    /// Documents, which are nobody's to look into.
    pub(super) fn is_document(&self) -> bool {
        self.below.first().is_some_and(|first| first.eq_ignore_ascii_case("loas"))
    }

    /// One document itself, and not a list or what is said of it.
    pub(super) fn is_file(&self) -> bool {
        self.is_document() && self.below.len() == 2
    }
}

/// Whether there may be an order by this id.
pub(super) fn is_order_id(id: &str) -> bool {
    (1..=ORDER_ID_CHARS_MAX).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn is_segment(segment: &str) -> bool {
    let sound = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    segment.len() <= SEGMENT_BYTES_MAX
        && segment.bytes().all(sound)
        && segment.bytes().any(|b| b != b'.')
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[track_caller]
    fn check(path: &str, order: Option<&str>, below: &str) {
        let target = Target::of(path).unwrap();
        assert_eq!((target.order.as_deref(), target.below.join("/")), (order, below.to_owned()));
        assert_eq!(target.path, path);
    }

    #[test]
    fn orders_and_what_is_theirs_are_passed_on() {
        check("/orders", None, "");
        check("/PortIns/1b9a-C2", Some("1b9a-C2"), "");
        check("/portins/a/loas/b_c-1.pdf/metadata", Some("a"), "loas/b_c-1.pdf/metadata");
    }

    #[test]
    fn nothing_is_passed_on_that_could_be_read_in_two_ways() {
        for path in [
            "",
            "/",
            "orders",
            "/subscriptions/a",
            "/sites",
            "/orders/",
            "/orders//notes",
            "/orders/..",
            "/orders/../x",
            "/orders/a/../../x",
            "/orders/a/./x",
            "/orders/a/...",
            "/orders/%2e%2e/x",
            "/orders/a%2Fb",
            "/orders/a/x%2f..",
            "/orders/a;b=c",
            "/orders/a/x;y",
            "/orders/a\\b",
            "/orders/a.b",
            "/orders/a/b c",
            "/orders/a/",
            "/orders/a/1/2/3/4/5",
            "/orders/\u{e9}",
        ] {
            assert_eq!(Target::of(path), None, "{path}");
        }
        assert_eq!(Target::of(&format!("/orders/{}", "a".repeat(65))), None);
        assert_eq!(Target::of(&format!("/orders/a/{}", "a".repeat(256))), None);
    }
}
