"""Sound as samples: files, pipes, joining and resampling; knows nothing of models."""
