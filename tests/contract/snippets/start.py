import requests

# Create session
response = requests.post('http://localhost:5000/api/training/sessions', json={
    "session_name": "YOLOv8s Mastomys v3",
    "model_type": "yolov8s",
    "dataset_name": "mastomys_aug_v3",
    "epochs": 150,
    "batch_size": 32,
    "learning_rate": 0.01,
    "config": {
        "imgsz": 640,
        "augment": True,
        "workers": 8
    }
})

session = response.json()['session']
session_id = session['id']

# Update to running status
requests.patch(f'http://localhost:5000/api/training/sessions/{session_id}', json={
    "status": "running",
    "started_at": "2025-11-04T14:00:00Z"
})
