//! The same error from a statement of a user and from a call, compared field by field.

use anyhow::{Context as _, Result, bail, ensure};
use postgres::Client;
use postgres::error::{DbError, ErrorPosition};

use super::cases::{CASES, Case};
use crate::cluster::Options;
use crate::context::Context;
use crate::database::Database;
use crate::suites::support::expect;

/// All fields of an error except its context.
type Fields = Vec<(&'static str, String)>;

/// The error of a statement.
pub fn error_of(client: &mut Client, sql: &str) -> Result<DbError> {
    let Err(error) = client.batch_execute(sql) else {
        bail!("{sql}\nsucceeds");
    };
    let error = error.as_db_error().with_context(|| format!("{error:?}"))?;
    Ok(error.clone())
}

/// Returns the fields that a client receives, except the context.
pub fn fields(error: &DbError) -> Fields {
    let position = match error.position() {
        None => String::new(),
        Some(ErrorPosition::Original(at)) => format!("at {at}"),
        Some(ErrorPosition::Internal { position, query }) => format!("at {position} of {query}"),
    };
    let text = |field: Option<&str>| field.unwrap_or_default().to_string();
    vec![
        ("severity", error.severity().into()),
        ("sqlstate", error.code().code().into()),
        ("message", error.message().into()),
        ("detail", text(error.detail())),
        ("hint", text(error.hint())),
        ("schema", text(error.schema())),
        ("table", text(error.table())),
        ("column", text(error.column())),
        ("datatype", text(error.datatype())),
        ("constraint", text(error.constraint())),
        ("position", position),
        ("file", text(error.file())),
        ("line", error.line().unwrap_or_default().to_string()),
        ("function", text(error.routine())),
    ]
}

/// Fails unless `through` is the same error as `plain`, raised in a statement of the extension.
pub fn ensure_same(name: &str, plain: &DbError, through: &DbError, hint: Option<&str>) -> Result<()> {
    let mut expected = fields(plain);
    if let Some(hint) = hint {
        expected.retain(|(field, _)| *field != "hint");
        expected.insert(4, ("hint", hint.to_string()));
    }
    let found = fields(through);
    ensure!(found == expected, "{name}\n{found:#?}\nis not\n{expected:#?}");
    let below = plain.where_().map(|text| format!("{text}\n"));
    let rest = through
        .where_()
        .and_then(|text| text.strip_prefix(&below.unwrap_or_default()))
        .with_context(|| format!("{name}: the context is {:?}", through.where_()))?;
    let statements = rest.matches("SQL statement \"").count();
    ensure!(
        rest.starts_with("SQL statement \"") && statements == 1 && !rest.contains("--"),
        "{name}: the context of the extension is {rest}"
    );
    Ok(())
}

/// Runs each case in a database with the fixture `team`, and rolls it back afterwards.
pub fn compare_all(database: &Database) -> Result<()> {
    let mut client = database.connect()?;
    client.batch_execute("SELECT task('e1', status => 'dispatched'), task('e2', agent => 'c2')")?;
    for case in CASES {
        compare(database, &mut client, case).with_context(|| case.name)?;
    }
    // After all errors, a call in the same database session still works.
    expect(&mut client, "SELECT status FROM multica_start('00000000-0000-4000-8000-0000000000e1')", "running")
}

fn compare(database: &Database, client: &mut Client, case: &Case) -> Result<()> {
    let mut other = database.connect()?;
    client.batch_execute(&format!("BEGIN {}; {}", case.begin, case.setup))?;
    other.batch_execute(case.meanwhile)?;
    client.batch_execute(case.as_caller)?;
    let mut errors = Vec::new();
    for sql in [case.plain, case.through] {
        client.batch_execute("SAVEPOINT before")?;
        errors.push(error_of(client, sql)?);
        client.batch_execute("ROLLBACK TO before")?;
    }
    client.batch_execute("ROLLBACK")?;
    let code = errors[0].code().code();
    ensure!(code == case.sqlstate, "fails with {code}: {:?}", errors[0]);
    ensure_same(case.name, &errors[0], &errors[1], case.hint)
}

/// The error of a full disk names a file and block that differ from one attempt to the next.
pub fn full_disk_error_keeps_every_field(context: &Context) -> Result<()> {
    let cluster = context.cluster(&Options::new("full_disk").on_small_disk(96))?;
    let database = context.fresh_database_in(&cluster)?;
    database.fixture("team")?;
    let mut client = database.connect()?;
    // These calls make sure that statements are already parsed and planned when the disk is full.
    let large = "(SELECT string_agg(md5(g::text), '') FROM generate_series(1, 2000) AS g)";
    let plain = format!("UPDATE agent_task_queue SET error = {large}");
    let through = format!("SELECT multica_fail('00000000-0000-4000-8000-0000000000e1', {large})");
    client.batch_execute("SELECT task('e1', status => 'running')")?;
    client.batch_execute("BEGIN; SELECT multica_fail('00000000-0000-4000-8000-0000000000e1', 'warm'); ROLLBACK")?;
    let Some(_ballast) = cluster.fill_disk()? else {
        return Ok(());
    };
    let [plain, through] = [plain, through].map(|sql| error_of(&mut client, &sql));
    let (plain, through) = (plain?, through?);
    let masked = |error: &DbError| -> Fields {
        let digits = |text: String| text.replace(|letter: char| letter.is_ascii_digit(), "0");
        let all = fields(error).into_iter();
        all.map(|(name, text)| (name, if name == "message" { digits(text) } else { text })).collect()
    };
    ensure!(plain.code().code() == "53100", "{plain:?}");
    ensure!(masked(&plain) == masked(&through), "{through:?}\nis not\n{plain:?}");
    let context = through.where_().unwrap_or_default();
    ensure!(context.contains("SQL statement \"UPDATE "), "{context}");
    Ok(())
}
