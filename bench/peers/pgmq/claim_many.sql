SELECT msg_id, message::text FROM pgmq.read('bench', 300, :count)
