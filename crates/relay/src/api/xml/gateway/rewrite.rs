//! Two names for one thing: what is an upstream's at Bandwidth is a tenant's here. Only these names are
//! exchanged; every other byte of a body stays, whatever it is.

/// Elements that hold an account id, in Bandwidth's two spellings.
const ACCOUNT_ELEMENTS: [&str; 2] = ["accountId", "AccountId"];

/// An account as each side has it.
pub(super) struct Names<'a> {
    pub(super) upstream: &'a str,
    /// Base by which the client reached the relay.
    pub(super) relay: &'a str,
    pub(super) tenant: &'a str,
}

/// What a tenant sends, as Bandwidth is to read it.
pub(super) fn request(body: &[u8], names: &Names<'_>) -> Vec<u8> {
    accounts(body, names.tenant, names.upstream)
}

/// What Bandwidth answers, as the tenant is to read it.
pub(super) fn answer(body: &[u8], names: &Names<'_>) -> Vec<u8> {
    links(&accounts(body, names.upstream, names.tenant), names)
}

/// Where something is. A location of another form stays.
pub(super) fn location(value: &str, names: &Names<'_>) -> String {
    match account_in(value.as_bytes(), names.upstream).and_then(|end| value.get(end..)) {
        Some(rest) => format!("{}/accounts/{}{rest}", names.relay, names.tenant),
        None => value.to_owned(),
    }
}

/// Has notes signed by `to` that are signed by `from`.
pub(super) fn users(body: &[u8], from: &str, to: &str) -> Vec<u8> {
    let element = |user: &str| format!("<UserId>{}</UserId>", escaped(user));
    replaced(body, element(from).as_bytes(), element(to).as_bytes())
}

/// Has a note signed by `to`, whoever it says.
pub(super) fn sign(body: &[u8], to: &str) -> Vec<u8> {
    let open = b"<UserId>".as_slice();
    let begin = find(body, open).map(|at| at + open.len());
    let end = begin.and_then(|begin| Some(begin + find(&body[begin..], b"</UserId>")?));
    match begin.zip(end) {
        Some((begin, end)) => [&body[..begin], escaped(to).as_bytes(), &body[end..]].concat(),
        None => body.to_owned(),
    }
}

/// The text of the first of these elements that is there.
pub(super) fn text_of<'a>(body: &'a [u8], elements: &[&str]) -> Option<&'a str> {
    elements.iter().find_map(|element| {
        let open = format!("<{element}>");
        let rest = &body[find(body, open.as_bytes())? + open.len()..];
        let text = &rest[..rest.iter().position(|byte| *byte == b'<')?];
        std::str::from_utf8(text).ok().map(str::trim)
    })
}

fn accounts(body: &[u8], from: &str, to: &str) -> Vec<u8> {
    ACCOUNT_ELEMENTS.iter().fold(body.to_owned(), |body, name| {
        let element = |id: &str| format!("<{name}>{id}</{name}>");
        replaced(&body, element(from).as_bytes(), element(to).as_bytes())
    })
}

/// URLs of the account, at any host: Bandwidth writes them with a port or without, and with another host
/// and base than those that were asked.
fn links(body: &[u8], names: &Names<'_>) -> Vec<u8> {
    let ours = format!("{}/accounts/{}", names.relay, names.tenant);
    let (mut out, mut rest) = (Vec::with_capacity(body.len()), body);
    while let Some(at) = find(rest, b"://") {
        let (before, after) = rest.split_at(at + b"://".len());
        let url = &after[..after.iter().position(|byte| !in_url(*byte)).unwrap_or(after.len())];
        match scheme_length(before).zip(end_of_account(url, names.upstream)) {
            Some((scheme, end)) => {
                out.extend_from_slice(&before[..before.len() - scheme]);
                out.extend_from_slice(ours.as_bytes());
                rest = &after[end..];
            }
            None => {
                out.extend_from_slice(before);
                rest = after;
            }
        }
    }
    out.extend_from_slice(rest);
    out
}

/// Length of the scheme at the end of what is before a host.
fn scheme_length(before: &[u8]) -> Option<usize> {
    let schemes = [b"https://".as_slice(), b"http://".as_slice()];
    schemes.into_iter().find(|scheme| before.ends_with(scheme)).map(<[u8]>::len)
}

/// Where the account ends in a URL without its scheme.
fn end_of_account(url: &[u8], account: &str) -> Option<usize> {
    let path = url.iter().position(|byte| *byte == b'/')?;
    Some(path + account_in(&url[path..], account)?)
}

/// Where `/accounts/{account}` ends in a URL.
fn account_in(url: &[u8], account: &str) -> Option<usize> {
    let wanted = format!("/accounts/{account}");
    let end = find(url, wanted.as_bytes())? + wanted.len();
    matches!(url.get(end), None | Some(b'/' | b'?')).then_some(end)
}

/// What a URL is made of up to its query.
fn in_url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/%[]".contains(&byte)
}

fn replaced(body: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(body.len()), body);
    while let Some(at) = find(rest, from) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    out.extend_from_slice(rest);
    out
}

fn find(body: &[u8], wanted: &[u8]) -> Option<usize> {
    body.windows(wanted.len()).position(|window| window == wanted)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::{Names, answer, location, request, sign, text_of, users};

    const NAMES: Names<'_> =
        Names { upstream: "99", relay: "https://relay.test/v1.0", tenant: "55" };

    #[track_caller]
    fn check_answer(said: &[u8], told: &[u8]) {
        let is = answer(said, &NAMES);
        assert_eq!(String::from_utf8_lossy(&is), String::from_utf8_lossy(told));
        assert_eq!(is, told);
    }

    #[test]
    fn accounts_and_links_of_an_answer_become_the_tenants() {
        check_answer(b"<accountId>99</accountId>", b"<accountId>55</accountId>");
        check_answer(
            b"<a><AccountId>99</AccountId></a><AccountId>99</AccountId>",
            b"<a><AccountId>55</AccountId></a><AccountId>55</AccountId>",
        );
        for base in [
            "https://bandwidth.test/api",
            "http://bandwidth.test:443/v1.0",
            "https://bandwidth.test:443",
            "https://other.test/v2",
        ] {
            check_answer(
                format!("&lt;{base}/accounts/99/orders?page=1&gt;;rel=\"next\"").as_bytes(),
                b"&lt;https://relay.test/v1.0/accounts/55/orders?page=1&gt;;rel=\"next\"",
            );
            check_answer(
                format!("<L>{base}/accounts/99</L>").as_bytes(),
                b"<L>https://relay.test/v1.0/accounts/55</L>",
            );
        }
    }

    #[test]
    fn all_else_stays_to_the_byte() {
        for other in [
            b"\xff\xfe\x00<accountId>991</accountId><accountId> 99</accountId>".as_slice(),
            b"<Note>99 accountId 99</Note><SiteId>99</SiteId>://",
            b"https://bandwidth.test/api/accounts/991/orders",
            b"https://customer.example?to=/accounts/99/hook",
            b"https://customer.example/?to=/accounts/99/hook",
            b"ftp://bandwidth.test/accounts/99/x bandwidth.test/accounts/99",
            b"https://bandwidth.test/ /accounts/99/orders",
            b"",
        ] {
            check_answer(other, other);
        }
    }

    #[test]
    fn a_request_names_the_upstream() {
        let said = b"<Order>\xe9<accountId>55</accountId><AccountId>5</AccountId></Order>";
        let told = b"<Order>\xe9<accountId>99</accountId><AccountId>5</AccountId></Order>";
        assert_eq!(request(said, &NAMES), told);
    }

    #[test]
    fn a_location_is_the_relays_whatever_its_base() {
        let ours = "https://relay.test/v1.0/accounts/55/orders/a-1";
        for base in ["https://bandwidth.test/api", "https://other.test:443/v1.0", ""] {
            assert_eq!(location(&format!("{base}/accounts/99/orders/a-1"), &NAMES), ours);
        }
        for other in ["/accounts/991/orders/a", "notes/7", "https://bandwidth.test/x"] {
            assert_eq!(location(other, &NAMES), other);
        }
    }

    #[test]
    fn a_note_is_signed_by_who_asks_there_and_here() {
        let note = |user: &str| format!("<Note><UserId>{user}</UserId><D>\u{e9} k</D></Note>");
        assert_eq!(sign(note("k").as_bytes(), "a&b"), note("a&amp;b").as_bytes());
        assert_eq!(users(note("a&amp;b").as_bytes(), "a&b", "k"), note("k").as_bytes());
        assert_eq!(users(note("other").as_bytes(), "a&b", "k"), note("other").as_bytes());
        assert_eq!(sign(b"<Note></Note>", "a"), b"<Note></Note>");
    }

    #[test]
    fn the_first_element_that_is_there_is_read() {
        let body = b"\xff<a><id> 7 </id><OrderId>8</OrderId></a>";
        assert_eq!(text_of(body, &["OrderId", "id"]), Some("8"));
        assert_eq!(text_of(body, &["orderId", "id"]), Some("7"));
        assert_eq!(text_of(body, &["a"]), Some(""));
        assert_eq!(text_of(body, &["b"]), None);
    }
}
