//! A verdict: tasks are failed, with every consequence, in one transaction.

use std::collections::HashSet;

use pgrx::Uuid;

use super::consequences::{self, Consequences, Reason};
use super::event::{Call, TaskSnapshot};
use super::many_rows;
use super::writer::{Writer, warn};
use crate::postgres::statement::{Statement, arg};

static ORPHANS: Statement = Statement::volatile(sql!("lifecycle/verdict/orphan_candidates.sql"));
static ORPHANS_OF_OTHERS: Statement = Statement::volatile(sql!("lifecycle/verdict/orphans_of_others.sql"));

/// Tasks that a stage failed, and what followed.
#[derive(Default)]
pub struct Verdict {
    /// Tasks failed.
    pub failed: Vec<Uuid>,
    /// What followed.
    pub consequences: Consequences,
}

/// Returns the locked tasks that are still orphans. A task may have been moved to another runtime before it was locked,
/// or claimed again by the process of the caller.
pub fn still_orphans(locked: Vec<Uuid>, runtimes: &[Uuid], running: &[Uuid], incarnation: Option<Uuid>) -> Vec<Uuid> {
    let now: HashSet<Uuid> = orphans_of(runtimes, running, incarnation).into_iter().collect();
    locked.into_iter().filter(|task| now.contains(task)).collect()
}

/// Fails tasks in flight whose locks are held, and applies the consequences.
pub fn verdict(tasks: Vec<Uuid>, reason: &Reason, call: &mut Call) -> Verdict {
    if tasks.is_empty() {
        return Verdict::default();
    }
    let failed = consequences::fail(tasks, reason, call.now());
    settle(&failed, call)
}

fn settle(failed: &[TaskSnapshot], call: &mut Call) -> Verdict {
    let consequences = consequences::apply_consequences(failed, |_| true, call);
    Verdict { failed: failed.iter().map(TaskSnapshot::id).collect(), consequences }
}

/// Fails tasks in flight whose locks are held, and skips those that cannot be written.
pub fn fail_with_consequences(tasks: &[Uuid], reason: &Reason, writer: &mut Writer, call: &Call) -> Verdict {
    in_pieces(tasks, writer, call, |piece, part| verdict(piece, reason, part))
}

/// As [`fail_with_consequences`], for tasks that no daemon has yet.
pub fn fail_waiting_with_consequences(tasks: &[Uuid], reason: &Reason, writer: &mut Writer, call: &Call) -> Verdict {
    in_pieces(tasks, writer, call, |piece, part| {
        let failed = consequences::fail_waiting(piece, reason, part.now());
        settle(&failed, part)
    })
}

fn in_pieces(
    tasks: &[Uuid],
    writer: &mut Writer,
    call: &Call,
    verdict: impl Fn(Vec<Uuid>, &mut Call) -> Verdict,
) -> Verdict {
    let mut all = Verdict::default();
    for verdict in writer.parts(tasks, call, |piece, part| verdict(piece.to_vec(), part)) {
        all.failed.extend(verdict.failed);
        all.consequences += verdict.consequences;
    }
    writer.keep_out(tasks, all.failed.iter().copied());
    all
}

/// Fails orphans whose locks are held. An orphan that cannot be written stays in flight and is reported in a WARNING; a
/// sweep fails it once it has timed out. `checks_deferred`: as for [`super::writer::attempt`].
pub fn recover(orphans: &[Uuid], call: &Call, checks_deferred: bool) -> Verdict {
    if orphans.is_empty() {
        return Verdict::default();
    }
    many_rows::write(orphans, checks_deferred, |piece| {
        call.part(|part| verdict(piece.to_vec(), &consequences::RUNTIME_RECOVERY, part))
    })
}

/// Leaves orphans in flight, because other sessions hold rows that their failure writes, and reports it in a WARNING.
pub fn postpone_recovery(orphans: &[Uuid]) {
    if !orphans.is_empty() {
        warn(format!(
            "multica could not fail {} orphans: other sessions hold rows that their failure writes; \
             a sweep fails them once they have timed out",
            orphans.len()
        ));
    }
}

/// Returns the tasks in flight on the runtimes that are not in `running` and that the process with this incarnation has
/// not claimed itself. They are read without locks.
pub fn orphans_of(runtimes: &[Uuid], running: &[Uuid], incarnation: Option<Uuid>) -> Vec<Uuid> {
    let mut args = vec![arg(runtimes.to_vec()), arg(running.to_vec())];
    let Some(incarnation) = incarnation else { return ORPHANS.rows(&args, |row| row.must(1)) };
    args.push(arg(incarnation));
    ORPHANS_OF_OTHERS.rows(&args, |row| row.must(1))
}
