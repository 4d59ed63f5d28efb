//! A TCP proxy on the loopback interface that forwards every byte after a delay, to simulate a distant server.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use multica_harness::cluster::{Cluster, PORT, SUPERUSER};
use postgres::{Client, NoTls};

/// A listening proxy; it ends with the process.
pub struct Proxy {
    port: u16,
}

impl Proxy {
    /// Starts a proxy in front of a cluster. A round trip through it takes at least `round_trip` longer.
    pub fn start(cluster: &Cluster, round_trip: Duration) -> Result<Proxy> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let socket = cluster.socket_folder().join(format!(".s.PGSQL.{PORT}"));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let _ = join(client, &socket, round_trip / 2);
            }
        });
        Ok(Proxy { port })
    }

    /// Opens a database session through the proxy.
    pub fn connect(&self, database: &str) -> Result<Client> {
        let mut config = postgres::Config::new();
        config.host("127.0.0.1").port(self.port);
        Ok(config.user(SUPERUSER).dbname(database).connect(NoTls)?)
    }
}

fn join(client: TcpStream, socket: &Path, delay: Duration) -> Result<()> {
    client.set_nodelay(true)?;
    let server = UnixStream::connect(socket)?;
    let (to_client, to_server) = (client.try_clone()?, server.try_clone()?);
    hand_on(client, to_server, delay, |server| server.shutdown(Shutdown::Write));
    hand_on(server, to_client, delay, |client| client.shutdown(Shutdown::Write));
    Ok(())
}

/// Uses two threads per direction, so that bytes that arrive while earlier bytes are delayed are not delayed longer.
fn hand_on<R, W>(
    mut from: R,
    mut to: W,
    delay: Duration,
    close: impl FnOnce(&W) -> std::io::Result<()> + Send + 'static,
) where
    R: Read + Send + 'static,
    W: Write + Send + 'static,
{
    let (sender, due) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            if sender.send((Instant::now() + delay, buffer[..read].to_vec())).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        for (when, bytes) in due {
            thread::sleep(when.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                return;
            }
        }
        let _ = close(&to);
    });
}
