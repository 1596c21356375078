# Start a training session
curl -X POST http://localhost:8000/api/ml/start-training \
  -H "Content-Type: application/json" \
  -d '{"modelType":"randomforest"}'
