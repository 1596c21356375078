# Get real-time updates
curl http://localhost:8000/api/ml/real-time-updates
