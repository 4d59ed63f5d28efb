//! Databases that install must refuse.

use anyhow::{Context as _, Result, ensure};

use super::support::{catalogue, refusal, rows, same, server};
use crate::context::Context;
use crate::database::Database;

/// A change of the server's database, and the error that install must raise for it.
struct Case {
    change: &'static str,
    state: &'static str,
    words: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        change: "DROP TABLE member; CREATE TABLE member (id uuid, card_number integer)",
        state: "55000",
        words: &["\"member\"", "\"workspace_id\""],
    },
    Case { change: "ALTER TABLE issue DROP COLUMN origin_id", state: "55000", words: &["\"issue\"", "\"origin_id\""] },
    Case {
        change: "ALTER TABLE agent_task_queue ALTER COLUMN error TYPE jsonb USING to_jsonb(error)",
        state: "55000",
        words: &["\"error\"", "\"agent_task_queue\"", "jsonb", "text"],
    },
    Case {
        change: "ALTER TABLE agent_task_queue ALTER COLUMN attempt TYPE bigint",
        state: "55000",
        words: &["\"attempt\"", "bigint", "integer"],
    },
    Case {
        change: "ALTER TABLE chat_message RENAME TO chat_message_1; CREATE VIEW chat_message AS SELECT * FROM chat_message_1",
        state: "55000",
        words: &["\"chat_message\" is not a table"],
    },
    Case {
        change: "ALTER TABLE agent_runtime DROP CONSTRAINT agent_runtime_workspace_id_daemon_id_provider_key;
                 CREATE UNIQUE INDEX by_profile ON agent_runtime (workspace_id, daemon_id, provider, name)",
        state: "0A000",
        words: &["(workspace_id, daemon_id, provider)", "by_profile"],
    },
    Case {
        change: "ALTER TABLE agent_runtime DROP CONSTRAINT agent_runtime_workspace_id_daemon_id_provider_key;
                 CREATE UNIQUE INDEX of_online ON agent_runtime (workspace_id, daemon_id, provider) WHERE status = 'online'",
        state: "0A000",
        words: &["(workspace_id, daemon_id, provider)", "of_online"],
    },
    Case {
        change: "CREATE UNIQUE INDEX of_daemon ON agent_runtime (workspace_id, lower(daemon_id))",
        state: "0A000",
        words: &["(workspace_id, daemon_id, provider)", "of_daemon"],
    },
    Case {
        change: "ALTER TABLE agent_runtime DROP CONSTRAINT agent_runtime_workspace_id_daemon_id_provider_key",
        state: "0A000",
        words: &["no unique key (workspace_id, daemon_id, provider)"],
    },
];

/// Each error names its reason and has a hint; neither catalogue nor rows are changed.
pub fn refused_install_names_reason_and_changes_nothing(context: &Context) -> Result<()> {
    for case in CASES {
        let database = server(context, case.change)?;
        let mut client = database.connect()?;
        let before = (catalogue(&mut client)?, rows(&mut client)?);
        let error = refusal(&mut client).with_context(|| case.change.to_string())?;
        ensure!(error.code().code() == case.state, "{}: {error:?}", case.change);
        let text = format!("{} {}", error.message(), error.detail().unwrap_or_default());
        for word in case.words {
            ensure!(text.contains(word), "{word} is not in: {text}");
        }
        ensure!(error.hint().is_some(), "no hint: {error:?}");
        let dry = client.query("SELECT * FROM multica_install(true)", &[]);
        ensure!(dry.is_err(), "a dry run was not refused: {}", case.change);
        same("the catalogues", &catalogue(&mut client)?, &before.0)?;
        same("the rows", &rows(&mut client)?, &before.1)?;
    }
    Ok(())
}

/// In another encoding an accented letter in an argument would cause an internal error, so install refuses such a
/// database.
pub fn encodings_other_than_utf8_are_refused(context: &Context) -> Result<()> {
    for encoding in ["LATIN1", "SQL_ASCII", "EUC_JP"] {
        let template = format!("template0 ENCODING '{encoding}' LOCALE 'C'");
        let database = Database::create(context.shared()?, &template, &context.fixtures())?;
        let mut client = database.connect()?;
        client.batch_execute("CREATE EXTENSION multica")?;
        let before = catalogue(&mut client)?;
        let error = refusal(&mut client)?;
        ensure!(error.code().code() == "0A000", "{encoding}: {error:?}");
        ensure!(error.message().contains(encoding), "{error:?}");
        ensure!(error.hint().is_some_and(|hint| hint.contains("UTF8")), "{error:?}");
        let dry = client.query("SELECT * FROM multica_install(true)", &[]);
        ensure!(dry.is_err(), "a dry run was not refused: {encoding}");
        same("the catalogues", &catalogue(&mut client)?, &before)?;
    }
    Ok(())
}

/// The worker runs as the owner of the tables, so all tables must have the same owner.
pub fn several_table_owners_are_refused(context: &Context) -> Result<()> {
    let database = server(context, "")?;
    let mut client = database.connect()?;
    let role = format!("other_of_{}", database.name);
    client.batch_execute(&format!("CREATE ROLE {role}; ALTER TABLE comment OWNER TO {role}"))?;
    let before = catalogue(&mut client)?;
    let error = refusal(&mut client)?;
    ensure!(error.code().code() == "42501", "{error:?}");
    ensure!(
        error.detail().is_some_and(|detail| detail.contains(&format!("\"comment\" belongs to {role}"))),
        "{error:?}"
    );
    same("the catalogues", &catalogue(&mut client)?, &before)?;
    client.batch_execute(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}"))?;
    Ok(())
}

/// Install refuses a role that does not own the tables, an owner without the privilege to create objects, and a NULL
/// argument.
pub fn unprivileged_roles_are_refused(context: &Context) -> Result<()> {
    let database = server(context, "")?;
    let mut superuser = database.connect()?;
    let role = format!("stranger_of_{}", database.name);
    superuser.batch_execute(&format!("CREATE ROLE {role} LOGIN"))?;
    let mut client = database.connect_as(&role)?;
    let error = refusal(&mut client)?;
    ensure!(error.code().code() == "42501", "without EXECUTE: {error:?}");
    superuser.batch_execute(&format!("GRANT EXECUTE ON FUNCTION multica_install TO {role}"))?;
    let error = refusal(&mut client)?;
    ensure!(error.code().code() == "42501", "{error:?}");
    ensure!(error.message().contains("belong to"), "{error:?}");
    superuser.batch_execute(&format!(
        "DO $$ DECLARE t regclass; BEGIN
             FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP
                 EXECUTE format('ALTER TABLE %s OWNER TO {role}', t);
             END LOOP;
         END $$"
    ))?;
    let error = refusal(&mut client)?;
    ensure!(error.code().code() == "42501", "{error:?}");
    ensure!(error.hint().is_some_and(|hint| hint.contains("GRANT CREATE ON SCHEMA public")), "{error:?}");
    superuser.batch_execute(&format!(
        "GRANT CREATE ON SCHEMA public TO {role}; ALTER TABLE schema_migrations OWNER TO CURRENT_USER;
         ALTER TABLE agent_task_queue DROP COLUMN attempt; DELETE FROM schema_migrations"
    ))?;
    let error = refusal(&mut client)?;
    ensure!(
        error.message().contains("schema_migrations"),
        "install added a column without recording its migration: {error:?}"
    );
    let closed = format!("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC", database.name);
    superuser.batch_execute(&closed)?;
    let error = refusal(&mut client)?;
    ensure!(error.hint().is_some_and(|hint| hint.contains("GRANT TEMPORARY")), "{error:?}");
    let null = superuser.query("SELECT * FROM multica_install(NULL)", &[]).expect_err("install accepted NULL");
    ensure!(null.code().is_some_and(|code| code.code() == "22004"), "{null}");
    superuser.batch_execute(&format!("DROP OWNED BY {role} CASCADE"))?;
    drop(client);
    superuser.batch_execute(&format!("DROP ROLE {role}"))?;
    Ok(())
}
