//! The launcher. It knows which databases must be swept and when, and starts a worker for each database that is due.

use std::collections::HashMap;
use std::time::Duration;

use pgrx::bgworkers::BackgroundWorkerBuilder;
use pgrx::prelude::*;

use super::database::Target;
use super::ffi::{self, Started};
use super::reading::{Beginning, Outcome, Readings};
use super::shared::{self, Micros};
use super::word;
use crate::settings;

/// The settings of databases are read before workers are started, but not more often than this.
const FRESH_ENOUGH: i64 = 1_000_000;

/// A worker exits by itself after three seconds. A worker that still runs after this time is terminated.
const OVERSTAY: i64 = 6_000_000;

/// If a wait lasted this much longer than requested, the machine was suspended, for example a laptop.
const STOOD_STILL: i64 = 10_000_000;

/// Entry of the launcher's process.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn multica_launcher_main(_argument: pg_sys::Datum) {
    ffi::take_signals();
    // SAFETY: a variable of this process, which only this thread writes.
    shared::launcher_began(unsafe { pg_sys::MyProcPid }, ffi::now());
    // SAFETY: the callback exists as long as the library; without a name the process connects to no database.
    unsafe {
        pg_sys::before_shmem_exit(Some(at_exit), pg_sys::Datum::null());
        // A database cannot be renamed, dropped or used as a template while a process is connected to it.
        pg_sys::BackgroundWorkerInitializeConnection(std::ptr::null(), std::ptr::null(), 0);
    }
    ffi::set_as_autovacuum_does(c"multica launcher");
    let mut launcher = Launcher::default();
    loop {
        launcher.turn();
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn at_exit(_code: i32, _argument: pg_sys::Datum) {
    shared::launcher_ended();
}

#[derive(Default)]
struct Launcher {
    targets: HashMap<pg_sys::Oid, Target>,
    readings: Readings,
    /// No worker is started before this moment, after the server had no slot for one.
    held_until: Micros,
    /// What was logged about databases with an invalid value of `multica.sweep`.
    misspelt: HashMap<pg_sys::Oid, String>,
    left_over: usize,
}

impl Launcher {
    /// Does what is due and waits until something is due again. It never returns on SIGTERM, because a launcher that
    /// exits cleanly is not started again before the server restarts.
    fn turn(&mut self) {
        if ffi::reload_if_asked() {
            self.keep_to_the_interval(ffi::now());
            self.readings.put_nothing_off(ffi::now());
        }
        self.collect(ffi::now());
        if let Some(outcome) = self.readings.collect(ffi::now(), interval()) {
            self.take_over(outcome, ffi::now());
        }
        self.read_if_needed(ffi::now());
        self.start_due(ffi::now());
        let before = ffi::now();
        let wait = (self.next_moment(before) - before).max(0);
        ffi::wait(Duration::from_micros(wait as u64 + 999));
        let now = ffi::now();
        if now - before > wait.saturating_add(STOOD_STILL) {
            log!("multica launcher: the system was suspended; waiting for heartbeats before sweeping");
            shared::resumed_at(now);
        }
        if now < before {
            // The clock was set back. Nothing must wait until the clock reaches the former time again.
            self.readings.put_nothing_off(now);
            self.held_until = now;
            let latest = now.saturating_add(interval());
            for target in self.targets.values_mut() {
                target.due = target.due.min(latest);
            }
        }
    }

    /// Makes no database wait for the old interval after the interval was shortened.
    fn keep_to_the_interval(&mut self, now: Micros) {
        let latest = now.saturating_add(interval());
        for target in self.targets.values_mut().filter(|target| target.failures == 0) {
            target.due = target.due.min(latest);
        }
    }

    fn collect(&mut self, now: Micros) {
        for (database, target) in &mut self.targets {
            if target.worker.take_if(|worker| worker.ended()).is_some() {
                target.settle(shared::report(*database), now, interval());
                target.compare(shared::of(*database).is_some_and(|slot| slot.needs_update));
                shared::scheduled(*database, target.due, target.failures);
            }
            target.keep_time(now);
        }
    }

    fn read_if_needed(&mut self, now: Micros) {
        let age = self.readings.age(now);
        let asked = self.targets.values().any(|target| target.is_due(now));
        let needed = age >= interval() || (asked && age >= FRESH_ENOUGH);
        if !needed || !self.readings.is_free(now) || now < self.held_until || self.free() == 0 {
            return;
        }
        if let Beginning::NoSlot = self.readings.begin(now, interval()) {
            self.wait_for_a_slot(now);
        }
    }

    fn take_over(&mut self, outcome: Outcome, now: Micros) {
        let mut wanted = HashMap::new();
        let mut misspelt = HashMap::new();
        for setting in outcome.settings {
            let database = outcome
                .databases
                .iter()
                .find(|database| database.oid == setting.database && database.is_connectable && !database.is_template);
            let Some(database) = database else { continue };
            match setting.value().to_ascii_lowercase().as_str() {
                "on" => {
                    wanted.insert(database.oid, database.name.clone());
                }
                "off" => (),
                _ => {
                    let line = format!(
                        "database \"{}\" has multica.sweep = '{}', which is neither on nor off; it is not swept",
                        database.name,
                        setting.value()
                    );
                    misspelt.insert(database.oid, line);
                }
            }
        }
        for (database, line) in &misspelt {
            if self.misspelt.get(database) != Some(line) {
                log!("multica launcher: {line}");
            }
        }
        self.misspelt = misspelt;
        self.targets.retain(|database, target| wanted.contains_key(database) || target.worker.is_some());
        for (database, name) in wanted {
            self.targets
                .entry(database)
                .and_modify(|target| target.name.clone_from(&name))
                .or_insert_with(|| Target::new(name, now));
        }
        self.give_slots(outcome.omitted);
    }

    /// Assigns a slot to each database. `omitted`: how many databases the list of settings had no place for.
    fn give_slots(&mut self, omitted: usize) {
        let mut databases: Vec<_> = self.targets.keys().copied().collect();
        databases.sort_unstable_by_key(|database| database.to_u32());
        let left_over = shared::keep(&databases);
        let not_swept = left_over.len() + omitted;
        if not_swept > self.left_over {
            log!(
                "multica launcher: more than {} databases have multica.sweep = on; {not_swept} of them are not swept",
                shared::SLOTS,
            );
        }
        self.left_over = not_swept;
        for database in left_over {
            self.targets.remove(&database);
        }
    }

    /// Starts workers for the databases that are due; those that have waited longest come first.
    fn start_due(&mut self, now: Micros) {
        if now < self.held_until || self.readings.is_awaited(now) {
            return;
        }
        let mut due: Vec<_> = self
            .targets
            .iter()
            .filter(|(_, target)| target.is_due(now))
            .map(|(database, target)| (target.due, *database))
            .collect();
        due.sort_unstable_by_key(|(since, database)| (*since, database.to_u32()));
        for (_, database) in due.into_iter().take(self.free()) {
            if !self.start(database, now) {
                self.wait_for_a_slot(now);
                return;
            }
        }
    }

    fn wait_for_a_slot(&mut self, now: Micros) {
        log!("multica launcher: no background worker could be started; max_worker_processes may be too low");
        self.held_until = now.saturating_add(interval());
    }

    fn start(&mut self, database: pg_sys::Oid, now: Micros) -> bool {
        let (Some(target), Some(launch)) = (self.targets.get_mut(&database), shared::prepare(database)) else {
            return true;
        };
        let builder = BackgroundWorkerBuilder::new("multica worker")
            .set_library("multica")
            .set_function("multica_worker_main")
            .enable_spi_access()
            .set_argument(Some(word::pack(database, launch)));
        target.worker = Started::start(builder);
        target.started = now;
        target.kill_at = now.saturating_add(OVERSTAY);
        target.worker.is_some()
    }

    fn running_targets(&self) -> impl Iterator<Item = &Target> {
        self.targets.values().filter(|target| target.worker.is_some())
    }

    /// Returns how many more processes may be started now. A settings reader takes the place of a worker.
    fn free(&self) -> usize {
        let running = self.running_targets().count() + usize::from(self.readings.is_underway());
        (settings::max_workers() as usize).saturating_sub(running)
    }

    /// Returns when the launcher must act again at the latest. The end of a process that it started wakes it earlier.
    fn next_moment(&self, now: Micros) -> Micros {
        let overstay = self.running_targets().map(|target| target.kill_at).min().unwrap_or(Micros::MAX);
        let reading = self.readings.next_moment(now, interval());
        if self.readings.is_underway() {
            let overstay = overstay.min(reading);
            return match self.readings.awaited_until() {
                Some(moment) if now < moment => overstay.min(moment),
                _ => overstay.min(self.next_due()),
            };
        }
        if self.free() == 0 {
            return overstay;
        }
        overstay.min(reading.max(self.held_until)).min(self.next_due())
    }

    /// Returns when the next worker can be started.
    fn next_due(&self) -> Micros {
        if self.free() == 0 {
            return Micros::MAX;
        }
        self.targets
            .values()
            .filter(|target| target.worker.is_none())
            .map(|target| target.due.max(self.held_until))
            .min()
            .unwrap_or(Micros::MAX)
    }
}

fn interval() -> i64 {
    settings::sweep_interval_ms() as i64 * 1000
}
