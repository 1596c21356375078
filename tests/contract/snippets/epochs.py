# Inside your training loop
for epoch in range(epochs):
    # ... train one epoch ...
    
    # Record metrics
    requests.post('http://localhost:5000/api/training/metrics', json={
        "session_id": session_id,
        "epoch": epoch,
        "total_loss": train_loss,
        "precision": metrics['precision'],
        "recall": metrics['recall'],
        "map50": metrics['map50'],
        "map50_95": metrics['map50_95'],
        "epoch_time_seconds": epoch_duration,
        "gpu_memory_mb": gpu_memory
    })
