"""What a worker does beside the steps of its jobs; `node.worker` is the process.

warm.py            networks, loaded once and kept
heartbeat.py       a worker's sign of life, and what the others do when it ends
recovery.py        workflows of dead workers, jobs that lost their workflow
watch.py           may this work go on? so that a cancelled job stops soon
read_ahead.py      headers of series that will soon be complete
check_beside.py    the check begun while objects are written: the worker's end of it
check_process.py   the other end: the body of that process
delivery.py        the last two steps, for one destination: dispatch and commitment
retry.py           what follows an error: again, when, or never; pure
doubts.py          reports of commitment that come after the job was over
"""
