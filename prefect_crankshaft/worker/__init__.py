"""What runs on the other side: standard library only, besides what travels along.

`start.py` is the program; the other modules reach it in the payload. Every job begins with them, so at first they
import only what is built into Python: a bare Python takes 11 ms of CPU; pickle, json, typing, contextlib, signal,
hashlib, traceback and cloudpickle take 30 more. Those are imported by the calls that need them.
"""
