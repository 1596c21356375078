# Check training data
curl http://localhost:8000/api/ml/training-data
