//! The story: which machines there are, and what happens to each.

use super::orders::Order;

/// A machine, and what happens to it.
pub struct Story {
    /// Its daemon id.
    pub machine: &'static str,
    /// The provider of its runtime.
    pub provider: &'static str,
    /// How many agents it has.
    pub agents: usize,
    /// What happens, in a few words.
    pub about: &'static str,
    /// What happens, one thing after the other.
    pub acts: &'static [Act],
}

/// One thing that happens to a machine.
pub struct Act {
    /// When.
    pub when: When,
    /// What the demo does.
    pub what: What,
    /// What it stands for.
    pub says: &'static str,
    /// What is the matter with the machine from then on, and the setting that decides when a sweep finds it. None if it is
    /// well, or needs no sweep.
    pub leaves: Option<(&'static str, &'static str)>,
}

/// When an act is due.
pub enum When {
    /// Each agent of the machine has done this many steps.
    Steps(usize),
    /// A pause after the act before.
    Pause,
    /// A pause after all tasks of the machine have failed, and as soon as each agent has done this many steps.
    Verdict {
        /// The steps.
        steps: usize,
    },
}

/// What the demo does to a machine.
pub enum What {
    /// Pauses the process of its daemon.
    Sleep,
    /// Continues the process.
    WakeUp,
    /// Kills the process.
    Kill,
    /// Starts a new process.
    Restart,
    /// Starts another machine on its disk.
    Replace(&'static str),
    /// Gives an order to the daemon.
    Order(Order),
}

/// The machine whose daemon reports the progress of its agent.
pub const REPORTS_PROGRESS: &str = "gpu-box";
/// The machine that loses its task.
pub const LOSES_TASK: &str = "ci-box";

/// How many steps the task of ben-laptop has.
const STEPS_WITHOUT_NETWORK: usize = 16;

/// All machines. The agents and their issues are in `demo_issues.sql`.
pub const STORIES: [Story; 7] = [
    Story { machine: "desk", provider: "claude", agents: 1, about: "works undisturbed", acts: &[] },
    Story {
        machine: "anna-laptop",
        provider: "claude",
        agents: 1,
        about: "sleeps in the middle of its task, wakes up and finishes it",
        acts: &[
            Act {
                when: When::Steps(4),
                what: What::Sleep,
                says: "Anna closes the lid. The process of the daemon is paused (SIGSTOP).",
                leaves: Some(("fell asleep", "multica.stale_after")),
            },
            Act {
                when: When::Verdict { steps: 0 },
                what: What::WakeUp,
                says: "Anna opens the lid. The process continues (SIGCONT), and does not know that it has slept.",
                leaves: None,
            },
        ],
    },
    Story {
        machine: "ben-laptop",
        provider: "codex",
        agents: 1,
        about: "loses its network, finishes the task, and reports late",
        acts: &[
            Act {
                when: When::Steps(5),
                what: What::Order(Order::Disconnect),
                says: "The network is gone. The daemon has no connection, and its agent works on.",
                leaves: Some(("lost its network", "multica.stale_after")),
            },
            Act {
                when: When::Verdict { steps: STEPS_WITHOUT_NETWORK },
                what: What::Order(Order::Connect),
                says: "The network is back. The agent has finished meanwhile.",
                leaves: None,
            },
        ],
    },
    Story {
        machine: "build-box",
        provider: "codex",
        agents: 1,
        about: "crashes, restarts and recovers",
        acts: &[
            Act {
                when: When::Steps(6),
                what: What::Kill,
                says: "The machine crashes (SIGKILL). Its daemon does not deregister.",
                leaves: None,
            },
            Act {
                when: When::Pause,
                what: What::Restart,
                says: "The machine has booted. A new process of the daemon registers, with recover.",
                leaves: None,
            },
        ],
    },
    Story {
        machine: "rack-7",
        provider: "claude",
        agents: 2,
        about: "breaks and never returns; rack-8 gets its disk and takes its place",
        acts: &[
            Act {
                when: When::Steps(7),
                what: What::Kill,
                says: "The machine breaks (SIGKILL). It never returns.",
                leaves: Some(("broke", "multica.stale_after")),
            },
            Act {
                when: When::Verdict { steps: 0 },
                what: What::Replace("rack-8"),
                says: "Its disk is put into a new machine, rack-8, which registers and names rack-7 as its earlier id.",
                leaves: None,
            },
        ],
    },
    Story {
        machine: REPORTS_PROGRESS,
        provider: "codex",
        agents: 1,
        about: "its agent hangs",
        acts: &[Act {
            when: When::Steps(3),
            what: What::Order(Order::Hang),
            says: "The agent hangs. The daemon does not know; its heartbeats still name the task.",
            leaves: Some(("got an agent that hangs", "multica.idle_timeout")),
        }],
    },
    Story {
        machine: LOSES_TASK,
        provider: "claude",
        agents: 1,
        about: "its daemon is alive, but loses the task",
        acts: &[Act {
            when: When::Steps(2),
            what: What::Order(Order::Lose),
            says: "The agent is killed, and the daemon forgets the task; its heartbeats do not name it any more.",
            leaves: Some(("lost its task", "multica.lost_after")),
        }],
    },
];
