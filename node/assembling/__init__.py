"""Is a series complete, and by what evidence? `node.assembler` is the process that asks.

assembly.py    the decision; pure: facts and time in, a decision out
positions.py   do the slices follow each other, is one missing; pure
stacks.py      a series split into stacks, images that can be one volume; pure
acquired.py    when a stack was acquired, seconds between two; pure
query.py       asking a peer by C-FIND how many images a series has
questions.py   those questions in threads: a slow peer holds up nobody
"""
