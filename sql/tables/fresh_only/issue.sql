-- Numbers an issue that is inserted without a number. The function is not a member of the extension, so that the table still works
-- after DROP EXTENSION.
CREATE OR REPLACE FUNCTION @schema@.multica_issue_number() RETURNS trigger
LANGUAGE plpgsql
SET search_path = @path@, pg_temp
AS $number$
DECLARE
    next_number integer;
BEGIN
    UPDATE workspace SET issue_counter = issue_counter + 1
    WHERE id = NEW.workspace_id
    RETURNING issue_counter INTO next_number;
    -- Issues that were imported with numbers have not moved the counter.
    IF EXISTS (SELECT FROM issue WHERE workspace_id = NEW.workspace_id AND "number" = next_number) THEN
        UPDATE workspace
        SET issue_counter = (SELECT max(i."number") + 1 FROM issue AS i WHERE i.workspace_id = NEW.workspace_id)
        WHERE id = NEW.workspace_id
        RETURNING issue_counter INTO next_number;
    END IF;
    -- Without its workspace the row is refused by the foreign key, whose message says what is wrong.
    NEW."number" := coalesce(next_number, NEW."number");
    RETURN NEW;
END
$number$;

COMMENT ON FUNCTION @schema@.multica_issue_number() IS 'numbers an issue that is inserted with number 0, from workspace.issue_counter';

CREATE TRIGGER multica_issue_number BEFORE INSERT ON issue
FOR EACH ROW WHEN (NEW."number" = 0) EXECUTE FUNCTION @schema@.multica_issue_number();
