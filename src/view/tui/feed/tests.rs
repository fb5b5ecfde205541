//! A daemon that hangs, ends and comes back.

use std::path::Path;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use super::*;

/// Answers one request with a status, and closes the connection.
async fn answer_status(mut stream: UnixStream) {
    let mut request = [0; 4096];
    assert!(stream.read(&mut request).await.unwrap() > 0);
    let body = serde_json::to_string(&Status::default()).unwrap();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
}

fn start(socket: &Path) -> (mpsc::Receiver<Message>, tokio::task::JoinHandle<()>) {
    let (sender, receiver) = mpsc::channel(8);
    let (needs, wanted) = watch::channel((Period::default(), Vec::new()));
    let client = Client::new(socket);
    let feed = tokio::spawn(async move {
        feed(client, wanted, sender).await;
        drop(needs);
    });
    (receiver, feed)
}

async fn next(messages: &mut mpsc::Receiver<Message>) -> Update {
    match messages.recv().await {
        Some(Message::Update(update)) => update,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_daemon_that_hangs_is_silent_and_is_asked_again_as_soon_as_it_is_back() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("control.sock");
    let (mut messages, feed) = start(&socket);
    let away = next(&mut messages).await;
    assert!(matches!(away, Update::NoAnswer(_)), "{away:?}");
    let daemon = UnixListener::bind(&socket).unwrap();
    answer_status(daemon.accept().await.unwrap().0).await;
    let update = next(&mut messages).await;
    assert!(matches!(update, Update::Gateway(..)), "{update:?}");
    // It accepts the next request, and does not answer.
    let hung = daemon.accept().await.unwrap();
    let begun = Instant::now();
    assert_eq!(next(&mut messages).await, Update::Silent);
    assert!(begun.elapsed() < SILENT * 5, "{:?}", begun.elapsed());
    // It ends, and another one starts.
    drop((hung, daemon));
    std::fs::remove_file(&socket).unwrap();
    loop {
        match next(&mut messages).await {
            Update::Silent => {}
            Update::NoAnswer(_) => break,
            update @ Update::Gateway(..) => panic!("{update:?}"),
        }
    }
    let daemon = UnixListener::bind(&socket).unwrap();
    let begun = Instant::now();
    answer_status(daemon.accept().await.unwrap().0).await;
    assert!(begun.elapsed() < EACH * 3, "{:?}", begun.elapsed());
    feed.abort();
}

#[tokio::test]
async fn a_need_that_takes_long_does_not_make_the_daemon_silent() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("control.sock");
    let daemon = UnixListener::bind(&socket).unwrap();
    let client = Client::new(&socket);
    let (sender, mut messages) = mpsc::channel(8);
    let has_status = AtomicBool::new(true);
    let answers = async {
        for _ in 0..2 {
            answer_status(daemon.accept().await.unwrap().0).await;
        }
        // From here on it hangs.
        let _hung = daemon.accept().await.unwrap();
        next(&mut messages).await
    };
    tokio::select! {
        update = answers => assert_eq!(update, Update::Silent),
        () = report_silence(&client, &has_status, &sender) => panic!("the screen has not ended"),
    }
}
