use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::harness::Shop;

#[tokio::test]
async fn a_server_ends_open_requests_and_takes_no_more() {
    let shop = Shop::open().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(crate::serve(listener, shop.router.clone(), async move {
        let _ = stopped.await;
    }));

    let mut client = TcpStream::connect(address).await.unwrap();
    let body = r#"{"user_id":"u","event":"view","product_ids":["x"]}"#;
    let head = format!(
        "POST /submit HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    client.write_all(head.as_bytes()).await.unwrap();
    // The handler reads the body: the request is open.
    let mut first = [0; 25];
    client.read_exact(&mut first).await.unwrap();
    assert!(first.starts_with(b"HTTP/1.1 100"));
    stop.send(()).unwrap();
    client.write_all(body.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), client.read_to_end(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    assert!(server.await.unwrap());
    assert!(TcpStream::connect(address).await.is_err());
}
