//! The names that cells give to their ways and units, where a goal or a view asks for them.

/// The claim cycle.
pub mod cycle {
    /// What is measured here.
    pub const OURS: &str = "multica";
    /// The least that a queue can do on our task table.
    pub const TABLE: &str = "bare statements on multica's table";
    /// The least that a queue can do.
    pub const FLOOR: &str = "bare table";
    /// Tasks of a batch.
    pub const BATCH: i64 = 10;
    /// Unit of the slowest claims.
    pub const P99: &str = "ms, 99th percentile of a claim";

    /// Whether a side is ours or a floor, none of the others that it is measured against.
    pub fn is_own(side: &str) -> bool {
        [OURS, TABLE, FLOOR].contains(&side)
    }
}

/// The time from the death of a daemon to the retry.
pub mod detection {
    /// Beyond what was allowed.
    pub const LATE: &str = "from the end of stale_after to the retry";
}

/// Calls while the worker sweeps a backlog.
pub mod fire {
    /// The calls that a sweep must not slow down.
    pub const CLAIM_BUSY: &str = "claim, beside the sweep";
    /// Unit of the slowest calls.
    pub const P99: &str = "ms, 99th percentile";
}

/// Heartbeats.
pub mod heartbeat {
    /// What is measured here.
    pub const OURS: &str = "multica_heartbeat()";
    /// The statement that it carries out.
    pub const RETURNING: &str = "UPDATE … RETURNING *";
    /// Ours, many at once.
    pub const MANY: &str = "multica_heartbeat_many(), 100 a call";
}

/// A sweep that finds nothing to do.
pub mod idle {
    /// What is measured here.
    pub const OURS: &str = "multica_sweep()";
}

/// A claim that finds nothing.
pub mod idle_claim {
    /// What is measured here.
    pub const OURS: &str = "multica_claim()";
    /// The same statement, without the function around it.
    pub const LOOKUP: &str = "its lookup, prepared";
}

/// A sweep of orphaned tasks.
pub mod verdict {
    /// What is measured here.
    pub const OURS: &str = "multica_sweep()";
    /// Hand-written SQL of an author who knows the tables.
    pub const FLOOR: &str = "set-based SQL by hand";
    /// What a server's code does.
    pub const SERVER: &str = "statement after statement";
    /// The same, from another machine.
    pub const DISTANT: &str = "statement after statement, 0.5 ms away";
}
