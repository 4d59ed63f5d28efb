//! The names of ways and units that goals and views refer to.

/// The claim cycle.
pub mod cycle {
    /// The measured way.
    pub const OURS: &str = "multica";
    /// A minimal queue on multica's table of tasks.
    pub const TABLE: &str = "bare statements on multica's table";
    /// A minimal queue on a table of its own.
    pub const FLOOR: &str = "bare table";
    /// Tasks per batch.
    pub const BATCH: i64 = 10;
    /// Unit of the slowest claims.
    pub const P99: &str = "ms, 99th percentile of a claim";

    /// Whether a side is multica or a bare table, and not one of the other queues.
    pub fn is_own(side: &str) -> bool {
        [OURS, TABLE, FLOOR].contains(&side)
    }
}

/// The time from the death of a daemon to the retry.
pub mod detection {
    /// The time after the end of `stale_after`.
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
    /// The measured way.
    pub const OURS: &str = "multica_heartbeat()";
    /// The statement that the function runs.
    pub const RETURNING: &str = "UPDATE … RETURNING *";
    /// The function for many runtimes.
    pub const MANY: &str = "multica_heartbeat_many(), 100 a call";
}

/// A sweep that finds nothing to do.
pub mod idle {
    /// The measured way.
    pub const OURS: &str = "multica_sweep()";
}

/// A claim that finds nothing.
pub mod idle_claim {
    /// The measured way.
    pub const OURS: &str = "multica_claim()";
    /// The same statement, without the function around it.
    pub const LOOKUP: &str = "its lookup, prepared";
}

/// Heartbeats with the incarnation of their process.
pub mod incarnation {
    /// The measured way.
    pub const OURS: &str = "multica_heartbeat(…, incarnation)";
    /// The same call without the incarnation.
    pub const WITHOUT: &str = "multica_heartbeat()";
}

/// Claims beside tasks that wait for other runtimes.
pub mod waiting {
    /// Unit of the times of claims.
    pub const P99: &str = "ms, 99th percentile of a claim";
    /// Unit of what limits cost.
    pub const PROCESSOR: &str = "µs of a processor a claim";
    /// The measured way.
    pub const OURS: &str = "multica_claim()";
    /// The same without the other tasks.
    pub const ALONE: &str = "no other task waits";
    /// The same without the table of limits.
    pub const WITHOUT_LIMITS: &str = "the table of limits does not exist";
}

/// A sweep of orphaned tasks.
pub mod verdict {
    /// The measured way.
    pub const OURS: &str = "multica_sweep()";
    /// Set-based SQL by an author who knows the tables.
    pub const FLOOR: &str = "set-based SQL by hand";
    /// The statements of an application server.
    pub const SERVER: &str = "statement after statement";
    /// The same statements, from another machine.
    pub const DISTANT: &str = "statement after statement, 0.5 ms away";
}
