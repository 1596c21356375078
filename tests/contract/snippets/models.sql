SELECT 
  model_type,
  AVG(final_map50_95) as avg_map,
  AVG(duration_seconds) as avg_duration,
  COUNT(*) as training_runs
FROM training_sessions
WHERE status = 'completed'
GROUP BY model_type
ORDER BY avg_map DESC;
