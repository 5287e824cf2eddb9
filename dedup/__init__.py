"""The mathematics of text: normalise, encode, compare, score, cluster, evaluate, train.

No database, no FAISS, no command line; torch only in ``dedup.training``.
"""
