-- After each claim, an agent has at most max_concurrent_tasks in flight.
SELECT task, in_flight_of_agent, room FROM history WHERE in_flight_of_agent > room;
