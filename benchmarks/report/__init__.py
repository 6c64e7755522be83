"""Results out: `report.json` and `requests.jsonl` for programs, a table for people, one request's story."""
