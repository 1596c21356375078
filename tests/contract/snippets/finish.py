# After training finishes
requests.patch(f'http://localhost:5000/api/training/sessions/{session_id}', json={
    "status": "completed",
    "completed_at": "2025-11-04T16:30:00Z",
    "final_map50": 0.892,
    "final_map50_95": 0.754,
    "final_precision": 0.865,
    "final_recall": 0.823,
    "model_path": "/models/yolov8s_best.pt"
})
