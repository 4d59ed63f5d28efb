UPDATE agent SET status = 'working' WHERE name = 'agent 1';
