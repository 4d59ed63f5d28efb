-- Never more in flight of an agent than it has room for, whenever a task was handed out.
SELECT task, in_flight_of_agent, room FROM history WHERE in_flight_of_agent > room;
