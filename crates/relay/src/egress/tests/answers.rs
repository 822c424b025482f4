//! Answers that are larger, longer or slower than any endpoint has need of.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::delivery::ErrorClass;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::AsyncWriteExt as _;

use super::{Answer, Egress, Server, policy, post, read_request};
use crate::egress::{ANSWER_BYTES_KEPT_MAX, ANSWER_BYTES_READ_MAX, POST_TIMEOUT};

/// What the kernel may hold of a connection that nobody reads, with room to spare.
const BYTES_UNDERWAY_MAX: usize = 32 * 1024 * 1024;

/// Lets an endpoint answer with `head`, and then with `piece` for ever. Answers what came of the
/// POST, once the endpoint has noticed that nobody reads on.
async fn told_for_ever(head: &str, piece: Vec<u8>) -> Answer {
    let (head, sent) = (head.to_owned(), Arc::new(AtomicUsize::new(0)));
    let (done, noticed) = (Arc::new(tokio::sync::Notify::new()), sent.clone());
    let left = done.clone();
    let server = Server::start(move |mut stream| {
        let (head, piece) = (head.clone(), piece.clone());
        let (sent, left) = (sent.clone(), left.clone());
        async move {
            assert!(read_request(&mut stream).await);
            stream.write_all(head.as_bytes()).await.unwrap();
            while stream.write_all(&piece).await.is_ok() {
                sent.fetch_add(piece.len(), Ordering::SeqCst);
            }
            left.notify_one();
        }
    })
    .await;
    let answer = post(&Egress::new(policy()).unwrap(), &server.url("http"), None).await;
    done.notified().await;
    let sent = noticed.load(Ordering::SeqCst);
    assert!(sent < BYTES_UNDERWAY_MAX, "{sent} bytes were taken");
    answer
}

#[tokio::test]
async fn a_compressed_bomb_is_not_expanded() {
    let mut member = GzEncoder::new(Vec::new(), Compression::best());
    member.write_all(&vec![0; 1024 * 1024]).unwrap();
    let member = member.finish().unwrap();
    assert!(member.len() < 1200);
    // By RFC 1952 these are one file, of 1 GiB.
    let bomb = member.repeat(1024);
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-encoding: gzip\r\n\
         content-length: {}\r\n\r\n",
        u64::MAX / 2
    );
    let kept = String::from_utf8_lossy(&bomb[..ANSWER_BYTES_KEPT_MAX]).into_owned();
    let answer = told_for_ever(&head, bomb).await;
    assert_eq!(answer, Answer { status: Some(200), error: None, text: kept, retry_after: None });
}

#[tokio::test]
async fn an_endless_answer_is_left_after_its_beginning() {
    let letters = vec![b'a'; ANSWER_BYTES_READ_MAX];
    let chunk = [format!("{:x}\r\n", letters.len()).as_bytes(), &letters, b"\r\n"].concat();
    for (head, piece) in [
        ("HTTP/1.1 200 OK\r\n\r\n", letters.clone()),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9999999999999\r\n\r\n", letters),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", chunk),
    ] {
        let answer = told_for_ever(head, piece).await;
        let text = "a".repeat(ANSWER_BYTES_KEPT_MAX);
        assert_eq!(
            answer,
            Answer { status: Some(200), error: None, text, retry_after: None },
            "{head}"
        );
    }
}

#[tokio::test]
async fn endless_headers_are_no_answer() {
    let status = "HTTP/1.1 200 OK\r\n";
    for (head, piece) in [
        (status.to_owned(), b"x-a: b\r\n".repeat(1000)),
        (format!("{status}x-a: "), vec![b'b'; 64 * 1024]),
        ("HTTP/1.1 200 ".to_owned(), vec![b'b'; 64 * 1024]),
        (
            format!("{status}transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"),
            b"x-trailer: b\r\n".repeat(1000),
        ),
    ] {
        let answer = told_for_ever(&head, piece).await;
        match head.ends_with("0\r\n") {
            // What follows a body is not waited for.
            true => assert_eq!((answer.status, answer.text.as_str()), (Some(200), "a")),
            false => assert_eq!(answer, Answer::none(ErrorClass::Protocol), "{head}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_deadline_is_over_headers_and_body() {
    for head in ["", "HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n"] {
        let server = Server::start(move |mut stream| async move {
            assert!(read_request(&mut stream).await);
            stream.write_all(head.as_bytes()).await.unwrap();
            let drops = if head.is_empty() { "HTTP/1.1 200 OK" } else { "aaaaaaaaaaaaaaaaaaaa" };
            let mut seconds = tokio::time::interval(Duration::from_secs(1));
            for drop in drops.bytes().cycle() {
                seconds.tick().await;
                if stream.write_all(&[drop]).await.is_err() {
                    return;
                }
            }
        })
        .await;
        let egress = Egress::new(policy()).unwrap();
        let began = tokio::time::Instant::now();
        let answer = post(&egress, &server.url("http"), None).await;
        assert_eq!(answer, Answer::none(ErrorClass::Timeout));
        let took = began.elapsed();
        assert!(took >= POST_TIMEOUT && took < POST_TIMEOUT + Duration::from_secs(1), "{took:?}");
    }
}
