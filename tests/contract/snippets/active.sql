SELECT * FROM active_training_sessions
ORDER BY started_at DESC;
