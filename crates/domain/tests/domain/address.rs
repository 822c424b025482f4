//! Which endpoints are refused, and why, in every notation that reaches the same place.

use domain::address::{Policy, check, endpoint, may_be_allowed};

const FORM: &str = "the URL is not an absolute http or https URL";
const NAME: &str = "the host is not a valid domain name";
const LOCAL: &str = "the host is a local name, not one of the public internet";
const USER: &str = "the URL must not hold a user name or password";
const HTTPS: &str = "the URL must begin with https://";
const PORT: &str = "the port must be 80, 443 or at least 1024";

fn local() -> Policy {
    let networks = ["127.0.0.0/8", "10.1.0.0/16", "fd00::/8"];
    Policy { networks: networks.map(|net| net.parse().unwrap()).to_vec(), http: false }
}

/// `expected` is the URL as read, or the reason; a reason that names a range is the range alone.
#[track_caller]
fn check_endpoint(url: &str, policy: &Policy, expected: Result<&str, &str>) {
    let read = endpoint(url, policy).map(String::from).map_err(|refused| refused.to_string());
    let read = read.as_ref().map(String::as_str).map_err(|reason| {
        let range = reason.strip_prefix("the address is not public (");
        range.map_or(reason.as_str(), |range| range.trim_end_matches(')'))
    });
    assert_eq!(read, expected, "{url}");
}

#[test]
fn public_endpoints_are_allowed() {
    for (url, read) in [
        ("https://h.example.com/x?y=1", "https://h.example.com/x?y=1"),
        ("https://h.example.com", "https://h.example.com/"),
        ("HTTPS://H.Example.COM:443/X", "https://h.example.com/X"),
        ("https://h.example.com:8443/", "https://h.example.com:8443/"),
        ("https://h.example.com:80/", "https://h.example.com:80/"),
        ("https://h.example.com:1024/", "https://h.example.com:1024/"),
        ("https://h.example.com:/", "https://h.example.com/"),
        ("https://h.example.com:0443/", "https://h.example.com/"),
        ("https://h.example.com:65535/", "https://h.example.com:65535/"),
        ("https://h.example.com./", "https://h.example.com./"),
        ("https://h.example.com/x#part", "https://h.example.com/x"),
        ("https://h.example.com/@x", "https://h.example.com/@x"),
        ("https://h.example.com?a@b", "https://h.example.com/?a@b"),
        ("https://b\u{fc}cher.example/", "https://xn--bcher-kva.example/"),
        ("https://h\u{3002}example\u{ff0e}com/", "https://h.example.com/"),
        ("https://%68.example.com/", "https://h.example.com/"),
        ("https://_x.example.com/", "https://_x.example.com/"),
        ("https://8.8.8.8/", "https://8.8.8.8/"),
        ("https://134744072/", "https://8.8.8.8/"),
        ("https://[2606:4700::1111]/", "https://[2606:4700::1111]/"),
        ("https://[::ffff:8.8.8.8]/", "https://[::ffff:808:808]/"),
        ("https://[64:ff9b::8.8.8.8]/", "https://[64:ff9b::808:808]/"),
        ("https://localhost.example.com/", "https://localhost.example.com/"),
        ("https://mylocal/".replace("mylocal", "local.example").as_str(), "https://local.example/"),
        ("https://notinternal.example/", "https://notinternal.example/"),
        ("https://thelocal.xlocal/", "https://thelocal.xlocal/"),
    ] {
        check_endpoint(url, &Policy::default(), Ok(read));
    }
}

const NOT_PUBLIC: &[(&str, &str)] = &[
    ("127.0.0.1", "loopback"),
    ("127.1", "loopback"),
    ("127.0.1", "loopback"),
    ("127.0.0.1.", "loopback"),
    ("2130706433", "loopback"),
    ("0x7f000001", "loopback"),
    ("0x7F.1", "loopback"),
    ("0x7f.0x0.0x0.0x1", "loopback"),
    ("017700000001", "loopback"),
    ("0177.0.0.01", "loopback"),
    ("0177.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("\u{ff11}\u{ff12}\u{ff17}.\u{ff10}.\u{ff10}.\u{ff11}", "loopback"),
    ("127\u{3002}0\u{3002}0\u{3002}1", "loopback"),
    ("\u{2460}27.0.0.1", "loopback"),
    ("127%2e0.0.1", "loopback"),
    ("%31%32%37.0.0.1", "loopback"),
    ("127.0.0.1%2e", "loopback"),
    ("0", "this network"),
    ("0x0", "this network"),
    ("0.0.0.0", "this network"),
    ("0.1.2.3", "this network"),
    ("10.0.0.1", "private"),
    ("10.1", "private"),
    ("012.0.0.1", "private"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.168.1.1", "private"),
    ("3232235777", "private"),
    ("100.64.0.1", "carrier-grade NAT"),
    ("100.100.100.200", "carrier-grade NAT"),
    ("100.127.255.255", "carrier-grade NAT"),
    ("169.254.169.254", "link-local"),
    ("0xa9fea9fe", "link-local"),
    ("0251.0376.0251.0376", "link-local"),
    ("169.254.170.2", "link-local"),
    ("192.0.0.8", "protocol assignments"),
    ("192.0.2.1", "documentation"),
    ("198.51.100.1", "documentation"),
    ("203.0.113.1", "documentation"),
    ("192.88.99.1", "6to4 relay"),
    ("198.18.0.1", "benchmarking"),
    ("198.19.255.255", "benchmarking"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.255", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "broadcast"),
    ("4294967295", "broadcast"),
    ("[::]", "unspecified"),
    ("[::1]", "loopback"),
    ("[0:0:0:0:0:0:0:1]", "loopback"),
    ("[0000:0000::0001]", "loopback"),
    ("[::127.0.0.1]", "IPv4-compatible"),
    ("[::8.8.8.8]", "IPv4-compatible"),
    ("[::ffff:127.0.0.1]", "loopback"),
    ("[::FFFF:7F00:1]", "loopback"),
    ("[0:0:0:0:0:ffff:a9fe:a9fe]", "link-local"),
    ("[::ffff:0:127.0.0.1]", "not assigned"),
    ("[64:ff9b::127.0.0.1]", "loopback"),
    ("[64:ff9b::a9fe:a9fe]", "link-local"),
    ("[64:ff9b:1::808:808]", "local NAT64"),
    ("[2002:7f00:1::]", "loopback"),
    ("[2002:a00:1::1]", "private"),
    ("[2002:a9fe:a9fe::]", "link-local"),
    ("[2001::1]", "Teredo"),
    ("[2001:0:4136:e378:8000:63bf:3fff:fdd2]", "Teredo"),
    ("[2001:10::1]", "protocol assignments"),
    ("[2001:1ff::1]", "protocol assignments"),
    ("[2001:db8::1]", "documentation"),
    ("[3fff:fff::1]", "documentation"),
    ("[100::1]", "discard"),
    ("[100:0:0:1::1]", "not assigned"),
    ("[fc00::1]", "unique local"),
    ("[fd00:ec2::254]", "unique local"),
    ("[fe80::1]", "link-local"),
    ("[febf::1]", "link-local"),
    ("[fec0::1]", "site-local"),
    ("[ff02::1]", "multicast"),
    ("[4000::1]", "not assigned"),
    ("[5f00::1]", "not assigned"),
    ("[8000::1]", "not assigned"),
    ("[1fff::1]", "not assigned"),
    // Where clouds tell a machine about itself, and its credentials.
    ("169.254.170.23", "link-local"),
    ("192.0.0.192", "protocol assignments"),
    ("168.63.129.16", "cloud platform"),
    ("[::ffff:168.63.129.16]", "cloud platform"),
    ("[fd00:ec2::23]", "unique local"),
    ("[fd20:ce::254]", "unique local"),
    ("[fd00:c1::a9fe:a9fe]", "unique local"),
    ("2852039166", "link-local"),
    ("169.254.43518", "link-local"),
    ("169.16689662", "link-local"),
    ("0xA9.0376.43518", "link-local"),
    // Notations within each other.
    ("0177.0x0.0.1", "loopback"),
    ("127.0.0.0x1", "loopback"),
    ("127.0x000001", "loopback"),
    ("0x7f.0.01", "loopback"),
    ("%30x7f.1", "loopback"),
    ("\u{ff10}x7f.1", "loopback"),
    ("127.1.", "loopback"),
    ("[::ffff:a00:1]", "private"),
    ("[::ffff:c0a8:101]", "private"),
    ("[64:ff9b::10.0.0.1]", "private"),
    ("[64:ff9b::]", "this network"),
    ("[64:ff9b:1:fffe::a9fe:a9fe]", "local NAT64"),
    ("[2002:c0a8:101::]", "private"),
    ("[::a9fe:a9fe]", "IPv4-compatible"),
    ("[::2]", "IPv4-compatible"),
];

#[test]
fn addresses_that_are_not_public_are_refused_in_every_notation() {
    assert!(NOT_PUBLIC.len() >= 80);
    for (host, range) in NOT_PUBLIC {
        check_endpoint(&format!("https://{host}/"), &Policy::default(), Err(range));
        check_endpoint(
            &format!("http://{host}:8080/"),
            &Policy { http: true, ..Policy::default() },
            Err(range),
        );
    }
}

#[test]
fn the_neighbours_of_refused_ranges_are_public() {
    for ip in [
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "168.63.129.15",
        "168.63.129.17",
        "172.15.255.255",
        "172.32.0.0",
        "191.255.255.255",
        "192.0.1.0",
        "192.0.3.0",
        "192.88.98.255",
        "192.88.100.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "198.51.99.255",
        "198.51.101.0",
        "203.0.112.255",
        "203.0.114.0",
        "223.255.255.255",
        "2000::",
        "2001:200::",
        "2001:db7:ffff::",
        "2001:db9::",
        "2003::",
        "3ffe:ffff::",
        "3fff:1000::",
        "2002:808:808::",
    ] {
        assert_eq!(check(ip.parse().unwrap(), &Policy::default()), Ok(()), "{ip}");
    }
}

#[test]
fn local_names_and_bad_names_are_refused() {
    for (url, reason) in [
        ("https://localhost/", LOCAL),
        ("https://LocalHost/", LOCAL),
        ("https://localhost./", LOCAL),
        ("https://a.localhost/", LOCAL),
        ("https://\u{24db}ocalhost/", LOCAL),
        ("https://loc%61lhost/", LOCAL),
        ("https://\u{ff4c}\u{ff4f}\u{ff43}\u{ff41}\u{ff4c}host/", LOCAL),
        ("https://localhost%2e/", LOCAL),
        ("https://a.b.localhost./", LOCAL),
        ("https://localhost.localdomain/", LOCAL),
        ("https://metadata/", LOCAL),
        ("https://x.internal./", LOCAL),
        ("https://x.INTERNAL/", LOCAL),
        ("https://internal/", LOCAL),
        ("https://kubernetes.default.svc.cluster.local/", LOCAL),
        ("https://mail.corp/", LOCAL),
        ("https://nas.home/", LOCAL),
        ("https://a.onion/", LOCAL),
        ("https://printer.local/", LOCAL),
        ("https://printer.LOCAL./", LOCAL),
        ("https://ip-10-0-0-1.ec2.internal/", LOCAL),
        ("https://metadata.google.internal/", LOCAL),
        ("https://router.home.arpa/", LOCAL),
        ("https://nas.lan/", LOCAL),
        ("https://intranet/", LOCAL),
        ("https://intranet./", LOCAL),
        ("https://com/", LOCAL),
        ("https://a..example.com/", NAME),
        ("https://a.example.com../", NAME),
        ("https://./", NAME),
        ("https://.example.com/", NAME),
        (&format!("https://{}.example.com/", "a".repeat(64)), NAME),
        (&format!("https://{}com/", "abcdefg.".repeat(32)), NAME),
    ] {
        check_endpoint(url, &Policy::default(), Err(reason));
    }
}

#[test]
fn anything_but_a_plain_https_url_is_refused() {
    for (url, reason) in [
        ("", FORM),
        ("/x", FORM),
        ("//h.example.com/", FORM),
        ("h.example.com/x", FORM),
        ("ftp://h.example.com/", FORM),
        ("file:///etc/passwd", FORM),
        ("gopher://h.example.com/", FORM),
        ("javascript:alert(1)", FORM),
        ("https:h.example.com", FORM),
        ("https:/h.example.com", FORM),
        ("https:///h.example.com", FORM),
        ("https://", FORM),
        ("https://?x", FORM),
        ("https://:443/", FORM),
        ("https:\\\\h.example.com", FORM),
        ("https://h.example.com\\@127.0.0.1/", FORM),
        (" https://h.example.com/", FORM),
        ("https://h.example.com/\n", FORM),
        ("https://h.exa\tmple.com/", FORM),
        ("https://h.example.com/a b", FORM),
        ("https://h.example.com/\u{a0}", FORM),
        ("https://h%00.example.com/", FORM),
        ("https://h%20.example.com/", FORM),
        ("https://256.256.256.256/", FORM),
        ("https://1.2.3.4.5/", FORM),
        ("https://a.0x7f/", FORM),
        ("https://0x100000000/", FORM),
        ("https://08.8.8.8/", FORM),
        ("https://[::1/", FORM),
        ("https://[fe80::1%25eth0]/", FORM),
        ("https://[fe80::1%eth0]/", FORM),
        ("https://[::ffff:127.1]/", FORM),
        ("https://[v1.a]/", FORM),
        ("https://[::1%25lo]/", FORM),
        ("https://[fe80::1%25]/", FORM),
        ("https://[]/", FORM),
        ("https://[127.0.0.1]/", FORM),
        ("https://256.1/", FORM),
        ("https://0x7f.0.0.0x100/", FORM),
        ("https://xn--/", FORM),
        ("https://xn--a/", FORM),
        ("https://%/", FORM),
        ("https://%2f/", FORM),
        ("https://%40127.0.0.1/", FORM),
        ("https:///", FORM),
        ("https://#x", FORM),
        ("https://a@h.example.com/", USER),
        ("https://a:b@h.example.com/", USER),
        ("https://@h.example.com/", USER),
        ("https://h.example.com@127.0.0.1/", USER),
        ("https://h.example.com:443@127.0.0.1/", USER),
        ("https://127.0.0.1@h.example.com/", USER),
        ("https://:@h.example.com/", USER),
        ("https://a%40b@h.example.com/", USER),
        ("http://h.example.com/", HTTPS),
        ("HTTP://h.example.com/", HTTPS),
        ("http://8.8.8.8/", HTTPS),
        ("https://h.example.com:0/", PORT),
        ("https://h.example.com:22/", PORT),
        ("https://h.example.com:25/", PORT),
        ("https://h.example.com:1023/", PORT),
        ("https://h.example.com:00/", PORT),
        ("https://8.8.8.8:53/", PORT),
        ("https://[2606:4700::1111]:389/", PORT),
        ("https://h.example.com:65536/", FORM),
        ("https://h.example.com:x/", FORM),
        ("https://h.example.com:-1/", FORM),
        (
            &format!("https://h.example.com/{}", "a".repeat(2_048)),
            "the URL is longer than 2048 bytes",
        ),
    ] {
        check_endpoint(url, &Policy::default(), Err(reason));
    }
}

#[test]
fn an_operator_can_allow_networks_and_plain_http() {
    for (url, expected) in [
        ("http://127.0.0.1:8080/", Ok("http://127.0.0.1:8080/")),
        ("http://2130706433:8080/", Ok("http://127.0.0.1:8080/")),
        ("https://127.9.9.9/", Ok("https://127.9.9.9/")),
        ("http://localhost:8080/", Ok("http://localhost:8080/")),
        ("http://localhost.:8080/", Ok("http://localhost.:8080/")),
        ("http://a.localhost/", Ok("http://a.localhost/")),
        ("http://10.1.2.3/", Ok("http://10.1.2.3/")),
        ("http://[::ffff:10.1.2.3]/", Ok("http://[::ffff:a01:203]/")),
        ("http://[fd00::1]/", Ok("http://[fd00::1]/")),
        ("http://127.0.0.1:22/", Err(PORT)),
        ("http://a@127.0.0.1/", Err(USER)),
        ("http://10.2.0.1/", Err("private")),
        ("http://[::1]/", Err("loopback")),
        ("http://169.254.169.254/", Err("link-local")),
        ("http://h.example.com/", Err(HTTPS)),
        ("http://intranet/", Err(LOCAL)),
        ("http://printer.local/", Err(LOCAL)),
    ] {
        check_endpoint(url, &local(), expected);
    }
    let http = Policy { http: true, ..Policy::default() };
    check_endpoint("http://h.example.com/", &http, Ok("http://h.example.com/"));
    check_endpoint("http://localhost/", &http, Err(LOCAL));
    check_endpoint("http://127.0.0.1/", &http, Err("loopback"));
}

#[test]
fn what_a_name_resolves_to_is_judged_like_a_literal() {
    let reason =
        |ip: &str, policy: &Policy| check(ip.parse().unwrap(), policy).map_err(|e| e.to_string());
    assert_eq!(
        reason("169.254.169.254", &Policy::default()),
        Err("the address is not public (link-local)".into())
    );
    assert_eq!(reason("127.0.0.1", &local()), Ok(()));
    assert_eq!(reason("::ffff:127.0.0.1", &local()), Ok(()));
    assert_eq!(reason("fd00::1", &local()), Ok(()));
    assert!(reason("::1", &local()).is_err());
    assert!(reason("fc00::1", &local()).is_err());
}

#[test]
fn a_running_relay_is_allowed_no_network_that_holds_its_own_machine() {
    let allowed = |network: &str| may_be_allowed(&network.parse().unwrap());
    for network in ["10.0.0.0/8", "192.168.7.0/24", "172.17.0.1/32", "fd00::/8", "2001:db8::/32"] {
        assert!(allowed(network), "{network}");
    }
    for network in [
        "127.0.0.1/32",
        "127.0.0.0/8",
        "126.0.0.0/7",
        "0.0.0.0/0",
        "0.0.0.0/32",
        "169.254.169.254/32",
        "::/0",
        "::1/128",
        "::/128",
        "fe80::/64",
        "::ffff:127.0.0.0/104",
        "::ffff:0:0/96",
    ] {
        assert!(!allowed(network), "{network}");
    }
}
