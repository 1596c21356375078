SELECT * FROM models_leaderboard
WHERE rank = 1;
