//! Bytes that an agent printed, which Postgres refuses as jsonb or text.

use anyhow::{Result, ensure};

use super::{of, on_own_work, on_work, rerun};
use crate::context::Context;
use crate::suites::support::{expect, value};

/// Returns bytes as an SQL literal.
fn bytes(text: &[u8]) -> String {
    let digits: String = text.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("'\\x{digits}'::bytea")
}

pub fn text_that_cannot_be_stored_ends_its_task(context: &Context) -> Result<()> {
    on_work(context, &[], |place, client| {
        for (result, expected) in [
            (&br#"{"a\u0000b": [{"out\u0000put": "x\u0000y"}]}"#[..], r#"{"ab": [{"output": "xy"}]}"#),
            (br#"{"output": "half \ud83d of a pair"}"#, "{\"output\": \"half \u{fffd} of a pair\"}"),
            (b"{\"output\": \"no \xff UTF-8\"}", "{\"output\": \"no \u{fffd} UTF-8\"}"),
            (b"{\"output\": \"cut of", r#""{\"output\": \"cut of""#),
            (b"{\"output\": \"two\nlines\"}", r#"{"output": "two\nlines"}"#),
        ] {
            let given = bytes(result);
            rerun(place, client, "task x")?;
            let complete = format!("SELECT status, applied FROM multica_complete_raw(md5('task x')::uuid, {given})");
            expect(client, &complete, "completed t")?;
            expect(client, &of("result", "task x"), expected)?;
            expect(client, &format!("SELECT multica_clean({given})"), expected)?;
        }
        rerun(place, client, "task x")?;
        let error = bytes(b"dial tcp\0: \xffi/o timeout");
        let extra = bytes(br#"{"branch_name": "wo\u0000rk"}"#);
        let fail = format!("SELECT status FROM multica_fail_raw(md5('task x')::uuid, {error}, extra => {extra})");
        expect(client, &fail, "failed")?;
        expect(client, &of("error", "task x"), "dial tcp: \u{fffd}i/o timeout")?;
        if place.has("fresh") {
            expect(client, &of("failure_reason", "task x"), "agent_error.provider_network")?;
        }
        if place.has("branch") {
            expect(client, &of("branch_name", "task x"), "work")?;
        }
        expect(client, "SELECT multica_clean(NULL) IS NULL", "t")
    })
}

pub fn bytes_and_jsonb_have_the_same_result(context: &Context) -> Result<()> {
    on_own_work(context, |place, client| {
        let row = of("to_jsonb(t) - 'started_at' - 'completed_at'", "task x");
        let row = row.replace("agent_task_queue", "agent_task_queue AS t");
        let mut rows = Vec::new();
        for raw in ["", "_raw"] {
            for call in [
                format!(
                    r#"multica_complete{raw}(md5('task x')::uuid, '{{"n": 1e400}}', 'session', '/work',
                    extra => '{{"branch_name": "work"}}', issue_status => 'done')"#
                ),
                format!(
                    "multica_fail{raw}(md5('task x')::uuid, 'exit status 1', 'other', 'session', '/work', extra => '{{}}')"
                ),
            ] {
                rerun(place, client, "task x")?;
                client.batch_execute(&format!("SELECT FROM {call}"))?;
                rows.push(value(client, &row)?);
            }
        }
        ensure!(rows[0] == rows[2] && rows[1] == rows[3], "{rows:#?}");
        Ok(())
    })
}
