//! The order of a chat's turns and of its messages.

use anyhow::Result;
use postgres::Client;

use super::{expect_claim, queue, rested};
use crate::context::Context;
use crate::suites::cases::on_generations;
use crate::suites::support::{expect, values};

const OF_CHAT: &str = ", chat_session_id = md5('chat x')::uuid";

/// The server's retry of a turn is new, and has a higher priority than the turns that users have queued since.
pub fn retry_comes_before_later_turns(context: &Context) -> Result<()> {
    on_generations(context, &["chat_input"], |client, _| {
        rested(context, client)?;
        queue(client, "one", &format!("{OF_CHAT}, priority = 2, chat_input_task_id = id"))?;
        queue(
            client,
            "two",
            &format!("{OF_CHAT}, priority = 3, created_at = now(), chat_input_task_id = md5('task turn')::uuid"),
        )?;
        expect_claim(client, "two")?;
        expect_claim(client, "")?;
        client.batch_execute(
            "UPDATE agent_task_queue SET status = 'completed', completed_at = now() WHERE id = md5('two')::uuid",
        )?;
        expect_claim(client, "one")
    })
}

fn write(client: &mut Client, content: &str, role: &str, task: &str, secs: i32) -> Result<()> {
    Ok(client.batch_execute(&format!(
        "INSERT INTO chat_message (chat_session_id, role, content, task_id, created_at)
         VALUES (md5('chat x')::uuid, '{role}', '{content}', {task}, now() - interval '{secs} seconds')"
    ))?)
}

/// A user sends messages while a turn runs. Each is answered by a turn of its own, whose claim moves it behind the answers
/// that were written since. The messages of turns that wait do not count.
pub fn message_moves_behind_the_answers_before_it(context: &Context) -> Result<()> {
    on_generations(context, &["chat_input"], |client, _| {
        rested(context, client)?;
        client.batch_execute("DELETE FROM chat_message")?;
        write(client, "first question", "user", "md5('one')::uuid", 60)?;
        write(client, "second question", "user", "md5('two')::uuid", 50)?;
        write(client, "and its end", "user", "md5('two')::uuid", 49)?;
        write(client, "third question", "user", "md5('three')::uuid", -60)?;
        queue(client, "one", &format!("{OF_CHAT}, chat_input_task_id = id, priority = 4"))?;
        queue(client, "two", &format!("{OF_CHAT}, chat_input_task_id = id, priority = 3"))?;
        queue(client, "three", &format!("{OF_CHAT}, chat_input_task_id = id"))?;
        let times = "SELECT content, created_at FROM chat_message ORDER BY content";
        let before = values(client, times)?;
        expect_claim(client, "one")?;
        expect(client, times, &before.join("\n"))?;
        write(client, "first answer", "assistant", "md5('one')::uuid", 0)?;
        let done = |label: &str| {
            format!(
                "UPDATE agent_task_queue SET status = 'completed', completed_at = now() WHERE id = md5('{label}')::uuid"
            )
        };
        client.batch_execute(&done("one"))?;
        expect_claim(client, "two")?;
        expect(
            client,
            "SELECT content FROM chat_message ORDER BY created_at",
            "first question\nfirst answer\nsecond question\nand its end\nthird question",
        )?;
        expect(
            client,
            "SELECT m.content, m.created_at - t.dispatched_at FROM chat_message AS m JOIN agent_task_queue AS t ON t.id = m.task_id
             WHERE t.id = md5('two')::uuid ORDER BY m.created_at",
            "second question 00:00:00\nand its end 00:00:00.000001",
        )
    })
}
