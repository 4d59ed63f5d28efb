//! Registrations and heartbeats on the tables of servers of several generations: runtimes of profiles, names that users
//! give, and heartbeats where an index contains the time of the last one.

use anyhow::{Context as _, Result};
use postgres::Client;

use super::Suite;
use super::support::{expect, expect_state};
use crate::context::Context;
use crate::database::Database;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] =
    suite![lookups_return_columns_of_every_generation, reason_is_stored_until_registration,];

/// The first and the last generation, and those around the migration that added profiles.
const GENERATIONS: [&str; 4] = ["055", "109", "121", "397"];

/// A database of this generation with rows, in which the extension is installed.
fn adopted<'a>(context: &'a Context, generation: &str) -> Result<(Database<'a>, Client)> {
    let database = context.generation_with_rows(generation)?;
    let mut client = database.connect()?;
    client.batch_execute("CREATE EXTENSION multica; SELECT FROM multica_install()")?;
    Ok((database, client))
}

/// A registration of daemon `machine-online` in workspace 1, with these members of the JSON object.
fn register(members: &str) -> String {
    format!("multica_register(md5('workspace 1')::uuid, '{{\"daemon_id\": \"machine-online\", {members}}}')")
}

fn lookups_return_columns_of_every_generation(context: &Context) -> Result<()> {
    for (generation, expected) in
        [("055", " f "), ("109", "private f "), ("121", "private t "), ("397", "private t Lab")]
    {
        let (_database, mut client) = adopted(context, generation)?;
        if generation == "397" {
            client.batch_execute("UPDATE agent_runtime SET custom_name = 'Lab'")?;
        }
        let runtime = if generation < "121" { "online" } else { "fast" };
        let id = format!("md5('runtime {runtime}')::uuid");
        for call in [
            format!("multica_get_runtime({id})"),
            format!("multica_get_runtime_for_workspace({id}, md5('workspace 1')::uuid)"),
            "multica_list_runtimes(md5('workspace 1')::uuid)".into(),
            "multica_list_runtimes_by_owner(md5('workspace 1')::uuid, md5('user 1')::uuid)".into(),
            format!("multica_heartbeat({id})"),
        ] {
            let sql = format!(
                "SELECT visibility, profile_id IS NOT NULL, custom_name FROM {call} WHERE name = '{runtime}' AND id = {id}"
            );
            expect(&mut client, &sql, expected).with_context(|| format!("{call} in {generation}"))?;
        }
    }
    Ok(())
}

fn reason_is_stored_until_registration(context: &Context) -> Result<()> {
    for generation in GENERATIONS {
        let (_database, mut client) = adopted(context, generation)?;
        let runtime = "md5('runtime online')::uuid";
        let state = format!(
            "SELECT status, metadata ->> 'version', metadata -> 'offline_reason' ->> 'code' FROM agent_runtime WHERE id = {runtime}"
        );
        let events = "SELECT count(*) FROM multica_event_log WHERE payload ->> 'action' = 'deregister'";
        let offline = format!("SELECT multica_set_runtime_offline({runtime}");
        expect(&mut client, &format!("{offline}, '{{\"code\": \"not_executable\"}}')"), "t")?;
        expect(&mut client, &state, "offline 1.0 not_executable")?;
        client.batch_execute(&format!("SELECT multica_heartbeat({runtime})"))?;
        expect(&mut client, &state, "online 1.0 not_executable")?;
        client.batch_execute(&format!("{offline})"))?;
        expect(&mut client, &state, "offline 1.0 not_executable")?;
        // The reason arrives after the runtime has gone offline.
        expect(&mut client, &format!("{offline}, '{{\"code\": \"stopped\"}}')"), "f")?;
        expect(&mut client, &state, "offline 1.0 stopped")?;
        expect(&mut client, events, "3")?;
        expect(&mut client, &format!("{offline}, NULL)"), "f")?;
        expect(&mut client, events, "3")?;
        let many = format!("SELECT multica_deregister(ARRAY[{runtime}, md5('runtime silent')::uuid]");
        expect(&mut client, &format!("{many}, '{{\"code\": \"quit\"}}')"), "1")?;
        expect(&mut client, &state, "offline 1.0 quit")?;
        for wrong in ["[]", "1", "null", "\"text\""] {
            expect_state(&mut client, &format!("{offline}, '{wrong}')"), "22023")?;
            expect_state(&mut client, &format!("{many}, '{wrong}')"), "22023")?;
        }
        client.batch_execute(&format!("SELECT {}", register(r#""runtimes": [{"type": "claude", "version": "2"}]"#)))?;
        expect(&mut client, &state, "online 2 ")?;
    }
    Ok(())
}
