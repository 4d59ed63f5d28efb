-- Numbers an issue that comes without a number. No member of the extension: DROP EXTENSION leaves the table working.
CREATE FUNCTION multica_issue_number() RETURNS trigger
LANGUAGE plpgsql
SET search_path FROM CURRENT
AS $number$
DECLARE
    next_number integer;
BEGIN
    UPDATE workspace SET issue_counter = issue_counter + 1
    WHERE id = NEW.workspace_id
    RETURNING issue_counter INTO next_number;
    -- Without its workspace the row is refused by the foreign key, whose message says what is wrong.
    NEW."number" := coalesce(next_number, NEW."number");
    RETURN NEW;
END
$number$;

COMMENT ON FUNCTION multica_issue_number() IS 'numbers an issue inserted with number 0 from workspace.issue_counter';

CREATE TRIGGER multica_issue_number BEFORE INSERT ON issue
FOR EACH ROW WHEN (NEW."number" = 0) EXECUTE FUNCTION multica_issue_number();
