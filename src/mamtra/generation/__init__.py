"""From text ids to speech ids: requests, sampling, guard, running batch."""
