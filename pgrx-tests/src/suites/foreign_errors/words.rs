//! The words of the extension's own errors. They are in the documentation, two drivers can read them, and every error
//! whose SQLSTATE is ambiguous has one.

#[path = "../../../../src/error/word.rs"]
#[allow(dead_code)]
mod word;

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use postgres::Client;

use self::word::Word;
use super::compare::error_of;
use crate::cluster::Cluster;
use crate::context::Context;
use crate::database::Database;
use crate::suites::errors::{good_arguments, routines, spoilt};
use crate::suites::support::{team, text};
use crate::tools::extras;

/// SQLSTATEs of the extension's own errors that have more than one meaning.
const AMBIGUOUS: [&str; 4] = ["55000", "55006", "0A000", "P0002"];

fn spelled(word: Word) -> String {
    word.text().to_string_lossy().into_owned()
}

/// The table in docs/errors.md is generated from the words.
pub fn docs_list_every_error_word(context: &Context) -> Result<()> {
    let mut table = String::from("| word | SQLSTATE | when | then |\n|---|---|---|---|\n");
    for word in Word::ALL {
        let [sqlstate, when, then] = word.explained();
        table.push_str(&format!("| `{}` | {sqlstate} | {when} | {then} |\n", spelled(*word)));
    }
    let file = context.project.root.join("docs/errors.md");
    let page = fs::read_to_string(&file)?;
    ensure!(page.contains(&table), "docs/errors.md must have this table:\n{table}");
    Ok(())
}

/// Makes every call with each argument invalid in turn. An error with an ambiguous SQLSTATE must have a known word.
pub fn ambiguous_errors_have_a_word(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute("SELECT task('e1', status => 'running')")?;
    let mut wrong = Vec::new();
    for routine in routines(&mut client)? {
        let good = good_arguments(&routine)?;
        for arguments in spoilt(&good, &routine.types) {
            client.batch_execute("BEGIN")?;
            let call = routine.call(&arguments);
            if let Err(error) = client.batch_execute(&call) {
                let error = error.as_db_error().context("an error of the server")?;
                let word = error.constraint().unwrap_or_default();
                let known = Word::ALL.iter().any(|known| spelled(*known) == word);
                if AMBIGUOUS.contains(&error.code().code()) && !known {
                    wrong.push(format!("{call}: {error:?}"));
                }
            }
            client.batch_execute("ROLLBACK")?;
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Words whose errors occur only on a standby or with another encoding.
const ELSEWHERE: [Word; 2] = [Word::OnStandby, Word::WrongEncoding];

pub fn error_words_are_readable_in_two_drivers(context: &Context) -> Result<()> {
    let (database, _) = team(context)?;
    let scripts = text(context, "words")?;
    for word in Word::ALL.iter().filter(|word| !ELSEWHERE.contains(word)) {
        let word = spelled(*word);
        let is_raised = scripts.contains(&format!("-- word: {word}\n"));
        ensure!(is_raised, "no script raises {word}");
    }
    read_by_both(context, database.cluster(), &database.name, &scripts)?;
    let template = "template0 ENCODING 'LATIN1' LOCALE 'C'";
    let latin = Database::create(context.shared()?, template, &context.fixtures())?;
    let script = "-- word: wrong_encoding\nCREATE EXTENSION multica; SELECT multica_install()";
    read_by_both(context, latin.cluster(), &latin.name, script)
}

/// The Rust driver and psycopg read the word of each error. A script consists of a comment with the word and of the
/// statements that raise the error. It is rolled back afterwards.
pub fn read_by_both(context: &Context, cluster: &Cluster, database: &str, scripts: &str) -> Result<()> {
    let mut client = cluster.connect(database)?;
    let mut wrong = Vec::new();
    let mut expected = Vec::new();
    for part in scripts.split("-- word: ").skip(1) {
        let (word, sql) = part.split_once('\n').context("a word has no script")?;
        let (code, found) = by_rust(&mut client, sql).with_context(|| word.to_string())?;
        let known = Word::ALL.iter().find(|it| spelled(**it) == found);
        let sqlstate = known.map(|word| word.explained()[0]);
        if word != found || sqlstate != Some(code.as_str()) {
            wrong.push(format!("{word}: {code} {found}"));
        }
        expected.push(format!("{word} {word}"));
    }
    ensure!(wrong.is_empty(), "the Rust driver reads\n{}", wrong.join("\n"));
    let requirements = context.project.root.join("docs/examples/requirements.txt");
    let python = extras::python(&context.project, "examples", &requirements)?;
    let folder = cluster.socket_folder();
    let output = Command::new(python)
        .arg(context.fixtures().join("words.py"))
        .arg(format!("host={} user=postgres dbname={database}", folder.display()))
        .arg(scripts)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    let read = String::from_utf8_lossy(&output.stdout);
    ensure!(read.lines().eq(expected.iter().map(String::as_str)), "psycopg reads\n{read}");
    Ok(())
}

fn by_rust(client: &mut Client, script: &str) -> Result<(String, String)> {
    client.batch_execute("BEGIN")?;
    let error = error_of(client, script);
    client.batch_execute("ROLLBACK")?;
    let error = error?;
    let word = error.constraint().unwrap_or_default().to_string();
    Ok((error.code().code().to_string(), word))
}
