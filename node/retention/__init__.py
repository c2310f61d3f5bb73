"""What may be deleted, and when.

deletion.py        files: images after commitment, folders of jobs; `Retention` does it all
records.py         what the tables recorded on the way
forgetting.py      rows of series whose images were deleted, and of jobs, long after
queue_records.py   what DBOS recorded of workflows that have ended
"""
