//! A private Redis server, and what tests need of its protocol.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cluster::Cluster;
use crate::project::Project;
use crate::tools::extras::{self, Unpacked};
use crate::user::ServerUser;

const START_LIMIT: Duration = Duration::from_secs(30);
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A Redis server beside a cluster, on a socket of its own. It keeps what it has answered, also when it is killed. It is
/// stopped when dropped.
pub struct Redis {
    tool: Unpacked,
    user: ServerUser,
    folder: PathBuf,
    child: Child,
}

impl Redis {
    /// Starts a server without any key, and waits until it answers.
    pub fn start(project: &Project, cluster: &Cluster) -> Result<Redis> {
        let tool = extras::redis(project)?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = cluster.socket_folder().join(format!("redis-{number}"));
        fs::create_dir(&folder)?;
        let user = cluster.user().clone();
        user.own(&folder)?;
        let child = spawn(&tool, &user, &folder)?;
        let redis = Redis { tool, user, folder, child };
        redis.wait_until_it_answers()?;
        Ok(redis)
    }

    /// The URL of its database.
    pub fn url(&self) -> String {
        format!("unix://{}?db=0", self.socket().display())
    }

    /// Kills the server.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts the server that was killed, with the keys that it had.
    pub fn start_again(&mut self) -> Result<()> {
        self.child = spawn(&self.tool, &self.user, &self.folder)?;
        self.wait_until_it_answers()
    }

    /// Stops the server in such a way that it accepts connections and answers nothing.
    pub fn freeze(&self) -> Result<()> {
        Ok(kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGSTOP)?)
    }

    /// Runs one command. Returns the values of its answer in order, without the arrays that they are in; what does not
    /// exist is empty.
    pub fn run(&self, words: &[&str]) -> Result<Vec<String>> {
        let mut connection = self.connect()?;
        connection.send(words)?;
        connection.receive().with_context(|| words.join(" "))
    }

    /// Opens a connection that receives what is published on a channel from now on.
    pub fn subscribe(&self, channel: &str) -> Result<Connection> {
        let mut connection = self.connect()?;
        connection.send(&["SUBSCRIBE", channel])?;
        connection.receive()?;
        Ok(connection)
    }

    fn connect(&self) -> Result<Connection> {
        let stream = UnixStream::connect(self.socket()).context("cannot connect to Redis")?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        Ok(Connection(BufReader::new(stream)))
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    /// While the server reads its file it answers with an error.
    fn wait_until_it_answers(&self) -> Result<()> {
        Cluster::wait_until("Redis answers", START_LIMIT, || Ok(self.run(&["PING"]).is_ok()))
            .with_context(|| fs::read_to_string(self.folder.join("log")).unwrap_or_default())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// With `appendfsync no` the server gives each change to the kernel before it answers, and never waits for the disk.
fn spawn(tool: &Unpacked, user: &ServerUser, folder: &Path) -> Result<Child> {
    let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("log"))?;
    let mut command = tool.command();
    command.args(["--port", "0", "--unixsocket", "socket", "--save", "", "--appendonly", "yes", "--appendfsync", "no"]);
    command.current_dir(folder).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    user.apply(&mut command);
    command.spawn().context("cannot start redis-server")
}

/// A connection to the server.
pub struct Connection(BufReader<UnixStream>);

impl Connection {
    fn send(&mut self, words: &[&str]) -> Result<()> {
        let texts: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
        write!(self.0.get_mut(), "*{}\r\n{texts}", words.len())?;
        Ok(())
    }

    /// Waits for the next answer or message, and returns its values.
    pub fn receive(&mut self) -> Result<Vec<String>> {
        let mut values = Vec::new();
        let mut open = 1_usize;
        while open > 0 {
            open -= 1;
            let mut line = String::new();
            self.0.read_line(&mut line)?;
            let line = line.trim_end();
            let (kind, rest) = line.split_at_checked(1).context("Redis has closed the connection")?;
            match kind {
                "+" | ":" => values.push(rest.to_string()),
                "-" => bail!("{rest}"),
                "*" => open += rest.parse().unwrap_or(0_usize),
                "$" => values.push(self.text(rest.parse()?)?),
                _ => bail!("Redis answers {line:?}"),
            }
        }
        Ok(values)
    }

    /// Reads a text of this length and the end of its line. A negative length is that of nothing.
    fn text(&mut self, length: i64) -> Result<String> {
        let Ok(length) = usize::try_from(length) else {
            return Ok(String::new());
        };
        let mut bytes = vec![0; length + 2];
        self.0.read_exact(&mut bytes)?;
        bytes.truncate(length);
        Ok(String::from_utf8(bytes)?)
    }
}
