-- Whether install has made the tables of incarnations, which do not exist between an update and the install after it.
SELECT to_regclass('multica_runtime_incarnation') IS NOT NULL AND to_regclass('multica_task_incarnation') IS NOT NULL
