SELECT 
  session_name,
  final_map50_95,
  duration_seconds / 3600.0 as hours,
  final_map50_95 / (duration_seconds / 3600.0) as efficiency_score
FROM training_sessions
WHERE status = 'completed'
ORDER BY efficiency_score DESC;
