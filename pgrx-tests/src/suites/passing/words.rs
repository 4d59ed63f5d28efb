//! The words of the extension's own errors: in the page, through two drivers, and on every error that needs one.

#[path = "../../../../src/error/word.rs"]
#[allow(dead_code)]
mod word;

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use postgres::Client;

use self::word::Word;
use super::compare::error_of;
use crate::context::Context;
use crate::suites::errors::{good_arguments, routines, spoilt};
use crate::suites::support::{team, text};
use crate::tools::extras;

/// SQLSTATEs of the extension's own that mean more than one thing.
const NEED_A_WORD: [&str; 4] = ["55000", "55006", "0A000", "P0002"];

fn spelled(word: Word) -> String {
    word.text().to_string_lossy().into_owned()
}

/// The table of docs/errors.md is made of the words.
pub fn page_names_every_word(context: &Context) -> Result<()> {
    let mut table = String::from("| word | SQLSTATE | when | then |\n|---|---|---|---|\n");
    for word in Word::ALL {
        let [sqlstate, when, then] = word.explained();
        table.push_str(&format!(
            "| `{}` | {sqlstate} | {when} | {then} |\n",
            spelled(*word)
        ));
    }
    let file = context.project.root.join("docs/errors.md");
    let page = fs::read_to_string(&file)?;
    ensure!(
        page.contains(&table),
        "docs/errors.md must have this table:\n{table}"
    );
    Ok(())
}

/// Every call with every argument spoilt in turn: an error of a SQLSTATE that means several things has a known word.
pub fn no_error_that_needs_a_word_lacks_it(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute("SELECT task('e1', status => 'running')")?;
    let mut without = Vec::new();
    for routine in routines(&mut client)? {
        let good = good_arguments(&routine)?;
        for arguments in spoilt(&good, &routine.types) {
            client.batch_execute("BEGIN")?;
            let call = routine.call(&arguments);
            if let Err(error) = client.batch_execute(&call) {
                let error = error.as_db_error().context("an error of the server")?;
                let word = error.constraint().unwrap_or_default();
                let known = Word::ALL.iter().any(|known| spelled(*known) == word);
                if NEED_A_WORD.contains(&error.code().code()) && !known {
                    without.push(format!("{call}: {error:?}"));
                }
            }
            client.batch_execute("ROLLBACK")?;
        }
    }
    ensure!(without.is_empty(), "{}", without.join("\n"));
    Ok(())
}

/// A way to each word: what is done before, and the call. Taken back afterwards.
fn ways(context: &Context) -> Result<Vec<(String, String)>> {
    let ways = text(context, "words")?;
    let mut all = Vec::new();
    for part in ways.split("-- word: ").skip(1) {
        let (word, sql) = part.split_once('\n').context("a word has a way")?;
        all.push((word.trim().to_string(), sql.trim().to_string()));
    }
    Ok(all)
}

/// Words that take a standby, a publisher, another encoding or a race to be raised; suites of those topics raise them.
const ELSEWHERE: [Word; 4] = [
    Word::OnStandby,
    Word::LogReplicated,
    Word::WrongEncoding,
    Word::UnknownSchema,
];

pub fn words_are_read_through_two_drivers(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    let ways = ways(context)?;
    for word in Word::ALL.iter().filter(|word| !ELSEWHERE.contains(word)) {
        ensure!(
            ways.iter().any(|(known, _)| *known == spelled(*word)),
            "no way leads to {}",
            spelled(*word)
        );
    }
    let mut wrong = Vec::new();
    for (word, way) in &ways {
        let (code, found) = by_rust(&mut client, way).with_context(|| word.clone())?;
        let known = Word::ALL.iter().find(|it| spelled(**it) == found);
        let sqlstate = known.map(|word| word.explained()[0]);
        if *word != found || sqlstate != Some(code.as_str()) {
            wrong.push(format!("{word}: {code} {found}"));
        }
    }
    ensure!(
        wrong.is_empty(),
        "the Rust driver reads\n{}",
        wrong.join("\n")
    );
    drop(client);
    let python = extras::python(
        &context.project,
        "examples",
        &context.project.root.join("docs/examples/requirements.txt"),
    )?;
    let address = format!(
        "host={} user=postgres dbname={}",
        database.cluster().socket_folder().display(),
        database.name
    );
    let output = Command::new(python)
        .arg(context.fixtures().join("words.py"))
        .arg(address)
        .arg(context.fixtures().join("words.sql"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    let read = String::from_utf8_lossy(&output.stdout);
    let expected: Vec<String> = ways
        .iter()
        .map(|(word, _)| format!("{word} {word}"))
        .collect();
    ensure!(
        read.lines().eq(expected.iter().map(String::as_str)),
        "psycopg reads\n{read}"
    );
    Ok(())
}

fn by_rust(client: &mut Client, way: &str) -> Result<(String, String)> {
    client.batch_execute("BEGIN")?;
    let error = error_of(client, way);
    client.batch_execute("ROLLBACK")?;
    let error = error?;
    let word = error.constraint().unwrap_or_default().to_string();
    Ok((error.code().code().to_string(), word))
}
