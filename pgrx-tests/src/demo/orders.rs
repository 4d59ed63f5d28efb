//! What the demo makes happen to a daemon from inside. The orders arrive on the standard input of its process.

use std::io::{BufRead, stdin};
use std::sync::mpsc::{Receiver, channel};

use anyhow::Result;
use clap::ValueEnum;

/// What is to happen.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Order {
    /// The daemon loses its connection, and gets no other one.
    Disconnect,
    /// The daemon can connect again.
    Connect,
    /// Its agents hang.
    Hang,
    /// Its agents are killed, and the daemon forgets their tasks.
    Lose,
}

impl Order {
    /// The line that stands for it.
    pub fn line(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_string())
    }
}

/// Returns the orders as they arrive. The demo holds the other end of the standard input, so when the demo is killed the
/// input ends, and this process ends too. A stopped process does not read, so on Linux the kernel kills it.
pub fn receive() -> Result<Receiver<Order>> {
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in stdin().lock().lines().map_while(Result::ok) {
            if let Ok(order) = Order::from_str(&line, false) {
                let _ = sender.send(order);
            }
        }
        std::process::exit(0);
    });
    Ok(receiver)
}
